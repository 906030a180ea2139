"""What travels in one request: consecutive events of one stream, as JSON lines, compressed. Pure."""

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

MOST_EVENTS = 512
MOST_BYTES = 1 << 20
"""Of a batch before it is compressed; a single larger event travels alone, and the service says whether it takes it."""
NO_MOMENT = "1970-01-01T00:00:00.000Z"
"""Of an event whose content is gone, and with it when it happened."""


class Event(Protocol):
    """One event as the ledger hands it out."""

    @property
    def seq(self) -> int:
        """Its number."""

    @property
    def kind(self) -> str:
        """What it tells of."""

    @property
    def at(self) -> str:
        """UTC; empty: not known any more."""

    @property
    def body(self) -> bytes:
        """Canonical JSON."""

    @property
    def sha256(self) -> str:
        """Of the body."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One request's worth."""

    stream: str
    epoch: int
    first: int
    last: int
    data: bytes
    """gzip."""

    @property
    def path(self) -> str:
        """Where it goes."""
        return f"/v1/streams/{self.stream}/{self.epoch}/{self.first}"

    @property
    def count(self) -> int:
        """Events in it."""
        return self.last - self.first + 1


def cut(events: Sequence[Event], most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> list[bytes]:
    """The lines of as many of the first events as one request takes; at least one."""
    lines: list[bytes] = []
    size = 0
    for event in events[:most_events]:
        text = line(event)
        size += len(text)
        if lines and size > most_bytes:
            break
        lines.append(text)
    return lines


@dataclass(frozen=True, slots=True)
class Emptied:
    """An event without its content."""

    seq: int
    kind: str
    at: str
    body: bytes
    sha256: str


def emptied(event: Event) -> Event:
    """The same number with nothing in it, as of an event whose content is gone."""
    said = json.loads(event.body)
    part = said.get("seq") if event.kind == "part" else None
    body = json.dumps({"seq_part": part}, separators=(",", ":")).encode()
    return Emptied(event.seq, "dropped", event.at, body, hashlib.sha256(body).hexdigest())


def line(event: Event) -> bytes:
    """One event on the wire, its body byte for byte as it was hashed."""
    head = json.dumps({"seq": event.seq, "kind": event.kind, "at": event.at or NO_MOMENT, "sha256": event.sha256})
    return head[:-1].encode() + b', "body": ' + event.body + b"}\n"


def packed(stream: str, epoch: int, first: int, lines: Sequence[bytes]) -> Batch:
    """The request of these lines. The same lines make the same bytes."""
    data = gzip.compress(b"".join(lines), compresslevel=5, mtime=0)
    return Batch(stream, epoch, first, first + len(lines) - 1, data)


def slices(data: bytes, size: int) -> Iterator[bytes]:
    """The same bytes in pieces."""
    for at in range(0, len(data), size):
        yield data[at : at + size]
