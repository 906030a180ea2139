"""Classifiers: one confidence a class for the whole region."""

from collections.abc import Sequence

import numpy as np

from .findings import Spot
from .reading import LEAST_CONFIDENCE, MOST_SPOTS, Array, Reader, Reading, Unsound, confidences, numbers, said_left_out


def read(outputs: Sequence[Array], reader: Reader) -> Reading:
    """Return logits [1, C] of one picture as a reading: a spot for each defect class, the region as its box.

    Unsound: NaN, another shape, fewer channels than the classes need, or no confidences where there should be.
    """
    output = reader.output
    logits = numbers(outputs, 0, output.logits, 2)
    if logits.shape[0] != 1:
        raise Unsound(f"output {output.logits!r} is {list(logits.shape)}: expected one row")
    shares = confidences(logits[0], reader, 0)
    ratios = shares / reader.limits
    order = np.argsort(-ratios, kind="stable")
    listed = [int(kind) for kind in order[:MOST_SPOTS] if shares[kind] >= LEAST_CONFIDENCE]
    spots = tuple(
        Spot(output.classes[kind], reader.region, float(shares[kind]), float(reader.limits[kind])) for kind in listed
    )
    score = float(ratios.max())
    heat = np.full((output.rows, output.columns), score, np.float32)
    return Reading(score, heat, spots, said_left_out(int((ratios > 1.0).sum()) - sum(s.ratio > 1.0 for s in spots)))
