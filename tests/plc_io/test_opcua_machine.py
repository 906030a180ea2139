"""The state machine of OPC 40100-1 by itself: what the line does to it, what a client may do, when the line is held."""

from dataclasses import replace
from pathlib import Path

import pytest

from okng.bus.clock import MS
from okng.bus.messages import Hold
from okng.plc_io.opcua_line import NOTHING, LineView, view_of
from okng.plc_io.opcua_machine import GRACE_NS, Auto, Machine, OnlyMirrorsError, Vision, WrongStateError
from okng.plc_io.opcua_space import NODESET

from .played_line import PlayedLine

HELD = LineView(alive=True, fault=False, running=False, blocked=False, held=True, in_flight=0)
RUNS = replace(HELD, running=True, held=False)
BLOCKED = replace(HELD, blocked=True)


def names(machine: Machine) -> list[str]:
    """The transitions since the last call."""
    return [change.transition for change in machine.changes() if change.transition]


def where(machine: Machine) -> Auto | None:
    """Where the automatic mode stands."""
    return machine.auto


def at(machine: Machine) -> Vision:
    """Where the vision state machine stands."""
    return machine.vision


def held(machine: Machine) -> str | None:
    """Why the line is held."""
    return machine.hold


def ready() -> Machine:
    """A holding machine that a client may start."""
    machine = Machine(holds=True)
    machine.look(HELD, 0)
    machine.select_automatic()
    machine.look(HELD, 0)
    assert where(machine) is Auto.READY
    assert names(machine) == ["PreoperationalToOperational", "InitializedToReadyAuto"]
    return machine


def test_a_mirror_follows_the_line_and_holds_nothing() -> None:
    machine = Machine(holds=False)
    assert (machine.vision, machine.auto, machine.hold) == (Vision.PREOPERATIONAL, None, None)
    machine.look(NOTHING, 0)
    assert at(machine) is Vision.PREOPERATIONAL
    for view, vision, auto in (
        (RUNS, Vision.OPERATIONAL, Auto.CONTINUOUS),
        (BLOCKED, Vision.OPERATIONAL, Auto.INITIALIZED),
        (RUNS, Vision.OPERATIONAL, Auto.CONTINUOUS),
        (replace(BLOCKED, fault=True), Vision.ERROR, None),
        (RUNS, Vision.OPERATIONAL, Auto.CONTINUOUS),
        (NOTHING, Vision.ERROR, None),
    ):
        machine.look(view, 0)
        assert (machine.vision, machine.auto, machine.hold) == (vision, auto, None)
    for method in (machine.select_automatic, machine.stop, machine.abort, machine.halt, machine.reset):
        with pytest.raises(OnlyMirrorsError):
            method()


def test_a_single_job_lets_one_part_come() -> None:
    machine = ready()
    assert held(machine) is not None
    machine.start(Auto.SINGLE, "job", "lot")
    assert held(machine) is None
    machine.trigger(6, missed=True)
    assert held(machine) is None
    machine.trigger(7, missed=False)
    assert held(machine) is not None
    machine.trigger(8, missed=False)
    machine.record(8)
    assert where(machine) is Auto.SINGLE
    machine.record(7)
    assert where(machine) is Auto.READY
    assert held(machine) is not None
    assert names(machine) == ["ReadyToSingleExecution", "SingleExecutionToReadyAuto"]


def test_stop_waits_for_the_parts_under_way_and_abort_does_not() -> None:
    machine = ready()
    machine.start(Auto.CONTINUOUS, "job", "")
    machine.look(RUNS, 0)
    machine.stop()
    assert held(machine) is not None
    machine.look(replace(RUNS, in_flight=0), 0)  # io has not heard of the hold yet: a part may be on its way
    assert where(machine) is Auto.CONTINUOUS
    machine.look(replace(RUNS, held=True, in_flight=2), 0)
    assert where(machine) is Auto.CONTINUOUS
    machine.look(HELD, 0)
    assert where(machine) is Auto.READY
    machine.start(Auto.CONTINUOUS, "job", "")
    machine.abort()
    assert where(machine) is Auto.READY
    assert held(machine) is not None
    assert names(machine) == [
        "ReadyToContinuousExecution",
        "ContinuousExecutionToReadyStop",
        "ReadyToContinuousExecution",
        "ContinuousExecutionToReadyAbort",
    ]


def test_a_line_that_stays_blocked_has_to_be_started_again() -> None:
    machine = ready()
    machine.start(Auto.CONTINUOUS, "job", "")
    machine.look(replace(BLOCKED, held=False), 0)
    machine.look(RUNS, GRACE_NS - 1)
    assert held(machine) is None
    machine.look(replace(BLOCKED, held=False), GRACE_NS)
    machine.look(replace(BLOCKED, held=False), 2 * GRACE_NS - 1)
    assert where(machine) is Auto.CONTINUOUS
    machine.look(replace(BLOCKED, held=False), 2 * GRACE_NS)
    assert where(machine) is Auto.INITIALIZED
    assert held(machine) is not None
    machine.look(HELD, 3 * GRACE_NS)
    assert where(machine) is Auto.READY
    assert held(machine) is not None


@pytest.mark.parametrize("view", [replace(HELD, fault=True), NOTHING], ids=["fault", "io silent"])
def test_error_is_left_by_reset_alone_and_only_when_its_cause_is_gone(view: LineView) -> None:
    machine = ready()
    machine.start(Auto.CONTINUOUS, "job", "")
    machine.look(view, 0)
    assert (machine.vision, machine.auto) == (Vision.ERROR, None)
    assert held(machine) is not None
    with pytest.raises(WrongStateError):
        machine.start(Auto.CONTINUOUS, "job", "")
    machine.look(HELD, 1)
    assert at(machine) is Vision.ERROR
    machine.reset()
    machine.look(replace(HELD, fault=True), 2)
    assert at(machine) is Vision.ERROR
    machine.reset()
    machine.look(HELD, 3)
    machine.select_automatic()
    machine.look(HELD, 4)
    assert where(machine) is Auto.READY


def test_what_the_specification_does_not_allow_is_refused_and_changes_nothing() -> None:
    machine = Machine(holds=True)
    with pytest.raises(WrongStateError):
        machine.select_automatic()  # io has said nothing
    machine.look(HELD, 0)
    for method in (machine.stop, machine.abort, machine.reset, machine.allow_preparing, machine.allow_simulation):
        with pytest.raises(WrongStateError, match="Preoperational"):
            method()
    machine.halt()
    for method in (machine.halt, machine.select_automatic, machine.stop):
        with pytest.raises(WrongStateError, match="Halted"):
            method()
    machine.look(replace(HELD, fault=True), 0)
    assert at(machine) is Vision.HALTED
    assert held(machine) is not None
    assert names(machine) == ["PreoperationalToHalted"]


def test_each_transition_is_one_of_the_companion_specification() -> None:
    text = NODESET.read_text(encoding="utf-8")
    for holds in (False, True):
        machine = Machine(holds=holds)
        views = (HELD, RUNS, BLOCKED, replace(HELD, fault=True), NOTHING)
        methods = (
            machine.select_automatic,
            lambda machine=machine: machine.start(Auto.SINGLE, "job", ""),
            lambda machine=machine: machine.start(Auto.CONTINUOUS, "job", ""),
            machine.stop,
            machine.abort,
            machine.halt,
            machine.reset,
            lambda machine=machine: machine.trigger(1, missed=False),
            lambda machine=machine: machine.record(1),
        )
        seen: set[str] = set()
        number = 1
        for step in range(20_000):
            number = number * 1103515245 + 12345 & 0x7FFFFFFF  # the same steps each time
            choice = number >> 8
            try:
                methods[choice % len(methods)]()
            except (WrongStateError, OnlyMirrorsError):
                choice >>= 4
            machine.look(views[choice % len(views)] if choice % 3 else HELD, step * 300 * MS)
            seen.update(names(machine))
            if machine.vision is not Vision.OPERATIONAL:
                assert machine.auto is None
            if holds and machine.auto not in (Auto.SINGLE, Auto.CONTINUOUS):
                assert held(machine) is not None
        assert len(seen) > (15 if holds else 5)
        assert {name for name in seen if f'BrowseName="1:{name}"' not in text} == set()


def test_only_other_reasons_than_our_own_hold_block(run_dir: Path) -> None:
    with PlayedLine(run_dir) as line:
        assert view_of(line.state, changing=False) == RUNS
        line.hold = Hold("opcua", True, "not started")
        assert view_of(line.state, changing=False) == HELD
        assert view_of(line.state, changing=True) == BLOCKED
        line.blockers = ("camera-top: lost",)
        assert view_of(line.state, changing=False) == BLOCKED
        line.hold, line.blockers, line.fault = Hold("editor", True, "busy"), (), 3
        assert view_of(line.state, changing=False) == replace(BLOCKED, fault=True, held=False)
