"""The process `shift`: it hears the line, keeps what people do to it, tells io and the screens. Nothing in it waits.

It may die at any time: io goes on by what it was told last, alarms and tests come back from the ledger.
"""

import contextlib
import logging
import os
import time
from collections.abc import Collection
from pathlib import Path

from ..bus.asks import Desk
from ..bus.channel import (
    AskDoor,
    Asker,
    Publisher,
    Subscriber,
    ask_address,
    camera_address,
    inspect_addresses,
    io_address,
    records_state_address,
    shift_address,
    uplink_address,
    web_address,
)
from ..bus.clock import MS, SECOND, boot_id, now_ns, utc_now
from ..bus.errors import OkngError
from ..bus.heartbeat import Heartbeat, Pulse
from ..bus.messages import (
    CameraState,
    Health,
    InspectState,
    JobAnswer,
    RecordsState,
    StationState,
    UplinkState,
    WebState,
)
from ..bus.part import Record
from ..bus.stop import Stop
from ..bus.waiting import wait_any
from .desk import ShiftDesk, Unsigned, all_signed
from .diary import Diary
from .door import Door
from .foreman import KEPT, STATE_NS, Foreman
from .memory import Memory
from .options import ShiftOptions
from .upkeep import Upkeep

_LOG = logging.getLogger(__name__)
WAIT_MS = 20
LOOK_NS = 200 * MS
DISK_NS = 5 * SECOND
ESCAPES_NS = 3 * SECOND
PATIENCE_NS = 10 * SECOND
"""How long a ledger that is not there yet is waited for before the room begins with nothing remembered."""
LONG_PATIENCE_NS = 60 * SECOND
"""The same for one that is there and cannot be read: it is being brought up to date, or mended."""
DRAIN_NS = SECOND
HEARD = (StationState, Record, JobAnswer, InspectState, CameraState, WebState, RecordsState, UplinkState)


class _Shift:
    """All that the process holds."""

    def __init__(
        self,
        options: ShiftOptions,
        cameras: tuple[str, ...],
        jobs: Collection[int],
        run_dir: Path,
        store: Path,
        unsigned: Unsigned = all_signed,
    ) -> None:
        self._store = store
        self._memory = Memory(store)
        self._heart = Heartbeat(run_dir, "shift")
        self._pulse, self._upkeep = Pulse(run_dir), Upkeep(run_dir, now_ns())
        addresses = [io_address(run_dir), *inspect_addresses(run_dir), web_address(run_dir)]
        addresses += [records_state_address(run_dir), uplink_address(run_dir)]
        self._ears = Subscriber([*addresses, *(camera_address(run_dir, name) for name in cameras)], HEARD)
        self._asker = Asker(ask_address(run_dir, "records"))
        self._diary = Diary(self._asker)
        self._speaker = Publisher(shift_address(run_dir))
        self._foreman = Foreman(
            options,
            cameras,
            jobs,
            self._diary,
            samples=self._memory.samples,
            seq_of=self._memory.seq_of,
            now_ns=now_ns(),
            boot=boot_id(),
        )
        self._door = AskDoor(ask_address(run_dir, "shift"))
        self._desk = Door(self._door, Desk("shift", ShiftDesk(self._foreman, unsigned).handlers()), self._diary)
        self._look_ns = self._said_ns = self._disk_ns = self._escapes_ns = 0
        self._escapes_since = utc_now()
        self._free_percent = 100.0
        self._last: tuple[object, ...] = ()

    def remember(self, stop: Stop) -> None:
        """Go on from what the ledger keeps. One that cannot be read is waited for, but not for ever."""
        begun = now_ns()
        while not stop.asked.is_set():
            self._heart.turn()
            try:
                kept = self._memory.keep(KEPT)
            except OkngError as error:
                if now_ns() - begun < (LONG_PATIENCE_NS if self._memory.exists else PATIENCE_NS):
                    stop.asked.wait(0.1)
                    continue
                _LOG.error("begins with nothing remembered: %s", error)
                kept = None
                if self._memory.exists:
                    self._foreman.forgot()
            self._foreman.restore(kept, now_ns(), utc_now())
            self._escapes_since = self._foreman.last_utc or self._escapes_since
            return

    def serve(self, stop: Stop) -> None:
        """Run until asked to stop; then the diary gets its due, for a second at most."""
        self._heart.health = Health.READY
        while not stop.asked.is_set():
            wait_any((self._ears, self._door, self._asker), WAIT_MS)
            self._hear()
            self._turn()
        end = now_ns() + DRAIN_NS
        while self._diary.waiting and now_ns() < end:
            self._diary.pump(now_ns())
            self._heart.turn()
            time.sleep(WAIT_MS / 1000 / 4)

    def close(self) -> None:
        """Let go of everything."""
        for held in (self._door, self._ears, self._asker, self._speaker):
            held.close()
        self._pulse.close()
        self._heart.close()

    def _hear(self) -> None:
        utc = utc_now()
        for message in self._ears.drain():
            self._foreman.hear(message, now_ns(), utc)

    def _turn(self) -> None:
        at, utc = now_ns(), utc_now()
        self._diary.pump(at)
        asked = self._desk.serve(at)
        if at - self._look_ns >= LOOK_NS:
            self._look_ns = at
            beats = self._pulse.beats()
            self._upkeep.look(beats, at, self._foreman.sources.say)
            self._foreman.look(beats, self._free(at), time.time_ns(), at)
        if at - self._escapes_ns >= ESCAPES_NS:
            self._escapes_ns = at
            self._look_for_escapes(at)
        for message in self._foreman.turn(at, utc):
            self._speaker.send(message)
        self._diary.pump(at)
        self._say(at, utc, at_once=asked > 0)
        self._heart.turn()

    def _say(self, at: int, utc: str, *, at_once: bool) -> None:
        state = self._foreman.state(at, utc)
        test = state.challenge
        now = (
            *(state.alarms, state.change, state.mode, state.lot, state.stopped_by),
            *(test.phase, test.samples, test.current, test.detail),
        )
        changed = now != self._last
        if changed or at_once or at - self._said_ns >= STATE_NS:
            self._last, self._said_ns = now, at
            self._speaker.send(state)

    def _look_for_escapes(self, at: int) -> None:
        for one in self._memory.escapes(self._escapes_since):
            if one.at > self._escapes_since:
                self._foreman.sources.escaped(one.n, f"{one.what} {one.found_at} {one.serial}".strip(), at)
            self._escapes_since = max(self._escapes_since, one.at)

    def _free(self, at: int) -> float:
        if at - self._disk_ns >= DISK_NS or not self._disk_ns:
            self._disk_ns = at
            with contextlib.suppress(OSError):  # made by records at its first start
                found = os.statvfs(self._store)
                self._free_percent = 100 * found.f_bavail / max(1, found.f_blocks)
        return self._free_percent


def run(
    options: ShiftOptions,
    cameras: tuple[str, ...],
    jobs: Collection[int],
    run_dir: Path,
    store: Path,
    unsigned: Unsigned = all_signed,
) -> int:
    """Run until SIGTERM or SIGINT; return the exit code. jobs: numbers of the settings. unsigned: as of the desk."""
    stop = Stop()
    shift = _Shift(options, cameras, jobs, run_dir, store, unsigned)
    try:
        shift.remember(stop)
        shift.serve(stop)
    except Exception:  # noqa: BLE001 - outermost frame: the heartbeat ends, and whoever watches starts it again
        _LOG.exception("shift ended by an error")
        return 1
    finally:
        shift.close()
    return 0
