"""Test parts and bypass: whatever the verdict, nothing passes, all is counted apart, and the PLC's own sums add up."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from okng.bus.clock import MS, SECOND
from okng.bus.errors import Refused
from okng.bus.messages import Hold
from okng.bus.part import Action, Disposition, Outcome, Record, Why
from okng.bus.shift import LineMode, Mode
from okng.plc_io.belt import Belt
from okng.plc_io.forces import FORCIBLE, Forces
from okng.plc_io.handshake import Limits
from okng.plc_io.holds import Holds
from okng.plc_io.images import InImage
from okng.plc_io.line_mode import LineModes
from okng.plc_io.signals import Status, WireCode
from okng.plc_io.station import Station
from okng.plc_io.stop_rules import StopRules, Stops
from okng.plc_io.tracker import Tracker

from .belt_scene import Scene
from .belt_scenes import scenes
from .belt_trial import run as run_scene
from .test_station import BUFFERED, JOB, RUN, Desk
from .test_tracker import Run

HARMLESS = {"I6", "I11"}
"""That a good part is rejected, and that OK, NG and UNJUDGED are not all: true of test parts, by design."""
CHALLENGE = LineMode(Mode.CHALLENGE, "ann", "test", 0)
LIMITS = Limits(ack_ns=50 * MS, stuck_ns=40 * MS, peer_ns=500 * MS, late_stop=3)
PRODUCTION = LineMode(Mode.PRODUCTION, "", "", 0)


def bypass(until_ns: int) -> LineMode:
    return LineMode(Mode.BYPASS, "ann", "the camera is being mended", until_ns)


def balanced(desk: Desk) -> bool:
    c = desk.station.counters()
    parts = c.ok + c.ng + c.unjudged + c.challenge + c.bypass
    return c.triggers == parts + c.in_flight and c.ordered == parts - c.ok


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.NG])
@pytest.mark.parametrize(
    ("mode", "why", "code"),
    [(CHALLENGE, Why.CHALLENGE, WireCode.NG), (bypass(0), Why.BYPASS, WireCode.UNJUDGED)],
)
def test_no_part_passes_and_its_verdict_is_kept(mode: LineMode, why: Why, code: WireCode, outcome: Outcome) -> None:
    desk = Desk()
    desk.station.line_mode(mode, desk.now)
    trigger = desk.trigger(5)
    image = desk.judge(trigger, outcome)
    assert image.disposition is code
    assert Status.OK not in image.status
    image = desk.ack()
    record = desk.record(5)
    assert (record.disposition.action, record.disposition.why) == (Action.REJECT, why)
    assert record.verdict is not None
    assert record.verdict.outcome is outcome
    counters = desk.station.counters()
    assert (counters.ok, counters.ng, counters.unjudged) == (0, 0, 0)
    assert counters.challenge + counters.bypass == 1
    assert counters.consecutive_ng == 0
    assert balanced(desk)
    assert image.triggers == image.ok + image.ng + image.unjudged + image.missed


def test_the_mode_is_that_of_the_trigger() -> None:
    desk = Desk(BUFFERED)
    first = desk.trigger(1)
    desk.station.line_mode(CHALLENGE, desk.now)
    second = desk.trigger(2)
    desk.station.line_mode(PRODUCTION, desk.now)
    assert desk.judge(first).disposition is WireCode.OK
    desk.judge(second)
    assert desk.ack().disposition is WireCode.NG


def test_a_test_part_without_a_verdict_is_no_late_part() -> None:
    desk = Desk()
    desk.station.line_mode(CHALLENGE, desk.now)
    for number in (1, 2, 3):
        desk.trigger(number)
        image = desk.wait(100 * MS)
        assert image.disposition is WireCode.NG
        image = desk.ack()
        assert Status.LINE_STOP_REQ not in image.status
    assert desk.station.counters().late == 0
    assert desk.station.counters().challenge == 3


def test_silence_does_not_end_a_test_and_a_bypass_ends_by_itself() -> None:
    modes = LineModes()
    assert modes.at(0) is Mode.PRODUCTION
    modes.take(CHALLENGE)
    assert modes.at(10**18) is Mode.CHALLENGE
    modes.take(bypass(5 * SECOND))
    assert modes.at(5 * SECOND - 1) is Mode.BYPASS
    assert modes.at(5 * SECOND) is Mode.PRODUCTION


def test_a_missed_trigger_is_missed_in_any_mode() -> None:
    desk = Desk()
    desk.station.line_mode(CHALLENGE, desk.now)
    desk.station.allow(("camera top does not answer",))
    desk.look()
    desk.trigger(9)
    assert desk.record(9).disposition.why is Why.LOST
    assert desk.station.counters().missed == 1
    assert balanced(desk)


def test_who_is_awaited_holds_from_the_start() -> None:
    holds = Holds(("shift",))
    assert holds.reasons(0) == ("shift has not spoken yet: the line waits for it",)
    holds.reset(0)
    assert holds.reasons(0)
    holds.take(Hold("shift", True, "the test is due"), 1)
    assert holds.reasons(1) == ("shift holds the line: the test is due",)
    holds.reset(3600 * SECOND)
    assert holds.reasons(3600 * SECOND) == (
        "shift holds the line: the test is due; it is silent since: start it again",
    )
    holds.take(Hold("shift", False, ""), 2)
    assert holds.reasons(2) == ()


def test_the_line_is_not_ready_before_it_is_known_what_the_parts_are() -> None:
    """io began anew in a challenge test: an old word that nobody holds the line comes before the mode does."""
    station = Station("cell", JOB, LIMITS, awaits=("shift",))
    station.allow(())
    words = InImage(SECOND)
    station.receive(words)
    now = SECOND + 1
    station.receive(replace(words, at_ns=now, heartbeat=1, command=RUN))
    station.hold(Hold("shift", False, ""), now)
    assert Status.READY not in station.tick(now).status
    assert station.reasons == ("shift has not spoken yet of what the parts are: the line waits for it",)
    station.line_mode(CHALLENGE, now)
    assert Status.READY in station.tick(now).status
    reasons, mode = list(station.reasons), station.mode
    assert (reasons, mode) == ([], Mode.CHALLENGE)


def test_test_parts_ask_for_no_stop() -> None:
    stops = Stops(StopRules(consecutive=2, k=2, n=3))
    assert [stops.decided(why) for why in (Why.CHALLENGE, Why.BYPASS, Why.NG, Why.CHALLENGE)] == [""] * 4
    assert stops.decided(Why.NG)


@pytest.mark.parametrize("mode", [Mode.CHALLENGE, Mode.BYPASS])
def test_on_the_belt_a_test_part_is_blown_off_whatever_its_verdict(mode: Mode) -> None:
    run = Run()
    run.go(20)
    run.tracker.mode = mode
    part = run.part()
    run.say(part, "OK")
    assert run.dispositions() == [(Action.REJECT, Why(mode.value))]
    run.go(500)
    assert run.fired["g1"]
    (record,) = [event for event in run.events if isinstance(event, Record)]
    assert record.verdict is not None
    assert record.verdict.outcome is Outcome.OK


def test_on_the_belt_a_good_part_close_to_a_test_part_does_not_pass_with_it() -> None:
    run = Run()
    run.go(20)
    run.tracker.mode = Mode.CHALLENGE
    first = run.part()
    run.go(22)
    run.tracker.mode = Mode.PRODUCTION
    second = run.part()
    run.say(second, "OK")
    run.say(first, "OK")
    run.go(500)
    assert [action for action, _ in run.dispositions()] == [Action.REJECT, Action.REJECT]


MODES = st.sampled_from((PRODUCTION, CHALLENGE, bypass(0), bypass(1500 * MS)))
STEPS = st.one_of(
    st.tuples(st.just("mode"), MODES),
    st.tuples(st.just("trigger"), st.just(None)),
    st.tuples(st.just("judge"), st.sampled_from(tuple(Outcome))),
    st.tuples(st.just("ack"), st.just(None)),
    st.tuples(st.just("wait"), st.integers(1, 120 * MS)),
    st.tuples(st.just("force"), st.sampled_from((*FORCIBLE, "OK", "READY", "RESULT_VALID", "HB", "no such"))),
    st.tuples(st.just("lose"), st.just(None)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=40))
def test_nothing_passes_without_an_ok_of_production(steps: list[tuple[str, object]]) -> None:
    desk, forces = Desk(BUFFERED), Forces(frozenset(Status.__members__), frozenset())
    open_parts, number, granted = [], 0, set[int]()
    mode_of: dict[int, Mode] = {}
    said = PRODUCTION
    for name, value in steps:
        match name, value:
            case "mode", LineMode():
                said = value
                desk.station.line_mode(value, desk.now)
            case "trigger", _:
                number += 1
                made = desk.trigger(number)
                ended = said.until_ns and made.at_ns >= said.until_ns
                mode_of[made.part] = Mode.PRODUCTION if ended else said.mode
                open_parts.append(made)
            case "judge", Outcome() if open_parts:
                part = open_parts.pop(0)
                if value is Outcome.OK:
                    granted.add(part.part)
                desk.judge(part, value)
            case "ack", _:
                desk.ack()
            case "wait", int():
                desk.wait(value)
            case "force", str():
                if value in FORCIBLE:
                    forces.set(value, True, 5, "eve", desk.now, busy=False)
                else:
                    with pytest.raises(Refused):
                        forces.set(value, True, 5, "eve", desk.now, busy=False)
            case "lose", _:
                desk.station.link_lost("cut", desk.now)
                desk.write()
            case _:
                pass
        image = desk.look()
        wire = image.status | forces.status
        for event in desk.of(Disposition):
            if event.action is Action.PASS:
                assert event.part in granted
                assert mode_of[event.part] is Mode.PRODUCTION
        if Status.OK in wire:
            assert Status.RESULT_VALID in image.status
            assert image.part in granted
            assert mode_of[image.part] is Mode.PRODUCTION
        assert (Status.READY in wire) == desk.station.ready
        assert balanced(desk)
        assert image.triggers == image.ok + image.ng + image.unjudged + image.missed + desk.station.counters().in_flight


class MixedTracker(Tracker):
    """A tracker to which every third part is a test part, and every fifth one of a bypass."""

    def eye(self, lane: str, counts: int, now_ns: int, part: int = 0) -> int:
        number = self.tally.counters().triggers + 1
        self.mode = Mode.CHALLENGE if number % 3 == 0 else Mode.BYPASS if number % 5 == 0 else Mode.PRODUCTION
        return super().eye(lane, counts, now_ns, part)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(scenes())
def test_on_the_belt_no_test_part_goes_on_whatever_stands_around_it(scene: Scene) -> None:
    trackers: list[MixedTracker] = []

    def make(belt: Belt, rules: StopRules, views: tuple[str, ...], deadline_ns: int) -> Tracker:
        trackers.append(MixedTracker(belt, rules, views=views, deadline_ns=deadline_ns))
        return trackers[0]

    trial = run_scene(scene, make)
    (tracker,) = trackers
    counters = tracker.counters()
    apart = counters.challenge + counters.bypass
    assert counters.triggers == counters.ok + counters.ng + counters.unjudged + apart + counters.in_flight
    assert counters.ordered == counters.ng + counters.unjudged + apart
    # Good parts among test parts are rejected on purpose; nothing else may go wrong.
    assert trial.broken <= HARMLESS, trial.violations
