"""All that was learnt, and how it scores, in numpy: the reference for the graph that runs on the line."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .calibration import Calibration
from .coreset import Memory
from .gaussian import Gaussian
from .linear import LinearHead
from .whitening import Whitening

Array = npt.NDArray[np.float32]

SMOOTHING = np.outer([1.0, 6.0, 1.0], [1.0, 6.0, 1.0]).astype(np.float32) / 64.0
"""3x3 weights over neighbouring cells; beyond the edge the edge is repeated. Wider ones cost AUPRO."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Weights of the two distances' z in the unlikeness."""

    memory: float
    gaussian: float

    @property
    def words(self) -> str:
        """For people."""
        parts = ((self.gaussian, "Gaussian"), (self.memory, "memory"))
        return " + ".join(name if share == 1 else f"{share:g} {name}" for share, name in parts if share)


@dataclass(frozen=True, slots=True)
class Heads:
    """What a taught model knows."""

    whitening: Whitening
    memory: Memory
    gaussian: Gaussian
    memory_z: Calibration
    gaussian_z: Calibration
    mix: Mix = Mix(1.0, 1.0)
    linear: LinearHead | None = None
    """What labelled defects taught; None: nothing."""

    @property
    def needs_memory(self) -> bool:
        """Whether the graph has to hold the memory."""
        return bool(self.mix.memory and self.keeps_unlikeness) or self.linear is not None

    @property
    def needs_gaussian(self) -> bool:
        """Whether the graph has to hold the Gaussian."""
        return bool(self.mix.gaussian and self.keeps_unlikeness) or self.linear is not None

    @property
    def keeps_unlikeness(self) -> bool:
        """Whether the weighted z's are part of the score."""
        return self.linear is None or self.linear.keeps_unlikeness

    def heat(self, cells: Array) -> Array:
        """Return the heat `(goods, rows, columns)` of features `(goods, cells, channels)`; its maximum is the score."""
        white = self.whitening.apply(cells)
        memory = self.memory_z.z(self.memory.distances(white))
        turned = self.gaussian.turned(white)
        gaussian = self.gaussian_z.z(np.sqrt(np.einsum("gcd,gcd->gc", turned, turned)))
        height = unlikeness(memory, gaussian, self.mix)
        if self.linear is not None:
            said = self.linear.said(turned, memory, gaussian)
            height = said + height if self.linear.keeps_unlikeness else said
        return smoothed(height, self.gaussian.columns)


def unlikeness(memory_z: Array, gaussian_z: Array, mix: Mix) -> Array:
    """Return the weighted sum of both z."""
    height: Array = (np.float32(mix.memory) * memory_z + np.float32(mix.gaussian) * gaussian_z).astype(np.float32)
    return height


def smoothed(height: Array, columns: int | None = None) -> Array:
    """Return maps `(goods, rows, columns)` of heights `(goods, cells)`, lightly smoothed. None: a square map."""
    across = columns or round(height.shape[1] ** 0.5)
    down = height.shape[1] // across
    padded = np.pad(height.reshape(-1, down, across), ((0, 0), (1, 1), (1, 1)), mode="edge")
    out = np.zeros((len(padded), down, across), np.float32)
    for row in range(3):
        for column in range(3):
            out += SMOOTHING[row, column] * padded[:, row : row + down, column : column + across]
    return out
