"""What a box says in one request: bounded, parsed and checked before the database is asked for anything."""

import hashlib
import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..bus.errors import Refused

KINDS = {
    "alarms": "alarm",
    "audit": "audit",
    "ladder": "ladder",
    "records": "part",
    "labels": "label",
    "heads": "head",
}
"""Stream -> kind of its events. `dropped` may come in any: a number whose content the box had to delete unsent."""
DROPPED = "dropped"
MOST_EVENTS = 512
MOST_BYTES = 1 << 20
"""Unzipped."""
MOST_LINE = 256 << 10
MOST_DEPTH = 32
MOST_NUMBER = (1 << 62) - 1
_KEYS = {"seq", "kind", "at", "sha256", "body"}


class BadSaid(Refused):
    """What came is not what the contract says; the text names where, and what was expected."""


class TooMuch(BadSaid):
    """More than a request may hold."""


@dataclass(frozen=True, slots=True)
class Said:
    """One event, as the box said it."""

    seq: int
    kind: str
    at: datetime
    sha256: str
    body: dict[str, Any]


def unzipped(data: bytes, most: int = MOST_BYTES) -> bytes:
    """The content of one gzip member, never more than most bytes of memory for it. BadSaid, TooMuch."""
    reader = zlib.decompressobj(wbits=31)
    try:
        found = reader.decompress(data, most + 1)
    except zlib.error as error:
        raise BadSaid(f"body: expected gzip ({error})") from error
    if len(found) > most:
        raise TooMuch(f"body: expected at most {most} bytes unzipped")
    if not reader.eof:
        raise BadSaid("body: the gzip ends too early")
    if reader.unused_data:
        raise BadSaid("body: expected one gzip member and nothing after it")
    return found


def read_said(stream: str, first: int, data: bytes) -> list[Said]:
    """The events of a request, consecutive from first on. BadSaid, TooMuch."""
    if stream not in KINDS:
        raise BadSaid(f"stream {stream[:40]!r}: expected one of {', '.join(KINDS)}")
    if not 1 <= first <= MOST_NUMBER - MOST_EVENTS:
        raise BadSaid(f"first = {first}: expected 1 to {MOST_NUMBER - MOST_EVENTS}")
    if len(data) > MOST_BYTES:
        raise TooMuch(f"body: expected at most {MOST_BYTES} bytes")
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    if not lines:
        raise BadSaid("body: expected one event a line, one or more")
    if len(lines) > MOST_EVENTS:
        raise TooMuch(f"body: {len(lines)} lines: expected at most {MOST_EVENTS} events")
    return list(_events(stream, first, lines))


def _events(stream: str, first: int, lines: list[bytes]) -> Iterator[Said]:
    for place, line in enumerate(lines):
        where = f"line {place + 1}"
        if len(line) > MOST_LINE:
            raise TooMuch(f"{where}: {len(line)} bytes: expected at most {MOST_LINE}")
        said = parsed(line, where)
        if not isinstance(said, dict) or set(said) != _KEYS:
            raise BadSaid(f"{where}: expected an object of {', '.join(sorted(_KEYS))} and nothing else")
        seq, kind = said["seq"], said["kind"]
        if type(seq) is not int or seq != first + place:
            raise BadSaid(f"{where}: seq = {_shown(seq)}: expected {first + place}, events are consecutive")
        if kind not in (KINDS[stream], DROPPED):
            raise BadSaid(f"{where}: kind = {_shown(kind)}: expected {KINDS[stream]!r} or {DROPPED!r}")
        if not isinstance(said["body"], dict):
            raise BadSaid(f"{where}: body: expected an object")
        if not isinstance(said["sha256"], str) or said["sha256"] != digest_of(said["body"], where):
            raise BadSaid(f"{where}: sha256: expected the hash of the body in canonical JSON")
        body = cleaned(said["body"]) if b"\\u0000" in line else said["body"]
        yield Said(seq, kind, moment(said["at"], f"{where}: at"), said["sha256"], body)


def parsed(line: bytes, where: str) -> Any:
    """JSON without NaN, nested to a bound. BadSaid."""
    try:
        found = json.loads(line, parse_constant=_refuse, parse_float=_real)
    except (ValueError, RecursionError) as error:
        raise BadSaid(f"{where}: expected JSON in UTF-8 ({_first_words(error)})") from error
    if line.count(b"{") + line.count(b"[") > MOST_DEPTH and _deeper(found, MOST_DEPTH):
        raise BadSaid(f"{where}: nested too deeply: expected at most {MOST_DEPTH} levels")
    return found


def digest_of(body: Any, where: str) -> str:
    """Hash of a value in canonical JSON, hex. BadSaid."""
    try:
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()
    except (ValueError, RecursionError) as error:
        raise BadSaid(f"{where}: body: expected text that is Unicode, and numbers ({_first_words(error)})") from error


def moment(text: object, where: str) -> datetime:
    """A moment in UTC. BadSaid."""
    try:
        if isinstance(text, str) and len(text) <= 40 and (text.endswith("Z") or text.endswith("+00:00")):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadSaid(f"{where} = {_shown(text)}: expected a moment in UTC, for example 2026-11-27T08:00:00Z")


def _refuse(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _real(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f"{text[:40]} is too large")
    return found


def _deeper(value: Any, levels: int) -> bool:
    """Whether a value is nested deeper; without recursion."""
    layer = [value]
    for _ in range(levels):
        inner: list[Any] = []
        for one in layer:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        if not inner:
            return False
        layer = inner
    return any(isinstance(one, dict | list) for one in layer)


def cleaned(value: Any) -> Any:
    """The same with U+FFFD for NUL, which PostgreSQL stores in no text; a hash stays that of what was said.

    Half a surrogate, which is no text at all, becomes `?`.
    """
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {cleaned(key): cleaned(one) for key, one in value.items()}
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _first_words(error: Exception) -> str:
    return str(error).split(":", maxsplit=1)[0][:100]
