"""Dark and flat-field correction: what the sensor sees of nothing is taken away, and the light's shape is levelled.

    corrected = (raw - dark) x mean(flat - dark) / (flat - dark)

The mean is that of the pixels of one colour of the sensor: a flat picture levels the light and the lens, and leaves the
colour to the white balance. Source: EMVA Standard 1288, release 4.0, on dark signal and photo response non-uniformity.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture, BadRecipe
from ..bus.outside import too_large
from .formats import Format
from .unpack import Samples

Levels = npt.NDArray[np.float32]
"""Rows x columns, raw levels of the format, with fractions."""
MOST_GAIN = 8.0
"""A pixel that needs more is dark for another reason: dirt, a dead pixel, the edge of the lens."""
MOST_CLIPPED = 0.01
"""Share of a flat picture that may be at the top of the range."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What is done to each sample of one size and format. None: nothing."""

    dark: Levels | None = None
    gain: Levels | None = None
    """1/MOST_GAIN..MOST_GAIN."""

    @property
    def any(self) -> bool:
        """True: there is something to be done."""
        return self.dark is not None or self.gain is not None


def correction_of(dark: bytes, flat: bytes, width: int, height: int, fmt: Format) -> Correction:
    """Read the pictures of a plan; empty: none. width, height: of the raw picture, px.

    BadRecipe, naming `dark` or `flat`: it does not decode, is of another size or depth, or a flat picture is clipped or
    no brighter than the dark one.
    """
    if not dark and not flat:
        return Correction()
    if fmt.colour not in ("grey", "bayer"):
        raise BadRecipe(f"develop: dark, flat: expected none with {fmt.name}, whose pixels are no longer the sensor's")
    base = _decode(dark, "dark", width, height, fmt) if dark else None
    if not flat:
        return Correction(base)
    light = _decode(flat, "flat", width, height, fmt)
    top = float((1 << fmt.depth_bits) - 1)
    clipped = float((light >= top).mean())
    if clipped > MOST_CLIPPED:
        raise BadRecipe(f"develop: flat: {clipped:.0%} of it is at the top of the range: expected 1 % or less")
    if base is not None:
        light = np.maximum(light - base, np.float32(0))
    gain = np.ones_like(light)
    step = 2 if fmt.colour == "bayer" else 1
    for row in range(step):
        for column in range(step):
            of_one_colour = light[row::step, column::step]
            mean = float(of_one_colour.mean(dtype=np.float64))
            if mean < 1.0:
                raise BadRecipe(
                    f"develop: flat: {mean:.2f} levels above dark in the mean: expected an evenly lit sheet"
                )
            gain[row::step, column::step] = mean / np.maximum(of_one_colour, mean / MOST_GAIN)
    return Correction(base, np.maximum(gain, np.float32(1 / MOST_GAIN)))


def reference_png(frames: Iterable[Samples], depth_bits: int) -> bytes:
    """Average raw frames to a dark or flat picture: a PNG of 16 bits, raw levels times 2 ** (16 - depth_bits).

    frames: unpacked, rows x columns, all of one size; 16 or more take the noise out. BadPicture: none, or of different
    sizes, or with colours.
    """
    total: npt.NDArray[np.float64] | None = None
    count = 0
    for frame in frames:
        if frame.ndim != 2 or (total is not None and total.shape != frame.shape):
            raise BadPicture(f"frame of shape {frame.shape}: expected rows x columns of one size")
        total = frame.astype(np.float64) if total is None else np.add(total, frame, out=total)
        count += 1
    if total is None:
        raise BadPicture("no frames: expected one or more to average")
    mean = np.clip(np.rint(total * ((1 << (16 - depth_bits)) / count)), 0, 65535).astype(np.uint16)
    done, content = cv2.imencode(".png", mean, (cv2.IMWRITE_PNG_COMPRESSION, 1))
    if not done:
        raise BadPicture(f"average of {mean.shape[1]}x{mean.shape[0]}: cannot be written as PNG")
    return bytes(content)


def _decode(content: bytes, role: str, width: int, height: int, fmt: Format) -> Levels:
    """Read a picture of 8 bits (raw levels of an 8-bit format) or 16 (as `reference_png`)."""
    if why := too_large(content):
        raise BadRecipe(f"develop: {role}: {why} ({len(content)} bytes)")
    try:
        found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise BadRecipe(f"develop: {role}: does not decode as a picture: {error.err}") from error
    if found is None:
        raise BadRecipe(f"develop: {role}: does not decode as a picture ({len(content)} bytes)")
    wanted = "8 or 16" if fmt.depth_bits == 8 else "16"
    fits = found.dtype == np.uint16 or (found.dtype == np.uint8 and fmt.depth_bits == 8)
    if found.ndim != 2 or found.shape != (height, width) or not fits:
        kind = "grey" if found.ndim == 2 else f"{found.shape[2]} colours"
        raise BadRecipe(
            f"develop: {role}: is {found.shape[1]}x{found.shape[0]} of {found.dtype.itemsize * 8} bits, {kind}: "
            f"expected {width}x{height} of {wanted} bits, grey, for {fmt.name}"
        )
    scale = 2.0 ** (fmt.depth_bits - 16) if found.dtype == np.uint16 else 1.0
    return found.astype(np.float32) * np.float32(scale)
