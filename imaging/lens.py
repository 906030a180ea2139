"""Straight pictures: one table takes each pixel of the result from where the lens has bent it to.

Source: the pinhole model with Brown's distortion as in OpenCV's `initUndistortRectifyMap`, whose new camera matrix is
here the straight one followed by the plane's homography and the crop, so that all three are one interpolation.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadRecipe
from .lens_file import LensFile
from .picture import Box, Picture

MOST_PX = 32766
"""OpenCV's tables hold places as 16-bit integers."""
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Straightener:
    """The table of one size. What the camera did not see stays black."""

    whole: npt.NDArray[Any]
    """int16, height x width x 2: column and row in the raw picture."""
    part: npt.NDArray[Any]
    """uint16, height x width: 32nds of a pixel beyond, as OpenCV packs them."""

    def reach(self, width: int, height: int) -> Box:
        """The part of the raw picture that it looks at, at least one pixel. width, height: of the raw picture, px."""
        (left, right), (top, bottom) = (
            (max(min(int(places.min()), size - 1), 0), max(min(int(places.max()) + 2, size), 1))  # 2: its neighbour too
            for places, size in ((self.whole[..., 0], width), (self.whole[..., 1], height))
        )
        return left, top, right - left, bottom - top

    def inside(self, left: int, top: int) -> "Straightener":
        """The same for a part of the raw picture that begins there."""
        moved = self.whole.astype(np.int32) - (left, top)
        return Straightener(np.clip(moved, -(1 << 15), (1 << 15) - 1).astype(np.int16), self.part)

    def apply(self, picture: Picture) -> Picture:
        """Return the straightened picture, an array of its own. picture: of the size the table was made for."""
        made = cv2.remap(picture, self.whole, self.part, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(made, np.uint8)


def straightener(lens: LensFile, *, rectify: bool, box: Box) -> Straightener:
    """Return the table for a box of the straight picture, or of the rectified one.

    BadRecipe: the calibration is of another size than a table can hold, or of no plane where one is asked for.
    """
    if max(lens.width, lens.height, *box) > MOST_PX:
        raise BadRecipe(f"lens: {lens.width}x{lens.height}, crop {list(box)}: expected up to {MOST_PX} px")
    camera = np.array(lens.camera_matrix, np.float64)
    way = camera
    if rectify:
        if lens.plane is None:
            raise BadRecipe("lens: rectify = true: expected a calibration that knows the plane")
        way = np.array(lens.plane, np.float64) @ camera
    x, y, width, height = box
    cut = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]])
    whole, part = cv2.initUndistortRectifyMap(
        camera, np.array(lens.distortion, np.float64), None, cut @ way, (width, height), cv2.CV_16SC2
    )
    return Straightener(np.asarray(whole), np.asarray(part))
