"""What a camera's driver says of a buffer: sizes, offsets, padding and formats that need not be true."""

import struct
from types import SimpleNamespace
from typing import Any

from okng.camera import gentl

_FORM = struct.Struct("<BIIiiiIIB")
_CODES = sorted(gentl._NAMES)


def seeds() -> list[bytes]:
    """A frame, one with padded lines, and some that claim more than they hold."""
    claims = [
        (0, 8, 8, 0, 0, 64),
        (0, 8, 8, 0, 2, 80),
        (0, 2**31, 2**31, 0, 0, 64),
        (0, 8, 8, -9, 0, 64),
        (0, 8, 8, 0, -9, 64),
    ]
    claims += [(1, 7, 3, 0, 0, 40), (0, 0, 0, 100, 0, 0), (0, 8, 8, 1 << 30, 0, 64), (0, 1, 1 << 30, 0, -1, 64)]
    return [
        _FORM.pack(kind, w, h, offset, padding, filled, code, 5, chunks) + bytes(range(64))
        for kind, w, h, offset, padding, filled in claims
        for code in (0, 3, 99)
        for chunks in (0, 1)
    ]


def one(data: bytes) -> None:
    """A picture that lies within the buffer, or none."""
    if len(data) < _FORM.size:
        return
    kind, width, height, offset, padding, filled, code, frame, parts = _FORM.unpack_from(data)
    raw = data[_FORM.size :]
    form = _CODES[code % len(_CODES)] if code < 4 * len(_CODES) else code
    said: dict[str, Any] = {"width": width, "height": height, "image_offset": offset, "padding_x": padding}
    buffer = SimpleNamespace(
        payload_type=gentl._IMAGES[0] if kind % 2 == 0 else -1,
        pixel_format=form,
        data_format=form,
        raw_buffer=raw,
        data=raw,
        size_filled=filled,
        frame_id=frame,
        timestamp_ns=frame,
        parts=[SimpleNamespace(data_format=form, data=raw, **said)] * (parts % 3),
        **said,
    )
    into = bytearray(4096)
    grabbed = gentl._copied(buffer, memoryview(into), 0, None)
    if grabbed is not None and grabbed.size_bytes:
        assert grabbed.size_bytes <= len(into)
        assert grabbed.size_bytes <= len(raw)
