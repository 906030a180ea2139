"""What is wrong with a frame before anybody judges it: size, format, repeated, frozen, all black, all white.

Each check is cheap: a sparse grid of the raw bytes is looked at, and every byte only where the grid raises a doubt.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..imaging.formats import FORMATS, Format
from .frozen import FrozenWatch
from .options import CameraOptions
from .profiles import Profile
from .source import Grab

Bytes = npt.NDArray[np.uint8]
SAMPLES = 4096
"""Pixels of the grid for light and darkness."""
_ODD = 100_000
"""One pixel of so many may be otherwise in a picture that is all black or all white: hot and dead ones."""

ADVICE = {
    "repeated": "the camera repeats its pictures: switch it off and on; if it stays, replace it",
    "frozen": "the camera's picture is frozen, new frames have the same pixels: switch it off and on",
    "wrong size": "the camera sends another size or format than the recipe's: check who else sets it up",
    "black": "the picture is all black: check lamp, strobe cable, lens cap and exposure",
    "overexposed": "the picture is all white: check exposure, gain and lamp for stray light",
    "unasked": "the camera sends pictures nobody asked for: check trigger cable, debounce and trigger mode",
    "too fast": "the camera sends pictures faster than set: check who else sets it up",
    "silent": "no picture comes although the camera answers: check trigger, network or USB load and lamp interlock",
}
"""For each fault what an operator is told."""
LOST_AS = {"frozen": "repeated", "unasked": "pairing", "too fast": "pairing"}
"""`FrameLost.reason` where it is called otherwise than the fault."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as black and as white, in the 8 high bits of a pixel."""

    black_level: int
    """Every pixel this or less; -1: never black."""
    white_level: int
    """Every pixel this or more; 256: never white."""


class PictureFaults:
    """Checks of one camera's frames, for one profile. One thread."""

    def __init__(self, profile: Profile, options: CameraOptions, frozen: FrozenWatch) -> None:
        """profile: what the camera was read back to be set to. frozen: outlives the profile where the size stays."""
        self._profile, self._frozen = profile, frozen
        self._limits = Limits(options.black_level, options.white_level)
        self._format = FORMATS[profile.pixel_format]

    def of_frame(self, grab: Grab) -> str:
        """What is wrong with the measures of one frame of the camera; empty: nothing."""
        if grab.repeated:
            return "repeated"
        wanted = self._profile
        measures = (grab.width, grab.height, grab.pixel_format, grab.size_bytes)
        if measures != (wanted.width, wanted.frame_height, wanted.pixel_format, wanted.frame_bytes):
            return "wrong size"
        return ""

    def of_pixels(self, pixels: memoryview) -> str:
        """What is wrong with a whole picture's pixels, of the profile's size; empty: nothing."""
        whole = np.frombuffer(pixels, np.uint8, self._profile.size_bytes)
        few = grid_of(whole, self._format)
        light = light_of(whole, self._format, self._limits, few)
        if light:
            return light
        return "frozen" if self._frozen.is_frozen(whole, few) else ""


def high_bytes(pixels: Bytes, of: Format) -> Bytes:
    """Return a view of bytes that hold the 8 high bits of pixels; of packed formats and YUV, of some pixels only.

    Samples of 10 and 12 bits that are not packed are in 16-bit words, little-endian: the array is a copy then.
    """
    if of.packing == "packed":
        return pixels[0::3]
    if of.packing == "p":
        return pixels[4::5] if of.depth_bits == 10 else pixels[2::3]
    if of.depth_bits == 16:
        return pixels[1::2]
    if of.depth_bits > 8:
        words = pixels[: pixels.size // 2 * 2].view("<u2")
        return np.asarray(np.minimum(words >> (of.depth_bits - 8), 255), np.uint8)
    if of.colour in ("yuyv", "uyvy"):
        return pixels[of.colour == "uyvy" :: 2]
    return pixels


def light_of(pixels: Bytes, of: Format, limits: Limits, sparse: Bytes) -> str:
    """Return `black`, `overexposed` or empty. A picture with a little light anywhere is not black.

    sparse: the high bits of some of its pixels; all are looked at only where these are all dark or all white.
    """
    if sparse.size == 0:
        return ""
    if int(sparse.max()) <= limits.black_level:
        whole = high_bytes(pixels, of)
        return "black" if np.count_nonzero(whole > limits.black_level) <= whole.size // _ODD else ""
    if int(sparse.min()) >= limits.white_level:
        whole = high_bytes(pixels, of)
        return "overexposed" if np.count_nonzero(whole < limits.white_level) <= whole.size // _ODD else ""
    return ""


def grid_of(pixels: Bytes, of: Format) -> Bytes:
    """Return the 8 high bits of some thousand pixels from all over the picture, from above to below."""
    return high_bytes(_sparse(pixels, of), of)


def _sparse(pixels: Bytes, of: Format) -> Bytes:
    """Some groups of bytes from all over the picture, each as long as the format's pattern, one after another."""
    group = {"packed": 3, "p": 5 if of.depth_bits == 10 else 3}.get(of.packing, 0) or max(of.bits_per_pixel // 8, 1)
    group *= 2  # both pixels of a YUV pair
    groups = pixels[: pixels.size // group * group].reshape(-1, group)
    step = max(len(groups) // SAMPLES, 1) | 1  # odd: no column of an even width is left out
    return np.ascontiguousarray(groups[::step]).reshape(-1)
