"""One model takes the place of another: which judges which part, at both cores, and what io asks for first."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from okng.bus.asks import Answer, Ask, Desk, new_id
from okng.bus.clock import MS, SECOND, now_ns
from okng.bus.heartbeat import Beat
from okng.bus.ladder import ChallengerState, Role
from okng.bus.messages import BundleAt, CameraState, Health, InspectState, Job, JobOrder, JobPhase, PastModel
from okng.bus.part import Disposition, Outcome, Trigger, Verdict, Why
from okng.plc_io.belt_options import BeltOptions
from okng.plc_io.belt_station import BeltStation
from okng.plc_io.changeover import Wish
from okng.plc_io.handshake import Limits
from okng.plc_io.images import InImage
from okng.plc_io.job_desk import JobDesk, JobTable, ReadJob
from okng.plc_io.model_swap import KEPT_NS, LEAD_NS, MOST, ModelSwaps
from okng.plc_io.readiness import SWAP_SAID_NS, Watch
from okng.plc_io.signals import Command, Status
from okng.plc_io.station import Station
from okng.plc_io.swap_desk import AtHand, swap_handler

OLD, NEW = "f" * 64, "1" * 64
JOB = Job("cap", "0123456789ab", OLD, 100 * MS)
SWAPPED = replace(JOB, model=NEW)
LIMITS = Limits(ack_ns=500 * MS, stuck_ns=50 * MS, peer_ns=SECOND)
BELT = BeltOptions.model_validate(
    {
        "counts_per_mm": 10.0,
        "max_speed_mm_s": 300.0,
        "part_length_mm": 20.0,
        "min_gap_mm": 40.0,
        "gate": [{"name": "eject", "eye": "eye", "distance_mm": 120.0}],
    }
)


def verdict(trigger: Trigger, model: str, outcome: Outcome = Outcome.OK) -> Verdict:
    return Verdict(
        part=trigger.part,
        outcome=outcome,
        reasons=() if outcome is Outcome.OK else ("score 9.00 above 4.00",),
        defects=(),
        score=1.0,
        threshold=4.0,
        recipe=JOB.recipe,
        revision=JOB.revision,
        model=model,
        camera="top",
        triggered_at_ns=trigger.at_ns,
        frame=None,
        heat=(),
        started_ns=1,
        done_ns=2,
    )


class Handshake:
    """A station with a PLC that buffers, and its moments."""

    def __init__(self) -> None:
        self.station = Station("cell", JOB, LIMITS)
        self.station.allow(())
        self.words, self.now, self.number = InImage(1), 1, 0
        self.dispositions: dict[int, Why] = {}
        self.write(Command(0))
        self.write(Command.TRIG_ENABLE | Command.BUFFER_EN)

    def write(self, command: Command, at: int | None = None, **more: int) -> list[Any]:
        self.now = self.now + MS if at is None else at
        beat = (self.words.heartbeat + 1) & 0xFFFF
        self.words = replace(self.words, at_ns=self.now, command=command, heartbeat=beat, **more)
        self.station.receive(self.words)
        self.image = self.station.tick(self.now)
        events = self.station.events()
        for each in events:
            if isinstance(each, Disposition):
                self.dispositions[each.part] = each.why
        return events

    def part(self, at: int | None = None) -> Trigger:
        self.number += 1
        both = Command.TRIG_ENABLE | Command.BUFFER_EN
        found = [e for e in self.write(both | Command.TRIGGER, at, part=self.number) if isinstance(e, Trigger)]
        self.write(both)
        self.station.exposed(self.number, found[0].at_ns, self.now)
        return found[0]

    def result(self) -> None:
        """The PLC takes the result that is shown."""
        for _ in range(2):
            self.write(self.words.command, seen_seq=self.image.seq, ack_seq=self.image.seq)

    def judged(self, trigger: Trigger, model: str, outcome: Outcome = Outcome.OK) -> Why | None:
        """What becomes of a part by that verdict; None: it was dropped."""
        self.station.submit(verdict(trigger, model, outcome), self.now)
        self.write(self.words.command)
        self.result()
        return self.dispositions.get(trigger.part)


@pytest.mark.parametrize("off_ns", [-1, 0])
def test_the_moment_of_the_trigger_says_which_model_has_to_judge(off_ns: int) -> None:
    line = Handshake()
    assert line.station.swap_model(JOB.revision, OLD, NEW, line.now) == ""
    since = line.station.order("run").since_ns
    assert since == line.now + LEAD_NS
    assert line.station.job == SWAPPED
    trigger = line.part(since + off_ns)
    assert not trigger.missed
    right, wrong = (NEW, OLD) if off_ns >= 0 else (OLD, NEW)
    assert line.judged(trigger, wrong) is None
    assert line.station.counters().stale_verdicts == 1
    assert line.judged(trigger, right) is Why.OK


def test_ready_does_not_drop_and_no_trigger_is_missed_at_a_hundred_swaps() -> None:
    line = Handshake()
    models = [OLD, NEW]
    parts = 0
    for turn in range(100):
        old, new = models[turn % 2], models[1 - turn % 2]
        assert line.station.swap_model(JOB.revision, old, new, line.now) == ""
        line.write(line.words.command)
        assert Status.READY in line.image.status
        since = line.station.order("run").since_ns
        for at in (since - 10 * MS, since + 10 * MS, since + KEPT_NS // 4):
            trigger = line.part(at)
            model = new if at >= since else old
            assert line.judged(trigger, model) is Why.OK, (turn, at - since)
            parts += 1
    sums = line.station.counters()
    assert (sums.triggers, sums.ok, sums.missed, sums.stale_verdicts) == (parts, parts, 0, 0)


def test_an_order_says_which_model_judges_since_when_as_long_as_a_part_may_be_under_way() -> None:
    line = Handshake()
    assert line.station.order("run") == JobOrder("run", 0, JobPhase.STEADY, 1, JOB)
    line.station.swap_model(JOB.revision, OLD, NEW, line.now)
    since = line.station.order("run").since_ns
    order = JobOrder("run", 0, JobPhase.STEADY, 1, SWAPPED, since_ns=since, past=(PastModel(OLD, since),))
    assert line.station.order("run") == order
    line.station.swap_model(JOB.revision, NEW, OLD, line.now)
    order = line.station.order("run")
    assert (order.since_ns, order.job) == (since + 1, JOB)
    assert order.past == (PastModel(OLD, since), PastModel(NEW, since + 1))
    line.station.tick(since + 1 + JOB.deadline_ns + KEPT_NS - 1)
    assert line.station.order("run").past == (PastModel(NEW, since + 1),)
    line.station.tick(since + 1 + JOB.deadline_ns + KEPT_NS)
    assert line.station.order("run").past == ()


def test_what_is_not_as_the_asker_takes_it_to_be_is_refused_and_what_is_done_is_done() -> None:
    station = Handshake().station
    assert "expected revision ffffffffffff" in station.swap_model("ffffffffffff", OLD, NEW, 10 * MS)
    assert "the active model is ffffffffffff" in station.swap_model(JOB.revision, "2" * 64, NEW, 10 * MS)
    assert station.job == JOB
    assert station.swap_model(JOB.revision, OLD, NEW, 10 * MS) == ""
    before = station.order("run")
    assert station.swap_model(JOB.revision, OLD, NEW, 11 * MS) == ""
    assert station.order("run") == before
    for turn in range(1, MOST):
        pair = (OLD, NEW) if turn % 2 == 0 else (NEW, OLD)
        assert station.swap_model(JOB.revision, *pair, 12 * MS) == ""
    assert "ask again in a second" in station.swap_model(JOB.revision, OLD, NEW, 12 * MS)
    station.stop(13 * MS)
    assert station.swap_model(JOB.revision, OLD, NEW, 14 * MS) == "io is stopping"


def test_while_a_job_is_changed_no_model_is_swapped_and_afterwards_nothing_of_it_is_left() -> None:
    line = Handshake()
    line.station.swap_model(JOB.revision, OLD, NEW, line.now)
    line.write(line.words.command | Command.JOB_EXEC, job_request=1, job_token=1)
    assert line.station.jobs.change is None, "the active one has no other file here"
    jobs = Station("cell", JOB, LIMITS, jobs=frozenset({2}), participants=frozenset({"inspect"})).jobs
    jobs.swap(JOB.revision, OLD, NEW, 1)
    jobs.ask(Wish(2, 1, "mes"), 2)
    assert "under way" in jobs.swap(JOB.revision, NEW, OLD, 3)
    jobs.fail("no", 4)
    assert jobs.job == SWAPPED
    assert jobs.swap(JOB.revision, NEW, OLD, 5) == ""


def test_a_belt_judges_a_late_told_edge_by_the_moment_it_was_seen() -> None:
    belt = BeltStation("belt", JOB, LIMITS, BELT, 16, views=("top",))
    belt.allow(())
    belt.move(0, 1)
    belt.outputs(1)
    assert belt.ready, belt.reasons
    assert belt.swap_model(JOB.revision, OLD, NEW, 10 * MS) == ""
    since = belt.order("run").since_ns
    belt.move(0, since)
    assert belt.ready, "a swap is no reason to stop"
    belt.edge("eye", True, 10, since - MS, since + MS)
    belt.edge("eye", False, 60, since + 2 * MS, since + 2 * MS)
    triggers = [each for each in belt.events() if isinstance(each, Trigger)]
    assert [(each.at_ns, each.missed) for each in triggers] == [(since - MS, False)]
    stale = belt.counters().stale_verdicts
    belt.submit(verdict(triggers[0], NEW), since + 3 * MS)
    assert belt.counters().stale_verdicts == stale + 1
    belt.submit(verdict(triggers[0], OLD), since + 4 * MS)
    assert belt.counters().stale_verdicts == stale + 1


def test_past_models_are_looked_up_by_the_moment() -> None:
    swaps = ModelSwaps()
    assert swaps.model_at(5, "c") == "c"
    swaps.begin("a", 0)
    first = swaps.since_ns
    swaps.begin("b", first)
    assert [swaps.model_at(at, "c") for at in (0, first - 1, first, swaps.since_ns - 1, swaps.since_ns)] == [
        *("a", "a", "b", "b", "c")
    ]
    swaps.clear()
    assert (swaps.model_at(0, "c"), swaps.since_ns) == ("c", 0)


# -- what io looks at before -------------------------------------------------------------------------------------------


class Asked:
    """The desk of io for `model.swap`, and what it stands on."""

    def __init__(self, run_dir: Path, *names: str) -> None:
        bundles = tuple(BundleAt(name, digest * 64, f"/{name}") for name, digest in zip(names, "f23", strict=False))
        self.station = Station("cell", JOB, LIMITS)
        self.station.allow(())
        read = ReadJob(JOB, ("not commissioned",), bundles=bundles)
        self.desk = JobDesk(JobTable(1, read, frozenset({1}), lambda number: read), run_dir)
        self.models: tuple[str, ...] = (OLD, NEW)
        self.why, self.told, self.ready = "", 0, True
        handler = swap_handler(self.station, self.desk, lambda job, at: AtHand(self.models, self.why), self.tell)
        self.asks = Desk("io", {"model.swap": handler})

    def tell(self, at: int, ready: bool) -> None:
        self.told, self.ready = self.told + 1, ready

    def ask(self, **change: Any) -> Answer:
        body = {"job": 1, "recipe": JOB.revision, "from_model": OLD, "to_model": NEW, "folder": "/new"}
        return self.asks.answer(Ask(new_id(), "model.swap", "sync", "", "", {**body, **change}))

    def order(self) -> JobOrder:
        return self.desk.with_bundles(self.station.order("run"))


def test_a_swap_is_told_before_it_is_answered_and_the_order_says_where_the_bundle_lies(tmp_path: Path) -> None:
    asked = Asked(tmp_path, "current")
    answer = asked.ask()
    assert answer.done, answer.detail
    assert (asked.told, asked.station.job) == (1, SWAPPED)
    assert answer.body == {"since_ns": asked.order().since_ns, "from_model": OLD, "to_model": NEW}
    assert asked.order().bundles == (BundleAt("current", NEW, "/new"),)
    assert asked.desk.blockers(1, SWAPPED) == ("not commissioned",), "what held of the job still holds"
    again = asked.ask()
    assert (again.done, again.body, asked.told) == (True, answer.body, 1)
    back = asked.ask(from_model=NEW, to_model=OLD, folder="/current")
    assert back.done, back.detail
    assert asked.order().bundles == (BundleAt("current", OLD, "/current"),)


def test_of_several_bundles_one_is_named(tmp_path: Path) -> None:
    asked = Asked(tmp_path, "current", "other")
    assert asked.ask(replaces="2" * 64, bundle="4" * 64, folder="/fresh").done
    assert asked.order().bundles == (BundleAt("current", OLD, "/current"), BundleAt("other", "4" * 64, "/fresh"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"job": 2}, "job 2: expected 1, which is active"),
        ({"job": True}, "job = True: expected a number"),
        ({"recipe": "ffffffffffff"}, "expected revision ffffffffffff"),
        ({"from_model": "2" * 64}, "replaces = 222222222222: expected a bundle of job 1: ffffffffffff"),
        ({"from_model": "2" * 64, "replaces": OLD}, "the active model is ffffffffffff: expected 222222222222"),
        ({"to_model": "3" * 64}, "inspect is not ready with model 333333333333: it has ffffffffffff, 111111111111"),
        ({"to_model": "x"}, "to_model = 'x': expected a digest of 64 hex digits"),
        ({"folder": ""}, "folder = '': expected text"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    asked = Asked(tmp_path, "current")
    answer = asked.ask(**change)
    assert not answer.done
    assert told in answer.detail
    assert (asked.station.job, asked.told) == (JOB, 0)


def test_inspect_that_is_not_ready_with_it_is_a_refusal(tmp_path: Path) -> None:
    asked = Asked(tmp_path, "current")
    asked.models, asked.why = (), "inspect has a fault"
    assert "inspect is not ready with model 111111111111: inspect has a fault" in asked.ask().detail
    assert asked.station.job == JOB
    assert "wait = 'yes': expected true or false" in asked.ask(wait="yes").detail
    assert asked.ask(wait=True).done, "the model that judges must not go on: it is waited for with READY off"
    assert (asked.station.job, asked.told, asked.ready) == (SWAPPED, 1, False)


class Said:
    """What inspect says of itself, held by io's watch."""

    def __init__(self) -> None:
        self.watch, self.now = Watch(("top",), 1, JOB), now_ns()
        self.job, self.at_hand, self.revision = JOB, (OLD, NEW), JOB.revision
        self.say()

    def say(self) -> None:
        self.watch.inspect(InspectState(Health.READY, self.job, "CPUExecutionProvider", 0, ""), self.now)
        trial = ChallengerState(1, NEW, Role.SHADOW, True, "", 0, 0, revision=self.revision, at_hand=self.at_hand)
        self.watch.challenger(trial, self.now)
        camera = CameraState("top", Health.READY, 1, "", 0, 0, 0, 0, 0, 0, 0, "host", 0, 1, JOB.revision)
        self.watch.camera(camera, self.now)

    def blockers(self) -> tuple[str, ...]:
        beats = {name: Beat(name, 7, Health.READY, self.now, 0, 1) for name in ("camera-top", "inspect")}
        return self.watch.look(beats, self.now).blockers


def test_inspect_may_speak_of_the_model_before_for_a_second_and_not_longer() -> None:
    said = Said()
    assert said.blockers() == ()
    assert said.watch.differs_in_model(1, SWAPPED)
    assert not said.watch.differs_in_model(2, SWAPPED)
    assert not said.watch.differs_in_model(1, replace(SWAPPED, revision="ba9876543210"))
    said.watch.swap(SWAPPED, said.now)
    assert said.blockers() == ()
    said.now += SWAP_SAID_NS - 1
    said.say()
    assert said.blockers() == ()
    said.now += 1
    said.say()
    assert "inspect has another job than io" in said.blockers()[0]
    said.job = SWAPPED
    said.say()
    assert said.blockers() == ()
    said.watch.follow(1, JOB)
    assert "inspect has another job than io" in said.blockers()[0]


CASES: dict[str, tuple[Callable[[Said], None], str]] = {
    "silent": (lambda said: setattr(said, "now", said.now + 10 * SECOND), "says nothing yet"),
    "of another revision": (lambda said: setattr(said, "revision", "ba9876543210"), "it speaks of revision"),
    "of another job": (lambda said: setattr(said, "job", replace(JOB, revision="ba9876543210")), "another job"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_inspect_has_at_hand_is_believed_only_of_this_very_job_and_now(case: str) -> None:
    said = Said()
    assert said.watch.at_hand(JOB, said.now) == ((OLD, NEW), "")
    change, why = CASES[case]
    change(said)
    if case != "silent":
        said.say()
    found = said.watch.at_hand(JOB, said.now)
    assert found[0] == ()
    assert why in found[1]
