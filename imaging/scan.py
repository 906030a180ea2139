"""The pixels along a direction inside a box: rows across the scan, columns along it."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .measured import NotMeasured
from .picture import Picture

Samples = npt.NDArray[np.float32]
_SHORTEST = 5
"""Samples that an edge can lie among."""
_MOST_SAMPLES = 500_000
"""At an angle: 6 MB of a grid that is kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What a scan saw."""

    samples: Samples
    """(across, along) float32 grey levels; a step is one px both ways. Its middle is the middle of the region."""
    degrees: float
    """Direction, counter-clockwise as seen; 0 is from left to right."""
    middle: tuple[float, float]
    """Of the region, px; 0, 0 is the centre of its first pixel."""

    def place(self, along: float, across: float) -> tuple[float, float]:
        """x, y in px of the region of a place in `samples`, by columns and rows that may be broken numbers."""
        rows, columns = self.samples.shape
        t, s = along - (columns - 1) / 2, across - (rows - 1) / 2
        cos, sin = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        return self.middle[0] + t * cos + s * sin, self.middle[1] - t * sin + s * cos


def scan(grey: Picture, degrees: float, breadth_px: float | None) -> Scan:
    """Return the longest scan that the region holds at that angle and breadth, about its middle.

    grey: rows x columns uint8. breadth_px: None is all of it at right angles, else a quarter of the shorter side. At
    right angles the pixels are taken as they are, else between them (bilinear). NotMeasured: no room for it.
    """
    rows, columns = grey.shape
    middle = ((columns - 1) / 2, (rows - 1) / 2)
    turns = round(degrees / 90)
    if degrees == turns * 90:
        seen = np.rot90(grey, -turns)
        across = seen.shape[0] if breadth_px is None else min(max(round(breadth_px), 1), seen.shape[0])
        first = (seen.shape[0] - across) // 2
        if seen.shape[1] < _SHORTEST:
            raise NotMeasured(f"the scan is {seen.shape[1]} px long: expected {_SHORTEST} or more")
        return Scan(seen[first : first + across].astype(np.float32), degrees, middle)
    across = max(round(min(rows, columns) / 4 if breadth_px is None else breadth_px), 1)
    corner, right, down, along = _grid(rows, columns, degrees, across)
    flat = np.ascontiguousarray(grey).reshape(-1)
    upper = flat[corner] * (1 - right) + flat[corner + 1] * right
    lower = flat[corner + columns] * (1 - right) + flat[corner + columns + 1] * right
    return Scan(np.asarray(upper * (1 - down) + lower * down, np.float32).reshape(across, along), degrees, middle)


@lru_cache(maxsize=16)
def _grid(rows: int, columns: int, degrees: float, across: int) -> tuple[npt.NDArray[np.int32], Samples, Samples, int]:
    """Upper left pixel of each sample, how far right of it and below it the sample lies, and samples along."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # Corners of the scan stay between the centres of the region's outer pixels.
    room_x = columns - 1 - (across - 1) * abs(sin)
    room_y = rows - 1 - (across - 1) * abs(cos)
    length = min(room_x / max(abs(cos), 1e-9), room_y / max(abs(sin), 1e-9))
    along = math.floor(length + 1e-9) + 1 if length >= 0 else 0
    if along < _SHORTEST:
        raise NotMeasured(
            f"a scan of {across} px breadth at {degrees:g} degrees is {along} px long in {columns}x{rows}: "
            f"expected {_SHORTEST} or more"
        )
    if along * across > _MOST_SAMPLES:
        raise NotMeasured(f"a scan of {along}x{across} px: expected {_MOST_SAMPLES} samples or less, set breadth_px")
    t = np.arange(along) - (along - 1) / 2
    s = (np.arange(across) - (across - 1) / 2)[:, None]
    x = ((columns - 1) / 2 + t * cos + s * sin).reshape(-1)
    y = ((rows - 1) / 2 - t * sin + s * cos).reshape(-1)
    left = np.clip(np.floor(x), 0, columns - 2).astype(np.int64)
    top = np.clip(np.floor(y), 0, rows - 2).astype(np.int64)
    return (top * columns + left).astype(np.int32), (x - left).astype(np.float32), (y - top).astype(np.float32), along
