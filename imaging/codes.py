"""Codes on a part: DataMatrix, QR and bars, read by zxing-cpp. The one file that knows it.

A code is read from its region of the developed picture. Only where that fails are further ways tried, one after the
other, until the recipe's time is up: another threshold, the region enlarged, smoothed, turned in steps between the
right angles that the library tries itself.
"""

import re
import time
from collections.abc import Callable, Iterator
from typing import cast

import cv2
import numpy as np
import zxingcpp

from ..bus.part import CodeRead
from .code_options import CodeOptions
from .picture import Box, Picture

LONGEST = 200
"""Characters of a text that are kept; a longer one is refused: no serial number has so many."""
_GS = "\x1d"
_SMALL_PX = 400
"""A region whose shorter side is below this is tried enlarged: zxing needs two pixels a module, better three."""
_TURNS_DEG = (-30, -15, 15, 30)
_EXACTLY = {"QRCode": "QRCodeModel2", "Code39": "Code39Std"}
"""Where the library's name of a kind takes in others: Micro QR and rMQR, of weaker protection, with QR; Code 32 with
Code 39, whose text is another one (`5J2451` comes back as `A184619169`)."""


class CodeReader:
    """Reads one code of the recipe. One thread."""

    def __init__(self, options: CodeOptions) -> None:
        self.options = options
        self._kinds = zxingcpp.BarcodeFormats([_format(_EXACTLY.get(kind, kind)) for kind in options.kinds])
        self._names = {str(_format(kind)): kind for kind in options.kinds}
        self._pattern = re.compile(options.pattern, re.ASCII) if options.pattern else None

    def read(self, picture: Picture, box: Box | None = None) -> CodeRead:
        """Look for the code in a region; None: the whole picture.

        The text is empty where nothing was read, where what was read is not of the recipe's pattern, or where several
        codes of different texts fit: whose is it then?
        """
        region = picture if box is None else picture[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
        grey = cv2.cvtColor(region, cv2.COLOR_RGB2GRAY) if region.ndim == 3 else np.ascontiguousarray(region)
        until = time.monotonic() + self.options.time_ms / 1000
        refused = ""
        for attempt in _attempts(np.asarray(grey, np.uint8)):
            found = self._found(attempt())
            fitting = {text: kind for text, kind in found.items() if self._fits(text)}
            refused = refused or next(iter(found.values()), "")
            if len(fitting) == 1:
                ((text, kind),) = fitting.items()
                return CodeRead(self.options.name, text, kind, self.options.serial)
            if len(fitting) > 1 or time.monotonic() >= until:
                break
        return CodeRead(self.options.name, "", refused, self.options.serial)

    def reason(self, read: CodeRead) -> str:
        """Why the part is UNJUDGED by this reading; empty: it is not."""
        if read.text or not self.options.required:
            return ""
        return f"code {read.name} {'does not match' if read.kind else 'unreadable'}"

    def _found(self, attempt: tuple[Picture, zxingcpp.Binarizer]) -> dict[str, str]:
        """Text and kind of every code in it that is of a kind the recipe names."""
        pixels, binarizer = attempt
        codes = zxingcpp.read_barcodes(
            pixels, formats=self._kinds, binarizer=binarizer, text_mode=zxingcpp.TextMode.Plain
        )
        named = ((self._names.get(str(code.format)), code) for code in codes if code.valid)
        return {_clean(code.text): kind for kind, code in named if kind is not None}

    def _fits(self, text: str) -> bool:
        return 0 < len(text) <= LONGEST and (self._pattern is None or self._pattern.fullmatch(text) is not None)


def _format(name: str) -> zxingcpp.BarcodeFormat:
    return cast(zxingcpp.BarcodeFormat, getattr(zxingcpp.BarcodeFormat, name))


def _clean(text: str) -> str:
    """The text as it is kept: GS, which parts the fields of GS1 codes, as <GS>; no other control character."""
    shown = text.strip().replace(_GS, "<GS>")
    return "".join(letter for letter in shown if letter.isprintable())


def _attempts(grey: Picture) -> Iterator[Callable[[], tuple[Picture, zxingcpp.Binarizer]]]:
    """Ways to look at the region, the cheapest and most likely first. Each is made only when it is its turn."""
    local, wide = zxingcpp.Binarizer.LocalAverage, zxingcpp.Binarizer.GlobalHistogram
    yield lambda: (grey, local)
    yield lambda: (grey, wide)
    if min(grey.shape) < _SMALL_PX:
        yield lambda: (_scaled(grey, 2.0), local)
        yield lambda: (_sharpened(grey), local)
    yield lambda: (_smoothed(grey), local)
    if min(grey.shape) < _SMALL_PX // 2:
        yield lambda: (_scaled(grey, 3.0), wide)
    if min(grey.shape) >= 2 * _SMALL_PX:
        yield lambda: (_scaled(grey, 0.5), local)
    for degrees in _TURNS_DEG:
        yield lambda degrees=degrees: (_turned(grey, degrees), local)  # type: ignore[misc] # mypy has no such default


def _scaled(grey: Picture, factor: float) -> Picture:
    how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(grey, None, fx=factor, fy=factor, interpolation=how), np.uint8)


def _smoothed(grey: Picture) -> Picture:
    return np.asarray(cv2.medianBlur(grey, 3), np.uint8)


def _sharpened(grey: Picture) -> Picture:
    """Enlarged, its fine detail raised (unsharp mask): a code out of focus by half a module is read by it."""
    large = cv2.resize(grey, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(large + 3 * (large - cv2.GaussianBlur(large, (0, 0), 4)), 0, 255).astype(np.uint8)


def _turned(grey: Picture, degrees: float) -> Picture:
    rows, columns = grey.shape
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1.0)
    return np.asarray(
        cv2.warpAffine(grey, turn, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
