"""The tracker by itself: what the box finds on the belt when it begins, gates by kind, and what takes an OK back."""

from dataclasses import replace

import pytest

from okng.bus.part import Action, Defect, Disposition, Outcome, Record, Trigger, Verdict, Why
from okng.plc_io.belt import Belt, Gate, Lane
from okng.plc_io.stop_rules import StopRules
from okng.plc_io.tracker import Tracker

from .belt_line import verdict

MS = 1_000_000
TICK = 2 * MS
GATES = (Gate("g1", distance_mm=200.0), Gate("g2", distance_mm=320.0, kinds=("scratch",)))
BELT = Belt(counts_per_mm=10.0, lanes=(Lane("a", GATES),), max_speed_mm_s=500.0)
SPEED_COUNTS = 8  # a tick: 400 mm/s


class Run:
    """A belt that runs evenly."""

    def __init__(self, *, clear: bool = True) -> None:
        self.tracker = Tracker(BELT, StopRules(), deadline_ns=10_000 * MS)
        if clear:
            self.tracker.belt_is_clear()
        self.counts, self.now = 1000, 0
        self.events: list[object] = []
        self.fired: dict[str, list[float]] = {"g1": [], "g2": []}

    @property
    def mm(self) -> float:
        return (self.counts - 1000) / 10

    def go(self, mm: float) -> None:
        until = self.counts + round(mm * 10)
        while self.counts < until:
            self.counts, self.now = self.counts + SPEED_COUNTS, self.now + TICK
            self.tracker.move(self.counts, self.now)
            for gate in self.tracker.tick(self.now).valves:
                self.fired[gate].append(self.mm)
            self.events += self.tracker.events()

    def part(self) -> Trigger:
        number = self.tracker.eye("a", self.counts, self.now)
        self.events += self.tracker.events()
        return next(e for e in self.events if isinstance(e, Trigger) and e.part == number)

    def say(self, trigger: Trigger, outcome: str, kind: str = "") -> None:
        said = verdict(trigger.part, trigger.at_ns, "top", outcome, self.now)
        if kind:
            said = replace(said, defects=(Defect(kind, "whole", 0, 0, 1, 1, 9.0),))
        self.tracker.submit(said, self.now)
        self.events += self.tracker.events()

    def dispositions(self) -> list[tuple[Action, Why]]:
        return [(e.action, e.why) for e in self.events if isinstance(e, Disposition)]


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.mark.parametrize(("kind", "gate", "other"), [("scratch", "g2", "g1"), ("dent", "g1", "g2"), ("", "g1", "g2")])
def test_a_reject_leaves_at_the_gate_of_its_kind(run: Run, kind: str, gate: str, other: str) -> None:
    run.go(20)
    part = run.part()
    run.say(part, "NG", kind)
    run.go(500)
    at = next(each.distance_mm for each in GATES if each.name == gate)
    assert run.fired[other] == []
    assert run.fired[gate]
    assert 20 + at - 20 < run.fired[gate][0] <= 20 + at - 2
    assert 20 + at < run.fired[gate][-1] < 20 + at + 40
    assert sum(isinstance(event, Record) for event in run.events) == 1


def test_a_part_nobody_judged_leaves_where_all_do(run: Run) -> None:
    run.go(20)
    run.part()
    run.go(500)
    assert run.fired["g1"]
    assert run.fired["g2"] == []
    assert run.dispositions() == [(Action.REJECT, Why.LATE)]


def test_what_lay_on_the_belt_before_the_box_began_is_rejected_and_what_came_after_is_not() -> None:
    run = Run(clear=False)
    run.go(20)
    part = run.part()
    run.say(part, "OK")
    run.go(600)
    # Air from the start until the new part comes, and again no sooner than all that was there is past.
    quiet = [mm for mm in run.fired["g1"] if 212 < mm < 270]
    assert run.fired["g1"][0] < 5
    assert quiet == []
    assert max(run.fired["g1"]) < 362 + 5
    assert run.dispositions() == [(Action.PASS, Why.OK)]


@pytest.mark.parametrize("said", ["NG", "UNJUDGED", "lost"])
def test_an_ok_that_is_taken_back_before_its_place_is_a_reject(run: Run, said: str) -> None:
    run.go(20)
    part = run.part()
    run.say(part, "OK")
    run.go(50)
    if said == "lost":
        run.tracker.lost(part.part, part.at_ns, run.now)
    else:
        run.say(part, said)
    run.go(500)
    assert run.dispositions() == [(Action.REJECT, Why.LOST)]
    assert run.fired["g1"]


def test_after_its_place_it_changes_nothing(run: Run) -> None:
    run.go(20)
    part = run.part()
    run.say(part, "OK")
    run.go(190)
    run.say(part, "NG")
    run.go(300)
    assert run.dispositions() == [(Action.PASS, Why.OK)]
    assert run.tracker.counters().stale_verdicts == 1


def test_an_encoder_that_is_silent_or_stands_under_passing_parts_is_a_fault(run: Run) -> None:
    run.go(20)
    run.part()
    run.now += 150 * MS
    assert run.tracker.tick(run.now).line_stop
    assert "no sample" in run.tracker.fault
    standing = Run()
    standing.go(20)
    for _ in range(4):
        standing.now += 100 * MS
        standing.tracker.move(standing.counts, standing.now)
        standing.tracker.eye("a", standing.counts, standing.now)
    assert "does it count?" in standing.tracker.fault


def test_a_number_given_twice_is_a_fault_and_its_part_a_reject(run: Run) -> None:
    run.go(20)
    assert run.tracker.eye("a", run.counts, run.now, 77) == 77
    run.go(100)
    again = run.tracker.eye("a", run.counts, run.now, 77)
    assert again != 77
    assert "number the parts anew" in run.tracker.fault
    assert run.tracker.counters().unjudged == 2
    run.tracker.reset(run.now)
    assert run.tracker.fault == ""


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        (replace(GATES[1], resync_mm=319.0), "gate g2: resync_mm = 319"),
        (replace(GATES[1], confirm_mm=1.0), "gate g2: confirm_mm = 1"),
    ],
)
def test_every_gate_of_a_lane_is_checked(gate: Gate, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(BELT, lanes=(Lane("a", (GATES[0], gate)),))


@pytest.mark.parametrize(
    "name", ["valve_on_ms", "valve_off_ms", "link_ms", "pulse_ms", "before_mm", "after_mm", "jet_mm"]
)
def test_a_gate_with_less_than_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} = -1.0: expected"):
        replace(GATES[0], **{name: -1.0})  # type: ignore[arg-type]


def test_a_part_without_a_picture_is_recorded_with_the_reason(run: Run) -> None:
    run.go(20)
    part = run.part()
    run.tracker.lost(part.part, part.at_ns, run.now, reason="gap")
    run.go(500)
    assert run.dispositions() == [(Action.REJECT, Why.LOST)]
    assert [event.lost for event in run.events if isinstance(event, Record)] == ["no picture: gap"]


def test_a_verdict_of_two_views_needs_both(run: Run) -> None:
    tracker = Tracker(BELT, StopRules(), views=("top", "side"), deadline_ns=10_000 * MS)
    tracker.belt_is_clear()
    tracker.move(1000, 0)
    number = tracker.eye("a", 1000, 0)
    trigger = next(e for e in tracker.events() if isinstance(e, Trigger))

    def say(view: str) -> Verdict:
        return verdict(number, trigger.at_ns, view, Outcome.OK.value, 0)

    tracker.submit(say("top"), 0)
    tracker.submit(say("top"), 0)
    assert tracker.counters().stale_verdicts == 1
    tracker.lost(number, trigger.at_ns, 0, "side")
    assert [e.why for e in tracker.events() if isinstance(e, Disposition)] == [Why.LOST]
