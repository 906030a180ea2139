"""What a sensor sends of a scene: a picture becomes the raw bytes of any pixel format. The other way is imaging/unpack.

A colour filter lets one of three colours through to each pixel; a format of more than eight bits takes the high bits of
a 16-bit picture, or fills an 8-bit one up so that white stays white.

Source of the layouts: EMVA Pixel Format Naming Convention 2.4, clauses on lsb packed and on grouped formats.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..imaging.formats import Format

Scene = npt.NDArray[Any]
"""Rows x columns, or rows x columns x 3 RGB; uint8 or uint16, of full range."""
Samples = npt.NDArray[Any]
"""As imaging/unpack.py has them: uint8, or uint16 with the value in the low bits; x 3 for RGB8, BGR8, x 2 for YUV."""
_CHANNEL = {"R": 0, "G": 1, "B": 2}


def view(scene: Scene, width: int, height: int, left: int, top: int) -> Scene:
    """Return what a region of width x height px sees, black where there is no scene.

    left, top: where the scene's corner lies in the region, px; may be negative.
    """
    made = np.zeros((height, width, *scene.shape[2:]), scene.dtype)
    rows, columns = scene.shape[:2]
    y0, y1 = max(top, 0), min(top + rows, height)
    x0, x1 = max(left, 0), min(left + columns, width)
    if y0 < y1 and x0 < x1:
        made[y0:y1, x0:x1] = scene[y0 - top : y1 - top, x0 - left : x1 - left]
    return made


def sense(scene: Scene, fmt: Format) -> Samples:
    """Return the samples of a scene; its width must be even for YUV."""
    if fmt.colour == "grey":
        return _to_depth(scene if scene.ndim == 2 else np.asarray(cv2.cvtColor(scene, cv2.COLOR_RGB2GRAY)), fmt)
    if fmt.colour == "bayer":
        return _to_depth(scene if scene.ndim == 2 else _mosaic(scene, fmt.quad), fmt)
    colours = _to_depth(scene if scene.ndim == 3 else np.repeat(scene[:, :, None], 3, axis=2), fmt)
    if fmt.colour == "rgb":
        return colours
    if fmt.colour == "bgr":
        return colours[:, :, ::-1]
    return _yuv(colours, fmt)


def pack(samples: Samples, fmt: Format) -> bytes:
    """Return samples as they lie in memory, without line padding; bits left over in the last group are 0."""
    if fmt.packing == "plain":
        return np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).tobytes()
    need = (samples.size * fmt.bits_per_pixel + 7) // 8
    group = 4 if fmt.depth_bits == 10 and fmt.packing == "p" else 2
    flat = np.zeros(-(-samples.size // group) * group, np.uint16)
    flat[: samples.size] = samples.reshape(-1)
    pixels = flat.reshape(-1, group).T
    lanes = _lsb_first(pixels, fmt.depth_bits) if fmt.packing == "p" else _gige(pixels, fmt.depth_bits)
    return (np.stack(lanes, axis=1) & 0xFF).astype(np.uint8).tobytes()[:need]


def _to_depth(scene: Scene, fmt: Format) -> Samples:
    depth = fmt.depth_bits
    if scene.dtype == np.uint8:
        wide = scene.astype(np.uint16)
        return scene if depth == 8 else (wide << (depth - 8)) | (wide >> (16 - depth))
    high: Samples = scene >> (16 - depth)
    return high.astype(np.uint8) if depth == 8 else high


def _mosaic(scene: Scene, quad: str) -> Scene:
    made = np.empty(scene.shape[:2], scene.dtype)
    for at, colour in enumerate(quad):
        row, column = divmod(at, 2)
        made[row::2, column::2] = scene[row::2, column::2, _CHANNEL[colour]]
    return made


def _yuv(colours: Samples, fmt: Format) -> Samples:
    """Two pixels share a pair of colour differences, their mean; of full range, as PFNC's."""
    y, v, u = cv2.split(np.asarray(cv2.cvtColor(np.ascontiguousarray(colours), cv2.COLOR_RGB2YCrCb)))
    rows, columns = y.shape
    pairs = np.empty((rows, columns, 2), np.uint8)
    at = 0 if fmt.colour == "yuyv" else 1
    pairs[:, :, at] = y
    for first, plane in ((0, u), (1, v)):
        wide = plane.astype(np.uint16)
        pairs[:, first::2, 1 - at] = (wide[:, 0::2] + wide[:, 1::2] + 1) >> 1
    return pairs


def _lsb_first(pixels: Samples, depth: int) -> tuple[Samples, ...]:
    if depth == 12:
        one, two = pixels
        return one, (one >> 8) | (two << 4), two >> 4
    one, two, three, four = pixels
    return one, (one >> 8) | (two << 2), (two >> 6) | (three << 4), (three >> 4) | (four << 6), four >> 2


def _gige(pixels: Samples, depth: int) -> tuple[Samples, ...]:
    one, two = pixels
    low, mask = depth - 8, (1 << (depth - 8)) - 1
    return one >> low, (one & mask) | ((two & mask) << 4), two >> low
