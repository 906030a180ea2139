"""A template and its limits: how bright and how dark each place of a good print may be, and what is beyond.

The variation model of print inspection: upper and lower limit pictures, mean + and - the larger of a fixed tolerance
and a multiple of the goods' own deviation, then widened by so many px (grey dilation and erosion), so that an edge may
lie off by that much. What lies beyond is averaged over a small window, brighter and darker apart: an edge's ragged rim
gives little there, a blob of missing or extra ink gives much. Source: C. Steger, M. Ulrich, C. Wiedemann, Machine
Vision Algorithms and Applications (2018), 3.4.1 (variation model); grey morphology: J. Serra (1982).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .reference_field import find_field, halved, moved, seen

CELL_PX = 4
"""Side of a cell of the heat map."""
FAINT = 0.01
"""Share of the plain difference from the middle of the limits that is added: a good part's map is no constant."""

Array = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What a good part may differ by. Learnt from goods (`reference_tolerance.py`)."""

    level: float
    """Grey levels any place may differ by, above 0."""
    spread: float
    """Deviations of the goods at that very place it may differ by, if that is more; 0: not known (one template)."""
    edge_px: int
    """How far an edge may lie off after local alignment, 0 or more."""
    window_px: int
    """Side of the window that differences are averaged over; odd."""
    search_px: int
    """How far local alignment looks; even, 0 or more."""

    def __post_init__(self) -> None:
        if self.window_px < 1 or self.window_px % 2 == 0:
            raise ValueError(f"window {self.window_px} px: expected an odd number")
        if self.search_px < 0 or self.search_px % 2:
            raise ValueError(f"search {self.search_px} px: expected an even number")
        if not self.level > 0 or self.edge_px < 0 or self.spread < 0:
            raise ValueError(f"{self}: expected a level above 0, edge and spread of 0 or more")


@dataclass(frozen=True, slots=True)
class Template:
    """One good print and its limits."""

    half: Array
    """`(height / 2, width / 2)` float32, what pictures are laid over."""
    upper: Array
    """`(height, width, channels)` float32: brighter than this is beyond."""
    lower: Array
    """Darker than this is beyond."""
    slope: Array
    """`(rows, columns)` float32, above 0: what grey levels beyond are multiplied by to give heat."""

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.upper.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.upper.shape[1])

    @property
    def channels(self) -> int:
        """1 or 3."""
        return int(self.upper.shape[2])


@dataclass(frozen=True, slots=True)
class Laid:
    """A picture laid over a template."""

    pixels: Array
    """`(height, width, channels)` float32."""
    seen: Array
    """`(height, width)` float32: 1 where the picture shows it, 0 beyond its edge."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a picture is beyond a template's limits. Maps are float32 `(rows, columns)`, cells of CELL_PX."""

    heat: Array
    brighter: Array
    darker: Array

    @property
    def score(self) -> float:
        """The hottest cell."""
        return float(self.heat.max())


def template_of(
    mean: Array | Pixels, deviation: Array | None, tolerance: Tolerance, slope: Array | None = None
) -> Template:
    """Return the template of a mean picture, float32 or uint8 `(height, width, channels)`.

    deviation: of the goods at each place, same shape. slope: None for 1 everywhere.
    """
    height, width, _ = mean.shape
    upper, lower = limits_of(mean, deviation, tolerance)
    if slope is None:
        slope = np.ones((height // CELL_PX, width // CELL_PX), np.float32)
    return Template(halved(mean), upper, lower, slope)


def limits_of(mean: Array | Pixels, deviation: Array | None, tolerance: Tolerance) -> tuple[Array, Array]:
    """Return upper and lower limit of each pixel, each float32 `(height, width, channels)`."""
    room: Array | np.float32 = np.float32(tolerance.level)
    if deviation is not None and tolerance.spread > 0:
        room = np.maximum(room, np.float32(tolerance.spread) * deviation)
    side = 2 * tolerance.edge_px + 1
    kernel = np.ones((side, side), np.uint8)
    middle = mean.astype(np.float32, copy=False)
    upper = cv2.dilate(middle + room, kernel).astype(np.float32, copy=False).reshape(mean.shape)
    lower = cv2.erode(middle - room, kernel).astype(np.float32, copy=False).reshape(mean.shape)
    return upper, lower


def differ(pixels: Pixels, template: Template, tolerance: Tolerance) -> Difference:
    """Return how far a picture, uint8 `(height, width, channels)`, is beyond the limits. The graph does the same."""
    return beyond(lay_over(pixels, template.half, tolerance.search_px), template, tolerance.window_px)


def lay_over(pixels: Pixels, half: Array, search_px: int) -> Laid:
    """Return a picture, uint8 `(height, width, channels)`, as it lies over a template, given by its `halved`."""
    field = find_field(pixels, half, search_px)
    return Laid(moved(pixels, field), seen(field))


def beyond(laid: Laid, template: Template, window_px: int) -> Difference:
    """Return the difference of a picture that lies over the template already."""
    over = laid.pixels
    brighter = _hottest(_windowed(np.maximum(over - template.upper, 0).max(axis=2) * laid.seen, window_px))
    darker = _hottest(_windowed(np.maximum(template.lower - over, 0).max(axis=2) * laid.seen, window_px))
    middle = (template.upper + template.lower) * np.float32(0.5)
    plain = np.abs(over - middle).mean(axis=2, dtype=np.float32)
    rows, columns = template.slope.shape
    faint = cv2.resize(plain, (columns, rows), interpolation=cv2.INTER_AREA) * np.float32(FAINT)
    heat = (np.maximum(brighter, darker) + faint) * template.slope
    return Difference(heat, brighter * template.slope, darker * template.slope)


def _windowed(plane: Array, window_px: int) -> Array:
    """Mean over the window; at the border over what of it lies inside."""
    kernel = (window_px, window_px)
    total = cv2.boxFilter(plane, -1, kernel, normalize=False, borderType=cv2.BORDER_CONSTANT)
    # How much of a window lies inside is a product of its rows and columns.
    rows, columns = (_inside(side, window_px) for side in plane.shape)
    return np.asarray(total / (rows[:, None] * columns[None, :]), np.float32)


def _inside(side: int, window_px: int) -> Array:
    """How many of the window's pixels lie inside, at each place along a side."""
    at, reach = np.arange(side), window_px // 2
    return (np.minimum(at + reach, side - 1) - np.maximum(at - reach, 0) + 1).astype(np.float32)


def _hottest(plane: Array) -> Array:
    height, width = plane.shape
    cells: Array = plane.reshape(height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX).max(axis=(1, 3))
    return cells
