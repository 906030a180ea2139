"""Whether a figure grows: Theil and Sen's slope, the median of the slopes of all pairs. A few odd ones do not move it.

Theil 1950, Sen 1968.
"""

from collections.abc import Sequence
from itertools import combinations
from statistics import median

PER_PARTS = 100_000
"""Slopes are told for so many parts."""


def slope(parts: Sequence[float], values: Sequence[float]) -> float:
    """Growth per PER_PARTS; 0 for fewer than two points. parts: rising."""
    return pooled([(parts, values)])


def pooled(stretches: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    """As `slope`, of several stretches: only pairs within one count, for between two the processes began afresh."""
    found = [each for parts, values in stretches for each in _slopes(parts, values)]
    return float(median(found)) if found else 0.0


def _slopes(parts: Sequence[float], values: Sequence[float]) -> list[float]:
    pairs = combinations(zip(parts, values, strict=True), 2)
    return [(y2 - y1) / (x2 - x1) * PER_PARTS for (x1, y1), (x2, y2) in pairs if x2 != x1]
