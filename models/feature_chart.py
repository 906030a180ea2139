"""Drift of what a model sees in the mean: a multivariate chart of its features, with bounded memory.

Each feature of a part, less the goods' mean and over their spread, goes into an exponentially weighted moving average;
the sum of their squares, over what chance gives them, is about chi-square (C. Lowry and others, Technometrics 34 (1992)
46). Memory is one vector, however many parts there were.
"""

import math

import numpy as np
import numpy.typing as npt

from .score_chart import BACK, LEAST_PARTS, WEIGHT

DEVIATE = 8.0
"""Normal deviate of the limit on the sum of squares; parts in a row are alike, so a usual one would call too often."""
LEAST_SPREAD = 1e-6
_NAMED = 3

Array = npt.NDArray[np.float32]


class FeatureChart:
    """One region's. One thread; no clock."""

    def __init__(self, mean: npt.ArrayLike, spread: npt.ArrayLike, goods: int) -> None:
        """mean, spread: of each feature over the goods, `(k,)`. goods: how many. ValueError: they do not fit."""
        self._mean = np.asarray(mean, np.float64)
        self._spread = np.maximum(np.asarray(spread, np.float64), LEAST_SPREAD)
        if self._mean.ndim != 1 or self._mean.shape != self._spread.shape or not len(self._mean) or goods < 2:
            raise ValueError(
                f"mean {self._mean.shape}, spread {self._spread.shape}, {goods} goods: expected two vectors of one size"
            )
        if not (np.isfinite(self._mean).all() and np.isfinite(self._spread).all()):
            raise ValueError("mean and spread of features: expected finite numbers")
        self._goods = goods
        self._average = np.zeros(len(self._mean))
        self._decay = 1.0
        self.parts = 0
        self.on = False
        """What is seen has moved."""

    @property
    def shift(self) -> float:
        """Root mean square over the features of how far their averages have moved, in the goods' spreads."""
        return float(np.sqrt(np.mean(self._moved**2)))

    @property
    def limit(self) -> float:
        """Beyond it what is seen has moved; in the unit of `shift`.

        Features go up and down together, and mean and spread come from the goods: there is no more freedom than half of
        either. With that of the features alone 6 of 12 charts of 12 goods called while nothing moved, 4 of 12 of 20.
        """
        spread = WEIGHT / (2.0 - WEIGHT) * (1.0 - self._decay**2) / max(1e-12, (1.0 - self._decay) ** 2)
        freedom = max(1.0, min(len(self._mean), self._goods - 1) / 2.0)
        # Wilson-Hilferty: the cube root of chi-square over its freedom is nearly normal.
        part = 2.0 / (9.0 * freedom)
        return math.sqrt((1.0 - part + DEVIATE * math.sqrt(part)) ** 3 * (spread + 1.0 / self._goods))

    @property
    def _moved(self) -> npt.NDArray[np.float64]:
        return self._average / (1.0 - self._decay) if self.parts else self._average

    def add(self, features: Array) -> bool:
        """Take up one part that was OK; features: `(k,)`. Return whether what is seen has moved.

        ValueError: another number of features.
        """
        if features.shape != self._mean.shape:
            raise ValueError(f"features {features.shape}: expected {self._mean.shape}")
        deviate = (features - self._mean) / self._spread
        self._average += WEIGHT * (np.clip(deviate, -10.0, 10.0) - self._average)
        self._decay *= 1.0 - WEIGHT
        self.parts += 1
        if self.parts >= LEAST_PARTS:
            self.on = self.shift > self.limit * (BACK if self.on else 1.0)
        return self.on
