"""okng.st against a real io process: the function block runs here, pyModbusTCP is the vendor's Modbus client."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from pyModbusTCP.client import ModbusClient

from okng.bus.part import Action, Outcome, Record, Trigger, Why
from okng.plc_io.signals import FaultCode

from .conftest import Line, verdict_of, wait_for
from .st_machine import published

COMMIT, OPEN, CLOSE = 4800, 4880, 5620


class StPlc:
    """The block, its images over the wire, and a belt the test moves."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.machine = published()
        self.station = self.machine.make("OKNG_STATION")
        self.client = ModbusClient("127.0.0.1", line.port, unit_id=1, timeout=0.5, auto_open=True)
        self.words = [0] * 34
        self.encoder = 0
        self.eye = self.enable = self.reset = self.change_job = False
        self.linked = self.acknowledges = True
        self.buffer = False

    def turn(self) -> None:
        """Everybody moves once: read, scan, write."""
        self.line.box.turn()
        self.machine.clock.now_ms = time.monotonic_ns() // 10**6
        if self.linked:
            self.words = self.client.read_input_registers(0, 34) or self.words
        self.station(
            from_box=self.words,
            enable=self.enable,
            part_at_eye=self.eye,
            encoder=self.encoder,
            commit_counts=COMMIT,
            open_counts=OPEN,
            close_counts=CLOSE,
            trigger_limit=2000,
            buffer_results=self.buffer,
            reset=self.reset,
            change_job=self.change_job,
            job=1,
        )
        if self.linked:
            words = self.station["to_box"]
            self.client.write_multiple_registers(0, words if self.acknowledges else [*words[:6], 0])

    def until(self, what: str, true: object) -> None:
        """Turn until it is so."""

        def turned() -> bool:
            self.turn()
            return bool(true())  # type: ignore[operator]

        wait_for(what, turned)

    def start(self) -> None:
        """Enable and wait for ready."""
        self.enable = True
        self.until("ready", lambda: self["ready"])

    def part(self) -> Trigger:
        """A part passes the eye; what io said of it."""
        self.until("ready", lambda: self["ready"])
        self.eye = True
        self.turn()
        self.eye = False
        number = self["part"]
        found: list[Trigger] = []

        def came() -> bool:
            found[:] = [t for t in self.line.box.of(Trigger) if isinstance(t, Trigger) and t.part == number]
            return bool(found) and not self.station.v_plc.v_command.v_trigger

        self.until("Trigger on the bus and TRIG_ACK", came)
        return found[0]

    def say(self, trigger: Trigger, outcome: Outcome = Outcome.OK) -> None:
        """What inspect says of it."""
        self.line.box.inspect.send(verdict_of(trigger, outcome))

    def move(self, to: int) -> bool:
        """Run the belt there; whether the gate was seen open."""
        seen = False
        while self.encoder < to:
            self.encoder = min(self.encoder + 60, to)
            self.turn()
            seen |= bool(self["gate_open"])
        return seen

    def record(self, part: int) -> Record:
        """The record io made of a part."""
        found: list[Record] = []

        def came() -> bool:
            found[:] = [r for r in self.line.box.of(Record) if isinstance(r, Record) and r.trigger.part == part]
            return bool(found)

        self.until("Record", came)
        return found[0]

    def __getitem__(self, name: str) -> Any:
        return self.station[name]


@pytest.fixture
def plc(line: Line) -> Iterator[StPlc]:
    made = StPlc(line)
    made.start()
    yield made
    made.client.close()


def test_ok_and_ng_reach_the_gate_and_the_record_says_the_same(plc: StPlc) -> None:
    for number, (outcome, passes) in enumerate(((Outcome.OK, True), (Outcome.NG, False), (Outcome.OK, True)), 1):
        trigger = plc.part()
        assert trigger.part == number
        plc.say(trigger, outcome)
        plc.until("result", lambda n=number: plc["last_part"] == n)
        assert plc.move(plc.encoder + CLOSE + 100) is passes
        record = plc.record(number)
        assert (record.disposition.action is Action.PASS) is passes
        assert record.receipt.acked_at_ns is not None, "acknowledged by ack_seq"
    assert (plc["passed"], plc["rejected"], plc["missed"], plc["unanswered"]) == (2, 1, 0, 0)
    box = plc["box"]
    assert (box.v_triggers, box.v_ok, box.v_ng) == (3, 2, 1), "the counters of both sides agree"


def test_late_for_the_box_is_a_reject(plc: StPlc) -> None:
    trigger = plc.part()
    plc.until("LATE", lambda: plc["last_code"] == 4)
    plc.say(trigger)
    assert not plc.move(CLOSE + 100)
    assert plc.record(trigger.part).disposition.why is Why.LATE


def test_late_for_the_belt_is_a_reject(plc: StPlc) -> None:
    trigger = plc.part()
    assert not plc.move(COMMIT)
    plc.say(trigger)
    plc.until("result", lambda: plc["last_part"] == trigger.part)
    assert (plc["last_code"], plc["late"]) == (1, 1)
    assert not plc.move(CLOSE + 100)


def test_a_box_that_dies_rejects_a_part_it_had_passed(plc: StPlc) -> None:
    trigger = plc.part()
    plc.say(trigger)
    plc.until("result", lambda: plc["last_code"] == 1)
    plc.line.process.kill()
    plc.until("watchdog", lambda: plc["lost"])
    assert plc["stop_line"]
    assert not plc.move(CLOSE + 100)
    assert plc["rejected"] == 1


@pytest.mark.parametrize("who", ["camera-top", "inspect"])
def test_a_box_that_stands_still_trips_the_watchdog_until_a_reset(plc: StPlc, who: str) -> None:
    plc.line.box.frozen.add(who)
    plc.until("watchdog", lambda: plc["lost"])
    assert plc["stop_line"]
    plc.line.box.frozen.clear()
    plc.until("alive", lambda: plc["alive"])
    assert not plc["ready"]
    plc.reset = True
    plc.until("ready", lambda: plc["ready"])
    assert not plc["stop_line"]


def test_a_plc_that_stands_still_is_noticed_by_the_box_and_its_part_rejected(plc: StPlc) -> None:
    trigger = plc.part()
    plc.linked = False
    record = plc.record(trigger.part)
    assert record.disposition.action is Action.REJECT
    plc.linked = True
    plc.reset = True
    plc.until("ready", lambda: plc["ready"])
    plc.say(trigger)
    assert not plc.move(CLOSE + 100)


def test_job_change_over_to_the_active_job(plc: StPlc) -> None:
    plc.change_job = True
    plc.until("asked", lambda: plc["job_busy"])
    plc.until("done", lambda: not plc["job_busy"])
    assert plc["job_ok"]
    plc.until("ready", lambda: plc["ready"])


def test_a_fault_of_the_box_shuts_the_line_until_the_block_resets_it(plc: StPlc) -> None:
    trigger = plc.part()
    plc.acknowledges = False
    plc.say(trigger)
    plc.until("FAULT", lambda: plc["fault_code"] == FaultCode.ACK_MISSING)
    plc.acknowledges = True
    plc.until("part at the eye is not asked for", lambda: not plc["ready"])
    plc.reset = True
    plc.until("ready", lambda: plc["ready"])
    assert plc["fault_code"] == 0
    plc.reset = False
    trigger = plc.part()
    plc.say(trigger)
    plc.until("result", lambda: plc["last_part"] == trigger.part)
    assert plc.move(plc.encoder + CLOSE + 100)


def test_buffered_results_find_their_own_part_whatever_comes_first(plc: StPlc) -> None:
    plc.buffer = True
    first = plc.part()
    plc.move(1000)
    second = plc.part()
    plc.say(second)
    plc.say(first, Outcome.NG)
    plc.until("both results", lambda: plc["last_part"] == second.part)
    assert not plc.move(1000 + OPEN - 40)
    assert plc["rejected"] == plc["passed"] == 1
    assert plc.move(1000 + CLOSE + 100)
