"""The light over the picture: its level in coarse cells, and how their change splits into level, tilt and bow."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .measures import Grid
from .picture import Picture

COLUMNS = 40
"""Cells across the picture, or fewer."""
_DARK, _BRIGHT = 8.0, 245.0
"""Cells beyond these grey levels say nothing of the light: black stays black, and white is at the end of the scale."""
_OFFSET = 1.0
_FEWEST = 12
"""Cells that carry a tilt; with fewer only the level is told."""
Mask = npt.NDArray[np.bool_]


def cell_px(width: int) -> int:
    """Return the side of a cell for pictures of that width."""
    return max(8, -(-width // COLUMNS))


def cells_of(grey: Picture, cell: int) -> Grid:
    """Return the mean grey level of each cell; what is left at the right and lower edge is not looked at."""
    rows, columns = grey.shape[0] // cell, grey.shape[1] // cell
    seen = cv2.resize(grey[: rows * cell, : columns * cell], (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(seen, np.float32)


def usable(light: Grid, fixed: Mask) -> Mask:
    """Return the fixed cells that can tell the light: neither black nor at the end of the scale."""
    return np.asarray(fixed & (light >= _DARK) & (light <= _BRIGHT), np.bool_)


@dataclass(frozen=True, slots=True)
class LightChange:
    """How the light changed against the commissioned. Shares: 1.0 or 0.0 where nothing did."""

    level: float
    """Of the background, in the middle of the picture's area; 1.0: as commissioned."""
    slope_x: float
    slope_y: float
    bow: float
    part: float
    """Level of the cells that are not background, over the background's; NaN: there are none."""
    local: Grid
    """What is left in each cell, natural logarithm."""


class LightField:
    """Splits the change of a picture's cells. Made once per reference; holds the least squares solved beforehand."""

    def __init__(self, light: Grid, fixed: Mask) -> None:
        """light: commissioned levels. fixed: cells of the background; where none is usable, all cells count as such."""
        self._was = np.log(light + np.float32(_OFFSET))
        told = usable(light, fixed)
        everywhere = np.asarray((light >= _DARK) & (light <= _BRIGHT), np.bool_)
        self.backed = bool(told.sum() >= _FEWEST)
        self._base = told if self.backed else everywhere if everywhere.any() else np.ones_like(fixed)
        self._part = everywhere & ~fixed if self.backed else np.zeros_like(fixed)
        rows, columns = light.shape
        v, u = np.mgrid[0:rows, 0:columns].astype(np.float32)
        u, v = (u + 0.5) / columns - 0.5, (v + 0.5) / rows - 0.5
        shapes = np.stack([np.ones_like(u), u, v, 2 * (u * u + v * v)], axis=-1)
        self._shapes = shapes.reshape(-1, 4)
        self._at = np.flatnonzero(self._base.reshape(-1))
        self._terms = _told_by(self._shapes[self._at])
        self._solve = np.linalg.pinv(self._shapes[self._at][:, : self._terms]).astype(np.float32)

    def change(self, cells: Grid) -> LightChange:
        """Split one picture's cells. Places that stick out (dirt) do not pull the level and the slopes with them."""
        ratio = np.log(cells + np.float32(_OFFSET)) - self._was
        flat = ratio.reshape(-1)
        seen = flat[self._at]
        found = self._solve @ seen
        for _ in range(2):
            explained = self._shapes[self._at][:, : self._terms] @ found
            off = seen - explained
            allowed = np.float32(2.0 * 1.4826) * np.median(np.abs(off)) + np.float32(1e-4)
            found = self._solve @ (explained + np.clip(off, -allowed, allowed))
        local = flat - self._shapes[:, : self._terms] @ found
        part = np.nan
        if self._part.any():
            middle = np.median(local[self._part.reshape(-1)])
            local = local - middle * self._part.reshape(-1)
            part = float(np.exp(middle))
        slopes = np.zeros(3)
        slopes[: self._terms - 1] = found[1:]
        # The bow's mean over the picture belongs to the level: u*u and v*v are 1/12 each on average.
        level = float(np.exp(found[0] + slopes[2] / 3))
        return LightChange(level, *(float(s) for s in slopes), part, np.asarray(local.reshape(ratio.shape), np.float32))


def _told_by(shapes: npt.NDArray[np.float32]) -> int:
    """Return how many of level, two slopes and bow these cells can tell apart: 4, 3 or 1."""
    if len(shapes) < _FEWEST:
        return 1
    for terms in (4, 3):
        values = np.linalg.svd(shapes[:, :terms] / np.sqrt(len(shapes)), compute_uv=False)
        # A slope over the whole picture has a singular value of 0.29; one told from a narrow strip is a guess.
        if values[-1] >= 0.05:
            return terms
    return 1
