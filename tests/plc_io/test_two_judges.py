"""io and the two judges: the later one is believed, whoever speaks twice is counted; and who is given up is shown."""

from dataclasses import replace
from pathlib import Path

from okng.bus.channel import Publisher, inspect_address
from okng.bus.clock import now_ns
from okng.bus.degraded import give_up, take_back
from okng.bus.messages import Health, InspectState, StationState
from okng.bus.part import Outcome, Why
from okng.plc_io.signals import Command, Status, WireCode

from .conftest import JOB, Line, verdict_of


def state_of(line: Line) -> StationState:
    """What io last said of the line."""
    return [each for each in line.box.of(StationState) if isinstance(each, StationState)][-1]


def test_an_ok_of_the_judge_before_lets_no_part_pass(line: Line, run_dir: Path) -> None:
    line.enable(Command.BUFFER_EN)
    first, second = now_ns(), now_ns() + 1
    other = Publisher(inspect_address(run_dir, 2))
    line.during(0.5)  # io finds the other address
    trigger = line.trigger(1)
    line.box.inspect.send(replace(verdict_of(trigger), judge_ns=first))
    assert line.result()[5:7] == [1, WireCode.OK]
    trigger = line.trigger(2)
    other.send(InspectState(Health.READY, JOB, "CPUExecutionProvider", 0, "", judge_ns=second))
    line.during(0.1)
    line.box.inspect.send(replace(verdict_of(trigger), judge_ns=first))  # it was on its way when its judge died
    line.during(0.05)
    other.send(replace(verdict_of(trigger, Outcome.NG), judge_ns=second))
    assert line.result()[5:7] == [2, WireCode.NG]
    trigger = line.trigger(3)
    other.send(replace(verdict_of(trigger), judge_ns=second))
    assert line.result()[5:7] == [3, WireCode.OK]
    line.box.inspect.send(replace(verdict_of(trigger, Outcome.NG), judge_ns=first))
    trigger = line.trigger(4)
    line.box.inspect.send(replace(verdict_of(trigger), judge_ns=2**62))  # a seat in the future is nobody's
    assert line.result()[5:7] == [4, WireCode.LATE]
    assert [line.record(part).disposition.why for part in (1, 2, 3, 4)] == [Why.OK, Why.NG, Why.OK, Why.LATE]
    line.until("the counters", lambda: state_of(line).counters.stale_verdicts == 3)
    other.close()


def test_who_is_given_up_is_shown_to_the_plc_while_the_line_goes_on(line: Line, run_dir: Path) -> None:
    line.enable()
    assert Status.DEGRADED not in line.plc.status()
    give_up(run_dir, "web", "exit code 3")
    line.until("DEGRADED", lambda: Status.DEGRADED in line.plc.status())
    assert Status.READY in line.plc.status()
    take_back(run_dir, {"web"})
    line.until("well again", lambda: Status.DEGRADED not in line.plc.status())
