"""Detectors as torchvision exports them: boxes, labels and scores, overlaps already left out by the graph."""

from collections.abc import Sequence

import numpy as np

from .reading import (
    LEAST_CONFIDENCE,
    LISTED_RATIO,
    MOST_CANDIDATES,
    Array,
    Candidate,
    Reader,
    Reading,
    Unsound,
    check_confidence,
    from_candidates,
    numbers,
)


def read(outputs: Sequence[Array], reader: Reader) -> Reading:
    """Return boxes [k, 4] (x0 y0 x1 y1, input pixels), labels [k] and scores [k] of one picture as a reading.

    k may be 0. A label is a class by `class_numbers`; where the manifest numbers its classes itself, other labels are
    of no interest, else they are an error. Unsound: NaN, other shapes, scores outside 0..1, or such a label.
    """
    output = reader.output
    boxes = numbers(outputs, 0, output.boxes, 2).astype(np.float64)
    labels = numbers(outputs, 1, output.labels, 1)
    scores = check_confidence(numbers(outputs, 2, output.scores, 1), output.scores)
    if boxes.shape != (len(labels), 4) or len(scores) != len(labels):
        raise Unsound(
            f"{list(boxes.shape)} boxes, {len(labels)} labels and {len(scores)} scores do not belong together"
        )
    kind_of = {number: kind for kind, number in enumerate(output.class_numbers)}
    kinds = np.array([kind_of.get(int(label), -1) for label in labels], np.int64)
    if not output.numbers and (kinds < 0).any():
        raise Unsound(f"label {labels[kinds < 0][0]}: expected 1..{len(output.classes)}")
    boxes, scores, kinds = boxes[kinds >= 0], scores[kinds >= 0], kinds[kinds >= 0]
    ratios = scores / reader.limits[kinds]
    order = np.argsort(-ratios, kind="stable")
    candidates, met = [], set()
    for at in order[:MOST_CANDIDATES]:
        kind = int(kinds[at])
        if scores[at] >= LEAST_CONFIDENCE and (ratios[at] >= LISTED_RATIO or kind not in met):
            x0, y0, x1, y1 = boxes[at].tolist()
            candidates.append(Candidate(kind, (x0, y0, x1, y1), float(scores[at])))
        met.add(kind)
    left_out = int((ratios[order[MOST_CANDIDATES:]] > 1.0).sum())
    return from_candidates(candidates, float(ratios.max(initial=0.0)), reader, left_out)
