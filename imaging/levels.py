"""White balance and levels: from the sensor's range to the 256 grey levels of the picture.

    grey level = (raw x factor - dark level) x 255 / (bright level - dark level), to the nearest

Without levels the range of the format is divided evenly among the 256, as its eight high bits do.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadRecipe
from .formats import Format
from .picture import Picture
from .unpack import Samples

Balance = tuple[float, float, float]
_EVEN: Balance = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Levels:
    """What is done to samples of one format."""

    factor: float | None
    """Samples of the sensor are multiplied by it, to keep fractions; None: they are not multiplied at all."""
    balance: Balance
    """And by this, by their colour."""
    low: int
    """Then it is taken away from a sample; what is below becomes 0."""
    scale: float
    offset: float
    """Grey level = (sample - low) x scale + offset, to the nearest, kept in 0..255."""
    table: npt.NDArray[np.uint8] | None
    """1 x 256 x 3: instead of all that, for formats that have their colours already."""
    high_bits: bool
    """True: instead of all that, the eight high bits of a sample are its grey level."""

    def gain(
        self, flat: npt.NDArray[np.float32] | None, shape: tuple[int, int], fmt: Format
    ) -> npt.NDArray[np.float32] | None:
        """Return what each sample is multiplied by, rows x columns; None: by nothing.

        flat: the gains of the flat field, if any. shape: rows, columns, beginning with the first pixel of a tile.
        """
        if self.factor is None:
            return None
        made = np.full(shape, self.factor, np.float32) if flat is None else flat * np.float32(self.factor)
        for place, colour in enumerate(fmt.quad):
            made[place // 2 :: 2, place % 2 :: 2] *= np.float32(self.balance["RGB".index(colour)])
        return made

    def apply(self, samples: Samples) -> Picture:
        """Return the grey levels; the samples themselves where nothing is to be done."""
        if self.table is not None:
            return np.asarray(cv2.LUT(samples, self.table), np.uint8)
        if self.high_bits and samples.dtype == np.uint8:
            return samples.view(np.uint8)
        if self.low:
            below = np.array([self.low, self.low, self.low, 0], np.float64)  # of each channel, for OpenCV
            samples = np.asarray(cv2.subtract(samples, below))
        return np.asarray(cv2.convertScaleAbs(samples, alpha=self.scale, beta=self.offset), np.uint8)


def levels_of(levels: tuple[int, int] | None, balance: Balance, fmt: Format, *, corrected: bool) -> Levels:
    """Return what a plan does to samples of a format. levels: raw levels, or None: the whole range.

    balance: of red, green and blue; nothing to a grey format. corrected: dark or flat field come before. BadRecipe: the
    levels lie outside the range of the format.
    """
    top = (1 << fmt.depth_bits) - 1
    if levels is not None and levels[1] > top:
        raise BadRecipe(f"develop: levels: {list(levels)}: expected within 0..{top} for {fmt.name}")
    low, high = levels or (0, top)
    if fmt.colour not in ("grey", "bayer"):
        plain = levels is None and balance == _EVEN
        table = None if plain else _table(low, high, balance)
        return Levels(None, _EVEN, 0, 1.0, 0.0, table, high_bits=plain)
    if fmt.colour == "grey":
        balance = _EVEN
    multiplied = corrected or balance != _EVEN
    factor = 2.0 ** _fraction_bits(fmt, balance, corrected=corrected) if multiplied else 1.0
    if levels is None:
        step = 1 << (fmt.depth_bits - 8)
        scale, offset = 1 / (step * factor), 0.5 / step - 0.5  # to the nearest of that is down, as with `high_bits`
    else:
        scale, offset = 255 / ((high - low) * factor), 0.0
    return Levels(
        factor=factor if multiplied else None,
        balance=balance,
        low=round(low * factor),
        scale=scale,
        offset=offset,
        table=None,
        high_bits=levels is None and not multiplied,
    )


def _fraction_bits(fmt: Format, balance: Balance, *, corrected: bool) -> int:
    """Bits below a raw level that are kept once it is multiplied; below 0: bits that are given up.

    12 in all leave room for sixteenfold in a uint16: what is clipped before the demosaic would colour its neighbours.
    A Bayer format of 16 bits gives up what its factors need, and two bits for the corners of a flat field.
    """
    if fmt.depth_bits <= 12:
        return 12 - fmt.depth_bits
    return 0 if fmt.colour == "grey" else -math.ceil(math.log2(max(1.0, *balance))) - 2 * corrected


def _table(low: int, high: int, balance: Balance) -> npt.NDArray[np.uint8]:
    raw = np.arange(256, dtype=np.float64)[:, None] * np.array(balance)
    made = np.rint((raw - low) * (255 / (high - low)))
    table: npt.NDArray[np.uint8] = np.clip(made, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    return table
