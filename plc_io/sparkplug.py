"""Payloads of Sparkplug B, pure: metrics to bytes, and the little that a node has to understand.

The encoding is protobuf by the published schema (`org.eclipse.tahu.protobuf.Payload`); what this box does not send
(templates, data sets, properties) it does not know, and passes over when it reads.
"""

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

MOST_BYTES = 64 << 10
"""Of a command; a longer one is refused unread."""
Value = bool | int | float | str | None


class Kind(IntEnum):
    """Datatypes of Sparkplug that this box uses, by their number."""

    INT32 = 3
    INT64 = 4
    UINT32 = 7
    UINT64 = 8
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    """Milliseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One value."""

    name: str
    """Empty: told by its alias alone."""
    kind: Kind
    value: Value
    """None: there is none now."""
    at_ms: int
    """UTC, ms since 1970."""
    alias: int | None = None
    historical: bool = False
    """It is of the past: nobody shall take it for what is so now."""


class Told(NamedTuple):
    """One metric of a payload that was read."""

    name: str
    alias: int | None
    truth: bool | None
    """Its value, where it is a boolean."""


def payload(metrics: Iterable[Metric], at_ms: int, seq: int | None) -> bytes:
    """Encode one message. seq: 0..255; None: a death bears none. ValueError: a value is not of its kind."""
    out = bytearray(_number(1, at_ms))
    for one in metrics:
        packed = _metric(one)
        out += _head(2, 2) + _varint(len(packed)) + packed
    if seq is not None:
        out += _number(3, seq)
    return bytes(out)


def read_payload(data: bytes) -> list[Told]:
    """The metrics of a message, as far as a node has to know them. ValueError: it is no payload."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"payload of {len(data)} bytes: expected at most {MOST_BYTES}")
    return [_told(body) for field, body in _fields(data) if field == 2 and isinstance(body, bytes)]


def _metric(one: Metric) -> bytes:
    out = bytearray()
    if one.name:
        out += _text(1, one.name)
    if one.alias is not None:
        out += _number(2, one.alias)
    out += _number(3, one.at_ms) + _number(4, one.kind)
    if one.historical:
        out += _number(5, 1)
    value = one.value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return bytes(out + _number(7, 1))
    try:
        return bytes(out + _ENCODED[one.kind](value))
    except (KeyError, TypeError, struct.error, AttributeError) as error:
        raise ValueError(f"metric {one.name}: {value!r}: expected a value of kind {one.kind.name}") from error


def _int(bits: int, field: int, value: Value, least: int) -> bytes:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < (1 << bits):
        raise TypeError(value)
    return _number(field, value & ((1 << bits) - 1))


def _double(value: Value) -> bytes:
    return _head(13, 1) + struct.pack("<d", value)


def _boolean(value: Value) -> bytes:
    if not isinstance(value, bool):
        raise TypeError(value)
    return _number(14, int(value))


def _string(value: Value) -> bytes:
    if not isinstance(value, str):
        raise TypeError(value)
    return _text(15, value)


_ENCODED: Mapping[Kind, Callable[[Value], bytes]] = {
    Kind.INT32: lambda value: _int(32, 10, value, -(1 << 31)),
    Kind.UINT32: lambda value: _int(32, 10, value, 0),
    Kind.INT64: lambda value: _int(64, 11, value, -(1 << 63)),
    Kind.UINT64: lambda value: _int(64, 11, value, 0),
    Kind.DATETIME: lambda value: _int(64, 11, value, 0),
    Kind.DOUBLE: _double,
    Kind.BOOLEAN: _boolean,
    Kind.STRING: _string,
}


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _head(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _number(field: int, value: int) -> bytes:
    return _head(field, 0) + _varint(value)


def _text(field: int, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return _head(field, 2) + _varint(len(data)) + data


def _told(body: bytes) -> Told:
    name, alias, truth = "", None, None
    for field, value in _fields(body):
        if field == 1 and isinstance(value, bytes):
            name = value.decode("utf-8", "replace")
        elif field == 2 and isinstance(value, int):
            alias = value
        elif field == 14 and isinstance(value, int):
            truth = bool(value)
    return Told(name, alias, truth)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and content of each field; of fixed-width ones their bytes. ValueError."""
    at = 0
    while at < len(data):
        head, at = _read(data, at)
        field, wire = head >> 3, head & 7
        if wire == 0:
            value, at = _read(data, at)
            yield field, value
            continue
        if wire == 2:
            size, at = _read(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"field {field} of wire type {wire}: expected 0, 1, 2 or 5")
        if field == 0 or at + size > len(data):
            raise ValueError(f"field {field}: expected {size} bytes, {len(data) - at} are left")
        yield field, data[at : at + size]
        at += size


def _read(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value, at = value | (byte & 0x7F) << shift, at + 1
        if not byte & 0x80:
            return value, at
        shift += 7
    raise ValueError("a number has no end")
