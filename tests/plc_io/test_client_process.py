"""The real io process in the client role: it asks a PLC on libmodbus, whose log is the judge."""

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from okng.bus.messages import StationState
from okng.bus.part import Action, Delivery, Outcome, Record, Trigger
from okng.plc_io.signals import Command, Status, WireCode

from .conftest import Box, start_io, verdict_of, wait_for
from .plc_slave import ANSWER_AT, ENCODER, RESULT_AT, STATE, PlcSlave


@dataclass
class Cell:
    """The PLC, io and the rest of the box."""

    slave: PlcSlave
    box: Box
    run_dir: Path
    io: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, **more: object) -> None:
        """Start io."""
        client = {"host": "127.0.0.1", "port": self.slave.port, "result_at": RESULT_AT, "answer_at": ANSWER_AT, **more}
        self.io.append(start_io(self.run_dir, 502, wait=False, role="modbus_client", client=client))

    def until(self, what: str, true: object, timeout_s: float = 8.0) -> None:
        """Let the box move until the callable says so."""

        def moved() -> bool:
            self.box.turn()
            return bool(true())  # type: ignore[operator]

        wait_for(what, moved, timeout_s)

    def block(self) -> tuple[int, ...]:
        """What was written last."""
        writes = self.slave.entries("write")
        return writes[-1].words if writes else (0,) * 8

    def say(self, command: Command) -> None:
        """Set the PLC's state word."""
        self.slave.order(f"set {STATE} {int(command)}")

    def trigger(self, encoder: int) -> Trigger:
        """One part at the eye: raise TRIGGER, drop it on TRIG_ACK."""
        known = len(self.box.of(Trigger))
        self.slave.order(f"set {ENCODER} {encoder >> 16}", f"set {ENCODER + 1} {encoder & 0xFFFF}")
        self.say(ENABLED | Command.TRIGGER)
        self.until("TRIG_ACK", lambda: self.block()[5] & Status.TRIG_ACK)
        self.say(ENABLED)
        self.until("TRIG_ACK falls", lambda: not self.block()[5] & Status.TRIG_ACK)
        self.until("Trigger", lambda: len(self.box.of(Trigger)) == known + 1)
        found = self.box.of(Trigger)[-1]
        assert isinstance(found, Trigger)
        return found


ENABLED = Command.TRIG_ENABLE


@pytest.fixture
def cell(tmp_path: Path, run_dir: Path) -> Iterator[Cell]:
    made = Cell(PlcSlave(tmp_path), Box(run_dir), run_dir)
    made.slave.order("ack 1")
    made.say(ENABLED)
    made.start(coils={"OK": 10, "READY": 12})
    try:
        yield made
    finally:
        for io in made.io:
            io.kill()
            io.wait(5)
        made.box.close()
        made.slave.close()


def ready(cell: Cell) -> bool:
    """READY stands in the PLC, and the box hears io on the bus."""
    return bool(cell.block()[5] & Status.READY and cell.box.of(StationState))


def test_parts_pass_or_not_and_the_encoder_comes_along(cell: Cell) -> None:
    outcomes = [Outcome.OK, Outcome.NG, Outcome.UNJUDGED, None, Outcome.OK]
    told = []
    for number, outcome in enumerate(outcomes, 1):
        cell.until("READY", lambda: ready(cell))
        trigger = cell.trigger(70_000 * number)
        assert (trigger.encoder, trigger.missed) == (70_000 * number, False)
        if outcome is not None:
            cell.box.inspect.send(verdict_of(trigger, outcome))
        cell.until("the record", lambda number=number: len(cell.box.of(Record)) == number)
        told.append((trigger.part, outcome))
    codes = {Outcome.OK: WireCode.OK, Outcome.NG: WireCode.NG, Outcome.UNJUDGED: WireCode.UNJUDGED, None: WireCode.LATE}
    blocks = [entry.words for entry in cell.slave.entries("write")]
    assert all(words[0] == words[7] for words in blocks)
    shown = list(dict.fromkeys((words[1] << 16 | words[2], words[3]) for words in blocks if words[0]))
    assert shown == [(part, codes[outcome]) for part, outcome in told]
    records = [record for record in cell.box.of(Record) if isinstance(record, Record)]
    actions = [Action.PASS, Action.REJECT, Action.REJECT, Action.REJECT, Action.PASS]
    assert [record.disposition.action for record in records] == actions
    assert {record.receipt.delivery for record in records} == {Delivery.DELIVERED}
    rises = [entry for entry in cell.slave.entries("coil") if entry.numbers == (10, 1)]
    assert rises, "the OK coil of a passed part"


def test_killed_with_a_result_on_the_wire_it_shows_nothing_old(cell: Cell) -> None:
    cell.slave.order("ack 0")
    cell.until("READY", lambda: ready(cell))
    cell.box.inspect.send(verdict_of(cell.trigger(1)))
    cell.until("the result", lambda: cell.block()[3] == WireCode.OK)
    cell.io[-1].kill()
    cell.io[-1].wait(5)
    assert cell.block()[3] == WireCode.OK, "it stands in the PLC; there hb has stopped"
    cell.start()
    cell.until("READY again", lambda: len(cell.slave.connections()) == 2 and ready(cell), 12)
    again = [entry.words for entry in cell.slave.connections()[1] if entry.kind == "write"]
    assert again[0][:6] == (0,) * 6
    assert {words[0] for words in again} == {0}


def test_asked_to_end_it_takes_ready_back_first(cell: Cell) -> None:
    cell.until("READY", lambda: ready(cell))
    cell.io[-1].send_signal(signal.SIGTERM)
    cell.until("its end", lambda: cell.io[-1].poll() is not None)
    assert cell.io[-1].returncode == 0
    assert cell.block()[:6] == (0, 0, 0, 0, 0, cell.block()[5])
    assert not cell.block()[5] & (Status.READY | Status.RESULT_VALID | Status.OK)
    assert [entry.numbers for entry in cell.slave.entries("coil") if entry.numbers[0] == 12][-1] == (12, 0)
