"""The challenge test step by step: what lets a run pass, what fails it, and what is on hold then."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okng.bus.clock import SECOND
from okng.bus.errors import Refused
from okng.bus.part import Action, Delivery, Disposition, Outcome, Receipt, Record, Trigger, Verdict, Why
from okng.shift.challenge import Challenge
from okng.shift.options import ChallengeOptions
from okng.shift.samples import TestPart, as_body, parts_of

UTC = "2026-01-01T06:00:00.000Z"
HOLE, DENT, GOOD = TestPart("a", "hole", "NG"), TestPart("b", "dent", "NG"), TestPart("c", "good", "OK")
MINUTE = 60 * SECOND


def record(
    outcome: Outcome | None = Outcome.NG,
    *,
    why: Why = Why.CHALLENGE,
    delivery: Delivery = Delivery.DELIVERED,
    confirmed: bool | None = None,
    part: int = 7,
) -> Record:
    verdict = None
    if outcome is not None:
        reasons = () if outcome is Outcome.OK else ("because",)
        verdict = Verdict(part, outcome, reasons, (), 5.0, 4.0, "cap", "r", "m", "top", 1, None, (), 1, 2)
    action = Action.PASS if why is Why.OK else Action.REJECT
    return Record(
        Trigger(part, "cell", 1, None, 100, "cap"),
        verdict,
        Disposition(part, action, why, 3, 3, 1),
        Receipt(part, delivery, 4, confirmed),
        UTC,
    )


class Bench:
    """A challenge test and its clock."""

    def __init__(self, *parts: TestPart, **options: object) -> None:
        self.options = ChallengeOptions.model_validate({"passes": 2, "occasions": ("start", "interval"), **options})
        self.test = Challenge(self.options)
        self.test.product("cap", parts or (HOLE, GOOD))
        self.now = 0

    def start(self) -> None:
        self.test.start("olga", UTC, bypass=False)

    def through(self, *records: Record) -> None:
        for one in records:
            self.test.record(one, UTC, self.now)

    @property
    def phase(self) -> str:
        return self.test.phase


@pytest.fixture
def bench() -> Bench:
    return Bench()


def run_through(bench: Bench) -> None:
    bench.start()
    bench.through(record(), record(), record(Outcome.OK), record(Outcome.OK))


def test_nothing_is_asked_for_without_an_occasion() -> None:
    bench = Bench(occasions=())
    assert not bench.test.occur("start")
    bench.test.turn(10**18)
    assert bench.phase == "off"
    assert bench.test.holds == ""


def test_each_part_so_often_then_it_is_passed_and_waits_for_a_signature(bench: Bench) -> None:
    assert bench.test.occur("start")
    assert bench.test.holds == "the challenge test is due (start)"
    bench.start()
    bench.through(record())
    state = bench.test.state("")
    assert [(s.id, s.passes, s.needed) for s in state.samples] == [("a", 1, 2), ("c", 0, 2)]
    assert (state.current, state.phase, state.occasion) == ("a", "running", "start")
    bench.through(record(), record(Outcome.OK), record(Outcome.OK))
    assert bench.phase == "unsigned"
    assert bench.test.holds == ""
    assert bench.test.state("").last_ok == UTC
    bench.test.sign("lea", UTC, "")
    assert bench.phase == "passed"
    with pytest.raises(Refused, match="nothing to sign"):
        bench.test.sign("lea", UTC, "")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (record(Outcome.OK), "the defect was not found"),
        (record(None), "it got no verdict"),
        (record(Outcome.UNJUDGED), "it got no verdict"),
        (record(confirmed=False), "it was not removed"),
        (record(delivery=Delivery.UNCONFIRMED), "nothing confirms that it was removed"),
    ],
)
def test_a_miss_fails_the_run_and_holds_the_product_since_the_last_good_test(
    bench: Bench, bad: Record, why: str
) -> None:
    run_through(bench)
    assert bench.test.seeks
    bench.test.locate(lambda part, at_ns: 0)
    bench.test.locate(lambda part, at_ns: 41)
    bench.test.occur("start")
    bench.start()
    bench.through(record(), bad)
    assert bench.test.state("").hold_last == 0, "the ledger is written a little later"
    bench.test.locate(lambda part, at_ns: 90)
    state = bench.test.state("")
    assert bench.phase == "failed"
    assert why in state.detail
    assert (state.hold_first, state.hold_last, state.hold_from) == (42, 90, UTC)
    assert bench.test.holds.startswith("the challenge test has failed")
    with pytest.raises(Refused, match="needs a reason"):
        bench.test.release("lea", UTC, " ")
    bench.test.release("lea", UTC, "all of it was sorted")
    assert bench.phase == "due"
    assert bench.test.holds, "released product is no passed test"
    events = [note.event for note in bench.test.notes()]
    assert events[-3:] == ["failed", "on hold", "hold released"]


def test_a_repeated_test_does_not_release_the_product(bench: Bench) -> None:
    bench.start()
    bench.through(record(Outcome.OK))
    run_through(bench)
    assert bench.phase == "unsigned"
    assert bench.test.failed == "product is on hold"
    bench.test.release("lea", UTC, "sorted")
    assert bench.test.failed == ""


def test_a_line_need_not_stop_for_a_failed_test() -> None:
    bench = Bench(stop_line=False)
    bench.start()
    bench.through(record(Outcome.OK))
    assert (bench.phase, bench.test.holds) == ("failed", "")
    assert bench.test.failed


def test_a_good_part_called_bad_fails_it(bench: Bench) -> None:
    bench.start()
    bench.through(record(), record(), record(Outcome.NG))
    assert bench.test.state("").detail.startswith("good: a good part was called bad")


def test_memory_is_bad_good_bad() -> None:
    bench = Bench(HOLE, DENT, GOOD, passes=1, memory=True)
    bench.start()
    current = []
    for outcome in (Outcome.NG, Outcome.NG, Outcome.OK, Outcome.NG, Outcome.OK, Outcome.NG):
        current.append(bench.test.state("").current)
        bench.through(record(outcome))
    assert current == ["a", "b", "c", "a", "c", "a"]
    assert bench.phase == "unsigned"


def test_a_person_confirms_where_no_sensor_does() -> None:
    bench = Bench(HOLE, passes=1, confirm_by_hand=True)
    bench.start()
    bench.through(record())
    assert bench.phase == "running"
    bench.through(record(Outcome.OK))
    assert bench.phase == "running", "nothing counts until the person has spoken"
    bench.test.confirm(True, "olga", UTC, 0)
    assert bench.phase == "unsigned"
    bench.start()
    bench.through(record())
    bench.test.confirm(False, "olga", UTC, 0)
    assert bench.phase == "failed"
    with pytest.raises(Refused, match="no challenge test is running"):
        bench.test.confirm(True, "olga", UTC, 0)


def test_what_is_no_test_part_does_not_count(bench: Bench) -> None:
    bench.start()
    bench.through(record(why=Why.NG), record(Outcome.OK, why=Why.OK), record(None, why=Why.LOST))
    assert bench.test.state("").samples[0].passes == 0
    assert bench.phase == "running"


def test_an_interval_runs_out_with_a_grace(bench: Bench) -> None:
    run_through(bench)
    bench.test.sign("lea", UTC, "")
    end = bench.options.interval_min * MINUTE
    bench.test.turn(end - 1)
    assert not bench.test.overdue(end - 1)
    bench.test.turn(end)
    assert bench.test.overdue(end)
    assert bench.test.holds == ""
    bench.test.turn(end + bench.options.grace_min * MINUTE)
    assert bench.test.holds == "the challenge test is due (interval)"


def test_refusals(bench: Bench) -> None:
    with pytest.raises(Refused, match="bypass is on"):
        bench.test.start("olga", UTC, bypass=True)
    with pytest.raises(Refused, match="no challenge test is running"):
        bench.test.abort("olga")
    bench.test.occur("start")
    bench.start()
    with pytest.raises(Refused, match="running already"):
        bench.start()
    bench.test.product("lid", ())
    bench.test.disturbed("the product was changed")
    assert bench.phase == "due"
    assert bench.test.state("").detail == "no test parts are set for lid"
    with pytest.raises(Refused, match="no defective test part is set for lid"):
        bench.start()
    with pytest.raises(Refused, match="no product is on hold"):
        bench.test.release("lea", UTC, "why not")


def test_a_run_that_is_broken_off_leaves_the_test_due(bench: Bench) -> None:
    bench.test.occur("start")
    bench.start()
    bench.through(record())
    again = Challenge(bench.options)
    again.restore(bench.test.snapshot(0), 0, 0)
    assert (again.phase, again.state("").detail) == ("due", "the test was broken off by a restart")
    bench.test.abort("olga")
    assert bench.phase == "due"
    bench.start()
    assert bench.test.state("").samples[0].passes == 0


def test_it_comes_back_as_it_was(bench: Bench) -> None:
    run_through(bench)
    bench.test.locate(lambda part, at_ns: 41)
    bench.start()
    bench.through(record())
    kept = bench.test.snapshot(0)
    again = Challenge(bench.options)
    again.product("cap", (HOLE, GOOD))
    again.restore(kept, 1000, 2 * MINUTE)
    assert (again.phase, again.state("").run) == ("unsigned", 2), "a run that was on is broken off"
    assert again.left_ns(1000) == (bench.options.interval_min - 2) * MINUTE
    bench.through(record(Outcome.OK))
    failed = Challenge(bench.options)
    failed.restore(bench.test.snapshot(0), 0, 0)
    assert (failed.phase, failed.state("").hold_first) == ("failed", 42)
    with pytest.raises(ValueError, match="phase"):
        again.restore({**kept, "phase": "fine"}, 0, 0)


def test_test_parts_are_read_with_care() -> None:
    parts = parts_of({"samples": [{"id": "a", "name": "hole", "expected": "NG"}]})
    assert parts == (HOLE,)
    assert parts_of(as_body((HOLE, replace(GOOD, picture="0" * 64)))) == (HOLE, replace(GOOD, picture="0" * 64))
    for wrong in (
        {"samples": [{"id": "a", "name": "hole", "expected": "bad"}]},
        {"samples": [{"id": "a", "name": "hole", "expected": "NG"}] * 2},
        {"samples": None},
    ):
        with pytest.raises(Refused, match="test parts"):
            parts_of(wrong)


WORDS = st.sampled_from(
    (
        record(Outcome.NG),
        record(Outcome.OK),
        record(None),
        record(Outcome.NG, confirmed=False),
        record(Outcome.NG, why=Why.NG),
        record(Outcome.NG, why=Why.BYPASS),
    )
)


@settings(deadline=None)
@given(st.lists(WORDS, max_size=12))
def test_it_is_never_passed_without_every_part_found_and_removed(words: list[Record]) -> None:
    bench = Bench()
    bench.start()
    bench.through(*words)
    seen = [one for one in words if one.disposition.why is Why.CHALLENGE][:4]
    found = [one.verdict.outcome if one.verdict is not None else None for one in seen]
    sound = all(one.receipt.confirmed is not False for one in seen)
    passed = found == [Outcome.NG, Outcome.NG, Outcome.OK, Outcome.OK] and sound
    assert (bench.phase == "unsigned") == passed
