"""Segmentations: a class for every cell, and connected cells of one class are one place.

A class may ask for an area. Its score is then the highest confidence that holds over a connected place of at least that
area, so a single noisy cell says nothing, and the score stays steady in both the confidence and the area.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .box import Box
from .findings import Spot
from .reading import (
    LEAST_CONFIDENCE,
    MOST_SPOTS,
    Array,
    Floats,
    Reader,
    Reading,
    Unsound,
    confidences,
    numbers,
    placed,
    said_left_out,
)


def read(outputs: Sequence[Array], reader: Reader) -> Reading:
    """Return logits [1, C, rows, columns] of one picture as a reading.

    Unsound: NaN, another shape, fewer channels than the classes need, or no confidences where there should be.
    """
    output = reader.output
    logits = numbers(outputs, 0, output.logits, 4)
    if logits.shape[0] != 1 or logits.shape[2:] != (output.rows, output.columns):
        raise Unsound(
            f"output {output.logits!r} is {list(logits.shape)}: expected [1, C, {output.rows}, {output.columns}]"
        )
    shares = confidences(logits[0], reader, 0)
    cell_px = reader.region.w * reader.region.h / (output.rows * output.columns)
    best, left_out, spots = 0.0, 0, []
    heat = np.zeros((output.rows, output.columns))
    for kind, share in enumerate(shares):
        limit, cells = float(reader.limits[kind]), max(1, int(np.ceil(reader.areas_px[kind] / cell_px - 1e-9)))
        score = level(share, cells)
        best = max(best, score / limit)
        places = _places(share, share > limit, cells)
        # More than the limit, but over too small an area, is drawn as being right at it.
        shown = np.where((share > limit) & ~places.covered, limit, share)
        np.maximum(heat, np.minimum(shown, score) / limit, out=heat)
        if not places.parts and score >= LEAST_CONFIDENCE:
            places = _places(share, share >= score, cells)
        left_out += places.left_out if score > limit else 0
        spots += [
            Spot(output.classes[kind], _placed(at, part.shape, reader), min(level(part, cells), score), limit)
            for at, part in places.parts
        ]
    spots.sort(key=lambda spot: -spot.ratio)
    left_out += sum(spot.ratio > 1.0 for spot in spots[MOST_SPOTS:])
    return Reading(best, heat.astype(np.float32), tuple(spots[:MOST_SPOTS]), said_left_out(left_out))


def level(share: Floats, cells: int) -> float:
    """Return the highest confidence that some connected place of so many cells has throughout; 0: none is so large.

    share: `(rows, columns)` 0..1. Found by halving: with a lower level places only grow.
    """
    if cells <= 1:
        return float(share.max())
    if cells > share.size:
        return 0.0
    values = np.sort(share, axis=None)[::-1]
    low, high = cells - 1, share.size - 1  # no level above the cells-th largest value can do
    if not _holds(share, float(values[high]), cells):
        return 0.0
    while low < high:
        middle = (low + high) // 2
        if _holds(share, float(values[middle]), cells):
            high = middle
        else:
            low = middle + 1
    return float(values[high])


def _holds(share: Floats, at: float, cells: int) -> bool:
    count, _, stats, _ = cv2.connectedComponentsWithStats((share >= at).astype(np.uint8), connectivity=8)
    return count > 1 and int(stats[1:, cv2.CC_STAT_AREA].max()) >= cells


@dataclass(frozen=True, slots=True)
class _Places:
    """Connected cells of one class, large enough to count."""

    covered: npt.NDArray[np.bool_]
    """`(rows, columns)`, the cells of all of them."""
    parts: list[tuple[tuple[int, int], Floats]]
    """Row and column of each one's top left corner, and its confidences in its own rectangle, 0 around it. The worst
    first, at most 100."""
    left_out: int


def _places(share: Floats, inside: npt.NDArray[np.bool_], cells: int) -> _Places:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    large = np.concatenate([[False], stats[1:count, cv2.CC_STAT_AREA] >= cells])
    parts = []
    for label in np.flatnonzero(large):
        x, y, w, h = (int(value) for value in stats[label, :4])
        cut = slice(y, y + h), slice(x, x + w)
        parts.append(((y, x), np.where(labels[cut] == label, share[cut], 0.0)))
    if len(parts) > MOST_SPOTS:
        parts.sort(key=lambda part: -float(part[1].max()))
    return _Places(large[labels], parts[:MOST_SPOTS], max(0, len(parts) - MOST_SPOTS))


def _placed(at: tuple[int, int], shape: tuple[int, ...], reader: Reader) -> Box:
    """Cells as a box of the picture."""
    across, down = reader.width / reader.output.columns, reader.height / reader.output.rows
    (y, x), (rows, columns) = at, shape
    return placed((x * across, y * down, (x + columns) * across, (y + rows) * down), reader)
