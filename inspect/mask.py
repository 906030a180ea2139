"""What of a region is judged: the findings of a model without those that lie in ignored places. No model sees a mask.

On the safe side throughout: a cell of a heat map or a place that was found is left out only if it lies wholly in what
is ignored. A defect that reaches out of it by a pixel is judged whole.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..bus.errors import BadRecipe
from ..imaging.picture import Box as Place
from ..models.box import Box
from ..models.findings import Findings
from ..models.reading import LEFT_OUT
from .sections import Region
from .shapes import BoxShape, PolygonShape, Shape

_SAME = 1e-3
"""A score that differs from the largest heat by less, as a share, is that heat."""
NO_PLACE = "the score has no place, what is ignored cannot be left out"


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Which pixels of one region are ignored."""

    ignored: NDArray[np.int64]
    """(height + 1, width + 1): of each pixel, how many above and left of it are ignored."""
    width: int
    height: int
    known: dict[tuple[int, int], NDArray[np.bool_]] = field(default_factory=dict)
    """`cells` of the maps seen so far: a model's are all of one shape."""

    def covers(self, left: float, top: float, right: float, bottom: float) -> bool:
        """True where every pixel that the rectangle touches is ignored. Edges as shares of the region, 0..1."""
        x0, x1 = _span(left, right, self.width)
        y0, y1 = _span(top, bottom, self.height)
        total = self.ignored
        return bool(total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0] == (x1 - x0) * (y1 - y0))

    def cells(self, rows: int, columns: int) -> NDArray[np.bool_]:
        """Cells of a heat map that lie wholly in what is ignored."""
        if (rows, columns) in self.known:
            return self.known[rows, columns]
        found = self.known[rows, columns] = np.zeros((rows, columns), np.bool_)
        for row in range(rows):
            for column in range(columns):
                found[row, column] = self.covers(column / columns, row / rows, (column + 1) / columns, (row + 1) / rows)
        return found

    def applied(self, findings: Findings, *, by_spots: bool) -> Findings:
        """The findings of the region without what is ignored.

        by_spots: the model tells places by boxes, its score is the worst of them; else the heat does. A score of which
        it cannot be told whether it comes from an ignored place stays as it is, or is unsound.
        """
        if not findings.sound:
            return findings
        out = self.cells(*findings.heat.shape)
        least = min(0.0, float(findings.heat.min())) if by_spots else float(findings.heat.min())
        heat = np.where(out, np.float32(least), findings.heat).astype(np.float32)
        if by_spots:
            kept = tuple(spot for spot in findings.spots if not self._ignores(findings.region, spot.box))
            more = any(measure.name == LEFT_OUT for measure in findings.measures)
            score = findings.score if more else max((spot.ratio for spot in kept), default=0.0)
            return replace(findings, heat=heat, spots=kept, score=min(findings.score, score))
        highest = float(findings.heat.max())
        if math.isclose(findings.score, highest, rel_tol=_SAME, abs_tol=_SAME * _SAME):
            return replace(findings, heat=heat, score=float(heat[~out].max()))
        if float(heat[~out].max()) >= highest:
            return replace(findings, heat=heat)
        return replace(findings, heat=heat, trouble=NO_PLACE)

    def _ignores(self, region: Box, box: Box) -> bool:
        left, top = (box.x - region.x) / region.w, (box.y - region.y) / region.h
        return self.covers(left, top, left + box.w / region.w, top + box.h / region.h)


def mask_of(region: Region, whole: Place) -> Mask | None:
    """The mask of a region; None: nothing of it is ignored. whole: the picture. BadRecipe: nothing of it is judged."""
    if not region.ignore and region.within is None:
        return None
    x, y, width, height = whole if region.box == "full" else region.box
    ignored = np.zeros((height, width), np.bool_)
    if region.within is not None:
        ignored = ~_filled(region.within, x, y, width, height, inner=False)
    for shape in region.ignore:
        ignored |= _filled(shape, x, y, width, height, inner=True)
    if ignored.all():
        raise BadRecipe(f"{region.name}: ignore, within: expected something of the region to be left to judge")
    if not ignored.any():
        return None
    total = np.zeros((height + 1, width + 1), np.int64)
    total[1:, 1:] = ignored.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    return Mask(total, width, height)


def _filled(shape: Shape, x: int, y: int, width: int, height: int, *, inner: bool) -> NDArray[np.bool_]:
    """Pixels of the region that lie in a shape: wholly (inner), or that it touches."""
    if isinstance(shape, BoxShape) and shape.kind == "rect":
        left, top, w, h = shape.box
        found = np.zeros((height, width), np.bool_)
        found[max(0, top - y) : max(0, top + h - y), max(0, left - x) : max(0, left + w - x)] = True
        return found
    corners = _corners(shape, x, y, width, height)
    if inner:
        return np.asarray(corners[:-1, :-1] & corners[1:, :-1] & corners[:-1, 1:] & corners[1:, 1:])
    return np.asarray(corners[:-1, :-1] | corners[1:, :-1] | corners[:-1, 1:] | corners[1:, 1:])


def _corners(shape: Shape, x: int, y: int, width: int, height: int) -> NDArray[np.bool_]:
    """Which corners of the region's pixels lie in an ellipse or a polygon."""
    across, down = np.arange(x, x + width + 1, dtype=np.float64), np.arange(y, y + height + 1, dtype=np.float64)
    if isinstance(shape, PolygonShape):
        return _in_polygon(shape.points, across, down)
    left, top, w, h = shape.box
    far = ((across - left - w / 2) / (w / 2))[None, :] ** 2 + ((down - top - h / 2) / (h / 2))[:, None] ** 2
    return np.asarray(far <= 1.0)


def _in_polygon(
    points: tuple[tuple[int, int], ...], across: NDArray[np.float64], down: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Even-odd rule: a corner lies inside where its ray to the left crosses an odd number of edges."""
    inside = np.zeros((down.size, across.size), np.bool_)
    for (x0, y0), (x1, y1) in zip(points, (*points[1:], points[0]), strict=True):
        if y0 == y1:
            continue
        crossed = (y0 > down) != (y1 > down)
        at = x0 + (down - y0) * (x1 - x0) / (y1 - y0)
        inside ^= crossed[:, None] & (across[None, :] > at[:, None])
    return inside


def _span(low: float, high: float, pixels: int) -> tuple[int, int]:
    """The pixels that low..high touches, at least one."""
    first = min(pixels - 1, max(0, math.floor(low * pixels + 1e-6)))
    return first, min(pixels, max(first + 1, math.ceil(high * pixels - 1e-6)))
