"""A rigid motion in the picture: a turn and a shift, from the golden picture to this one."""

import math
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.part import Placement
from .picture import Box, Picture

Point = tuple[float, float]
_STRAIGHT_PX = 0.5
"""A region whose corners a turn moves by less is taken as it is: without interpolation its pixels stay the sensor's."""


@dataclass(frozen=True, slots=True)
class Motion:
    """x, y become cos * x + sin * y + shift_x, -sin * x + cos * y + shift_y: with y down, + is counter-clockwise."""

    degrees: float
    """Counter-clockwise as seen."""
    shift_x: float
    shift_y: float

    @classmethod
    def about(cls, centre: Point, degrees: float, shift_x: float, shift_y: float) -> Self:
        """The motion that turns about a centre and then shifts it by so many px."""
        turned = cls(degrees, 0.0, 0.0).apply(centre)
        return cls(degrees, centre[0] + shift_x - turned[0], centre[1] + shift_y - turned[1])

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """2 x 3, golden to picture, as OpenCV has it."""
        cos, sin = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        return np.array([[cos, sin, self.shift_x], [-sin, cos, self.shift_y]])

    def apply(self, point: Point) -> Point:
        """Where a point of the golden picture lies in this one."""
        cos, sin = math.cos(math.radians(self.degrees)), math.sin(math.radians(self.degrees))
        x, y = point
        return cos * x + sin * y + self.shift_x, -sin * x + cos * y + self.shift_y

    def shift_of(self, point: Point) -> Point:
        """How far that point has moved."""
        moved = self.apply(point)
        return moved[0] - point[0], moved[1] - point[1]

    def cut(self, picture: Picture, box: Box, step: float = 1.0) -> Picture:
        """The golden picture's box as this one shows it, turned back; beyond the edge the edge is repeated.

        step: px of the golden picture from one sample to the next.
        """
        x, y, w, h = box
        at = self.matrix
        at[:, 2] += at[:, :2] @ (x, y)
        at[:, :2] *= step
        size = (max(int(w / step), 1), max(int(h / step), 1))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(
            cv2.warpAffine(picture, at, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), picture.dtype
        )

    def corners(self, box: Box) -> list[Point]:
        """Where the box's corner pixels lie in this picture."""
        x, y, w, h = box
        return [self.apply(point) for point in ((x, y), (x + w - 1, y), (x, y + h - 1), (x + w - 1, y + h - 1))]


def fitted(here: npt.NDArray[np.float64], there: npt.NDArray[np.float64]) -> Motion:
    """The rigid motion that brings points nearest to others, least squares. here, there: (n, 2), n of 2 or more."""
    from_, to = here.mean(axis=0), there.mean(axis=0)
    a, b = here - from_, there - to
    sin = float((a[:, 1] * b[:, 0] - a[:, 0] * b[:, 1]).sum())
    cos = float((a * b).sum())
    degrees = math.degrees(math.atan2(sin, cos)) if sin or cos else 0.0
    turned = Motion(degrees, 0.0, 0.0).apply((float(from_[0]), float(from_[1])))
    return Motion(degrees, float(to[0]) - turned[0], float(to[1]) - turned[1])


@dataclass(frozen=True, slots=True)
class Found:
    """Where a part was found, and what that means for the recipe's regions."""

    placement: Placement
    motion: Motion | None
    """None: it was not found."""

    def cut(self, picture: Picture, box: Box) -> Picture | None:
        """The region as it would lie in the golden picture; None: it reaches out of this one, or nothing was found."""
        where = self.around(box, picture.shape[1], picture.shape[0])
        if where is None or self.motion is None:
            return None
        x, y, w, h = box
        corner = 0.5 * math.hypot(w, h) * abs(math.radians(self.motion.degrees))
        if corner >= _STRAIGHT_PX:
            return self.motion.cut(picture, box)
        middle = (x + (w - 1) / 2, y + (h - 1) / 2)
        shift_x, shift_y = self.motion.shift_of(middle)
        left, top = x + round(shift_x), y + round(shift_y)
        if left < 0 or top < 0 or left + w > picture.shape[1] or top + h > picture.shape[0]:
            return None
        return np.ascontiguousarray(picture[top : top + h, left : left + w])

    def around(self, box: Box, width: int, height: int) -> Box | None:
        """The upright box round the moved region, px of a picture of that size; None: it reaches out of it.

        Half a pixel beyond the edge is still inside: what is found lies between the pixels.
        """
        if self.motion is None:
            return None
        corners = self.motion.corners(box)
        left, top = min(x for x, _ in corners), min(y for _, y in corners)
        right, bottom = max(x for x, _ in corners), max(y for _, y in corners)
        if left < -0.5 or top < -0.5 or right > width - 0.5 or bottom > height - 0.5:
            return None
        x0, y0 = max(math.floor(left + 0.5), 0), max(math.floor(top + 0.5), 0)
        x1, y1 = min(math.floor(right + 0.5), width - 1), min(math.floor(bottom + 0.5), height - 1)
        return x0, y0, x1 - x0 + 1, y1 - y0 + 1
