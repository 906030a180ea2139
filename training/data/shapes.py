"""The form of one defect on its picture: a mask file, polygons, run lengths, or no more than its box.

Each says its pixels when asked, and not before: a set of ten thousand pictures holds no mask in memory.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from ...bus.errors import BadPicture
from ...bus.outside import read_bounded, too_large
from ...models import pictures
from ...models.box import Box

Mask = npt.NDArray[np.bool_]
Point = tuple[float, float]
"""x, y in picture pixels; 0, 0 is the outer corner of the top left pixel, so a pixel's middle has halves."""


class Shape(Protocol):
    """What can say its pixels."""

    def mask(self, width: int, height: int) -> Mask:
        """Return True where the defect is, `[height, width]` bool. BadPicture: it does not fit the picture."""


@dataclass(frozen=True, slots=True)
class MaskFile:
    """A picture file beside the picture: what is not black is defect."""

    path: Path
    sha256: str
    within: Box | None = None
    """Only what lies in this box belongs to this defect; None: all of it."""

    def mask(self, width: int, height: int) -> Mask:
        """Read the file. BadPicture: it does not decode, or has another size than the picture."""
        found = read_mask(self.path)
        if found.shape != (height, width):
            raise BadPicture(f"{self.path}: {found.shape[1]}x{found.shape[0]} pixels: its picture has {width}x{height}")
        if self.within is not None:
            found &= Boxed(self.within).mask(width, height)
        return found


@dataclass(frozen=True, slots=True)
class Polygons:
    """Outlines in picture pixels; a pixel belongs to it when its middle lies in any of them."""

    outlines: tuple[tuple[Point, ...], ...]

    def mask(self, width: int, height: int) -> Mask:
        """Rasterise, to a sixteenth of a pixel; a sliver that covers no pixel's middle keeps those its line crosses."""
        drawn = np.zeros((height, width), np.uint8)
        for outline in self.outlines:
            # OpenCV's pixel middles are whole numbers, and it paints the line as well: half a pixel is taken off.
            one = np.zeros_like(drawn)
            points = np.round((np.array(outline, np.float64) - 0.5) * 16.0).astype(np.int32)
            cv2.fillPoly(one, [points], 1, cv2.LINE_8, 4)
            drawn |= _middles_in(one, np.array(outline, np.float64))
        return drawn.astype(bool)

    def box(self, width: int, height: int) -> Box | None:
        """Return the box around all of them, cut at the picture's edges; None: it lies outside."""
        return around([point for outline in self.outlines for point in outline], width, height)


@dataclass(frozen=True, slots=True)
class RunLengths:
    """Run lengths down the columns, beginning with sound pixels, as COCO has them."""

    counts: tuple[int, ...]
    width: int
    height: int

    def mask(self, width: int, height: int) -> Mask:
        """Unroll. BadPicture: the picture is of another size."""
        if (width, height) != (self.width, self.height):
            raise BadPicture(f"run lengths of {self.width}x{self.height} pixels: the picture has {width}x{height}")
        values = np.arange(len(self.counts)) % 2 == 1
        return np.repeat(values, np.array(self.counts, np.int64)).reshape(width, height).T.copy()


@dataclass(frozen=True, slots=True)
class Boxed:
    """No more than a box is known."""

    where: Box

    def mask(self, width: int, height: int) -> Mask:
        """Fill the box."""
        filled = np.zeros((height, width), bool)
        filled[self.where.y : self.where.y + self.where.h, self.where.x : self.where.x + self.where.w] = True
        return filled


def read_mask(path: Path) -> Mask:
    """Return a mask file, True where it is not black. BadPicture: it does not decode, or is no picture of 8 or 16 bits.

    Masks may have 16 bits, a palette, colour or transparency: only whether a pixel is black counts.
    """
    try:
        data = read_bounded(path, pictures.MOST_BYTES)
    except OSError as error:
        raise BadPicture(f"{path}: cannot be read: {error.strerror}") from error
    if why := too_large(data):
        raise BadPicture(f"{path}: as a mask: {why} ({len(data)} bytes)")
    try:
        # Transparency is left out: it says nothing of the defect.
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        raise BadPicture(f"{path}: does not decode as a mask: {error.err}") from error
    if pixels is None:
        raise BadPicture(f"{path}: does not decode as a mask ({len(data)} bytes)")
    found: Mask = np.asarray(pixels.any(2), bool)
    return found


def hash_of(path: Path) -> str:
    """Return the sha256 of a file, 64 hex digits. BadPicture: it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BadPicture(f"{path}: cannot be read: {error.strerror}") from error


def write_mask(path: Path, mask: Mask) -> None:
    """Write a mask as PNG, 0 and 255."""
    path.write_bytes(pictures.encode_png(mask.astype(np.uint8) * np.uint8(255)))


def box_of(mask: Mask) -> Box | None:
    """Return the box around a mask; None: it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    left, top = int(columns[0]), int(rows[0])
    return Box(left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)


def around(points: Sequence[Point], width: int, height: int) -> Box | None:
    """Return the smallest box of whole pixels around points, cut at the picture's edges; None: none of it is inside."""
    found = np.array(points, np.float64).reshape(-1, 2)
    if not len(found) or not np.isfinite(found).all():
        return None
    # Formats round: a fiftieth of a pixel beyond a whole one is that whole one.
    low, high = np.floor(found.min(0) + 0.02), np.ceil(found.max(0) - 0.02)
    left, top = (max(int(value), 0) for value in low)
    right, bottom = min(int(high[0]), width), min(int(high[1]), height)
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        return None
    return Box(left, top, max(right - left, 1), max(bottom - top, 1))


def _middles_in(painted: npt.NDArray[np.uint8], outline: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Take off the pixels that OpenCV painted for the line alone: their middle lies outside (even-odd rule)."""
    # Only the rim can be wrong: what is a pixel away from it is inside.
    core = cv2.erode(painted, np.ones((3, 3), np.uint8), borderValue=0)
    rows, columns = np.nonzero(painted - core)
    x, y = columns + 0.5, rows + 0.5
    inside = np.zeros(len(rows), bool)
    for (x1, y1), (x2, y2) in zip(outline, np.roll(outline, -1, 0), strict=True):
        if y1 != y2:
            inside ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    if not inside.any() and not core.any():
        return painted
    core[rows[inside], columns[inside]] = 1
    return core.astype(np.uint8, copy=False)
