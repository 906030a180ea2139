"""Encoded pictures, by bytes that need not be any."""

import cv2
import numpy as np

from okng.bus.errors import BadPicture
from okng.bus.outside import MOST_PIXELS, stated_size
from okng.models.pictures import decode

from .files import said_of

_GREY = np.arange(96, dtype=np.uint8).reshape(8, 12)


def seeds() -> list[bytes]:
    """Small pictures of every kind that is taken, and of some that are not."""
    cv2.setNumThreads(1)
    kinds = (".png", ".jpg", ".bmp", ".tif", ".webp", ".pgm")
    made = [cv2.imencode(kind, _GREY)[1].tobytes() for kind in kinds]
    made.append(cv2.imencode(".png", np.dstack([_GREY] * 3))[1].tobytes())
    made.append(cv2.imencode(".jpg", _GREY, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes())
    return made


def one(data: bytes) -> None:
    """No more pixels than were stated, and never more than the bound."""
    size = stated_size(data)
    if size is not None and 1 << 22 < size[0] * size[1] <= MOST_PIXELS:
        return  # allowed, and slow by what it is
    try:
        pixels = decode(data, "x")
    except BadPicture as error:
        said_of("x", error)
        return
    assert size is not None
    assert pixels.shape[0] * pixels.shape[1] <= size[0] * size[1]
