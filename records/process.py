"""The records process: entries come in from io, pictures from the ring; rows and files go out to the disk.

Three threads: this one owns io's door, the door people are answered at, and the ledger; `catcher` the subscription,
`pictures` the encoding (a fourth while a backup is made). Nothing on the line waits for any of them.
"""

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import NamedTuple

from ..bus.asks import Desk
from ..bus.channel import AskDoor, EntryReceiver, ask_address, records_address
from ..bus.clock import MS, SECOND, now_ns
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health
from ..bus.stop import Stop
from ..bus.waiting import wait_any
from .backup import Backups
from .catcher import Catcher
from .clock_watch import ClockWatch
from .desk import PictureDesk
from .ground import beneath, note
from .keeper import Errands, Keeper
from .known import Gather, Note
from .leaving import Leaving
from .ledger import Ledger, LedgerDamaged, LedgerStuck
from .options import RecordsOptions
from .read import LedgerReader
from .recorder import Recorder
from .reserve import Reserve
from .retention import Retention
from .sealing import Sealing
from .state import StateTeller, Voices
from .tasks import PATIENT, records_desk
from .upkeep import Upkeep

log = logging.getLogger(__name__)
DRAIN_NS = 2 * SECOND
"""At most this long is spent on the last entries when asked to stop."""
ASKS = 4
"""Answered in one turn of the loop at most: signing in takes 50 ms and more, and the rows of the line go on between."""
NO_FLEET = Leaving("nothing")
LOST = 75
"""Exit code: the disk did not let us begin, or only a fresh start sees the one that is there now; try again later."""


class People(NamedTuple):
    """What serves them."""

    door: AskDoor
    desk: Desk
    backups: Backups
    sealing: Sealing


class Store(NamedTuple):
    """What looks after it."""

    errands: Errands
    retention: Retention
    teller: StateTeller
    reserve: Reserve
    pictures: PictureDesk
    upkeep: Upkeep
    clock: ClockWatch


def run(
    options: RecordsOptions,
    cameras: tuple[str, ...],
    run_dir: Path,
    cloud: Path | None = None,
    gather: Gather | None = None,
    leaving: Leaving | None = None,
) -> int:
    """Run until SIGTERM or SIGINT; return the exit code (75: the disk did not let us begin, or we are to begin afresh).

    cameras: names whose frames may end up in the ledger. cloud: folder that sync keeps its notes in; None: the box owes
    nothing to any cloud. gather: reads what recipes, models and cameras are now. leaving: what the fleet service may
    have; None: there is none, and nothing is numbered for it. BadLedger: the file is of a newer
    okng, or another process writes it. A full or failing disk later on is no reason to end: entries then stay with io
    until it is mended.
    """
    stop = Stop()
    with contextlib.suppress(OSError):
        os.nice(max(0, 5 - os.nice(0)))
    heartbeat = Heartbeat(run_dir, "records")
    if why := beneath(run_dir, options.store):
        log.error("no ledger is begun: %s", why)
        heartbeat.close()
        return LOST
    try:
        ledger = Ledger(
            options.store, serial_span_h=options.serial_span_h, alive=heartbeat.turn, leaving=leaving or NO_FLEET
        )
    except LedgerStuck:
        log.exception("the ledger cannot be opened")
        heartbeat.close()
        return LOST
    note(run_dir, options.store)
    desk = PictureDesk(options.store, options, ledger.ground.gone)
    catcher = Catcher(cameras, run_dir, desk, options)
    recorder = Recorder(ledger, desk, catcher, cameras, run_dir, options)
    door = EntryReceiver(records_address(run_dir))
    asks = AskDoor(ask_address(run_dir, "records"))
    backups = Backups(ledger, options.store)
    sealing = Sealing(ledger, options.store)
    clerks = records_desk(
        ledger,
        options.store,
        lambda: recorder.stuck_why,
        recorder.get_stuck,
        backups,
        options.pin_digits,
        sealing,
        lambda: clock.doubt,
    )
    upkeep = Upkeep(ledger, options)
    clock = ClockWatch.of(ledger)
    voices = Voices(upkeep.salvage_text, lambda: clock.doubt, upkeep.backup_trouble, ledger.ground.gone)
    errands = Errands()
    retention = Retention(options.store, options.retention, errands.write, cloud, doubt=voices.clock, leaving=leaving)
    teller = StateTeller(run_dir, options.store, options.min_free_mb << 20, voices)
    known = Note(LedgerReader(options.store), gather, errands.write) if gather else None
    keeper = Keeper(retention, errands, known, gone=ledger.ground.gone)
    log.info("ready: %s", ledger.path)
    heartbeat.health = Health.READY
    try:
        held = Store(errands, retention, teller, Reserve(options.store), desk, upkeep, clock)
        return _loop(recorder, ledger, door, People(asks, clerks, backups, sealing), held, heartbeat, stop)
    finally:
        keeper.close()
        upkeep.close()
        teller.close()
        door.close()
        asks.close()
        backups.close()
        catcher.close()
        desk.close(SECOND)
        recorder.close()
        sealing.close()
        with contextlib.suppress(LedgerStuck, LedgerDamaged):
            sealing.sign("stop")
            ledger.mark()
        ledger.rest()
        ledger.close()
        heartbeat.close()


def _loop(
    recorder: Recorder,
    ledger: Ledger,
    door: EntryReceiver,
    people: People,
    store: Store,
    heartbeat: Heartbeat,
    stop: Stop,
) -> int:
    chores_due = mark_due = 0
    rested, stop_by, quiet_since = True, 0, now_ns()
    while True:
        now = now_ns()
        if stop.asked.is_set():
            stop_by = stop_by or now + DRAIN_NS
            if now >= stop_by or (recorder.idle and now - quiet_since > 200 * MS):
                return 0
        heartbeat.health = Health.FAULT if recorder.stuck else Health.READY
        heartbeat.turn(oldest_ns=recorder.oldest_ns())
        if not recorder.is_full():
            wait_any((door, people.door), store.upkeep.wait_ms(recorder.wait_ms(now)))
        if _listen(recorder, door):
            quiet_since = now
        if _answer(recorder, people, heartbeat):
            rested = False
        recorder.ripen()
        if done := recorder.commit(door):
            heartbeat.turn(oldest_ns=recorder.oldest_ns(), done=done)
            rested = False
        if store.errands.waiting and not recorder.stuck:
            try:
                store.errands.serve(ledger)
            except (LedgerStuck, LedgerDamaged) as error:
                recorder.get_stuck(error)
            rested = False
        if not recorder.stuck and not stop_by:
            try:
                store.upkeep.turn(idle=recorder.idle, wanted=lambda: door.wait(0))
            except (LedgerStuck, LedgerDamaged) as error:
                recorder.get_stuck(error)
        store.teller.tell(heartbeat.health, recorder.stuck_why, store.pictures, store.retention.told)
        if now >= chores_due:
            chores_due = now + SECOND
            store.clock.look()
            if hidden := ledger.ground.hidden():
                log.error("records begins afresh: %s; entries stay with io", hidden)
                return LOST
            if not recorder.stuck:
                try:
                    ledger.look()
                except LedgerStuck as error:
                    recorder.get_stuck(error)
            recorder.recover()
            if recorder.stuck:
                store.reserve.rescue()
            if not recorder.stuck:
                try:
                    people.backups.settle()
                    people.sealing.settle(now)
                    if recorder.idle:
                        people.sealing.idle()
                except (LedgerStuck, LedgerDamaged) as error:
                    recorder.get_stuck(error)
            if not rested and recorder.idle and now - quiet_since > 2 * SECOND:
                ledger.rest()
                rested = True
            if now >= mark_due and not recorder.stuck:
                mark_due = now + 60 * SECOND
                store.reserve.hold()
                try:
                    ledger.mark()
                except LedgerDamaged as error:
                    recorder.get_stuck(error)
                except LedgerStuck as error:
                    # The note beside needs a new file; the rows of the line may well go on without.
                    log.info("how far the outbox has come is not noted now: %s", error)


def _answer(recorder: Recorder, people: People, heartbeat: Heartbeat) -> int:
    """Answer what people and their machines ask, a few a turn; return how many came."""
    came = 0
    while came < ASKS and (asked := people.door.take()) is not None:
        came += 1
        who, ask = asked
        if recorder.stuck and ask.name in PATIENT:
            continue
        answer = people.desk.answer(ask)
        heartbeat.turn(oldest_ns=recorder.oldest_ns())
        if answer.done or not recorder.stuck or ask.name not in PATIENT:
            people.door.give(who, answer)
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
