"""The lesson: everything fitted on the goods, and each good's distances as if it were a new one.

No good judges itself. With goods enough one fit serves: memory distances are taken as if the memory held none of the
good's own vectors, Gaussian ones by leaving it out in closed form; only whitening knows it, as one of many. With fewer,
and where neighbouring cells share a covariance, that is worth too much (40 rendered plates of 36 cells, 5 % asked for:
34 to 42 % of new ones above the threshold), so everything is fitted anew without each fold of goods (then: 3 %). Either
way z is by the calibration of the others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .calibration import fit_calibration, held_out_z
from .coreset import Memory, fit_memory
from .gaussian import Gaussian, fit_gaussian, left_out
from .heads import Heads, Mix, smoothed, unlikeness
from .options import TeachOptions
from .whitening import Whitening, fit_whitening

Array = npt.NDArray[np.float32]
Tell = Callable[[float], None]
Begin = Callable[[str], Tell]

ENOUGH_GOODS = 100
ENOUGH_CELLS = 25_600
"""Of all goods together: 100 goods of 16x16 cells."""
FOLDS = 6


@dataclass(frozen=True, slots=True)
class Grid:
    """The map's shape, as the fits need it."""

    columns: int
    block: int = 1
    """Cells along one side of a block that shares a covariance."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the goods taught."""

    heads: Heads
    held_out: npt.NDArray[np.float64]
    """Score of each good as if it were new, `(goods,)`."""
    memory_z: Array
    """z of the memory's distances of each good as if it were new, `(goods, cells)`."""
    gaussian_z: Array
    mean_features: Array
    """What each good shows in the mean, white, `(goods, d)`: for charts of drift."""

    def scored_by(self, mix: Mix) -> npt.NDArray[np.float64]:
        """Return what each good would score, as if it were new, by other weights."""
        height = unlikeness(self.memory_z, self.gaussian_z, mix)
        return worst(smoothed(height, self.heads.gaussian.columns))

    def heat_of(self, good: int) -> Array:
        """Return where one good is unlike the others, as if it were new, `(rows, columns)`."""
        height = unlikeness(self.memory_z[good : good + 1], self.gaussian_z[good : good + 1], self.heads.mix)
        heat: Array = smoothed(height, self.heads.gaussian.columns)[0]
        return heat


@dataclass(frozen=True, slots=True)
class Fit:
    """Whitening, memory and Gaussian of some goods."""

    whitening: Whitening
    memory: Memory
    gaussian: Gaussian

    def distances(self, features: Array) -> tuple[Array, Array]:
        """Memory and Gaussian distances, each `(goods, cells)`, of goods that are not in the fit."""
        white = self.whitening.apply(features)
        return self.memory.distances(white), self.gaussian.distances(white)


def learn(features: Array, grid: Grid, options: TeachOptions, mix: Mix, begin: Begin) -> Lesson:
    """Return the lesson of features `(goods, cells, channels)`.

    begin: told the name of each phase; what it returns is told how far that is, 0..1.
    """
    rng = np.random.default_rng(options.seed)
    begin("whitening")
    whitening = fit_whitening(features, options.dimensions)
    white = whitening.apply(features)
    begin("memory")
    memory = fit_memory(white, options.bank, rng)
    begin("gaussian")
    gaussian = fit_gaussian(white, grid.columns, grid.block)
    tell = begin("calibration")
    many = len(features) >= ENOUGH_GOODS and features.shape[0] * features.shape[1] >= ENOUGH_CELLS
    if many and grid.block == 1:
        apart = memory.distances(white, leave_out=True), left_out(gaussian.distances(white))
    else:
        apart = _by_folds(features, grid, options, rng, tell)
    heads = Heads(
        whitening=whitening,
        memory=memory,
        gaussian=gaussian,
        memory_z=fit_calibration(apart[0]),
        gaussian_z=fit_calibration(apart[1]),
        mix=mix,
    )
    memory_z, gaussian_z = held_out_z(apart[0]), held_out_z(apart[1])
    held_out = worst(smoothed(unlikeness(memory_z, gaussian_z, mix), grid.columns))
    return Lesson(heads, held_out, memory_z, gaussian_z, white.mean(axis=1))


def fit(features: Array, grid: Grid, options: TeachOptions, rng: np.random.Generator) -> Fit:
    """Fit all three to features `(goods, cells, channels)`."""
    whitening = fit_whitening(features, options.dimensions)
    white = whitening.apply(features)
    memory = fit_memory(white, options.bank, rng)
    return Fit(whitening, memory, fit_gaussian(white, grid.columns, grid.block))


def worst(heat: Array) -> npt.NDArray[np.float64]:
    """Return the scores of heat maps `(goods, rows, columns)`: the maximum of each."""
    scores: npt.NDArray[np.float64] = heat.max(axis=(1, 2)).astype(np.float64)
    return scores


def _by_folds(
    features: Array, grid: Grid, options: TeachOptions, rng: np.random.Generator, tell: Tell
) -> tuple[Array, Array]:
    """Distances of each good under a fit without its fold."""
    order, folds = rng.permutation(len(features)), min(FOLDS, len(features))
    memory, gaussian = np.empty(features.shape[:2], np.float32), np.empty(features.shape[:2], np.float32)
    for fold in range(folds):
        held, rest = order[fold::folds], np.delete(order, slice(fold, None, folds))
        memory[held], gaussian[held] = fit(features[rest], grid, options, rng).distances(features[held])
        tell((fold + 1) / folds)
    return memory, gaussian
