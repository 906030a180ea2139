"""Places that look like a template, upright and of its size: normalised cross-correlation (Lewis 1995, by OpenCV)."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadRecipe
from .channel import channel_of
from .measured import NotMeasured
from .picture import Box, Picture
from .rule_options import Channel

_SMALLEST_PX = 4
_PLAIN = 2.0
"""Standard deviation in grey levels below which there is nothing to compare."""
_MOST_PEAKS = 20_000


@dataclass(frozen=True, slots=True)
class Match:
    """One place."""

    box: Box
    """px of the region, as large as the template."""
    likeness: float
    """-1..1."""


class Template:
    """What is looked for. One thread."""

    def __init__(self, picture: Picture, channel: Channel, name: str) -> None:
        """name: of its file. BadRecipe: smaller than 4x4, plain, or without the colour that is asked for."""
        try:
            plane = channel_of(picture, channel)
        except NotMeasured as error:
            raise BadRecipe(f"{name}: {error}") from error
        rows, columns = plane.shape
        if rows < _SMALLEST_PX or columns < _SMALLEST_PX:
            raise BadRecipe(f"{name}: {columns}x{rows}: expected {_SMALLEST_PX}x{_SMALLEST_PX} px or more")
        if float(plane.std()) < _PLAIN:
            raise BadRecipe(f"{name}: plain: expected a picture with an edge or a pattern in it")
        self._plane, self._channel, self._name = np.ascontiguousarray(plane), channel, name

    def likeness(self, region: Picture) -> npt.NDArray[np.float32]:
        """Return how like each place is, float32 -1..1, by the template's upper left pixel; 0 where the place is plain.

        NotMeasured: the region is smaller than the template, or has no such colour.
        """
        plane = np.ascontiguousarray(channel_of(region, self._channel))
        rows, columns = self._plane.shape
        if plane.shape[0] < rows or plane.shape[1] < columns:
            raise NotMeasured(
                f"{self._name}: a template of {columns}x{rows} in a region of {plane.shape[1]}x{plane.shape[0]}: "
                "expected it to fit in"
            )
        found = np.asarray(cv2.matchTemplate(plane, self._plane, cv2.TM_CCOEFF_NORMED), np.float32)
        # OpenCV divides by the place's deviation; where that is next to nothing, so is the meaning of the result.
        found[~np.isfinite(found) | (_deviation(plane, rows, columns) < _PLAIN)] = 0.0
        return np.asarray(np.clip(found, -1.0, 1.0), np.float32)

    def best(self, region: Picture) -> Match:
        """Return the likest place. NotMeasured as for `likeness`."""
        found = self.likeness(region)
        y, x = np.unravel_index(int(found.argmax()), found.shape)
        return self._match(found, int(x), int(y))

    def all(self, region: Picture, min_likeness: float, max_overlap: float) -> list[Match]:
        """Return the places that are like it, the likest first, none on another by more than a share of its area.

        NotMeasured as for `likeness`, or more peaks than a pattern has.
        """
        found = self.likeness(region)
        peaks = (found >= min_likeness) & (found >= cv2.dilate(found, np.ones((3, 3), np.uint8)))
        y, x = (each.astype(np.int64) for each in np.nonzero(peaks))
        if len(x) > _MOST_PEAKS:
            raise NotMeasured(f"{self._name}: {len(x)} places like it, expected at most {_MOST_PEAKS}")
        order = np.argsort(-found[y, x], kind="stable")
        x, y = x[order], y[order]
        rows, columns = self._plane.shape
        matches = []
        while len(x):
            matches.append(self._match(found, int(x[0]), int(y[0])))
            shared = np.maximum(columns - abs(x - x[0]), 0) * np.maximum(rows - abs(y - y[0]), 0)
            apart = shared <= max_overlap * rows * columns
            apart[0] = False
            x, y = x[apart], y[apart]
        return matches

    def _match(self, found: npt.NDArray[np.float32], x: int, y: int) -> Match:
        rows, columns = self._plane.shape
        return Match((x, y, columns, rows), float(found[y, x]))


def _deviation(plane: Picture, rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Standard deviation of the grey levels under a template at each place."""
    sums, squares = (np.asarray(each, np.float64) for each in cv2.integral2(plane, sdepth=cv2.CV_64F))

    def mean(total: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        right, left = total[:, columns:], total[:, :-columns]
        inside = right[rows:] - right[:-rows] - left[rows:] + left[:-rows]
        return np.asarray(inside / (rows * columns), np.float64)

    return np.asarray(np.sqrt(np.maximum(mean(squares) - np.square(mean(sums)), 0.0)), np.float64)
