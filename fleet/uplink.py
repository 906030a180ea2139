"""What the box owes the service goes there, in this order, whatever is cut, dropped or repeated on the way.

    alarms  >  audit  >  ladder  >  records  >  labels  >  heads  >  pictures: rejects, differing, uncertain, OK

One thread, one step at a time. Alarms wait for nothing: they go between two pieces of whatever is under way, over a
connection of their own, in all hours, beyond the bandwidth. All else keeps to the bucket and the hours.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from ..bus.clock import utc_now
from ..bus.errors import BadLedger, Lost, Refused, StoreLost
from .fleet_options import FleetOptions
from .pace import BackOff, Bucket, is_open
from .uplink_batch import MOST_BYTES, MOST_EVENTS, slices
from .uplink_cursor import Cursor, halt_name
from .uplink_events import URGENT, Came, Head, Outbox, Sender
from .uplink_pictures import PRIORITIES, PictureSender, Shelf
from .uplink_status import Status
from .wire import Busy, Unwelcome, Wire

log = logging.getLogger(__name__)
LOOK_S = 1.0
"""Seconds between two looks into the ledger while there is nothing to send."""
LOOK_BETWEEN_S = 0.5
"""The same for alarms, while something else is under way."""
ASK_HALTED_S = 300.0
"""Seconds between two questions whether a person at the service has said that a halted stream goes on."""
LOG_EVERY_S = 600.0
BATCH_S = 10.0
"""A batch is no larger than what leaves in about this long."""
_PACKS = 4
"""So much smaller a batch is when compressed, at least."""
OVERHEAD = 700
"""Bytes of a request beside its body: headers, TLS."""


EVENTS, PICTURES, LEDGER = "events", "pictures", "the ledger"
_NONE = ("", "", False)


class Ledger(Outbox, Shelf, Protocol):
    """What leaves the box."""


class Stopped(StoreLost):
    """The process ends: what is under way is let go, and taken up again at the next start."""


class Uplink:
    """The loop's body. `step` in one thread; `status` and `go_on` from any."""

    def __init__(
        self,
        options: FleetOptions,
        ledger: Ledger,
        cursor: Cursor,
        wire: Wire,
        stop: threading.Event,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """stop: set: a wait ends at once. clock: monotonic seconds. wall: the box's own time of day."""
        self._options, self._ledger, self._cursor, self._stop = options, ledger, cursor, stop
        self._clock, self._wall = clock, wall
        self._bucket = Bucket(options.kbit_per_s, clock())
        most = int(min(MOST_BYTES, self._bucket.rate * BATCH_S * _PACKS))
        self._sender = Sender(wire, ledger, cursor, self._paced, most)
        self._pictures = PictureSender(
            *(wire, ledger, cursor, self._take, self._between, self._streams_wait, self._bucket.slice),
            plain=options.plain_blobs,
        )
        self._service, self._store = BackOff(), BackOff()
        self._waiting_since: dict[tuple[str, int], float] = {}
        self._go_on: deque[tuple[str, int]] = deque()
        self._urgent, self._looked_s = False, float("-inf")
        self._ask_halted_s = clock() + ASK_HALTED_S
        self._no_picture_before_s = float("-inf")
        self._troubles: dict[str, tuple[str, str, bool]] = {}
        self._logged: dict[str, float] = {}
        self.status = Status(halted=dict(cursor.halted))
        """Replaced as a whole, never changed."""

    def go_on(self, stream: str, epoch: int) -> None:
        """A person says that a halted stream is to go on where the service stands."""
        self._go_on.append((stream, epoch))

    def step(self) -> float:
        """Do what comes next; return seconds to wait before the next call. Never raises but for what is broken here."""
        now_s = self._clock()
        try:
            heads = self._ledger.streams()
        except BadLedger as error:
            self._in_trouble(error, LEDGER)
            return LOOK_S * 5
        self._worked(LEDGER)
        self._note(heads)
        if (waits := self._service.wait_s(now_s)) > 0:
            return min(waits, LOOK_S)
        try:
            return self._next(heads, now_s)
        except Stopped:
            return 0.0
        except Busy as error:
            self._service.failed(self._clock(), error.after_s)
            self._in_trouble(error)
        except Lost as error:
            self._service.failed(self._clock())
            self._in_trouble(error)
        except Refused as error:
            self._service.refused(self._clock())
            self._in_trouble(error)
        return min(LOOK_S, self._service.wait_s(self._clock()))

    def _next(self, heads: Sequence[Head], now_s: float) -> float:
        self._try_halted(heads, now_s)
        for head in heads:
            if head.name == URGENT and self._sender.owed(head):
                self._send(head)
                return 0.0
        if not is_open(self._options.hours, self._wall()):
            self.status = replace(self.status, waits_for_hours=True)
            return LOOK_S
        self.status = replace(self.status, waits_for_hours=False)
        for head in heads:
            if self._is_due(head, now_s):
                self._send(head)
                return 0.0
        if self._options.may_leave("crops") and now_s >= self._no_picture_before_s:
            return self._picture()
        return LOOK_S

    def _try_halted(self, heads: Sequence[Head], now_s: float) -> None:
        """Streams that a person wants to go on; and now and then whether a person at the service has said so."""
        wanted = {self._go_on.popleft() for _ in range(len(self._go_on))}
        if now_s >= self._ask_halted_s and self._cursor.halted:
            self._ask_halted_s = now_s + ASK_HALTED_S
            names = {name for name, halt in self._cursor.halted.items() if halt.asks}
            wanted |= {(head.name, head.epoch) for head in heads if halt_name(head.name, head.epoch) in names}
        for head in heads:
            if (head.name, head.epoch) in wanted:
                self._sender.go_on(head)
                self._worked()
                self.status = replace(self.status, halted=dict(self._cursor.halted))

    def _send(self, head: Head) -> Came:
        came = self._sender.send(head)
        self._waiting_since.pop((head.name, head.epoch), None)
        if came is not Came.HALTED:
            self._worked()
        self.status = replace(
            self.status, halted=dict(self._cursor.halted), events=self._sender.sent_events, reached=utc_now()
        )
        return came

    def _is_due(self, head: Head, now_s: float) -> bool:
        """A full batch, or one that has waited long enough."""
        owed = self._sender.owed(head)
        key = (head.name, head.epoch)
        if not owed:
            self._waiting_since.pop(key, None)
            return False
        since_s = self._waiting_since.setdefault(key, now_s)
        return owed >= MOST_EVENTS or now_s - since_s >= self._options.every_s or head.name == URGENT

    def _streams_wait(self) -> bool:
        """Whether a stream has something that goes before further pictures."""
        if self._stop.is_set():
            return True
        try:
            heads = self._ledger.streams()
        except BadLedger:
            return False  # the next step says so
        now_s = self._clock()
        return any(self._is_due(head, now_s) for head in heads)

    def _picture(self) -> float:
        """One round of pictures. A store that is lost holds up pictures alone."""
        now_s = self._clock()
        if (waits := self._store.wait_s(now_s)) > 0:
            return min(waits, LOOK_S)
        before = self._pictures.sent + self._pictures.had
        try:
            for priority in PRIORITIES:
                if self._pictures.send(priority):
                    self._worked()
                    self._worked(PICTURES)
                    self._store.worked()
                    self._count_pictures()
                    return 0.0
        except (Stopped, Unwelcome):
            raise
        except (Lost, Refused) as error:
            self._count_pictures()
            if self._pictures.sent + self._pictures.had > before:
                self._store.worked()  # some got through: a wire that loses things is not one that is gone
            self._store.failed(self._clock(), error.after_s if isinstance(error, Busy) else 0.0)
            self._in_trouble(error, PICTURES)
            return min(LOOK_S, self._store.wait_s(self._clock()))
        self._no_picture_before_s = self._clock() + min(self._options.every_s, 10)
        return LOOK_S

    def _count_pictures(self) -> None:
        done = self._pictures
        self.status = replace(self.status, pictures=done.sent, had=done.had, missing=done.missing)

    def _between(self) -> None:
        """Alarms first, whatever is under way, which is not hurt by it: never raises but `Stopped`."""
        if self._stop.is_set():
            raise Stopped("stopped")
        now_s = self._clock()
        if self._urgent or now_s - self._looked_s < LOOK_BETWEEN_S:
            return
        self._urgent, self._looked_s = True, now_s
        try:
            if self._service.wait_s(now_s) > 0:
                return
            for head in self._ledger.streams():
                while head.name == URGENT and self._sender.owed(head):
                    if self._send(head) in (Came.HALTED, Came.NOTHING):
                        break
        except BadLedger:
            return  # the next step says so
        except (Lost, Refused) as error:
            self._service.failed(self._clock(), error.after_s if isinstance(error, Busy) else 0.0)
            self._in_trouble(error)
        finally:
            self._urgent = False

    def _paced(self, data: bytes, urgent: bool) -> Iterator[bytes]:
        if urgent:
            self._bucket.take(len(data) + OVERHEAD, self._clock())
            yield data
            return
        self._take(OVERHEAD)
        for piece in slices(data, self._bucket.slice):
            self._take(len(piece))
            yield piece
            self._between()

    def _take(self, size: int) -> None:
        """Wait until so many bytes may go; alarms go meanwhile. Stopped."""
        while (waits := self._bucket.wait_s(size, self._clock())) > 0:
            if self._stop.wait(min(waits, LOOK_BETWEEN_S)):
                raise Stopped("stopped")
            self._between()
        self._bucket.take(size, self._clock())

    def _note(self, heads: Sequence[Head]) -> None:
        owed: dict[str, int] = {}
        for head in heads:
            missing = max(0, head.newest - self._cursor.acked(head.name, head.epoch))
            owed[head.name] = owed.get(head.name, 0) + missing
        if owed != self.status.owed:
            self.status = replace(self.status, owed=owed)

    def _worked(self, what: str = EVENTS) -> None:
        if what == EVENTS:
            self._service.worked()
        if self._troubles.pop(what, None):
            log.debug("the fleet service takes %s again", what)
            self._tell()

    def _in_trouble(self, error: Exception, what: str = EVENTS) -> None:
        refused, now_s = isinstance(error, Refused), self._clock()
        before = self._troubles.get(what)
        # A wire that loses things now and then is no news; what a person has to mend is, once.
        if (refused and (before is None or before[0] != str(error))) or now_s >= self._logged.get(what, now_s):
            log.log(logging.ERROR if refused else logging.WARNING, "uplink: %s: %s", what, error)
            self._logged[what] = now_s + LOG_EVERY_S
        since = before[1] if before is not None else utc_now()
        self._troubles[what] = (str(error), since, refused)
        self._tell()

    def _tell(self) -> None:
        text, since, refused = next(
            (self._troubles[w] for w in (EVENTS, LEDGER, PICTURES) if w in self._troubles), _NONE
        )
        self.status = replace(self.status, trouble=text, since=since, refused=refused)
