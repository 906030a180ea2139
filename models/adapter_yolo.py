"""Detectors of the YOLO family: a box and confidences at every place of a grid, overlaps not yet left out.

`v8` (and later): [1, 4 + C, N], the confidence of each class. `v5` (and v7): [1, N, 5 + C], the confidence that there
is anything, then that of each class given that. Boxes are centre x, centre y, width, height in input pixels.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .reading import (
    LEAST_CONFIDENCE,
    LISTED_RATIO,
    MOST_CANDIDATES,
    Array,
    Candidate,
    Floats,
    Reader,
    Reading,
    Unsound,
    check_confidence,
    from_candidates,
    numbers,
)


def read(outputs: Sequence[Array], reader: Reader) -> Reading:
    """Return the predictions of one picture as a reading; of overlapping boxes of one class the best is kept.

    N may be 0. Unsound: NaN, another shape, fewer classes than the manifest says, or confidences outside 0..1.
    """
    output = reader.output
    predictions = numbers(outputs, 0, output.predictions, 3)
    if predictions.shape[0] != 1:
        raise Unsound(f"output {output.predictions!r} is {list(predictions.shape)}: expected one picture")
    rows = predictions[0].T if output.layout == "v8" else predictions[0]
    first = 4 if output.layout == "v8" else 5
    if rows.shape[1] - first <= max(output.class_numbers):
        raise Unsound(
            f"output {output.predictions!r} is {list(predictions.shape)}: "
            f"expected room for {max(output.class_numbers) + 1} classes in layout {output.layout}"
        )
    columns = [first + number for number in output.class_numbers]
    scores = check_confidence(rows[:, columns], output.predictions)
    if output.layout == "v5":
        scores = scores * check_confidence(rows[:, 4:5], output.predictions)
    ratios = scores / reader.limits.astype(scores.dtype)
    order, left_out = _candidates(scores, ratios)
    corners = _corners(rows[order // scores.shape[1], :4].astype(np.float64))
    kinds = order % scores.shape[1]
    kept = kept_of(corners, kinds, output.overlap)
    flat = scores.ravel()[order]
    found = [Candidate(int(kinds[at]), tuple(corners[at].tolist()), float(flat[at])) for at in kept]
    best = scores.max(axis=0, initial=0.0).astype(np.float64) / reader.limits
    return from_candidates(found, float(best.max()), reader, left_out)


def _candidates(scores: Array, ratios: Array) -> tuple[npt.NDArray[np.int64], int]:
    """Flat places of what may be listed, the worst first, and how many above their limit are not among them.

    The worst of each class is among them always.
    """
    if not scores.size:
        return np.zeros(0, np.int64), 0
    worth = ratios >= LISTED_RATIO
    worth[scores.argmax(axis=0), np.arange(scores.shape[1])] = True
    worth &= scores >= LEAST_CONFIDENCE
    places = np.flatnonzero(worth.ravel())
    places = places[np.argsort(-ratios.ravel()[places], kind="stable")]
    return places[:MOST_CANDIDATES], int((ratios.ravel()[places[MOST_CANDIDATES:]] > 1.0).sum())


def _corners(boxes: Floats) -> Floats:
    """Centre and size to corners. A negative size is none."""
    half = np.maximum(boxes[:, 2:], 0.0) / 2.0
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def kept_of(corners: Floats, kinds: npt.NDArray[np.int64], overlap: float) -> list[int]:
    """Return the places of the boxes that stay. Greedy, the first is the best; only boxes of one class compete.

    corners: `(k, 4)`, best first. overlap: intersection over union above which the later box goes.
    """
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    open_ = np.ones(len(corners), bool)
    kept = []
    for at in range(len(corners)):
        if not open_[at]:
            continue
        kept.append(at)
        low = np.maximum(corners[at, :2], corners[at + 1 :, :2])
        high = np.minimum(corners[at, 2:], corners[at + 1 :, 2:])
        both = np.maximum(high - low, 0.0).prod(axis=1)
        either = np.maximum(areas[at] + areas[at + 1 :] - both, 1e-12)
        open_[at + 1 :] &= (both / either <= overlap) | (kinds[at + 1 :] != kinds[at])
    return kept
