"""A control chart of good parts' scores: whether they have moved from those of the goods held out in teaching.

Scores of different products have different laws, so each is first turned into how far up it lies among the held-out
goods, and that into the normal deviate of the same share; then an exponentially weighted moving average with limits
(S. Roberts, Technometrics 1 (1959) 239). Memory is two numbers.
"""

import bisect
import math
from collections.abc import Sequence
from statistics import NormalDist

WEIGHT = 0.02
"""Of the newest part in the average: about the last hundred parts count."""
SIGMAS = 5.0
"""Limits; parts in a row are alike, so three would call too often."""
BACK = 0.7
"""An alarm falls when the average is back within this share of the limit."""
LEAST_PARTS = 100
FEWEST_GOODS = 20
FOLDED_GOODS, FOLDED = 100, 0.75
"""With fewer goods each was scored by a model of five sixths of them, which knows less than the one that runs: new
goods score up to 0.8 standard deviations lower (rendered plates, 95 goods), and that is no fall."""
_NORMAL = NormalDist()


class ScoreChart:
    """One region's. One thread; no clock."""

    def __init__(self, goods: Sequence[float]) -> None:
        """goods: held-out scores of the goods that were taught. ValueError: too few, or one is not finite."""
        if len(goods) < FEWEST_GOODS or not all(math.isfinite(score) for score in goods):
            raise ValueError(f"{len(goods)} scores of goods: expected {FEWEST_GOODS} or more, all finite")
        self._goods = sorted(goods)
        self._slack = FOLDED if len(goods) < FOLDED_GOODS else 0.0
        self._average = 0.0
        self._decay = 1.0
        self.parts = 0
        """Taken up since the job began."""
        self.on = False
        """The scores have moved."""

    @property
    def average(self) -> float:
        """Where the middle of the last parts lies among the held-out goods, in standard deviations; 0: where theirs."""
        return self._average / (1.0 - self._decay) if self.parts else 0.0

    @property
    def limit(self) -> float:
        """Beyond it, on either side, the scores have moved. What the goods' own number leaves open is allowed for."""
        spread = WEIGHT / (2.0 - WEIGHT) * (1.0 - self._decay**2) / max(1e-12, (1.0 - self._decay) ** 2)
        return SIGMAS * math.sqrt(spread + 1.0 / len(self._goods))

    def add(self, score: float) -> bool:
        """Take up the score of one part that was OK; return whether the scores have moved."""
        low, high = bisect.bisect_left(self._goods, score), bisect.bisect_right(self._goods, score)
        share = ((low + high) / 2.0 + 0.5) / (len(self._goods) + 1.0)
        self._average += WEIGHT * (_NORMAL.inv_cdf(share) - self._average)
        self._decay *= 1.0 - WEIGHT
        self.parts += 1
        if self.parts >= LEAST_PARTS:
            beyond = max(self.average, -self.average - self._slack)
            self.on = beyond > self.limit * (BACK if self.on else 1.0)
        return self.on
