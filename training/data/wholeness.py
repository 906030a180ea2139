"""Is a picture file whole? Decoders are kind: half a JPEG comes back as a picture with a grey lower half.

Looked at before anything is decoded: the ending of the file, the checksums of a PNG, the size it states.
"""

import struct
import zlib

from ...bus.outside import MOST_PIXELS

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_KINDS = (_PNG, _JPEG, b"BM", b"II*\0", b"MM\0*")
# SOF markers: all of C0..CF but DHT (C4), JPG (C8) and DAC (CC). ITU-T T.81, table B.1.
_SIZED = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def trouble_of(data: bytes) -> str:
    """Return why an encoded picture is not whole, or is no picture; empty: nothing speaks against it."""
    if not data:
        return "empty file (0 bytes)"
    if not data.startswith(_KINDS):
        if data.startswith(b"version https://git-lfs"):
            return "a pointer of Git LFS, not the picture: `git lfs pull` brings it"
        text = data[:64].strip()
        shown = f"begins with {text[:24]!r}" if text else "holds nothing"
        return f"no PNG, JPEG, BMP or TIFF: {shown}"
    size = jpeg_size(data) if data.startswith(_JPEG) else None
    if size is not None and size[0] * size[1] > MOST_PIXELS:
        return f"{size[0]}x{size[1]} pixels: expected at most {MOST_PIXELS}"
    if data.startswith(_PNG):
        return _png_trouble(data)
    if data.startswith(_JPEG):
        return _jpeg_trouble(data)
    if data.startswith(b"BM") and len(data) >= 6 and struct.unpack("<I", data[2:6])[0] > len(data):
        return f"truncated: {len(data)} of {struct.unpack('<I', data[2:6])[0]} bytes"
    return ""


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height a JPEG states, before anything is allocated; None: not told."""
    for marker, at in _segments(data):
        if marker in _SIZED and at + 9 <= len(data):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
    return None


def turned(data: bytes) -> int:
    """Return the EXIF orientation of a JPEG, 1..8; 1: upright, or not told (Exif 2.3, tag 0x0112).

    The line's cameras write none, and okng reads pixels as they lie; a browser in which somebody drew turns them.
    """
    for marker, at in _segments(data):
        if marker != 0xE1 or data[at + 4 : at + 10] != b"Exif\0\0":
            continue
        exif = data[at + 10 :]
        order = {b"II": "<", b"MM": ">"}.get(exif[:2])
        if order is None or len(exif) < 10:
            return 1
        (first,) = struct.unpack(order + "I", exif[4:8])
        if first + 2 > len(exif):
            return 1
        (count,) = struct.unpack(order + "H", exif[first : first + 2])
        for entry in range(min(count, 64)):
            tag = exif[first + 2 + 12 * entry : first + 14 + 12 * entry]
            if len(tag) == 12 and struct.unpack(order + "H", tag[:2])[0] == 0x0112:
                value = int(struct.unpack(order + "H", tag[8:10])[0])
                return value if 1 <= value <= 8 else 1
    return 1


def _segments(data: bytes) -> list[tuple[int, int]]:
    """Marker and place of each segment of a JPEG before its pixels."""
    found, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in (0xD9, 0xDA):
            break
        found.append((marker, at))
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    return found


def _jpeg_trouble(data: bytes) -> str:
    # Inside pixels FF is always followed by 00 or a restart marker, so the last FFDA begins the last scan.
    scan = data.rfind(b"\xff\xda")
    if scan < 0:
        return f"truncated: a JPEG of {len(data)} bytes without pixels"
    if data.find(b"\xff\xd9", scan) < 0:
        return f"truncated: a JPEG of {len(data)} bytes without its end"
    return ""


def _png_trouble(data: bytes) -> str:
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            break
        (sum_,) = struct.unpack(">I", data[end - 4 : end])
        if zlib.crc32(data[at + 4 : end - 4]) != sum_:
            return f"damaged: checksum of PNG chunk {kind.decode('ascii', 'replace')} at byte {at} does not fit"
        if kind == b"IEND":
            return ""
        at = end
    return f"truncated: a PNG of {len(data)} bytes without its end"
