"""From raw bytes to the picture that is judged: the one way for judging, keeping, showing and teaching.

    raw -> unpack -> dark, flat -> demosaic -> white balance -> levels -> lens, plane, crop -> picture

What gives the same picture is done where it is cheapest: the factors of the white balance are multiplied into the
flat field's, before the demosaic; only what the crop needs is unpacked. A plain plan takes the eight high bits
straight from the packed bytes, which may differ by one grey level from demosaicing at full depth.
"""

import threading

import cv2
import numpy as np

from ..bus.errors import BadPicture, BadRecipe
from .correction import correction_of
from .formats import FORMATS, Format
from .lens import Straightener, straightener
from .lens_file import LensFile
from .levels import Levels, levels_of
from .picture import Box, Picture
from .plan import DevelopPlan
from .unpack import Bytes, Samples, unpack, unpack8

_MARGIN_PX = 4
"""Demosaicing looks at neighbours, and groups of packed pixels and tiles must stay whole: a multiple of 4."""
_KEPT = 4
"""Sizes and formats of one plan that are kept ready; the oldest goes. A camera sends one."""
_DEMOSAIC: dict[str, int] = {quad: getattr(cv2, f"COLOR_Bayer{quad}2RGB") for quad in ("RGGB", "GRBG", "GBRG", "BGGR")}
"""By the sensor's first four pixels. OpenCV's short names (`BayerBG2RGB`) go by the second row and column instead."""


class _Way:
    """What is done to pictures of one size and format."""

    def __init__(self, plan: DevelopPlan, width: int, height: int, pixel_format: str) -> None:
        """BadRecipe: the plan does not fit."""
        self._fmt = fmt = _format(pixel_format)
        if width < 2 or height < 2:
            raise BadRecipe(f"picture of {width}x{height}: expected 2x2 or more")
        if fmt.colour in ("yuyv", "uyvy") and width % 2:
            raise BadRecipe(f"picture of {width}x{height} {fmt.name}: expected an even width")
        self._width, self._height = width, height
        box: Box = plan.crop or (0, 0, width, height)
        straight: Straightener | None = None
        if plan.calibration is not None and (plan.undistort or plan.rectify):
            straight = _straightener(plan, plan.calibration, width, height, box)
            box = straight.reach(width, height)
        x, y, w, h = box
        if min(x, y) < 0 or min(w, h) < 1 or x + w > width or y + h > height:
            raise BadRecipe(f"develop: crop: {w}x{h} at {x},{y}: expected to lie inside {width}x{height}")
        left, right = _with_margin(x, x + w, width)
        top, bottom = _with_margin(y, y + h, height)
        self._columns, self._top, self._rows = slice(left, right), top, bottom - top
        self._inner = np.s_[y - top : y - top + h, x - left : x - left + w]
        self._straight = straight.inside(left, top) if straight is not None else None
        correction = correction_of(plan.dark, plan.flat, width, height, fmt)
        region = np.s_[top:bottom, left:right]
        self._levels: Levels = levels_of(plan.levels, plan.white_balance, fmt, corrected=correction.any)
        self._dark = None if correction.dark is None else np.ascontiguousarray(correction.dark[region])
        gain = None if correction.gain is None else correction.gain[region]
        self._gain = self._levels.gain(gain, (bottom - top, right - left), fmt)

    def develop(self, raw: memoryview | bytes) -> Picture:
        """BadPicture: too few bytes."""
        fmt = self._fmt
        need = fmt.payload_bytes(self._width, self._height)
        if len(raw) < need:
            raise BadPicture(
                f"picture of {self._width}x{self._height} {fmt.name}: expected {need} bytes, got {len(raw)}"
            )
        # A multiple of four pixels before it: the bytes begin with a whole group.
        first = self._top * self._width * fmt.bits_per_pixel // 8
        rows = memoryview(raw)[first : first + fmt.payload_bytes(self._width, self._rows)]
        if fmt.colour in ("grey", "bayer"):
            picture = self._from_sensor(rows)
        else:
            picture = self._levels.apply(_from_colours(unpack(rows, self._width, self._rows, fmt), fmt, self._columns))
        if self._straight is not None:
            return self._straight.apply(picture)
        picture = np.ascontiguousarray(picture[self._inner])
        # The ring's memory is only borrowed, and bytes are not to be written to.
        return picture.copy() if np.may_share_memory(picture, np.frombuffer(raw, np.uint8)) else picture

    def _from_sensor(self, rows: memoryview) -> Picture:
        fmt = self._fmt
        if self._levels.high_bits:
            return _demosaic(unpack8(rows, self._width, self._rows, fmt)[:, self._columns], fmt)
        samples: Samples = unpack(rows, self._width, self._rows, fmt)[:, self._columns]
        if self._gain is not None:
            light = samples if self._dark is None else cv2.subtract(samples, self._dark, dtype=cv2.CV_32F)
            samples = np.asarray(cv2.multiply(light, self._gain, dtype=cv2.CV_16U))
        return self._levels.apply(_demosaic(samples, fmt))


class Developer:
    """Makes pictures by one plan. Any number of threads may use it at once."""

    def __init__(self, plan: DevelopPlan) -> None:
        """plan: what to do. Its files are read with the first picture, or by `prepare`."""
        self.plan = plan
        self._lock = threading.Lock()
        self._ways: dict[tuple[int, int, str], _Way] = {}

    def prepare(self, width: int, height: int, pixel_format: str) -> None:
        """Make ready for raw pictures of that size, px. BadRecipe: the plan does not fit them; the text says what."""
        self._way(width, height, pixel_format)

    def develop(self, raw: memoryview | bytes, width: int, height: int, pixel_format: str) -> Picture:
        """Return the picture, an array of its own: rows x columns for grey formats, else rows x columns x 3 RGB.

        raw: the picture's bytes without line padding, not changed. width, height: px. pixel_format: PFNC name.
        BadPicture: too few bytes, an unknown format, or a size or format that the plan does not fit.
        """
        try:
            way = self._way(width, height, pixel_format)
        except BadRecipe as error:
            raise BadPicture(str(error)) from error
        return way.develop(raw)

    def _way(self, width: int, height: int, pixel_format: str) -> _Way:
        key = (width, height, pixel_format)
        known = self._ways.get(key)
        if known is not None:
            return known
        with self._lock:
            if key not in self._ways:
                made = _Way(self.plan, width, height, pixel_format)
                while len(self._ways) >= _KEPT:
                    self._ways.pop(next(iter(self._ways)))
                self._ways[key] = made
            return self._ways[key]


def check_plan(plan: DevelopPlan, width: int, height: int, pixel_format: str) -> None:
    """Find out before the first part whether a plan fits the camera's pictures. BadRecipe names what does not."""
    Developer(plan).prepare(width, height, pixel_format)


def _with_margin(begin: int, end: int, size: int) -> tuple[int, int]:
    """What is unpacked for pixels begin..end of a row or column of that size."""
    step = _MARGIN_PX
    return max(begin // step * step - step, 0), min(-(-(end + step) // step) * step, size)


def _straightener(plan: DevelopPlan, lens: LensFile, width: int, height: int, box: Box) -> Straightener:
    if (lens.width, lens.height) != (width, height):
        raise BadRecipe(f"develop: lens: made for {lens.width}x{lens.height}, expected {width}x{height}")
    return straightener(lens, rectify=plan.rectify, box=box)


def _format(name: str) -> Format:
    found = FORMATS.get(name)
    if found is None:
        raise BadRecipe(f"pixel format {name}: expected one of {', '.join(FORMATS)}")
    return found


def _demosaic(samples: Samples, fmt: Format) -> Samples:
    """Bilinear, at the depth of the samples."""
    if fmt.colour == "grey":
        return samples
    return np.asarray(cv2.cvtColor(samples, _DEMOSAIC[fmt.quad]))


def _from_colours(samples: Samples, fmt: Format, columns: slice) -> Bytes:
    """RGB of a format whose pixels have their colours already. Pairs of YUV stay whole: columns are even."""
    cut: Samples = samples[:, columns]
    if fmt.colour == "rgb":
        return np.asarray(cut, np.uint8)
    if fmt.colour == "bgr":
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(cut), cv2.COLOR_BGR2RGB), np.uint8)
    height, width = cut.shape[:2]
    pairs = cv2.split(np.ascontiguousarray(cut).reshape(height, width // 2, 4))
    first, u, second, v = pairs if fmt.colour == "yuyv" else (pairs[1], pairs[0], pairs[3], pairs[2])
    # OpenCV's own YUV 4:2:2 takes video's range of 16..235; PFNC's YUV is of full range, like its YCrCb.
    both = np.asarray(cv2.merge([first, v, u, second, v, u])).reshape(height, width, 3)
    return np.asarray(cv2.cvtColor(both, cv2.COLOR_YCrCb2RGB), np.uint8)
