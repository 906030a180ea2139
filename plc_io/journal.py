"""What io still owes the ledger: entries that records has not confirmed. Killing records loses none of them.

Bounded: a full journal drops the new entry, counts it, and leaves a gap in the numbers that the ledger can see. It
never waits for anybody.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..bus.clock import SECOND
from ..bus.entries import CountersEntry, RecordEntry, TriggerEntry
from ..bus.messages import Counters, Stored
from ..bus.part import Record, Trigger

BOUND = 8192
"""Entries kept: some minutes of a fast line without records."""
WINDOW = 256
"""Entries that may be under way at once; the socket holds 1024."""
RESEND_NS = SECOND
"""An entry unconfirmed for this long is sent again."""
_BURST = 64

Entry = TriggerEntry | RecordEntry | CountersEntry


@dataclass(slots=True)
class _Kept:
    entry: Entry
    sent_ns: int | None = None


class Journal:
    """The entries of one run of io, by number. One thread."""

    def __init__(self, epoch: str, boot_id: str, *, bound: int = BOUND, window: int = WINDOW) -> None:
        self.epoch = epoch
        self.lost = 0
        """Entries dropped because the journal was full."""
        self._boot_id, self._bound, self._window = boot_id, bound, window
        self._kept: dict[int, _Kept] = {}  # in the order of the numbers
        self._number = 0
        self._counters: int | None = None
        self._heard_ns: int | None = None

    @property
    def waiting(self) -> int:
        """Entries not yet confirmed."""
        return len(self._kept)

    def trigger(self, trigger: Trigger) -> None:
        """A part was triggered."""
        self._keep(TriggerEntry(self.epoch, self._next(), trigger, self._boot_id))

    def record(self, record: Record) -> None:
        """A part is closed."""
        self._keep(RecordEntry(self.epoch, self._next(), record))

    def counters(self, counters: Counters, *, last: bool = False) -> None:
        """What io counted; left out while an earlier one is still waiting, unless it is the last."""
        if self._counters in self._kept and not last:
            return
        number = self._next()
        self._keep(CountersEntry(self.epoch, number, counters, last), force=last)
        self._counters = number

    def stored(self, stored: Stored, now_ns: int) -> None:
        """Take the news that these are on disk. An answer of another epoch is not ours."""
        if stored.epoch != self.epoch:
            return
        self._heard_ns = now_ns
        for number in stored.numbers:
            self._kept.pop(number, None)

    def pump(self, send: Callable[[object], bool], now_ns: int) -> None:
        """Send what is due. send: False when its door is full; then the rest waits for the next call."""
        answers = self._heard_ns is not None and now_ns - self._heard_ns < RESEND_NS
        burst = _BURST
        for place, kept in enumerate(self._kept.values()):
            if place >= self._window or burst == 0:
                return
            if kept.sent_ns is not None:
                if now_ns - kept.sent_ns < RESEND_NS:
                    continue
                if not answers:
                    # Nobody answers: one entry asks again, the rest would only fill the socket with doubles.
                    if place == 0 and send(kept.entry):
                        kept.sent_ns = now_ns
                    continue
            if not send(kept.entry):
                return
            kept.sent_ns = now_ns
            burst -= 1

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _keep(self, entry: Entry, *, force: bool = False) -> None:
        if len(self._kept) >= self._bound and not force:
            self.lost += 1
            return
        self._kept[entry.number] = _Kept(entry)
