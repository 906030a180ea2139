"""The one way from a picture to a model's input, on the line and in teaching alike.

Exact halvings, then one linear step: for a 1920x1200 picture to 256 px this costs a tenth of `INTER_AREA` in one go and
differs by a third of a grey level in the mean. Cast and normalisation are inside the model: nothing is left to differ.
"""

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from .box import Box

METHOD = "halve-area-then-linear-1"
"""Name of this very arithmetic in a bundle's manifest; another one needs another name."""


def crop_and_resize(picture: npt.NDArray[np.uint8], box: Box, size: int | tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return the box of the picture, stretched to size, as uint8 [1, height, width, channels].

    picture: uint8, grey [h, w] (1 channel) or RGB [h, w, 3].
    size: (height, width) in pixels, or one side of a square.
    A box of that very size is handed on without a copy where memory allows. BadPicture: other shape or type, or the
    box does not lie in the picture.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if picture.dtype != np.uint8 or not (picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 3)):
        raise BadPicture(f"picture of {picture.dtype} {picture.shape}: expected uint8 [h, w] grey or [h, w, 3] RGB")
    if not box.lies_in(picture.shape[1], picture.shape[0]):
        raise BadPicture(f"region {box} is not inside the picture of {picture.shape[1]}x{picture.shape[0]}")
    cut = picture[box.y : box.y + box.h, box.x : box.x + box.w]
    while cut.shape[0] >= 2 * height or cut.shape[1] >= 2 * width:
        cut = _halved(cut, rows=cut.shape[0] >= 2 * height, columns=cut.shape[1] >= 2 * width)
    if cut.shape[:2] != (height, width):
        cut = cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    channels = 1 if cut.ndim == 2 else 3
    return np.ascontiguousarray(cut).reshape(1, height, width, channels)


def _halved(cut: npt.NDArray[np.uint8], *, rows: bool, columns: bool) -> npt.NDArray[np.uint8]:
    """Half the rows, the columns, or both. An odd last row or column is left out: only exact halvings are fast."""
    height, width = cut.shape[0] // (2 if rows else 1), cut.shape[1] // (2 if columns else 1)
    even = cut[: height * (2 if rows else 1), : width * (2 if columns else 1)]
    return cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
