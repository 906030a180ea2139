"""Whitening: features turned and scaled so that over all goods they have no correlation and equal spread.

Directions come in falling order of variance, so the first d of them are the d main components. The last ones are left
out: blown up to equal spread they are mostly noise, which costs the memory more than they tell it (magnetic tiles: 100
of 176 kept .941 image AUROC of both heads, all .932; parts that lie anyhow: no difference).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

SHRINKAGE = 1e-3
"""Share of the mean variance added to each direction: keeps noise from being blown up."""


@dataclass(frozen=True, slots=True)
class Whitening:
    """white = (cell - mean) @ matrix."""

    mean: Array
    """`(channels,)` float32."""
    matrix: Array
    """`(channels, directions)` float32, one direction a column."""

    def apply(self, cells: Array) -> Array:
        """Return white cells `(…, directions)`."""
        white: Array = ((cells - self.mean) @ self.matrix).astype(np.float32, copy=False)
        return white


def fit_whitening(cells: Array, directions: int | None = None) -> Whitening:
    """Return the whitening of these goods.

    cells: `(goods, cells, channels)` float32. directions: how many to keep, the main ones; None: all.
    """
    flat = cells.reshape(-1, cells.shape[-1])
    mean = flat.mean(axis=0, dtype=np.float64)
    centred = flat - mean.astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64) / max(1, len(flat) - 1)
    variances, axes = np.linalg.eigh(covariance)
    variances, axes = np.maximum(variances[::-1], 0.0), axes[:, ::-1]
    # Which way an eigenvector points is the library's whim; fix it, so that a seed gives one model.
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    floor = SHRINKAGE * variances.mean() + 1e-12
    matrix = axes * signs / np.sqrt(variances + floor)
    return Whitening(mean.astype(np.float32), np.ascontiguousarray(matrix[:, :directions], np.float32))
