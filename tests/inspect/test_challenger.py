"""A model on trial in one process: what it sees, what it may say, and what ends its trial."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from okng.bus.carried import carry, deaths, forgive, put_down
from okng.bus.clock import MS, now_ns
from okng.bus.ladder import ChallengerOrder, ChallengerState, Compared, Role
from okng.bus.messages import PastModel
from okng.bus.part import Outcome, Verdict, Vote
from okng.bus.ring import RingShelf
from okng.inspect import challenger as challenger_file
from okng.inspect.bench import Bench
from okng.inspect.canary import OBJECTS, SILENT, both, can_pass
from okng.inspect.challenger import Challenger
from okng.inspect.courtesy import Courtesy
from okng.inspect.inspector import Inspector
from okng.inspect.judge import Judgement
from okng.inspect.looked import Again, Looked
from okng.inspect.memory import lacks_memory
from okng.inspect.pace import Pace
from okng.inspect.slack import Slack
from okng.tests.models.conftest import graph

from .trial_rig import BAD, BETWEEN, GOOD, POISON, Rig, narrow, poisoned, until, write


class Judge:
    """The loop of inspect, as far as a model on trial meets it."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.shelf = rig, RingShelf(rig.run_dir)
        self.bench = Bench(rig.inspector(), lambda *asked: rig.inspector())
        self.challenger = Challenger(self.bench, rig.run_dir, 1)
        self.job = self.bench.active.job
        self.bench.follow(rig.job_order(self.job, "plain"))
        self.compared: list[Compared] = []
        self.turn()

    def turn(self) -> None:
        self.bench.turn()
        self.challenger.turn(judges=True)
        self.compared += self.challenger.compared()

    def state(self) -> ChallengerState:
        self.challenger._due_ns = 0
        said = self.challenger.state(1)
        assert said is not None
        return said

    def tries(self, order: ChallengerOrder) -> ChallengerState:
        """Follow an order until it is ready or refused."""
        self.challenger.follow(order)

        def done() -> bool:
            self.turn()
            return self.state().ready or bool(self.state().trouble)

        assert until(done)
        return self.state()

    def part(self, level: int, at_ns: int | None = None) -> Verdict:
        """Judge one part as the loop does."""
        frame = self.rig.frame(level, at_ns)
        self.challenger.heard(frame)
        self.challenger.courtesy.busy()
        judge, looked = self.bench.judge_of(frame.triggered_at_ns), None
        if self.challenger.looks:
            verdict, looked = judge.looked(frame, self.shelf)
            verdict = self.challenger.before(frame, verdict, looked)
        else:
            verdict = judge.verdict(frame, self.shelf)
        self.challenger.after(frame, verdict, looked)
        self.turn()
        return verdict

    def paced(self, level: int, count: int, period_s: float = 0.02) -> list[Verdict]:
        """Parts at a rate, and what the loop does in between."""
        made = []
        for _ in range(count):
            end = time.monotonic() + period_s
            made.append(self.part(level))
            while self.challenger.waits:
                self.challenger.spare()
            self.turn()
            time.sleep(max(0.0, end - time.monotonic()))
        return made

    def paced_until(self, level: int, pair: tuple[str, str]) -> list[Verdict]:
        """Parts at a rate until one was compared with that result: a busy machine leaves no time for many."""
        made: list[Verdict] = []
        while not any((c.champion_outcome, c.challenger_outcome) == pair for c in self.compared):
            made += self.paced(level, 5, 0.03)
            assert len(made) < 500, "never looked at"
        return made

    def close(self) -> None:
        self.challenger.end()
        self.challenger.close()
        self.bench.close()
        self.shelf.close()
        self.rig.ring.close()


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Judge]:
    made = Judge(Rig(tmp_path))
    yield made
    made.close()


def test_in_the_shadow_it_sees_what_was_judged_and_changes_nothing(judge: Judge) -> None:
    assert judge.tries(judge.rig.trial("keen")).role is Role.SHADOW
    said = judge.paced(GOOD, 20)  # the first ones have no period yet
    for level, pair in ((GOOD, ("OK", "OK")), (BETWEEN, ("OK", "NG")), (BAD, ("NG", "NG"))):
        said += judge.paced_until(level, pair)
    outcomes = {(each.outcome, each.score) for each in said}
    assert outcomes == {(Outcome.OK, 100.0), (Outcome.OK, 170.0), (Outcome.NG, 250.0)}
    assert {each.model for each in said} == {judge.job.model}
    for each in judge.compared:
        assert each.challenger_score == pytest.approx(each.champion_score * 1.25)
        assert (each.champion, each.challenger) == (judge.rig.bundles["plain"], judge.rig.bundles["keen"])
        assert each.took_ns > 0
    state = judge.state()
    assert state.parts == len(judge.compared)
    assert state.parts + state.skipped <= len(said)
    assert state.disagreed == sum(each.champion_outcome != each.challenger_outcome for each in judge.compared)
    assert 0 < state.typical_ms <= state.slowest_ms <= state.budget_ms == 1000


def test_a_frame_that_waits_goes_first_and_what_was_not_looked_at_is_left(judge: Judge) -> None:
    judge.tries(judge.rig.trial("keen"))
    judge.paced(GOOD, 20)
    seen = judge.state().parts
    judge.part(GOOD)
    assert judge.challenger.waits
    judge.part(GOOD)
    assert judge.state().skipped >= 1
    assert judge.state().parts == seen


def test_as_a_canary_only_what_both_call_ok_is_ok(judge: Judge) -> None:
    judge.tries(judge.rig.trial("keen", Role.CANARY))
    good, between, bad = (judge.paced(level, 1)[0] for level in (GOOD, BETWEEN, BAD))
    assert (good.outcome, good.reasons, good.model) == (Outcome.OK, (), judge.job.model)
    assert between.outcome is Outcome.NG
    assert between.reasons == (OBJECTS, "score 212.50 above 200.00 in region bore")
    assert between.defects
    assert (between.score, between.model) == (212.5, judge.job.model)
    assert (bad.outcome, bad.reasons) == (Outcome.NG, ("score 250.00 above 200.00 in region bore",))
    assert [each.role for each in judge.compared] == [Role.CANARY] * 2, "without a period there is no time beside"
    judge.paced(GOOD, 20)
    judge.paced_until(BAD, ("NG", "NG"))  # what is rejected anyway is compared where there is time


@pytest.mark.parametrize("role", [Role.SHADOW, Role.CANARY])
def test_one_that_gives_nan_is_dropped_at_once_and_the_line_goes_on(judge: Judge, role: Role) -> None:
    judge.rig.add("poisoned", poisoned())
    order = judge.rig.trial("poisoned", role)
    judge.tries(order)
    judge.paced(GOOD, 20)
    said = judge.part(POISON) if role is Role.CANARY else judge.paced_until(POISON, ("OK", "UNJUDGED"))[-1]
    state = judge.state()
    assert not state.ready
    assert state.role is Role.NONE
    assert "NaN" in state.trouble
    if role is Role.CANARY:
        assert said.outcome is Outcome.UNJUDGED
        assert said.reasons[0].startswith(SILENT)
    else:
        assert said.outcome is Outcome.OK
    assert judge.part(POISON).outcome is Outcome.OK
    judge.turn()
    assert not judge.challenger.looks, "not again under the same order"
    judge.tries(replace(order, number=order.number + 1))
    assert judge.challenger.looks


def _slow(inspector: Inspector, looked: Looked, bundle: str) -> Again | None:
    time.sleep(0.03)
    return AGAIN(inspector, looked, bundle)


def _breaks(inspector: Inspector, looked: Looked, bundle: str) -> Again | None:
    raise IndexError("out of its mind")


AGAIN = Inspector.again
BROKEN: dict[str, tuple[Callable[..., Any], str]] = {
    "too slow": (_slow, "ms for a picture, expected 10.0 ms at most"),
    "an error": (_breaks, "IndexError: out of its mind"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_canary_that_fails_takes_the_ok_of_that_one_part_and_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    rig = Rig(tmp_path)
    rig.add("prompt", poisoned(), budget_ms=10.0)
    judge = Judge(rig)
    assert judge.tries(rig.trial("prompt", Role.CANARY)).budget_ms == 10.0
    broken, told = BROKEN[how]
    monkeypatch.setattr(Inspector, "again", broken)
    said = judge.part(GOOD)
    assert said.outcome is Outcome.UNJUDGED
    assert said.reasons[0].startswith(SILENT)
    assert told in judge.state().trouble
    assert judge.part(GOOD).outcome is Outcome.OK
    judge.close()


def test_in_the_shadow_the_second_slow_look_of_a_thousand_ends_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = Rig(tmp_path)
    rig.add("prompt", poisoned(), budget_ms=10.0)
    judge = Judge(rig)
    judge.tries(rig.trial("prompt"))
    monkeypatch.setattr(Inspector, "again", _slow)
    for _ in range(30):
        judge.paced(GOOD, 10, 0.08)
        if not judge.state().ready:
            break
    assert "too slow: 99.9 %" in judge.state().trouble
    assert judge.state().parts == 2
    judge.close()


def test_one_that_has_no_time_before_the_deadline_lets_nothing_pass(judge: Judge) -> None:
    judge.tries(judge.rig.trial("keen", Role.CANARY))
    late = now_ns() - judge.job.deadline_ns + 5 * MS
    said = judge.part(GOOD, late)
    assert said.outcome is Outcome.UNJUDGED
    assert not judge.state().trouble
    assert judge.part(GOOD).outcome is Outcome.OK
    if said.reasons[0].startswith(SILENT):  # a busy machine finds that the frame itself is too late
        judge.part(GOOD, now_ns() - judge.job.deadline_ns + 5 * MS)
        assert "too slow" in judge.state().trouble or judge.state().ready


def test_what_cannot_be_loaded_is_refused_with_the_reason(judge: Judge) -> None:
    rig = judge.rig
    (rig.folder / "keen" / "golden" / "100.png").write_bytes(b"not as it was")
    assert "100.png" in judge.tries(rig.trial("keen")).trouble
    wrong = rig.trial("plain", bundle="a" * 64)
    assert f"expected {'a' * 64}" in judge.tries(wrong).trouble
    rig.add("colour", narrow(), input={"name": "picture", "width": 32, "height": 32, "channels": 3, "crop": "area-1"})
    assert judge.tries(rig.trial("colour")).trouble
    assert judge.part(GOOD).outcome is Outcome.OK


@pytest.mark.parametrize("other", [{"job": 2}, {"recipe": "ffffffffffff"}, {"replaces": "b" * 64}])
def test_an_order_of_another_job_or_model_loads_nothing(judge: Judge, other: dict[str, Any]) -> None:
    judge.challenger.follow(judge.rig.trial("keen", **other))
    for _ in range(5):
        judge.turn()
    state = judge.state()
    assert (state.ready, state.trouble, judge.challenger._loading) == (False, "", None)


def test_an_older_order_is_passed_over_and_none_ends_the_trial(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    old = judge.rig.trial("plain", replaces="keen")
    judge.tries(judge.rig.trial("keen"))
    judge.challenger.follow(old)
    judge.turn()
    assert judge.challenger.looks
    judge.challenger.follow(judge.rig.trial("keen", Role.NONE))
    judge.turn()
    assert not judge.state().ready
    assert judge.state().at_hand == (judge.job.model,)
    monkeypatch.setattr(challenger_file, "FORGOTTEN_NS", 0)
    judge.challenger.follow(old)
    assert judge.state().number == old.number, "sync counts from the beginning: it has lost its file"


def test_a_swap_finds_it_ready_and_each_part_is_judged_by_the_model_of_its_trigger(judge: Judge) -> None:
    rig = judge.rig
    state = judge.tries(rig.trial("keen"))
    plain, keen = rig.bundles["plain"], rig.bundles["keen"]
    assert (state.model, set(state.at_hand)) == (keen, {plain, keen})
    since = now_ns() + 40 * MS
    swapped = replace(judge.job, model=keen)
    judge.bench.follow(rig.job_order(swapped, "keen", since, PastModel(plain, since)))
    judge.turn()
    assert judge.bench.active.job == swapped
    before, after = judge.part(BETWEEN), judge.part(BETWEEN, since)
    assert [(each.model, each.outcome) for each in (before, after)] == [(plain, Outcome.OK), (keen, Outcome.NG)]
    state = judge.state()
    assert (state.ready, state.role, state.model) == (True, Role.NONE, keen)
    judge.bench.follow(rig.job_order(swapped, "keen", since))
    judge.challenger.follow(rig.trial("keen", Role.NONE))
    judge.turn()
    assert set(judge.state().at_hand) == {plain, keen}, "the last good one stays loaded"

    back = now_ns() + 1
    judge.bench.follow(rig.job_order(judge.job, "plain", back, PastModel(keen, back)))
    judge.turn()
    assert judge.part(BETWEEN, back - 1).model == keen
    assert judge.part(BETWEEN, back).model == plain


def test_the_last_good_one_goes_after_a_day_or_when_memory_is_short(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = judge.rig
    judge.tries(rig.trial("keen"))
    keen = replace(judge.job, model=rig.bundles["keen"])
    judge.bench.follow(rig.job_order(keen, "keen", 1, PastModel(judge.job.model, 1)))
    judge.turn()
    judge.bench.follow(rig.job_order(keen, "keen", 1))
    judge.turn()
    assert judge.bench.last_good is not None
    for file in ("challenger", "way_back"):
        monkeypatch.setattr(f"okng.inspect.{file}.lacks_memory", lambda: "3 MB of memory are free, expected 256")
    judge.challenger._way_back._memory_due_ns = 0
    judge.turn()
    assert judge.state().at_hand == (keen.model,)
    assert "no room" in judge.tries(rig.trial("plain", replaces="keen")).trouble


def test_several_bundles_and_one_of_them_is_on_trial(tmp_path: Path) -> None:
    regions = [
        {"name": "bore", "box": [0, 0, 32, 32]},
        {"name": "rim", "box": [32, 0, 32, 32], "bundle": "other"},
    ]
    other = write(tmp_path / "other", graph(), version="2.0.0")
    judge = Judge(Rig(tmp_path, more={"regions": regions}))
    assert judge.bench.active.digests == {judge.rig.bundles["plain"], other}
    state = judge.tries(judge.rig.trial("keen", Role.CANARY))
    assert state.ready
    assert state.model not in {judge.job.model, judge.rig.bundles["keen"]}
    assert judge.part(BETWEEN).reasons == (OBJECTS, "score 212.50 above 200.00 in region bore")
    twin = judge.bench.has(state.model)
    assert twin is not None
    shared = set(map(id, twin.models.keepers)) & set(map(id, judge.bench.active.models.keepers))
    assert len(shared) == 1, "the other bundle is loaded once"
    judge.close()


# -- the pure ones -----------------------------------------------------------------------------------------------------


def test_there_is_slack_only_when_the_period_is_known_and_the_next_part_is_not_due(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    slack, at = Slack(2), 10**9
    for _ in range(17):
        at += 100 * MS
        first = replace(rig.frame(GOOD, at), ready_ns=at + 10 * MS)
        assert slack.heard(first)
        assert slack.left_ns(at) == 0, "the other camera's picture is still to come"
        assert not slack.heard(replace(first, camera="side"))
    assert slack.period_ns == 100 * MS
    assert slack.left_ns(at + 30 * MS) == (100 + 10 - 30 - 1) * MS
    assert slack.left_ns(at + 115 * MS) < 0
    at += 40 * MS
    slack.heard(replace(rig.frame(GOOD, at), ready_ns=at + 10 * MS))
    slack.heard(replace(rig.frame(GOOD, at), ready_ns=at + 10 * MS))
    assert slack.left_ns(at + 30 * MS) == (40 + 10 - 30 - 1) * MS, "the shortest distance so far is reckoned with"
    rig.ring.close()


def test_who_loads_beside_gives_way_while_a_picture_is_judged_or_due(monkeypatch: pytest.MonkeyPatch) -> None:
    courtesy, begun = Courtesy(), time.monotonic()
    courtesy.give_way()
    assert time.monotonic() - begun < 0.4, "nothing is judged, and nobody knows when"
    courtesy.busy()
    threading.Timer(0.1, lambda: courtesy.idle(0)).start()
    begun = time.monotonic()
    courtesy.give_way()
    assert time.monotonic() - begun >= 0.09
    courtesy.idle(now_ns() + 20 * MS)
    begun = time.monotonic()
    courtesy.give_way()
    assert time.monotonic() - begun >= 0.07, "until the part is overdue"
    courtesy.busy()
    monkeypatch.setattr("okng.inspect.courtesy.MOST_WAIT_S", 0.05)
    begun = time.monotonic()
    courtesy.give_way()
    assert time.monotonic() - begun >= 0.04, "a judge that is never idle is not waited for for ever"


def test_pace_forgets_a_slow_one_that_would_keep_it_from_ever_looking_again() -> None:
    pace = Pace(50 * MS, 4 * MS)
    assert pace.need_ns == 4 * MS * 6 // 5
    for took in [5 * MS] * 30 + [90 * MS]:
        pace.took(took)
    assert pace.need_ns == 108 * MS
    assert not pace.is_too_slow
    for _ in range(100):
        pace.waited()
    assert pace.need_ns == 6 * MS
    pace.took(60 * MS)
    assert pace.is_too_slow


def _again(outcome: Outcome, votes: tuple[Vote, ...] = (), apart: Outcome | None = None) -> Again:
    reasons = () if outcome is Outcome.OK else ("score 9.00 above 4.00 in region seam",)
    judged = Judgement(outcome, reasons, (), 9.0, 4.0, (), (), votes, apart)
    return Again(judged, "", 2.0, 0.5, Outcome.OK)


def test_two_words_on_one_view_are_the_worse_of_them(judge: Judge) -> None:
    fine = judge.part(GOOD)
    assert both(fine, _again(Outcome.OK)) == fine
    assert both(fine, _again(Outcome.NG)).outcome is Outcome.NG
    assert both(fine, _again(Outcome.UNJUDGED)).outcome is Outcome.UNJUDGED
    assert both(fine, replace(_again(Outcome.OK), trouble="NaN")).outcome is Outcome.UNJUDGED
    yes, no = Vote("weld", "seam", Outcome.OK, 0.5), Vote("weld", "seam", Outcome.NG, 2.0)
    voting = replace(fine, votes=(yes,), apart=Outcome.OK)
    worse = both(voting, _again(Outcome.NG, (no,), Outcome.OK))
    assert (worse.outcome, worse.votes, worse.apart) == (Outcome.NG, (no,), Outcome.OK)
    outvoted = replace(worse, reasons=("score 9.00 above 4.00 in region seam",))
    assert can_pass(outvoted), "two of three may be asked for: the new one has to look too"
    assert not can_pass(judge.part(BAD))


def test_who_died_with_it_is_written_down_and_forgotten_after_a_good_end(tmp_path: Path) -> None:
    code = "import pathlib, os, sys; from okng.bus.carried import *; run = pathlib.Path(sys.argv[1]);"
    dies = code + "carry(run, 'a' * 64); os.kill(os.getpid(), 9)"
    ends = code + "carry(run, 'a' * 64); put_down(run)"
    for turn, (what, died) in enumerate([(ends, 0), (dies, 1), (ends, 1), (dies, 2)]):
        subprocess.run([sys.executable, "-c", what, str(tmp_path)], check=False, timeout=30)
        assert deaths(tmp_path, "a" * 64) == died, turn
    assert deaths(tmp_path, "b" * 64) == 0
    carry(tmp_path, "b" * 64)
    assert deaths(tmp_path, "b" * 64) == 0, "we live"
    put_down(tmp_path, "b" * 64)
    forgive(tmp_path, "a" * 64)
    assert deaths(tmp_path, "a" * 64) == 0
    (tmp_path / "carried.json").write_text("{", encoding="ascii")
    assert deaths(tmp_path, "a" * 64) == 0


def test_a_model_that_two_processes_have_died_with_is_not_loaded(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("okng.inspect.trial.deaths", lambda run, bundle: 2)
    state = judge.tries(judge.rig.trial("keen"))
    assert state.trouble == "2 processes have died within ten minutes with it loaded"


def test_memory_is_short_by_the_machine_or_by_the_control_group(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 8000000 kB\nMemAvailable: 100000 kB\n", encoding="ascii")
    assert lacks_memory(meminfo, tmp_path) == "97 MB of memory are free, expected 256"
    meminfo.write_text("MemAvailable: 4000000 kB\n", encoding="ascii")
    assert lacks_memory(meminfo, tmp_path) == ""
    (tmp_path / "memory.max").write_text("1073741824\n", encoding="ascii")
    (tmp_path / "memory.current").write_text("1000000000\n", encoding="ascii")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 50000000\n", encoding="ascii")
    assert lacks_memory(meminfo, tmp_path) == "this process may take 118 MB more, expected 256"
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert lacks_memory(meminfo, tmp_path) == ""
