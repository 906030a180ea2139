"""Codes on a part: DataMatrix, QR and bars, read by zxing-cpp. The one file that knows it.

A code is read from its region of the developed picture. Only where that fails are further ways tried, one after the
other, until the recipe's time is up: another threshold, the region enlarged, smoothed, turned in steps between the
right angles that the library tries itself.
"""

import re
import time
from collections.abc import Callable, Iterator

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


class CodeReader:
    """Reads one code of the recipe. One thread."""

    def __init__(self, options: CodeOptions) -> None:
        self.options = options
        kinds = [getattr(zxingcpp.BarcodeFormat, kind) for kind in options.kinds]
        self._kinds = zxingcpp.BarcodeFormats(kinds)
        self._names = {str(each): kind for each, kind in zip(kinds, options.kinds, strict=True)}
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
        """Text and kind of every code in it."""
        pixels, binarizer = attempt
        codes = zxingcpp.read_barcodes(
            pixels, formats=self._kinds, binarizer=binarizer, text_mode=zxingcpp.TextMode.Plain
        )
        return {_clean(code.text): self._names.get(str(code.format), str(code.format)) for code in codes if code.valid}

    def _fits(self, text: str) -> bool:
        return 0 < len(text) <= LONGEST and (self._pattern is None or self._pattern.fullmatch(text) is not None)


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


def _turned(grey: Picture, degrees: float) -> Picture:
    rows, columns = grey.shape
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1.0)
    return np.asarray(
        cv2.warpAffine(grey, turn, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
