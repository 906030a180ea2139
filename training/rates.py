"""Shares of parts with what they prove: exact intervals, and what every other threshold would have given.

Pure: no pictures, no model, no clock.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..models.figures import clopper_pearson

CURVE_POINTS = 400


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its exact 95 % interval (Clopper-Pearson)."""

    events: int
    n: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """Share of n; NaN where n is 0."""
        return self.events / self.n if self.n else math.nan


@dataclass(frozen=True, slots=True)
class Operating:
    """What one threshold would have done to these very parts."""

    threshold: float
    escape: Rate
    overkill: Rate


def rate_of(events: int, n: int) -> Rate:
    """Return a share with its interval. ValueError: not 0 <= events <= n."""
    low, high = clopper_pearson(events, n)
    return Rate(events, n, low, high)


class Scores:
    """The scores of good and of defective parts, in order; `inf` for a part that could not be judged."""

    def __init__(self, goods: Sequence[float], defects: Sequence[float]) -> None:
        """Sort them. ValueError: a score is NaN."""
        if any(math.isnan(score) for score in [*goods, *defects]):
            raise ValueError("a score is NaN: such a part is unjudged and scores inf")
        self.goods = sorted(goods)
        self.defects = sorted(defects)

    def at(self, threshold: float) -> Operating:
        """Return what a threshold gives: a part above it is rejected, and one exactly at it passes."""
        return Operating(
            threshold,
            rate_of(bisect.bisect_right(self.defects, threshold), len(self.defects)),
            rate_of(len(self.goods) - bisect.bisect_right(self.goods, threshold), len(self.goods)),
        )

    def curve(self) -> list[tuple[float, float, float]]:
        """Return (threshold, escape, overkill) for rising thresholds, all that differ or CURVE_POINTS of them.

        Empty when one kind is missing. The first threshold lies below all scores, the last at the highest finite one.
        """
        places = sorted({score for score in [*self.goods, *self.defects] if math.isfinite(score)})
        if not places or not self.goods or not self.defects:
            return []
        places = [math.nextafter(places[0], -math.inf), *places]
        if len(places) > CURVE_POINTS:
            places = [places[round(at * (len(places) - 1) / (CURVE_POINTS - 1))] for at in range(CURVE_POINTS)]
        points = [self.at(threshold) for threshold in places]
        return [(point.threshold, point.escape.rate, point.overkill.rate) for point in points]

    def for_escape(self, most: float) -> Operating | None:
        """Return the highest threshold that lets at most this share of the defects pass. None: there are none."""
        if not self.defects:
            return None
        allowed = math.floor(most * len(self.defects) + 1e-9)
        if allowed >= len(self.defects):
            return self.at(_beyond(self.defects))
        return self.at(self._below(self.defects[allowed]))

    def for_overkill(self, most: float) -> Operating | None:
        """Return the lowest threshold that rejects at most this share of the goods.

        None: there are no goods, or more of them than that are unjudged, which no threshold mends.
        """
        allowed = math.floor(most * len(self.goods) + 1e-9)
        if not self.goods or allowed >= len(self.goods):
            return None
        threshold = self.goods[len(self.goods) - 1 - allowed]
        return self.at(threshold) if math.isfinite(threshold) else None

    def _below(self, score: float) -> float:
        """Halfway from the next lower score of any part: a threshold this part is above, with room to either side."""
        if not math.isfinite(score):
            return _beyond([*self.goods, *self.defects])
        lower = [part[at - 1] for part in (self.goods, self.defects) if (at := bisect.bisect_left(part, score)) > 0]
        middle = (max(lower) + score) / 2.0 if lower else score - 1.0
        return middle if middle < score else math.nextafter(score, -math.inf)


def _beyond(scores: Sequence[float]) -> float:
    """The highest finite score; 0 where there is none."""
    return max((score for score in scores if math.isfinite(score)), default=0.0)


def share_at(scores: Sequence[float], share: float) -> float:
    """Return the value that this share of the values lies at or below (nearest rank). NaN: no values."""
    if not scores:
        return math.nan
    ordered = sorted(scores)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]
