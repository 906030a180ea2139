"""Whitening: features turned and scaled so that over all goods they have no correlation and equal spread.

Directions come in falling order of variance, so the first d of them are the d main components.
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
    """`(channels, channels)` float32, one direction a column."""

    def apply(self, cells: Array) -> Array:
        """Return white cells of the same shape, `(…, channels)`."""
        white: Array = ((cells - self.mean) @ self.matrix).astype(np.float32, copy=False)
        return white


def fit_whitening(cells: Array) -> Whitening:
    """Return the whitening of these goods. cells: `(goods, cells, channels)` float32."""
    flat = cells.reshape(-1, cells.shape[-1])
    mean = flat.mean(axis=0, dtype=np.float64)
    centred = flat - mean.astype(np.float32)
    covariance = (centred.T @ centred).astype(np.float64) / max(1, len(flat) - 1)
    variances, directions = np.linalg.eigh(covariance)
    variances, directions = np.maximum(variances[::-1], 0.0), directions[:, ::-1]
    # Which way an eigenvector points is the library's whim; fix it, so that a seed gives one model.
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    floor = SHRINKAGE * variances.mean() + 1e-12
    matrix = directions * signs / np.sqrt(variances + floor)
    return Whitening(mean.astype(np.float32), np.ascontiguousarray(matrix, np.float32))
