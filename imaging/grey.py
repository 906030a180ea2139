"""The grey levels of a picture, whatever its colour."""

import cv2
import numpy as np

from .picture import Box, Picture


def grey_of(picture: Picture) -> Picture:
    """Return rows x columns uint8; a grey picture is returned itself, not copied.

    RGB becomes luma by ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B), as OpenCV does.
    """
    if picture.ndim == 2:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def cut(picture: Picture, box: Box) -> Picture:
    """Return the view of a box. ValueError: it reaches out of the picture, or is empty."""
    x, y, w, h = box
    height, width = picture.shape[:2]
    if x < 0 or y < 0 or w < 1 or h < 1 or x + w > width or y + h > height:
        raise ValueError(f"box {list(box)}: expected to lie inside the picture of {width}x{height}")
    return picture[y : y + h, x : x + w]
