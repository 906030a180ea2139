"""Forcing: only what warns, rejects or stops, never what could let a part pass, and it ends by itself."""

import pytest

from okng.bus.clock import MS, SECOND
from okng.bus.errors import Refused
from okng.plc_io.forces import FORCIBLE, Forces
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.signal_table import SignalTable
from okng.plc_io.signals import NO_STATUS, Command, Status

PLC = frozenset(FORCIBLE)


@pytest.fixture
def forces() -> Forces:
    return Forces(PLC, frozenset())


@pytest.fixture
def gates() -> Forces:
    return Forces(frozenset(), frozenset({"g1", "g2"}))


def test_a_forced_output_ends_by_itself(forces: Forces) -> None:
    forces.set("LINE_STOP_REQ", True, 12, "eve", 0, busy=True)
    assert forces.status == Status.LINE_STOP_REQ
    assert forces.shown(0) == ("LINE_STOP_REQ=1, 12 s left",)
    forces.turn(12 * SECOND - 1, busy=False)
    assert forces.shown(12 * SECOND - 1) == ("LINE_STOP_REQ=1, 1 s left",)
    forces.turn(12 * SECOND, busy=False)
    assert forces.status == NO_STATUS
    assert forces.shown(12 * SECOND) == ()


def test_a_forced_output_can_be_let_go(forces: Forces) -> None:
    forces.set("DEGRADED", True, 60, "eve", 0, busy=False)
    forces.set("DEGRADED", False, 0, "eve", 1, busy=False)
    assert forces.status == NO_STATUS
    with pytest.raises(Refused, match="DEGRADED is not forced"):
        forces.set("DEGRADED", False, 0, "eve", 2, busy=False)


@pytest.mark.parametrize("output", ["READY", "OK", "RESULT_VALID", "HB", "TRIG_ACK", "JOB_DONE"])
def test_what_could_let_a_part_pass_is_never_forced(forces: Forces, output: str) -> None:
    with pytest.raises(Refused, match="never forced"):
        forces.set(output, True, 1, "eve", 0, busy=False)


@pytest.mark.parametrize("seconds", [0, -1, 60.1])
def test_no_force_without_an_end(forces: Forces, seconds: float) -> None:
    with pytest.raises(Refused, match="expected more than 0"):
        forces.set("NG", True, seconds, "eve", 0, busy=False)


def test_outputs_that_are_not_there(forces: Forces, gates: Forces) -> None:
    with pytest.raises(Refused, match="there is no output lamp on this link: expected one of BUSY"):
        forces.set("lamp", True, 1, "eve", 0, busy=False)
    with pytest.raises(Refused, match="expected one of g1, g2"):
        gates.set("NG", True, 1, "eve", 0, busy=False)
    with pytest.raises(Refused, match="no output that can be forced"):
        Forces(frozenset(), frozenset()).set("NG", True, 1, "eve", 0, busy=False)


def test_a_test_pulse_ends_when_the_hand_is_gone(gates: Forces) -> None:
    gates.pulse("g1", 500, "eve", 0, busy=False)
    gates.pulse("g1", 500, "eve", 400 * MS, busy=False)
    gates.turn(899 * MS, busy=False)
    assert gates.valves == {"g1"}
    gates.turn(900 * MS, busy=False)
    assert gates.valves == frozenset()


def test_a_test_pulse_is_no_heater(gates: Forces) -> None:
    at = 0
    while at < 10 * SECOND:
        gates.pulse("g1", 500, "eve", at, busy=False)
        at += 250 * MS
    for more_ms in (0, 250, 500):
        with pytest.raises(Refused, match="was on for 10 s"):
            gates.pulse("g1", 500, "eve", at + more_ms * MS, busy=False)
    assert gates.valves == frozenset()
    gates.pulse("g1", 500, "eve", at + SECOND, busy=False)
    assert gates.valves == {"g1"}


def test_no_test_pulse_while_parts_are_under_way(gates: Forces, forces: Forces) -> None:
    with pytest.raises(Refused, match="parts are under way"):
        gates.pulse("g1", 100, "eve", 0, busy=True)
    gates.pulse("g1", 500, "eve", 0, busy=False)
    gates.turn(1 * MS, busy=True)
    assert gates.valves == frozenset()
    with pytest.raises(Refused, match="fires no gates"):
        forces.pulse("g1", 100, "eve", 0, busy=False)
    with pytest.raises(Refused, match="no gate g3"):
        gates.pulse("g3", 100, "eve", 0, busy=False)
    with pytest.raises(Refused, match="at most 500"):
        gates.pulse("g1", 501, "eve", 0, busy=False)


def test_the_table_tells_value_direction_and_age() -> None:
    table = SignalTable()
    table.sent(OutImage(), 0)
    table.came(InImage(5 * MS, command=Command.TRIG_ENABLE, part=7))
    table.sent(OutImage(status=Status.READY, seq=3), 10 * MS)
    rows = {(row["direction"], row["name"]): row for row in table.rows(20 * MS)}
    assert rows["out", "READY"] == {"name": "READY", "value": 1, "direction": "out", "age_ms": 10}
    assert rows["out", "FAULT"]["age_ms"] == 20
    assert (rows["in", "TRIG_ENABLE"]["value"], rows["in", "part"]["value"], rows["in", "part"]["age_ms"]) == (1, 7, 15)
    assert rows["out", "seq"]["value"] == 3


def test_what_is_offered_is_what_may_be_forced() -> None:
    forces = Forces(frozenset(("NG", "BUSY", "READY")), frozenset(("gate-2", "gate-1")))
    assert forces.outputs == ("BUSY", "NG")
    assert forces.gates == ("gate-1", "gate-2")
