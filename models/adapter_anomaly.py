"""Anomaly models: a score and a heat map in the model's own units, as they are."""

from collections.abc import Sequence

import numpy as np

from .reading import Array, Reader, Reading, Unsound, numbers

MOST_SCORE = 1e6
"""A score beyond this is no distance from good parts but a broken model or device."""


def read(outputs: Sequence[Array], reader: Reader) -> Reading:
    """Return score float32 [1] and heat float32 [1, rows, columns] of one picture as a reading.

    Unsound: NaN, another shape, out of range, or a constant map: a picture is nowhere equally unlike a good one, unless
    the graph clips its map (anomalib's does, to 0..1) and it lies at one end.
    """
    score = numbers(outputs, 0, reader.output.score, 1)
    heat = numbers(outputs, 1, reader.output.heat, 3)
    if score.shape != (1,) or heat.shape != (1, reader.output.rows, reader.output.columns):
        raise Unsound(f"score {list(score.shape)} and heat {list(heat.shape)}: not as the manifest says")
    value, low, high = float(score[0]), float(heat.min()), float(heat.max())
    if low == high and heat.size > 1 and low not in (reader.output.clipped or ()):
        raise Unsound(f"the heat map is constant ({low:g})")
    if max(abs(value), abs(low), abs(high)) > MOST_SCORE:
        raise Unsound(f"score {value:g} is out of range")
    return Reading(value, heat[0].astype(np.float32, copy=False))
