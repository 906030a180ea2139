"""The records process: entries come in from io, pictures from the ring; rows and files go out to the disk.

Three threads: this one owns io's door and the ledger, `catcher` the subscription, `pictures` the encoding. Nothing on
the line waits for any of them.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from ..bus.asks import Desk
from ..bus.channel import AskDoor, EntryReceiver, ask_address, records_address
from ..bus.clock import MS, SECOND, now_ns
from ..bus.entries import CountersEntry, RecordEntry, TriggerEntry
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health, Stored
from ..bus.part import Outcome
from ..bus.ring import RingShelf
from ..bus.waiting import wait_any
from .backup import Backups
from .bookkeeping import Ripe
from .catcher import Catcher, copied
from .desk import PartKey, PictureDesk, Where
from .gathered import Gathered, gather
from .ledger import Ledger, LedgerDamaged, LedgerStuck
from .options import RecordsOptions
from .pictures import adopt
from .rows import Kept, outcome_of
from .tasks import PATIENT, records_desk
from .views import Sight

log = logging.getLogger(__name__)
HEAR_NS = 200 * MS
"""How long a record waits for the verdict that inspect published before it: another thread of ours may lag."""
RETRY_NS = SECOND
"""Between two tries to open a ledger that is stuck."""
GRACE_NS = 3 * SECOND
"""After a new run of io was first heard: by then nothing of the older run is under way to us."""
DRAIN_NS = 2 * SECOND
"""At most this long is spent on the last entries when asked to stop."""
ASKS = 4
"""Answered in one turn of the loop at most: signing in takes 50 ms and more, and the rows of the line go on between."""
LOST = 75
"""Exit code: the disk did not let us begin; try again later."""

Entry = TriggerEntry | RecordEntry | CountersEntry
Id = tuple[str, int]
People = tuple[AskDoor, Desk, Backups]
"""What serves them: their door, who answers, who makes copies."""


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
                if parts := self._ledger.recover(epoch):
                    log.warning("run %s of io died with parts open, now UNJUDGED: %s", epoch, parts)
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


class _Stop:
    """Set by SIGTERM and SIGINT."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked.set()


def run(options: RecordsOptions, cameras: tuple[str, ...], run_dir: Path) -> int:
    """Run until SIGTERM or SIGINT; return the exit code (75: the disk did not let us begin).

    cameras: names whose frames may end up in the ledger. BadLedger: the file is of a newer okng, or another process
    writes it. A full or failing disk later on is no reason to end: entries then stay with io until it is mended.
    """
    stop = _Stop()
    with contextlib.suppress(OSError):
        os.nice(max(0, 5 - os.nice(0)))
    heartbeat = Heartbeat(run_dir, "records")
    try:
        ledger = Ledger(options.store, serial_span_h=options.serial_span_h)
    except LedgerStuck:
        log.exception("the ledger cannot be opened")
        heartbeat.close()
        return LOST
    desk = PictureDesk(options.store, options)
    catcher = Catcher(cameras, run_dir, desk, options)
    recorder = Recorder(ledger, desk, catcher, cameras, run_dir, options)
    door = EntryReceiver(records_address(run_dir))
    asks = AskDoor(ask_address(run_dir, "records"))
    backups = Backups(ledger, options.store)
    clerks = records_desk(ledger, options.store, lambda: recorder.stuck_why, recorder.get_stuck, backups)
    log.info("ready: %s", ledger.path)
    heartbeat.health = Health.READY
    try:
        _loop(recorder, ledger, door, (asks, clerks, backups), heartbeat, stop)
    finally:
        door.close()
        asks.close()
        backups.close()
        catcher.close()
        desk.close(SECOND)
        recorder.close()
        with contextlib.suppress(LedgerStuck, LedgerDamaged):
            ledger.mark()
        ledger.rest()
        ledger.close()
        heartbeat.close()
    return 0


def _loop(
    recorder: Recorder,
    ledger: Ledger,
    door: EntryReceiver,
    people: People,
    heartbeat: Heartbeat,
    stop: _Stop,
) -> None:
    chores_due = mark_due = 0
    rested, stop_by, quiet_since = True, 0, now_ns()
    while True:
        now = now_ns()
        if stop.asked.is_set():
            stop_by = stop_by or now + DRAIN_NS
            if now >= stop_by or (recorder.idle and now - quiet_since > 200 * MS):
                return
        heartbeat.health = Health.FAULT if recorder.stuck else Health.READY
        heartbeat.turn(oldest_ns=recorder.oldest_ns())
        if not recorder.is_full():
            wait_any((door, people[0]), recorder.wait_ms(now))
        if _listen(recorder, door):
            quiet_since = now
        if _answer(recorder, people, heartbeat):
            rested = False
        recorder.ripen()
        if done := recorder.commit(door):
            heartbeat.turn(oldest_ns=recorder.oldest_ns(), done=done)
            rested = False
        if now >= chores_due:
            chores_due = now + SECOND
            recorder.recover()
            if not recorder.stuck:
                with contextlib.suppress(LedgerStuck, LedgerDamaged):
                    people[2].settle()
            if not rested and recorder.idle and now - quiet_since > 2 * SECOND:
                ledger.rest()
                rested = True
            if now >= mark_due and not recorder.stuck:
                mark_due = now + 60 * SECOND
                with contextlib.suppress(LedgerStuck, LedgerDamaged):
                    ledger.mark()


def _answer(recorder: Recorder, people: People, heartbeat: Heartbeat) -> int:
    """Answer what people and their machines ask, a few a turn; return how many came."""
    door, desk, _ = people
    came = 0
    while came < ASKS and (asked := door.take()) is not None:
        came += 1
        who, ask = asked
        if recorder.stuck and ask.name in PATIENT:
            continue
        answer = desk.answer(ask)
        heartbeat.turn(oldest_ns=recorder.oldest_ns())
        if answer.done or not recorder.stuck or ask.name not in PATIENT:
            door.give(who, answer)
    return came


def _listen(recorder: Recorder, door: EntryReceiver) -> bool:
    """Take in what waits at the door, up to one batch. True when something came."""
    if recorder.is_full():
        # io's side of the door fills up and io keeps the rest: rows are never dropped here.
        time.sleep(0.02)
        return False
    came = False
    for _ in range(64):
        try:
            got = door.receive(0)
        except ValueError:
            log.exception("an entry of another version was dropped; its sender keeps it")
            continue
        if got is None:
            break
        recorder.take(*got)
        came = True
        if recorder.is_full():
            break
    return came
