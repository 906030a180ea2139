"""Run lengths of masks as others write them: COCO's (plain and compressed) and Label Studio's brush.

COCO: pycocotools' `maskApi.c` (rleFrString, rleToString): columns first, sound pixels first; compressed, each count is
the difference to the one two before, in groups of 5 bits, the 6th says that more follow, + 48 makes them letters.
Label Studio: `@thi.ng/rle-pack` over RGBA bytes, rows first; transparency says what is painted.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...bus.errors import BadData
from .shapes import Mask, RunLengths

_MOST_PIXELS = 1 << 27
_BRUSH_SIZES = (3, 4, 8, 16)
"""Bits of the four kinds of run lengths in what Label Studio itself writes."""


def from_coco(counts: Sequence[int] | str, width: int, height: int) -> RunLengths:
    """Return COCO run lengths, plain or compressed. BadData: they do not fill a picture of that size."""
    found = _letters(counts) if isinstance(counts, str) else tuple(int(count) for count in counts)
    if any(count < 0 for count in found) or sum(found) != width * height:
        raise BadData(f"run lengths of {sum(found)} pixels: expected {width}x{height} = {width * height}, none below 0")
    return RunLengths(found, width, height)


def to_coco(mask: Mask) -> str:
    """Return a mask as COCO's compressed run lengths."""
    letters, counts = [], counts_of(mask)
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        while True:
            group, value = value & 31, value >> 5
            # The 5th bit of the last group is the sign.
            more = value != (-1 if group & 16 else 0)
            letters.append(chr(48 + group + 32 * more))
            if not more:
                break
    return "".join(letters)


def counts_of(mask: Mask) -> tuple[int, ...]:
    """Return a mask `[h, w]` as plain run lengths: columns first, sound pixels first."""
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return tuple([0, *runs] if flat[0] else runs)


def from_brush(packed: Sequence[int], width: int, height: int) -> Mask:
    """Return what Label Studio's brush painted, `[h, w]`. BadData: it does not fill a picture of that size."""
    try:
        data = np.array(packed, np.uint8)
    except (OverflowError, ValueError, TypeError) as error:
        raise BadData(f"brush: {error}: expected bytes, 0..255") from error
    bits = _Bits(data)
    total = bits.take(32)
    if total != width * height * 4 or width * height > _MOST_PIXELS:
        raise BadData(f"brush of {total} values: expected {width}x{height}x4 = {width * height * 4}")
    word = bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    if word != 8:
        raise BadData(f"brush with words of {word} bits: expected 8")
    values, at = np.zeros(total, np.uint8), 0
    while at < total:
        repeats = bits.take(1)
        run = 1 + bits.take(sizes[bits.take(2)])
        if at + run > total:
            raise BadData(f"brush: a run of {run} at {at} goes beyond {total} values")
        values[at : at + run] = bits.take(8) if repeats else bits.words(run)
        at += run
    return values.reshape(height, width, 4)[:, :, 3] > 0


def to_brush(mask: Mask) -> list[int]:
    """Return a mask as Label Studio's brush has it: painted pixels are 255 in all four channels."""
    flat = mask.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts = np.concatenate([[0], edges])
    pieces = [f"{flat.size * 4:032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in _BRUSH_SIZES)]
    for start, run in zip(starts, np.diff(np.concatenate([starts, [flat.size]])), strict=True):
        left = int(run) * 4
        while left:
            now = min(left, 1 << 16)
            kind = next(place for place, size in enumerate(_BRUSH_SIZES) if now <= 1 << size)
            pieces.append(f"1{kind:02b}{now - 1:0{_BRUSH_SIZES[kind]}b}{255 if flat[start] else 0:08b}")
            left -= now
    text = "".join(pieces)
    bits = np.frombuffer(text.encode(), np.uint8) - ord("0")
    return [int(value) for value in np.packbits(bits)]


class _Bits:
    """Bits of bytes, the highest first."""

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        self._bits = np.unpackbits(data)
        self._at = 0

    def take(self, count: int) -> int:
        """Return the next number of that many bits."""
        number = 0
        for bit in self._next(count).tolist():
            number = 2 * number + bit
        return number

    def words(self, count: int) -> npt.NDArray[np.uint8]:
        """Return that many bytes, which need not begin at a whole one."""
        return np.packbits(self._next(8 * count))

    def _next(self, count: int) -> npt.NDArray[np.uint8]:
        if self._at + count > len(self._bits):
            raise BadData(f"brush: ends after {len(self._bits) // 8} bytes, before it is filled")
        self._at += count
        return self._bits[self._at - count : self._at]


def _letters(text: str) -> tuple[int, ...]:
    counts: list[int] = []
    at = 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            group = ord(text[at]) - 48 if at < len(text) else -1
            if not 0 <= group < 64 or shift > 50:
                raise BadData(
                    f"compressed run lengths: letter {at} of {len(text)} is none of theirs, or they break off"
                )
            value |= (group & 31) << shift
            more = bool(group & 32)
            shift += 5
            at += 1
            if not more and group & 16:
                value |= -1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return tuple(counts)
