"""All that was learnt from goods, and how it scores, in numpy: the reference for the graph that runs on the line."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .calibration import Calibration
from .coreset import Memory
from .gaussian import Gaussian
from .whitening import Whitening

Array = npt.NDArray[np.float32]

SMOOTHING = np.outer([1.0, 2.0, 1.0], [1.0, 2.0, 1.0]).astype(np.float32) / 16.0
"""3x3 binomial weights over neighbouring cells; beyond the edge the edge is repeated."""


@dataclass(frozen=True, slots=True)
class Heads:
    """What a taught model knows."""

    whitening: Whitening
    memory: Memory
    gaussian: Gaussian
    memory_z: Calibration
    gaussian_z: Calibration

    def heat(self, cells: Array) -> Array:
        """Return the heat `(goods, grid, grid)` of features `(goods, cells, channels)`; its maximum is the score."""
        white = self.whitening.apply(cells)
        height = self.memory_z.z(self.memory.distances(white))
        height = height + self.gaussian_z.z(self.gaussian.distances(white))
        return smoothed(height)


def smoothed(height: Array) -> Array:
    """Return maps `(goods, grid, grid)` of heights `(goods, cells)`, lightly smoothed."""
    grid = round(height.shape[1] ** 0.5)
    padded = np.pad(height.reshape(-1, grid, grid), ((0, 0), (1, 1), (1, 1)), mode="edge")
    out = np.zeros((len(padded), grid, grid), np.float32)
    for row in range(3):
        for column in range(3):
            out += SMOOTHING[row, column] * padded[:, row : row + grid, column : column + grid]
    return out
