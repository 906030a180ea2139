"""The real shift, records and io with a PLC: what people do outlives kill -9, and nothing passes that should not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from okng.bus.part import Action, Outcome, Why
from okng.bus.shift import AlarmState
from okng.plc_io.signals import Status, WireCode
from okng.records.check import check
from okng.records.people_read import PeopleReader

from ..plc_io.conftest import run_dir, wait_for
from .line import People

Open = Callable[..., People]
__all__ = ["run_dir"]
SAMPLES = [{"id": "h1", "name": "hole", "expected": "NG"}, {"id": "g1", "name": "good", "expected": "OK"}]


@pytest.fixture
def people(run_dir: Path, tmp_path: Path) -> Iterator[Open]:
    made: list[People] = []

    def open_line(*, awaits: bool = False, **options: Any) -> People:
        made.append(People(run_dir, tmp_path / "store", options, awaits))
        return made[-1]

    yield open_line
    for one in made:
        one.close()


def ready(line: People) -> bool:
    return Status.READY in line.line.plc.status()


def test_a_challenge_test_keeps_the_line_until_it_is_passed(people: Open) -> None:
    line = people(awaits=True, challenge={"occasions": ["start"], "passes": 2})
    line.line.plc.command = 2
    line.line.until("io waits", lambda: "shift has not spoken yet: the line waits for it" in line.station().reasons)
    line.begin("shift")
    state = line.until("it is due", lambda s: s.challenge.phase == "due" and s.challenge.detail)
    assert state.challenge.detail == "no test parts are set for cap"
    line.line.until("held", lambda: any("challenge test is due (start)" in r for r in line.station().reasons))
    assert not ready(line)
    refused = line.ask("challenge.start")
    assert refused.detail == "no defective test part is set for cap: set them first"
    line.do("challenge.samples", recipe="cap", samples=SAMPLES)
    line.do("challenge.start")
    line.line.until("READY to test", lambda: ready(line))
    assert line.station().mode == "challenge"
    for outcome in (Outcome.NG, Outcome.NG, Outcome.OK, Outcome.OK):
        record, code = line.through(outcome)
        assert (record.disposition.action, record.disposition.why) == (Action.REJECT, Why.CHALLENGE)
        assert code == WireCode.NG
    line.until("passed", lambda s: s.challenge.phase == "unsigned")
    line.line.until("production", lambda: line.station().mode == "production" and ready(line))
    assert line.through(Outcome.OK)[1] == WireCode.OK
    line.do("challenge.sign")
    line.do("challenge.start")
    line.line.until("READY to test", lambda: line.station().mode == "challenge" and ready(line))
    record, code = line.through(Outcome.OK)
    assert (record.disposition.why, code) == (Why.CHALLENGE, WireCode.NG), "a missed test part does not pass"
    state = line.until("failed", lambda s: s.challenge.phase == "failed")
    line.line.until("READY drops", lambda: not ready(line))
    state = line.until("the range", lambda s: s.challenge.hold_last)
    assert (state.challenge.hold_first, state.challenge.hold_last) == (5, 6)
    line.until("the alarm", lambda s: any(alarm.kind == "verify.failed" for alarm in s.alarms))
    line.kill("shift")
    line.line.during(0.3)
    assert not ready(line)
    line.begin("shift")
    state = line.until("it is back", lambda s: s.challenge.phase == "failed")
    assert (state.challenge.hold_first, state.challenge.hold_last) == (5, 6)
    line.do("hold.release", "sorted by hand")
    line.until("due again", lambda s: s.challenge.phase == "due" and not s.challenge.hold_from)
    assert not ready(line)
    events = [row.event for row in PeopleReader(line.store).journal("challenge")]
    assert {"samples set", "started", "passed", "signed", "failed", "hold released"} <= set(events)
    line.line.until("its record", lambda: line.station().counters.in_flight == 0)
    line.line.during(0.3)
    line.close()
    assert check(line.store).problems == []
    line.processes.clear()


def test_io_that_is_killed_in_a_test_lets_nothing_pass_until_the_test_is_repeated(people: Open) -> None:
    line = people(awaits=True, challenge={"occasions": ["start", "restart"], "passes": 1})
    line.line.plc.command = 2
    line.begin("shift")
    line.until("it is due", lambda s: s.challenge.phase == "due")
    line.do("challenge.samples", recipe="cap", samples=SAMPLES)
    line.do("challenge.start")
    line.line.until("READY to test", lambda: ready(line))
    line.kill("io")
    line.begin("io")
    wait_for("io listens", line.io_listens, 20)
    line.line.plc.client.close()
    line.line.until("due again", lambda: (s := line.state()) is not None and s.challenge.phase == "due")
    line.line.until("held", lambda: any("challenge test is due" in reason for reason in line.station().reasons))
    assert not ready(line)
    line.do("challenge.start")
    line.line.until("READY to test", lambda: line.station().mode == "challenge" and ready(line))
    for outcome in (Outcome.NG, Outcome.OK):
        record, code = line.through(outcome)
        assert (record.disposition.why, code) == (Why.CHALLENGE, WireCode.NG)
    assert [record.disposition.action for record in line.records()] == [Action.REJECT, Action.REJECT]
    line.line.until("production", lambda: line.station().mode == "production" and ready(line))
    assert line.through(Outcome.OK)[1] == WireCode.OK


def test_a_bypass_grants_nothing_and_goes_on_while_shift_is_dead(people: Open) -> None:
    line = people()
    line.begin("shift")
    line.until("shift", lambda s: True)
    line.line.during(0.6)  # it hears io, too
    line.line.enable()
    assert line.ask("bypass.set", minutes=5).detail == "a bypass needs a reason"
    assert "at most 120" in line.ask("bypass.set", "why", minutes=121).detail
    line.do("bypass.set", "the camera is being mended", minutes=5)
    line.line.until("bypass", lambda: line.station().mode == "bypass")
    record, code = line.through(Outcome.OK)
    assert (record.disposition.action, record.disposition.why) == (Action.REJECT, Why.BYPASS)
    assert record.verdict is not None
    assert (record.verdict.outcome, code) == (Outcome.OK, WireCode.UNJUDGED)
    line.kill("shift")
    record, _ = line.through(Outcome.OK)
    assert record.disposition.why is Why.BYPASS
    line.begin("shift")
    state = line.until("it is back", lambda s: s.mode.mode == "bypass")
    assert (state.mode.who, state.mode.reason) == ("lea", "the camera is being mended")
    assert line.ask("challenge.start").detail == "a bypass is on: end it first"
    line.do("bypass.end")
    line.line.until("production", lambda: line.station().mode == "production")
    assert line.through(Outcome.OK)[1] == WireCode.OK
    assert line.station().counters.bypass == 2


@pytest.mark.parametrize("step", ["compare", "lot", "apply", "applied", "release"])
def test_a_change_over_that_is_cut_off_leaves_the_old_recipe(people: Open, step: str) -> None:
    line = people(codes=[{"text": "0123", "job": 2, "prefix": True}])
    line.begin("shift")
    line.until("shift", lambda s: True)
    line.line.during(0.6)  # it hears io, too
    line.line.enable()
    assert line.ask("change.begin", code="99").detail == "no product of the settings has the code '99'"
    line.do("change.begin", code="0123456")
    done = {"compare": 0, "lot": 1, "apply": 2, "applied": 2, "release": 2}[step]
    for number in range(2, 2 + done):
        line.do("change.step", step=number, **({"lot": "L-17"} if number == 3 else {}))
    if done == 2:
        line.do("change.step", step=4)
    if step in ("applied", "release"):
        line.line.until("the new job", lambda: line.station().job_number == 2)
    if step == "release":
        line.until("step 6", lambda s: s.change.step == 6)
    if done == 2:
        line.line.until("READY drops", lambda: not ready(line))
    line.kill("shift")
    line.line.during(0.2)
    line.begin("shift")
    line.until("it is over", lambda s: s.change.step == 0)
    line.line.until("the old job", lambda: line.station().job_number == 1 and ready(line))
    assert line.through(Outcome.OK)[1] == WireCode.OK


def test_a_change_over_to_its_end(people: Open) -> None:
    line = people()
    line.begin("shift")
    line.until("shift", lambda s: True)
    line.line.during(0.6)  # it hears io, too
    line.line.enable()
    line.do("change.begin", number=2)
    line.do("change.step", step=2)
    line.do("change.step", step=3, lot="L-17")
    assert "step 4" in line.ask("change.step", step=6).detail
    line.do("change.step", step=4)
    line.until("step 6", lambda s: s.change.step == 6)
    assert not ready(line), "READY stays dropped until the release"
    line.do("change.step", step=6)
    line.line.until("READY", lambda: ready(line))
    state = line.until("over", lambda s: s.change.step == 0)
    assert (state.lot, line.station().job_number) == ("L-17", 2)
    assert line.through(Outcome.OK)[1] == WireCode.OK
    line.kill("shift")
    line.begin("shift")
    line.until("it is back", lambda s: s.lot == "L-17")
    line.line.during(1.2)
    assert line.station().job_number == 2


def test_an_acknowledged_alarm_stays_so_and_what_relaxes_needs_the_ledger(people: Open) -> None:
    line = people()
    line.begin("shift")
    line.until("shift", lambda s: True)
    line.line.during(0.6)  # it hears io, too
    line.line.enable()
    line.box.frozen.add("inspect")
    line.until("the alarm", lambda s: any(a.key == "inspect.silent" for a in s.alarms), 20)
    line.do("alarm.ack", keys=["inspect.silent", "nonsense"])
    line.do("inspection.stop")
    line.kill("shift")
    line.begin("shift")
    state = line.until("it is back", lambda s: s.stopped_by == "lea" and s.alarms)
    (alarm,) = [a for a in state.alarms if a.key == "inspect.silent"]
    assert (alarm.state, alarm.who, alarm.active) == (AlarmState.ACKNOWLEDGED, "lea", True)
    line.processes["records"].kill()
    line.processes["records"].wait(5)
    answer = line.ask("bypass.set", "no ledger", minutes=5)
    assert not answer.done
    assert answer.detail == "records does not answer: it is not written down, so it was not done"
    line.box.frozen.clear()
    line.do("inspection.start")
    line.line.until("READY", lambda: ready(line))
    line.begin("records")
    line.until("it is written", lambda s: not any(a.active and a.kind == "records.silent" for a in s.alarms), 20)

    def written() -> bool:
        return [row.event for row in PeopleReader(line.store).journal("inspection")] == ["started", "stopped"]

    line.line.until("the journal", written, 15)


def test_outputs_are_forced_by_hand_for_a_while(people: Open) -> None:
    line = people()
    line.line.enable()
    assert line.do("force.set", output="LINE_STOP_REQ", on=True, seconds=1)["forced"] == ["LINE_STOP_REQ=1, 1 s left"]
    line.line.until("on the wire", lambda: Status.LINE_STOP_REQ in line.line.plc.status())
    line.line.until("on the bus", lambda: line.station().forced != ())
    refused = line.ask("force.set", output="OK", on=True, seconds=1)
    assert refused.detail == "OK is never forced: it could let a part pass"
    line.line.until("it ends by itself", lambda: Status.LINE_STOP_REQ not in line.line.plc.status())
    assert "fires no gates" in line.ask("pulse.hold", gate="g1", hold_ms=100).detail
    signals = {(row["direction"], row["name"]): row["value"] for row in line.do("io.look")["signals"]}
    assert (signals["out", "READY"], signals["in", "TRIG_ENABLE"]) == (1, 1)
    wire = line.do("io.look")["wire"]
    assert wire["connected"] is True
    assert wire["requests"] > 0
    way: dict[str, Any] = {"distance_mm": 300, "max_speed_mm_s": 500, "deadline_ms": 400, "margin_ms": 50}
    found = line.do("timing.check", **way)
    assert (found["fits"], found["spare_ms"]) == (True, 150)
    assert line.do("timing.check", **{**way, "distance_mm": 200})["spare_ms"] == -50
    assert "expected a number" in line.ask("timing.check", **{**way, "distance_mm": "far"}).detail
