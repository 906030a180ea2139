"""Cameras, inspect and records of a box in one process, for many parts a second: a part's number says what it is.

python tests/plc_io/proxy_box.py RUN_DIR LEDGER: writes what came to the ledger's door into LEDGER, one line an entry.
"""

import contextlib
import hashlib
import random
import signal
import sys
import time
from pathlib import Path

import zmq

from okng.bus.channel import EntryReceiver, Publisher, Subscriber, camera_address, inspect_address, io_address
from okng.bus.channel import records_address as ledger_address
from okng.bus.entries import CountersEntry, RecordEntry, TriggerEntry
from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import CameraState, Health, InspectState, Stored
from okng.bus.part import Outcome, Trigger
from okng.tests.plc_io.conftest import JOB, frame_of, verdict_of

NO_VERDICT = "LATE"


def truth(part: int) -> str:
    """What inspect will say of a part: OK, NG, UNJUDGED, or LATE where it says nothing. The judge asks the same."""
    dice = int.from_bytes(hashlib.sha256(part.to_bytes(4, "big")).digest()[:4], "big")
    if dice % 1009 == 0:
        return NO_VERDICT
    share = dice // 1009 % 100
    return "OK" if share < 75 else "NG" if share < 95 else "UNJUDGED"


class Cell:
    """All of the box that io talks to."""

    def __init__(self, run_dir: Path, ledger: Path) -> None:
        self._camera = Publisher(camera_address(run_dir, "top"))
        self._inspect = Publisher(inspect_address(run_dir))
        self._ear = Subscriber([io_address(run_dir)], (Trigger,))
        self._door = EntryReceiver(ledger_address(run_dir))
        self._beats = [Heartbeat(run_dir, name) for name in ("camera-top", "inspect")]
        self._book = ledger.open("w", encoding="ascii")
        self._poller = zmq.Poller()
        for socket in (self._ear.socket, self._door.socket):
            self._poller.register(socket, zmq.POLLIN)
        self._dice = random.Random(7)
        self._held: Trigger | None = None
        self._beat_s = self._state_s = 0.0
        self.ended = False

    def serve(self) -> None:
        """Turn until asked to end."""
        while not self.ended:
            self._move()
            if not self._poller.poll(2) and self._held is not None:
                self._judge(self._held)
                self._held = None
            while (trigger := self._ear.receive(0)) is not None:
                self._take(trigger)
            while (came := self._door.receive(0)) is not None:
                who, entry = came
                self._book.write(line_of(entry) + "\n")
                self._door.answer(who, Stored(entry.epoch, (entry.number,)))
        self._book.close()

    def _move(self) -> None:
        now = time.monotonic()
        if now - self._beat_s > 0.02:
            self._beat_s = now
            for beat in self._beats:
                beat.health = Health.READY
                beat.turn()
        if now - self._state_s > 0.1:
            self._state_s = now
            figures = (0,) * 7
            camera = CameraState("top", Health.READY, 1, "", *figures, "host", 0, 1, JOB.revision)
            self._camera.send(camera)
            self._inspect.send(InspectState(Health.READY, JOB, "CPUExecutionProvider", 0, ""))

    def _take(self, trigger: Trigger) -> None:
        if trigger.missed:
            return
        self._camera.send(frame_of(trigger))
        if self._held is None and self._dice.random() < 0.05:  # told after the next part's
            self._held = trigger
            return
        self._judge(trigger)
        if self._held is not None:
            self._judge(self._held)
            self._held = None

    def _judge(self, trigger: Trigger) -> None:
        found = truth(trigger.part)
        if found != NO_VERDICT:
            self._inspect.send(verdict_of(trigger, Outcome(found)))


def line_of(entry: object) -> str:
    """One entry in words that `proxy_judge.py` reads."""
    if isinstance(entry, TriggerEntry):
        return f"T {entry.number} {entry.trigger.part} {int(entry.trigger.missed)}"
    if isinstance(entry, RecordEntry):
        record = entry.record
        outcome = "-" if record.verdict is None else record.verdict.outcome.value
        told = f"{record.disposition.action.value} {record.disposition.why.value} {record.receipt.delivery.value}"
        return f"R {entry.number} {record.trigger.part} {told} {outcome}"
    assert isinstance(entry, CountersEntry)
    sums = entry.counters
    figures = (sums.triggers, sums.ok, sums.ng, sums.unjudged, sums.late, sums.missed, sums.in_flight)
    return f"C {entry.number} {' '.join(map(str, figures))} {sums.confirmed} {sums.unconfirmed} {int(entry.last)}"


def main() -> None:
    cell = Cell(Path(sys.argv[1]), Path(sys.argv[2]))

    def end(*_: object) -> None:
        cell.ended = True

    signal.signal(signal.SIGTERM, end)
    with contextlib.suppress(KeyboardInterrupt):
        cell.serve()


if __name__ == "__main__":
    main()
