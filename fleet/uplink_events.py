"""One stream's next batch goes to the service, and its answer moves the cursor. Each event has one effect there.

200 acked      the service has them up to there, on its disk
409 next       it stands elsewhere: behind (this batch was not the next one), or ahead (an answer was lost)
422 seq        that number is known there with other content: the stream halts until a person says go on
413            too much at once: half of it; a single event that is too large goes as `dropped`
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Protocol

from ..bus.clock import utc_now
from ..bus.errors import StoreLost
from .uplink_batch import MOST_BYTES, MOST_EVENTS, Batch, Event, cut, emptied, packed
from .uplink_cursor import Cursor, Halt, halt_name
from .wire import Answer, Wire

log = logging.getLogger(__name__)
URGENT = "alarms"
"""The stream that waits for nothing: not for a full batch, the hours, the bandwidth, or a picture under way."""


class Head(Protocol):
    """One stream under one lineage, as the ledger says it."""

    @property
    def name(self) -> str:
        """Of the stream."""

    @property
    def epoch(self) -> int:
        """Lineage of the ledger."""

    @property
    def newest(self) -> int:
        """Number of its newest event; 0: none yet."""


class Outbox(Protocol):
    """The part of the ledger that leaves: `records.outbox_read.OutboxReader`."""

    def streams(self) -> Sequence[Head]:
        """All streams, those that go first first. BadLedger."""

    def outgoing(self, stream: str, after: int, limit: int, epoch: int | None = None) -> Sequence[Event]:
        """Up to limit events after that number, without a gap. BadLedger."""


class Came(Enum):
    """What came of one try."""

    SENT = "sent"
    NOTHING = "nothing to send"
    MOVED = "the service stands elsewhere"
    HALTED = "halted"


@dataclass(slots=True)
class Sender:
    """Sends batches. One thread."""

    wire: Wire
    outbox: Outbox
    cursor: Cursor
    pace: Callable[[bytes, bool], Iterable[bytes]]
    """Yields some bytes in pieces, each when it may go. True: at once."""
    most_bytes: int = MOST_BYTES
    """Of a batch before it is compressed."""
    sent_events: int = 0
    sent_batches: int = 0
    _most: dict[str, int] = field(default_factory=dict)
    """Events of a batch, where the service wants fewer."""
    _too_large: set[tuple[str, int]] = field(default_factory=set)

    def owed(self, head: Head) -> int:
        """Events of that stream that the service has not, as far as we know; 0 too while it stands still."""
        if halt_name(head.name, head.epoch) in self.cursor.halted:
            return 0
        return max(0, head.newest - self.cursor.acked(head.name, head.epoch))

    def send(self, head: Head) -> Came:
        """Send the next batch of that stream. StoreLost, Busy, Unwelcome, NotTrusted, BadLedger."""
        name = halt_name(head.name, head.epoch)
        acked = self.cursor.acked(head.name, head.epoch)
        if name in self.cursor.halted:
            return Came.HALTED
        if acked > head.newest and not self._has(head, acked):
            return self._ahead(head, acked)
        events = self.outbox.outgoing(head.name, acked, self._most.get(name, MOST_EVENTS), head.epoch)
        if not events:
            return Came.NOTHING
        if events[0].seq != acked + 1:
            raise StoreLost(f"stream {name}: the ledger goes on at {events[0].seq}: expected {acked + 1}")
        events = [emptied(one) if (name, one.seq) in self._too_large else one for one in events]
        return self._post(head, packed(head.name, head.epoch, acked + 1, cut(events, MOST_EVENTS, self.most_bytes)))

    def _post(self, head: Head, batch: Batch) -> Came:
        answer = self.wire.ask(
            "POST",
            batch.path,
            self.pace(batch.data, head.name == URGENT),
            {"content-type": "application/jsonl", "content-encoding": "gzip"},
            length=len(batch.data),
        )
        return self._answered(head, answer, batch.first, batch.last)

    def _answered(self, head: Head, answer: Answer, first: int, last: int) -> Came:
        name = halt_name(head.name, head.epoch)
        match answer.status:
            case HTTPStatus.OK:
                acked = answer.number("acked")
                if acked < last:
                    raise StoreLost(f"stream {name}: the service took {last} and has only {acked}: not believed")
                self.sent_events += last - first + 1
                self.sent_batches += 1
                self._most.pop(name, None)
                # It may have more than this batch: an answer was lost, or the cursor's file.
                if acked > last and not self._has(head, acked):
                    return self._ahead(head, acked)
                self.cursor.set_acked(head.name, head.epoch, acked)
                return Came.SENT
            case HTTPStatus.CONFLICT:
                return self._gap(head, answer.number("next"), first)
            case HTTPStatus.UNPROCESSABLE_ENTITY:
                seq = answer.number("seq")
                return self._halt(head, seq, f"the service holds other content under number {seq}", asks=True)
            case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                if first == last:
                    log.error("stream %s: event %d is larger than the service takes: it goes empty", name, first)
                    self._too_large.add((name, first))
                    return Came.MOVED
                self._most[name] = max(1, (last - first + 1) // 2)
                return Came.MOVED
        raise StoreLost(f"stream {name}: the service answered {answer.status} {answer.body[:200]!r}")

    def _gap(self, head: Head, wanted: int, first: int) -> Came:
        """It wants another number next: go there."""
        name = halt_name(head.name, head.epoch)
        if wanted == 0 or wanted == first:
            raise StoreLost(f"stream {name}: the service wants {wanted} next and was sent {first}: not believed")
        if wanted > first and not self._has(head, wanted - 1):
            return self._ahead(head, wanted - 1)
        if wanted < first:
            log.warning(
                "stream %s: the service goes back to %d, %d events are sent again", name, wanted, first - wanted
            )
        self.cursor.set_acked(head.name, head.epoch, wanted - 1)
        return Came.MOVED

    def go_on(self, head: Head) -> Came:
        """By a person's word a halted stream goes on where the service stands: what is contested stays as it is there.

        Asks with the newest event where that is; it stands on where nobody at the service has said go on.
        StoreLost, Busy, Unwelcome, NotTrusted, BadLedger.
        """
        name = halt_name(head.name, head.epoch)
        before = self.cursor.halted.get(name)
        if before is None:
            return Came.NOTHING
        events = self.outbox.outgoing(head.name, max(0, head.newest - 1), 1, head.epoch)
        came = self._post(head, packed(head.name, head.epoch, events[0].seq, cut(events))) if events else Came.MOVED
        if came is not Came.HALTED and self.cursor.halted.get(name) is before:
            log.warning("stream %s goes on: what was contested stays as the service has it", name)
            self.cursor.go_on(head.name, head.epoch)
        return came

    def _has(self, head: Head, seq: int) -> bool:
        """The ledger has given that number, if not when `head` was read."""
        if seq <= head.newest:
            return True
        same = [one.newest for one in self.outbox.streams() if (one.name, one.epoch) == (head.name, head.epoch)]
        return seq <= max(same, default=0)

    def _ahead(self, head: Head, acked: int) -> Came:
        """It has numbers that this ledger never gave: an older copy goes on under the same lineage."""
        why = (
            f"the service has events up to {acked}, this ledger has not: it is an older copy;"
            " restore it with `okng ledger restore`, which begins a new epoch"
        )
        return self._halt(head, acked, why)

    def _halt(self, head: Head, seq: int, why: str, *, asks: bool = False) -> Came:
        name = halt_name(head.name, head.epoch)
        before = self.cursor.halted.get(name)
        if before is None or before.why != why:
            log.error("stream %s halted: %s", name, why)
            self.cursor.halt(head.name, head.epoch, Halt(seq, why, utc_now(), asks))
        return Came.HALTED


def at_once(data: bytes, urgent: bool) -> Iterator[bytes]:
    """No pace at all."""
    del urgent
    yield data
