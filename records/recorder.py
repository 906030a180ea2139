"""Entries and pictures become rows: each entry waits for its picture, and is answered when it is on disk."""

import logging
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from ..bus.channel import EntryReceiver
from ..bus.clock import MS, SECOND, now_ns
from ..bus.entries import CountersEntry, RecordEntry, TriggerEntry
from ..bus.messages import Stored
from ..bus.part import Outcome
from ..bus.ring import RingShelf
from .bookkeeping import Ripe
from .catcher import Catcher, copied
from .desk import PartKey, PictureDesk, Where
from .gathered import Gathered, gather
from .ledger import Ledger, LedgerDamaged, LedgerStuck
from .options import RecordsOptions
from .pictures import adopt
from .rows import Kept, outcome_of
from .views import Sight

log = logging.getLogger(__name__)
HEAR_NS = 200 * MS
"""How long a record waits for the verdict that inspect published before it: another thread of ours may lag."""
RETRY_NS = SECOND
"""Between two tries to open a ledger that is stuck."""
GRACE_NS = 3 * SECOND
"""After a new run of io was first heard: by then nothing of the older run is under way to us."""

Entry = TriggerEntry | RecordEntry | CountersEntry
Id = tuple[str, int]


@dataclass(slots=True)
class _Held:
    """One entry that is not on disk yet. io keeps it too, until it is told."""

    who: bytes
    entry: Entry
    since_ns: int
    adopted: dict[str, Kept | None] = field(default_factory=dict)
    """By camera: the ring and the disk have been asked for the picture that was never offered; what the disk had."""


class Recorder:
    """Turns entries and pictures into rows. One thread."""

    def __init__(
        self,
        ledger: Ledger,
        desk: PictureDesk,
        catcher: Catcher,
        cameras: tuple[str, ...],
        run_dir: Path,
        options: RecordsOptions,
    ) -> None:
        self._ledger, self._desk, self._catcher, self._options = ledger, desk, catcher, options
        self._cameras = cameras
        self._shelf = RingShelf(run_dir)
        self._held: dict[Id, _Held] = {}
        self._batch: dict[Id, Ripe] = {}
        self._unripe: dict[Id, None] = {}
        self._batch_ns = 0
        self._stuck_ns = self._retry_ns = 0
        self.stuck_why = ""
        """What the disk said; empty: it takes rows."""
        self._heard: dict[str, int] = {}
        self.stored = 0
        """Entries answered since the start."""

    def is_full(self) -> bool:
        """True: take no more in, io keeps the rest."""
        return len(self._held) >= self._options.queue_rows

    @property
    def stuck(self) -> bool:
        """True while the disk takes no rows."""
        return self._stuck_ns != 0

    @property
    def idle(self) -> bool:
        """True when every entry taken in has been answered."""
        return not self._held

    def oldest_ns(self) -> int:
        """When the oldest unanswered entry came; 0: none."""
        return next(iter(self._held.values())).since_ns if self._held else 0

    def wait_ms(self, now: int) -> int:
        """How long the door may be listened at before there is something to do."""
        if self._batch and not self.stuck:
            return max(0, (self._batch_ns + self._options.commit_ms * MS - now) // MS)
        return 5 if self._unripe else 100

    def take(self, who: bytes, entry: Entry) -> None:
        """Take one entry in. One that is already here is a resend: only its sender may be new."""
        key = (entry.epoch, entry.number)
        self._heard.setdefault(entry.epoch, now_ns())
        if key in self._held:
            self._held[key].who = who
            return
        self._held[key] = _Held(who, entry, now_ns())
        if isinstance(entry, RecordEntry):
            self._unripe[key] = None
        else:
            self._add(key, Ripe(entry))

    def ripen(self) -> None:
        """Move the records whose picture is settled into the batch."""
        now = now_ns()
        for key in list(self._unripe):
            held = self._held[key]
            if isinstance(held.entry, RecordEntry) and (ripe := self._ripe(held, held.entry, now)) is not None:
                del self._unripe[key]
                self._add(key, ripe)
                part = _part(held.entry)
                self._desk.let_go(part, self._cameras)
                self._catcher.let_go(part)

    def commit(self, door: EntryReceiver) -> int:
        """Write what is due; answer it only then. Return how many entries were answered."""
        now = now_ns()
        if self.stuck:
            if now < self._retry_ns or not self._reopened(now):
                return 0
        elif not self._batch or not self._due(now):
            return 0
        try:
            self._ledger.store(list(self._batch.values()))
        except (LedgerStuck, LedgerDamaged) as error:
            self.get_stuck(error)
            return 0
        if self._stuck_ns:
            log.info("the ledger is written again after %.1f s", (now_ns() - self._stuck_ns) / SECOND)
            self._stuck_ns, self.stuck_why = 0, ""
        return self._answer(door)

    def recover(self) -> None:
        """Close what runs of io that died left open, once nothing of theirs is under way."""
        if self.stuck:
            return
        try:
            for epoch in self._ledger.abandoned():
                busy = any(name == epoch for name, _ in self._held)
                newest = max((at for name, at in self._heard.items() if name != epoch), default=0)
                if busy or not newest or now_ns() - newest < GRACE_NS:
                    continue
                if parts := self._ledger.recover(epoch, self._catcher.shown):
                    log.warning("run %s of io died with parts open, now UNJUDGED or OK as shown: %s", epoch, parts)
        except (LedgerStuck, LedgerDamaged) as error:
            self.get_stuck(error)

    def close(self) -> None:
        """Let go of the rings. Never raises."""
        self._shelf.close()

    def _add(self, key: Id, ripe: Ripe) -> None:
        if not self._batch:
            self._batch_ns = now_ns()
        self._batch[key] = ripe

    def _due(self, now: int) -> bool:
        waited = now - self._batch_ns
        return len(self._batch) >= self._options.commit_batch or waited >= self._options.commit_ms * MS

    def _reopened(self, now: int) -> bool:
        """After an error the old file descriptor is never used again: a failed fsync may report success next time."""
        try:
            self._ledger.reopen()
        except LedgerStuck:
            self._retry_ns = now + RETRY_NS
            return False
        return True

    def get_stuck(self, error: LedgerStuck | LedgerDamaged) -> None:
        """Write no more until the ledger has been opened afresh."""
        now = now_ns()
        self.stuck_why = str(error)
        self._retry_ns = now if isinstance(error, LedgerDamaged) else now + RETRY_NS
        if not self._stuck_ns:
            self._stuck_ns = now
            log.error("nothing is written to the ledger, entries stay with io, the line goes on: %s", error)

    def _answer(self, door: EntryReceiver) -> int:
        stored: dict[tuple[bytes, str], list[int]] = defaultdict(list)
        for key in self._batch:
            held = self._held.pop(key)
            stored[held.who, held.entry.epoch].append(held.entry.number)
        for (who, epoch), numbers in stored.items():
            door.answer(who, Stored(epoch, tuple(numbers)))
        done = len(self._batch)
        self._batch.clear()
        self.stored += done
        return done

    def _ripe(self, held: _Held, entry: RecordEntry, now: int) -> Ripe | None:
        """The record with its pictures, or None while they are worth waiting for."""
        part, age_ns = _part(entry), now - held.since_ns
        found = gather(entry.record, self._catcher.seen(part))
        if found.unheard and age_ns < HEAR_NS and not entry.record.trigger.missed:
            return None
        places = {camera: self._where(held, entry, found, camera) for camera in found.frames}
        if Where.WAITING in {where for where, _ in places.values()} and age_ns < self._options.picture_wait_ms * MS:
            return None
        kept = {camera: kept for camera, (_, kept) in places.items()}
        main = found.main.camera if found.main else ""
        heat = found.heat if _important(entry) or kept.get(main) else ()
        views = tuple(Sight(frame, kept[camera]) for camera, frame in found.frames.items() if camera != main)
        seen = found.image, found.placements, found.codes, found.measures
        return Ripe(entry, found.main, heat, kept.get(main), views, *seen)

    def _where(self, held: _Held, entry: RecordEntry, found: Gathered, camera: str) -> tuple[Where, Kept | None]:
        """Where a view's picture is; one that nobody offered is looked for once.

        That is an OK that came too late, a part inspect never judged, or a restart of ours.
        """
        part, frame = _part(entry), found.frames[camera]
        where, kept = self._desk.ask((part, camera))
        if where is Where.UNKNOWN and camera not in held.adopted:
            held.adopted[camera] = None if camera in found.judged else adopt(self._options.store, frame)
            if held.adopted[camera] is None and _important(entry):
                picture = copied(self._shelf, frame)
                if picture is not None:
                    self._desk.offer(part, frame, picture, important=True)
                    where, kept = self._desk.ask((part, camera))
        return where, kept or held.adopted.get(camera)


def _important(entry: RecordEntry) -> bool:
    return outcome_of(entry.record.disposition.why) is not Outcome.OK


def _part(entry: RecordEntry) -> PartKey:
    trigger = entry.record.trigger
    return trigger.part, trigger.at_ns
