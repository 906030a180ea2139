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
_SHAPES = 4
_STEADY = 0.02
"""Spread of a cell that counts as nothing, as a share of its light."""
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


def tells_shape(light: Grid, fixed: Mask) -> bool:
    """Whether the fixed cells lie so that level, both slopes and the bow of the light can be told from them alone."""
    told = usable(light, fixed).reshape(-1)
    return _told_by(_shapes(*light.shape)[told]) == _SHAPES


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

    def __init__(self, light: Grid, fixed: Mask, spread: Grid) -> None:
        """light: commissioned levels. fixed: cells of the background. spread: of each cell from part to part.

        Where the background lies in too small a place to tell the light's shape, the parts' cells help, each as far as
        it is steady; where none of it is usable, all cells count as background.
        """
        self._was = np.log(light + np.float32(_OFFSET))
        self._white = light.reshape(-1) > _BRIGHT
        told = usable(light, fixed)
        everywhere = usable(light, np.ones_like(fixed))
        self.backed = bool(told.sum() >= _FEWEST)
        part = (everywhere & ~fixed) if self.backed else np.zeros_like(fixed)
        shapes = np.column_stack([_shapes(*light.shape), part.reshape(-1)]).astype(np.float32)
        base = told.reshape(-1)
        self._terms = _told_by(shapes[base][:, :_SHAPES])
        names = list(range(self._terms))
        if not self.backed or self._terms < _SHAPES:
            base = everywhere.reshape(-1) if everywhere.any() else np.ones(light.size, np.bool_)
            # No bow: told from the parts, it would be the difference between their middle and their rim.
            self._terms = min(3, _told_by(shapes[base][:, :_SHAPES]))
            names = [*range(self._terms), *([_SHAPES] if self.backed else [])]
        self._at = np.flatnonzero(base)
        self._part = part.reshape(-1)
        self._shapes = shapes[:, : self._terms]
        steady = 1 / np.sqrt(np.square(spread.reshape(-1)[self._at]) + np.float32(_STEADY) ** 2)
        self._weights = np.asarray(steady / steady.mean(), np.float32)
        self._system = np.asarray(shapes[self._at][:, names] * self._weights[:, None], np.float32)
        self._solve = np.asarray(np.linalg.pinv(self._system), np.float32)

    def change(self, cells: Grid) -> LightChange:
        """Split one picture's cells. Places that stick out (dirt) do not pull the level and the slopes with them."""
        ratio = np.log(cells + np.float32(_OFFSET)) - self._was
        flat = ratio.reshape(-1)
        seen = flat[self._at] * self._weights
        found = self._solve @ seen
        for _ in range(2):
            explained = self._system @ found
            off = seen - explained
            allowed = np.float32(2.0 * 1.4826) * np.median(np.abs(off)) + np.float32(1e-4)
            found = self._solve @ (explained + np.clip(off, -allowed, allowed))
        explained = self._shapes @ found[: self._terms]
        part = np.nan
        if self._part.any():
            middle = np.median((flat - explained)[self._part])
            explained = explained + middle * self._part
            part = float(np.exp(middle))
        # The scale ends: a place cannot become brighter than white, and what was white may have been brighter still.
        most = np.log(np.float32(255 + _OFFSET)) - self._was.reshape(-1)
        local = flat - np.minimum(explained, most)
        local = np.where(self._white, np.minimum(local, 0), local)
        slopes = np.zeros(3)
        slopes[: self._terms - 1] = found[1 : self._terms]
        # The bow's mean over the picture belongs to the level: u*u and v*v are 1/12 each on average.
        level = float(np.exp(found[0] + slopes[2] / 3))
        slope_x, slope_y, bow = (float(slope) for slope in slopes)
        left = np.asarray(local.reshape(ratio.shape), np.float32)
        return LightChange(level, slope_x, slope_y, bow, part, left)


def _shapes(rows: int, columns: int) -> npt.NDArray[np.float32]:
    """Return level, slope across, slope down and bow of each cell, cells x 4."""
    v, u = np.mgrid[0:rows, 0:columns].astype(np.float32)
    u, v = (u + 0.5) / columns - 0.5, (v + 0.5) / rows - 0.5
    return np.stack([np.ones_like(u), u, v, 2 * (u * u + v * v)], axis=-1).reshape(-1, _SHAPES)


def _told_by(shapes: npt.NDArray[np.float32]) -> int:
    """Return how many of level, two slopes and bow these cells can tell apart: 4, 3 or 1."""
    if len(shapes) < _FEWEST:
        return 1
    for terms in (_SHAPES, 3):
        values = np.linalg.svd(shapes[:, :terms] / np.sqrt(len(shapes)), compute_uv=False)
        # A slope over the whole picture has a singular value of 0.29; one told from one corner is a guess.
        if values[-1] >= (0.05 if terms == _SHAPES else 0.12):
            return terms
    return 1
