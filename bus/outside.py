"""Bytes from outside: read with a bound, parsed without a way to end the process, pictures measured before decoding.

What is too much ends as what is wrong does: OSError for a file, ValueError for its content.
"""

import errno
import json
import os
import stat
import struct
from pathlib import Path
from typing import Any

MOST_TEXT = 512 << 10
"""Bytes of a file that people write. Reading YAML takes some seconds for so many."""
MOST_LIST = 512 << 20
"""Bytes of a file that programs write: annotations of a whole set."""
MOST_PIXELS = 1 << 27
"""134 million: more than any sensor has, less than what a decoder could be made to choke on."""
_MOST_JPEG_SEGMENTS = 4096
_WIDTH, _HEIGHT, _SAMPLES, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 277, 322, 323
"""Tags of TIFF."""
_MOST_SAMPLES = 4


def read_bounded(path: Path, most: int = MOST_TEXT) -> bytes:
    """The bytes of a regular file. OSError: it cannot be read, is none, or holds more than most bytes."""
    with open(path, "rb", opener=_opener) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"more than {most} bytes", str(path))
    return data


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe must not hold anybody up


def parsed_json(text: str | bytes) -> Any:
    """What a JSON text says. ValueError: it is none, or is nested beyond sense."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a PNG, JPEG, BMP or TIFF states, before anything is allocated; None: none of these."""
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(data)
        if data[:2] == b"BM":
            width, height = struct.unpack_from("<ii", data, 18)
            return abs(width), abs(height)
        if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _tiff(data, "<" if data[:2] == b"II" else ">")
    except struct.error:
        return None
    return None


def too_large(data: bytes, most: int = MOST_PIXELS) -> str:
    """Why a picture is not to be decoded: none of PNG, JPEG, BMP, TIFF, or too many pixels. Empty: it may be."""
    size = stated_size(data)
    if size is None:
        return "does not decode as a picture"
    if size[0] * size[1] > most:
        return f"{size[0]}x{size[1]} pixels: expected at most {most}"
    return ""


def _png(data: bytes) -> tuple[int, int] | None:
    """None where a chunk claims more bytes than there are: OpenCV makes room for them, up to 4 GB, before it reads."""
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            return None
        if kind == b"IEND":
            break
        at += 12 + length
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """The largest frame of all that are stated: a decoder may take any of them."""
    at, found = 2, None
    for _ in range(_MOST_JPEG_SEGMENTS):
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return found
        marker = data[at + 1]
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (0xD9, 0xDA) and found is not None:
            return found
        if at + 4 > len(data):
            return found
        (length,) = struct.unpack_from(">H", data, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            if found is None or width * height > found[0] * found[1]:
                found = width, height
        at += 2 + max(2, length)
    return found


def _tiff(data: bytes, order: str) -> tuple[int, int] | None:
    """Of its first page; where its tiles are larger, theirs: a decoder makes room for one of them."""
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    found: dict[int, int] = {}
    for entry in range(min(count, 512)):
        tag, kind = struct.unpack_from(order + "HH", data, at + 2 + 12 * entry)
        if tag in (_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT, _SAMPLES):
            size = {1: "B", 3: "H", 4: "I"}.get(kind)
            if size is None:
                return None
            value: int = struct.unpack_from(order + size, data, at + 10 + 12 * entry)[0]
            found[tag] = max(value, found.get(tag, 0))
    if _WIDTH not in found or _HEIGHT not in found or found.get(_SAMPLES, 1) > _MOST_SAMPLES:
        return None
    return max(found[_WIDTH], found.get(_TILE_WIDTH, 0)), max(found[_HEIGHT], found.get(_TILE_HEIGHT, 0))
