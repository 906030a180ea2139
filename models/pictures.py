"""Picture files as pixels: uint8, grey [h, w] or RGB [h, w, 3]."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from ..bus.outside import MOST_PIXELS, read_bounded, too_large

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
MOST_BYTES = 1 << 30
"""Of a picture file: a bitmap of the most pixels and colours is no larger."""

Picture = npt.NDArray[np.uint8]


def decode(data: bytes, name: str) -> Picture:
    """Return the pixels of an encoded picture, grey [h, w] or RGB [h, w, 3], uint8.

    name: what to call it in an error. A picture with transparency loses it. BadPicture: it does not decode, is too
    large, or has other than 8 bits a channel.
    """
    if why := too_large(data, MOST_PIXELS):
        raise BadPicture(f"{name}: {why} ({len(data)} bytes)")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    except cv2.error as error:
        raise BadPicture(f"{name}: does not decode as a picture: {error.err}") from error
    if pixels is None:
        raise BadPicture(f"{name}: does not decode as a picture ({len(data)} bytes)")
    if pixels.dtype != np.uint8:
        raise BadPicture(f"{name}: pixels of {pixels.dtype}: expected 8 bits a channel")
    if pixels.ndim == 2:
        return pixels.astype(np.uint8, copy=False)
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        kind = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGB
        return cv2.cvtColor(pixels, kind).astype(np.uint8, copy=False)
    raise BadPicture(f"{name}: shape {pixels.shape}: expected grey or colour")


def read(path: Path) -> Picture:
    """Return the pixels of a picture file. BadPicture: see `decode`, or the file cannot be read."""
    try:
        data = read_bounded(path, MOST_BYTES)
    except OSError as error:
        raise BadPicture(f"{path}: cannot be read: {error.strerror}") from error
    return decode(data, str(path))


def encode_png(picture: Picture) -> bytes:
    """Return the picture as PNG. Lossless, so the same pixels come back."""
    pixels = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise BadPicture(f"picture of shape {picture.shape} cannot be encoded")
    return data.tobytes()


def files_in(folder: Path) -> list[Path]:
    """Return the picture files right in a folder, by name. BadPicture: no folder, or no picture in it."""
    if not folder.is_dir():
        raise BadPicture(f"{folder}: no such folder")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise BadPicture(f"{folder}: no picture in it (expected files ending in {', '.join(sorted(SUFFIXES))})")
    return found


def with_channels(picture: Picture, channels: int) -> Picture:
    """Return the picture as grey (1) or RGB (3): grey is repeated, colour is weighed as BT.601 does."""
    if channels == 1 and picture.ndim == 3:
        return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
    if channels == 3 and picture.ndim == 2:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB).astype(np.uint8, copy=False)
    return picture
