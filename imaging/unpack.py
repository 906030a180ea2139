"""Packed pixels become samples: 10 and 12 bits end to end (`p`), or a pair in three bytes (GigE Vision's `Packed`).

Pairs in three bytes are taken apart into three planes, each byte of the result is put together from them eight at a
time in words of 64 bits, and the planes are woven together again. The five bytes of 10p are read as two overlapping
words of 32 bits. numpy and OpenCV do each step with the processor's vector instructions, in pieces that stay in the
cache, in the caller's thread alone.

Source of the layouts: EMVA Pixel Format Naming Convention 2.4, clauses on lsb packed and on grouped formats.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from .formats import Format

Bytes = npt.NDArray[np.uint8]
Samples = npt.NDArray[Any]
"""Rows x columns, as the sensor saw them; uint8 for formats of 8 bits, else uint16 with the value in the low bits."""
Term = tuple[int, int, int]
"""Word or plane; bits it is moved by, above 0 to the left; mask of what stays."""
Part = tuple[Term, ...]
Parts = tuple[Part, ...]
Words = npt.NDArray[Any]
"""Unsigned, of 32 or 64 bits."""
Step = tuple[int, int, np.unsignedinteger[Any], np.unsignedinteger[Any]]
"""A term with its places and its mask as words."""
_PIECE = 1 << 18
"""Groups worked on at a time. A multiple of 8."""
_own = threading.local()
"""Each thread's own working memory, up to 9 MB, which it keeps: new pages for every picture cost too much."""
_CHANNELS = {"rgb": 3, "bgr": 3, "yuyv": 2, "uyvy": 2}


@dataclass(frozen=True, slots=True)
class _Layout:
    """How one group of pixels lies in memory, and what each part of the result is put together from."""

    pixels: int
    bytes: int
    full: Parts
    """Bytes of the uint16 samples (of a group of three bytes), or words of two samples (of one of five)."""
    high: Parts
    """The same for the eight high bits of each sample."""


_LAYOUTS: dict[tuple[str, int], _Layout] = {
    ("p", 10): _Layout(
        4,
        5,
        (((0, 0, 0x3FF), (0, 6, 0x3FF0000)), ((0, -20, 0x3FF), (1, -6, 0x3FF0000))),
        (((0, -2, 0xFF), (0, -4, 0xFF00), (0, -6, 0xFF0000), (1, 0, 0xFF000000)),),
    ),
    ("p", 12): _Layout(
        2,
        3,
        (((0, 0, 0xFF),), ((1, 0, 0x0F),), ((1, -4, 0x0F), (2, 4, 0xF0)), ((2, -4, 0x0F),)),
        (((0, -4, 0x0F), (1, 4, 0xF0)), ((2, 0, 0xFF),)),
    ),
    ("packed", 10): _Layout(
        2,
        3,
        (((0, 2, 0xFC), (1, 0, 0x03)), ((0, -6, 0x03),), ((2, 2, 0xFC), (1, -4, 0x03)), ((2, -6, 0x03),)),
        (((0, 0, 0xFF),), ((2, 0, 0xFF),)),
    ),
    ("packed", 12): _Layout(
        2,
        3,
        (((0, 4, 0xF0), (1, 0, 0x0F)), ((0, -4, 0x0F),), ((2, 4, 0xF0), (1, -4, 0x0F)), ((2, -4, 0x0F),)),
        (((0, 0, 0xFF),), ((2, 0, 0xFF),)),
    ),
}
"""By packing and significant bits."""


def unpack(raw: memoryview | bytes, width: int, height: int, fmt: Format) -> Samples:
    """Return the samples of a raw picture: height x width, for RGB8 and BGR8 x 3, for YUV x 2.

    raw: its bytes without line padding; more are left alone. The samples are a view of raw, not to be written to, where
    they lie in memory as they are; else an array of their own. BadPicture: too few bytes.
    """
    content = _content(raw, width, height, fmt)
    if fmt.packing == "plain":
        if fmt.depth_bits > 8:
            return content.view("<u2").reshape(height, width)
        channels = _CHANNELS.get(fmt.colour)
        return content.reshape((height, width, channels) if channels else (height, width))
    layout = _LAYOUTS[fmt.packing, fmt.depth_bits]
    samples = _samples(content, width * height, layout, layout.full, np.dtype(np.uint16))
    return samples.reshape(height, width)


def unpack8(raw: memoryview | bytes, width: int, height: int, fmt: Format) -> Bytes:
    """Return the eight high bits of each sample, straight from the packed bytes. Shape, view and errors as `unpack`."""
    if fmt.packing == "plain":
        samples = unpack(raw, width, height, fmt)
        return samples.view(np.uint8) if samples.dtype == np.uint8 else high_bits(samples, fmt.depth_bits)
    content = _content(raw, width, height, fmt)
    layout = _LAYOUTS[fmt.packing, fmt.depth_bits]
    return _samples(content, width * height, layout, layout.high, np.dtype(np.uint8)).reshape(height, width)


def high_bits(samples: Samples, depth_bits: int) -> Bytes:
    """Return samples of depth_bits as their eight high bits, rounded down; what is beyond the depth becomes 255."""
    step = 1 << (depth_bits - 8)
    # OpenCV rounds to the nearest: less just under a half, that is down. Exact, for a float has 24 bits.
    return np.asarray(cv2.convertScaleAbs(samples, alpha=1 / step, beta=0.5 / step - 0.5), np.uint8)


def _content(raw: memoryview | bytes, width: int, height: int, fmt: Format) -> Bytes:
    """The picture's bytes, no more."""
    need = fmt.payload_bytes(width, height)
    if width < 1 or height < 1 or len(raw) < need:
        raise BadPicture(f"picture of {width}x{height} {fmt.name}: expected {need} bytes, got {len(raw)}")
    return np.frombuffer(raw, np.uint8, need)


def _samples(content: Bytes, pixels: int, layout: _Layout, parts: Parts, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Put the samples together from the parts of each group."""
    size = layout.bytes
    groups = -(-len(content) // size)
    made = np.empty(-(-groups // 8) * 8 * layout.pixels, dtype)
    into = made.view(np.uint8).reshape(-1, 1, layout.pixels * dtype.itemsize)
    workbenches: dict[Parts, _Workbench] = _own.__dict__.setdefault("workbenches", {})
    workbench = workbenches.get(parts) or workbenches.setdefault(parts, _Workbench(size, parts))
    for begin, piece in _pieces(content, size):
        workbench.put_together(piece, into[begin : begin + len(piece) // size])
    return made[:pixels]


def _pieces(content: Bytes, size: int) -> Iterator[tuple[int, Bytes]]:
    """Cut into pieces of whole groups, a multiple of eight of them; the last piece is filled up with zeros."""
    whole = len(content) // (8 * size) * 8
    for begin in range(0, whole, _PIECE):
        yield begin, content[begin * size : min(begin + _PIECE, whole) * size]
    rest = content[whole * size :]
    if len(rest):
        tail = np.zeros(8 * size, np.uint8)
        tail[: len(rest)] = rest
        yield whole, tail


class _Workbench:
    """Where the pieces of pictures are worked on, one after the other, always in the same memory. One thread's own."""

    def __init__(self, size: int, parts: Parts) -> None:
        """size: bytes of a group, 3 or 5. parts: of the result."""
        self._size = size
        # Three planes of bytes, worked on in words of eight; or two words of four bytes for each group.
        kind: type[np.unsignedinteger[Any]] = np.uint64 if size == 3 else np.uint32
        self._words: Words = np.empty((3, _PIECE // 8) if size == 3 else (2, _PIECE), kind)
        self._made: Words = np.empty((len(parts) + 1, self._words.shape[1]), kind)
        self._all = np.iinfo(kind).max
        lanes = 0x0101010101010101 if size == 3 else 1  # a mask fills all bytes of a word
        self._parts: list[list[Step]] = [
            [(word, move, kind(abs(move)), kind(mask * lanes)) for word, move, mask in part] for part in parts
        ]

    def put_together(self, piece: Bytes, into: Bytes) -> None:
        """Write the parts of a piece's groups into the result: groups x 1 x bytes."""
        count = len(piece) // self._size
        length = count // 8 if self._size == 3 else count
        words, made = self._words[:, :length], self._made[:, :length]
        if self._size == 3:
            planes = words.view(np.uint8)[:, :, None]
            cv2.split(piece.reshape(-1, 1, 3), list(planes))
        else:
            for at, word in enumerate(words):
                np.copyto(word, np.ndarray((count,), "<u4", piece, at, (5,)))
        results = [self._join(part, words, result, made[-1]) for part, result in zip(self._parts, made, strict=False)]
        # OpenCV weaves faster than numpy does; words it takes for signed.
        woven = "u1" if self._size == 3 else "i4"
        channels = [result.view(woven)[:, None] for result in results]
        cv2.merge(channels, into.view(woven).reshape(-1, 1, len(channels)))

    def _join(self, part: list[Step], words: Words, result: Words, spare: Words) -> Words:
        """Move, mask and join the words of one part; where that changes nothing, it is the word itself."""
        word, move, _, mask = part[0]
        if len(part) == 1 and not move and mask == self._all:
            same: Words = words[word]
            return same
        out = result
        for word, move, places, mask in part:
            moved = words[word]
            if move:
                moved = (np.left_shift if move > 0 else np.right_shift)(moved, places, out=out)
            np.bitwise_and(moved, mask, out=out)
            if out is spare:
                np.bitwise_or(result, spare, out=result)
            out = spare
        return result
