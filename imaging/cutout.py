"""A picture of which only some places are left: what may be shown of a part, and nothing else of it.

Where a shape cuts a pixel, the pixel is on the hidden side.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .picture import Box, Picture
from .rigid import Motion, Point

_SUB = 4
"""Bits of a pixel's fraction that OpenCV draws by."""
_ROUND = 72
"""Corners that stand for an ellipse."""


@dataclass(frozen=True, slots=True)
class Place:
    """A shape on the golden picture."""

    points: tuple[Point, ...]
    """Corners, px."""

    @classmethod
    def of_box(cls, box: Sequence[float]) -> "Place":
        """The rectangle x, y, width, height."""
        x, y, w, h = box
        return cls(((x, y), (x + w, y), (x + w, y + h), (x, y + h)))

    @classmethod
    def of_ellipse(cls, box: Sequence[float]) -> "Place":
        """The upright ellipse that touches the rectangle's sides."""
        x, y, w, h = box
        turns = np.linspace(0, 2 * np.pi, _ROUND, endpoint=False)
        corners = zip(x + w / 2 * (1 + np.cos(turns)), y + h / 2 * (1 + np.sin(turns)), strict=True)
        return cls(tuple((float(a), float(b)) for a, b in corners))


def seen_through(
    picture: Picture, windows: Iterable[Box], judged: Iterable[Place], hidden: Iterable[Place], motion: Motion | None
) -> Picture | None:
    """The picture, black but for what is in a window, is judged and is not hidden. None: nothing of it is left.

    windows: px of this picture. judged, hidden: on the golden picture; motion: to this one, None: they are the same.
    """
    rows, columns = picture.shape[:2]
    shown = np.zeros((rows, columns), np.uint8)
    for x, y, w, h in windows:
        shown[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = 255
    shown &= _drawn(judged, rows, columns, motion, grown=False)
    shown &= ~_drawn(hidden, rows, columns, motion, grown=True)
    if not shown.any():
        return None
    made = np.zeros_like(picture)
    made[shown > 0] = picture[shown > 0]
    return made


def _drawn(
    places: Iterable[Place], rows: int, columns: int, motion: Motion | None, *, grown: bool
) -> npt.NDArray[np.uint8]:
    """255 where one of the places lies. grown: with every pixel that it touches; else only those inside."""
    found = np.zeros((rows, columns), np.uint8)
    for place in places:
        corners = [motion.apply(point) if motion else point for point in place.points]
        # A pixel's middle is its whole number for OpenCV, its corner is for the recipe.
        drawn = np.array([[(x - 0.5) * (1 << _SUB), (y - 0.5) * (1 << _SUB)] for x, y in corners])
        one = np.zeros((rows, columns), np.uint8)
        cv2.fillPoly(one, [np.rint(drawn).astype(np.int32)], [255], shift=_SUB)
        kernel = np.ones((3, 3), np.uint8)
        found |= np.asarray(cv2.dilate(one, kernel) if grown else cv2.erode(one, kernel), np.uint8)
    return found
