"""The room put together, with an io that takes its time: occasions, holds, and what lets the line go."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okng.bus.asks import Answer, Ask, Desk, new_id
from okng.bus.clock import SECOND
from okng.bus.errors import Refused
from okng.bus.messages import Counters, Health, Hold, InspectState, Job, JobAnswer, JobAsk, StationState
from okng.bus.part import Outcome
from okng.bus.rights import COMMANDS
from okng.bus.shift import LineMode, Mode
from okng.plc_io.holds import Holds
from okng.plc_io.line_mode import LineModes
from okng.shift.desk import ShiftDesk, relaxes
from okng.shift.diary import Diary
from okng.shift.foreman import Foreman
from okng.shift.options import ShiftOptions
from okng.shift.samples import TestPart

from .test_challenge import record
from .test_diary import Records

UTC = "2026-01-01T06:00:00.000Z"
JOBS = {1: Job("cap", "a" * 12, "f" * 64, 10**8), 2: Job("lid", "b" * 12, "e" * 64, 10**8)}
PARTS = (TestPart("a", "hole", "NG"),)
NONE = Counters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


class Hall:
    """A foreman, a desk, and the rules of io for modes and holds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch | None = None, **options: Any) -> None:
        self.options = ShiftOptions.model_validate(options)
        self.records = Records()
        self.now = SECOND
        self.epoch, self.number, self.readable = "e1", 1, True
        self.open_shift(None)
        self.open_io()

    def open_shift(self, kept: dict[str, Any] | None, boot: str = "b1") -> None:
        self.diary = Diary(self.records)
        self.foreman = Foreman(
            self.options,
            ("top",),
            frozenset(JOBS),
            self.diary,
            samples=lambda recipe: PARTS if self.readable else None,
            seq_of=lambda part, at_ns: 0,
            now_ns=self.now,
            boot=boot,
        )
        self.foreman.restore(kept, self.now, UTC)
        self.desk = Desk("shift", ShiftDesk(self.foreman).handlers())
        self.asked: list[JobAsk] = []

    def open_io(self) -> None:
        self.holds, self.modes = Holds(self.options.awaited), LineModes()
        self.wire: list[object] = []

    @property
    def ready(self) -> bool:
        return not self.holds.reasons(self.now)

    def io_hears(self) -> None:
        """io takes what was said so far."""
        for message in self.wire:
            if isinstance(message, Hold):
                self.holds.take(message, self.now)
            elif isinstance(message, LineMode):
                self.modes.take(message)
            elif isinstance(message, JobAsk):
                self.asked.append(message)
        self.wire.clear()

    def io_says(self) -> None:
        """io tells how it stands."""
        mode = self.modes.at(self.now).value
        job = JOBS[self.number]
        reasons = self.holds.reasons(self.now)
        state = StationState(
            "cell", self.epoch, "READY", self.ready, reasons, 0, True, (), job, NONE, self.now, self.number, mode
        )
        self.foreman.hear(state, self.now, UTC)
        self.foreman.hear(InspectState(Health.READY, job, "cpu", 0, ""), self.now, UTC)

    def turn(self) -> None:
        self.now += SECOND // 20
        self.diary.pump(self.now)
        self.wire += self.foreman.turn(self.now, UTC)

    def settle(self, turns: int = 8) -> None:
        for _ in range(turns):
            self.turn()
            self.io_hears()
            self.io_says()

    def ask(self, name: str, reason: str = "", **body: Any) -> Answer:
        return self.desk.answer(Ask(new_id(), name, "lea", COMMANDS[name].right, reason, body))

    def do(self, name: str, reason: str = "", **body: Any) -> None:
        answer = self.ask(name, reason, **body)
        assert answer.done, answer.detail

    @property
    def phase(self) -> str:
        return self.foreman.challenge.phase

    def pass_test(self) -> None:
        self.do("challenge.start")
        self.settle()
        assert (self.ready, self.modes.at(self.now)) == (True, Mode.CHALLENGE)
        self.foreman.hear(record(), self.now, UTC)
        assert self.phase == "unsigned"
        self.settle()
        assert (self.ready, self.modes.at(self.now)) == (True, Mode.PRODUCTION)


ALL = ["start", "changeover", "interval", "maintenance", "restart", "end"]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk asks the clock for itself: every hall lives at its own time, io is never too old."""
    monkeypatch.setattr("okng.shift.desk.now_ns", lambda: 0)


def hall(*occasions: str, **options: Any) -> Hall:
    return Hall(challenge={"occasions": list(occasions), "passes": 1, **options})


def test_a_new_boot_asks_for_a_test_and_a_mere_restart_of_shift_does_not() -> None:
    one = hall("start")
    one.settle()
    assert (one.phase, one.ready) == ("due", False)
    one.pass_test()
    kept = one.foreman.snapshot(one.now, UTC)
    one.open_shift(kept)
    one.settle()
    assert one.phase == "unsigned"
    one.open_shift(kept, boot="b2")
    one.settle()
    assert (one.phase, one.ready) == ("due", False)


@pytest.mark.parametrize("shift_too", [False, True])
def test_io_that_was_started_again_asks_for_a_test(shift_too: bool) -> None:
    one = hall("restart")
    one.settle()
    assert (one.phase, one.ready) == ("off", True)
    kept = one.foreman.snapshot(one.now, UTC)
    one.epoch = "e2"
    one.open_io()
    if shift_too:
        one.open_shift(kept)
    assert not one.ready, "io waits for the word of shift"
    one.settle()
    assert (one.phase, one.ready) == ("due", False)


def test_a_test_that_io_left_begins_again() -> None:
    one = hall("start", "restart")
    one.settle()
    one.do("challenge.start")
    one.settle()
    one.epoch = "e2"
    one.open_io()
    one.io_says()
    assert one.phase == "due"
    one.settle()
    assert not one.ready


def test_maintenance_the_end_of_a_lot_and_a_change_of_product_ask_for_a_test() -> None:
    one = hall(*ALL[1:])
    one.settle()
    one.do("inspection.stop")
    one.settle()
    assert not one.ready
    one.do("inspection.start", maintenance=True)
    one.settle()
    assert (one.phase, one.foreman.challenge.occasion) == ("due", "maintenance")
    one.pass_test()
    one.do("lot.set", lot="A")
    assert one.phase == "unsigned"
    one.do("lot.set", lot="B")
    assert one.foreman.challenge.occasion == "end"
    one.settle()
    one.pass_test()
    one.number = 2
    one.settle()
    assert (one.phase, one.foreman.challenge.occasion) == ("due", "changeover")


def test_a_stop_that_was_lost_with_shift_can_still_be_ended() -> None:
    one = hall()
    one.settle()
    one.do("inspection.stop")
    one.settle()
    one.open_shift(None)
    one.settle()
    assert not one.ready, "io holds on by itself"
    one.do("inspection.start")
    one.settle()
    assert (one.ready, one.foreman.stopped_by) == (True, "")
    assert one.ask("inspection.start").detail == "the inspection is not stopped by a person"


def test_a_job_that_the_plc_may_not_have_stands_in_the_journal() -> None:
    one = hall()
    one.settle()
    why = "recipe bbbbbbbbbbbb of job 2 is not signed as approved"
    one.foreman.hear(JobAnswer(2, 5, False, why, "plc"), one.now, UTC)
    one.foreman.hear(JobAnswer(2, 6, True, "", "plc"), one.now, UTC)
    one.settle()
    (entry,) = [ask.body for ask in one.records.asks if ask.body.get("stream") == "change"]
    assert (entry["event"], entry["body"]["to"], entry["body"]["why"]) == ("refused", 2, why)


def test_a_change_over_with_a_test() -> None:
    one = hall("changeover")
    one.settle()
    one.do("change.begin", number=2)
    for step in (2, 3, 4):
        one.do("change.step", step=step)
    one.settle()
    assert not one.ready
    (ask,) = {(ask.number, ask.token) for ask in one.asked}
    assert ask[0] == 2
    one.number = 2
    one.foreman.hear(JobAnswer(2, ask[1], True, "", "shift"), one.now, UTC)
    one.settle()
    assert (one.foreman.changes.step, one.ready) == (5, False)
    one.do("challenge.start")
    one.settle()
    assert (one.ready, one.modes.at(one.now)) == (True, Mode.CHALLENGE)
    one.foreman.hear(record(), one.now, UTC)
    one.settle()
    assert (one.foreman.changes.step, one.ready, one.modes.at(one.now)) == (6, False, Mode.PRODUCTION)
    one.do("change.step", step=6)
    one.settle()
    assert one.ready


def test_no_job_is_asked_for_before_the_way_back_is_on_disk() -> None:
    one = hall()
    one.settle()
    one.do("change.begin", number=2)
    for step in (2, 3):
        one.do("change.step", step=step)
    one.records.deaf = True
    one.do("change.step", step=4)
    one.settle(40)
    assert one.asked == []
    one.records.deaf = False
    one.settle(40)
    assert {ask.number for ask in one.asked} == {2}


def test_the_release_waits_for_the_ledger() -> None:
    one = hall("start")
    one.settle()
    one.do("challenge.start")
    one.settle()
    one.foreman.hear(record(Outcome.OK), one.now, UTC)
    one.settle()
    assert (one.phase, one.ready) == ("failed", False)
    one.do("hold.release", "sorted")
    one.do("challenge.start")
    one.settle()
    one.foreman.hear(record(), one.now, UTC)
    one.settle()
    assert one.ready


def test_what_relaxes() -> None:
    def ask(name: str, **body: object) -> Ask:
        return Ask(new_id(), name, "lea", "", "", dict(body))

    assert relaxes(ask("bypass.set"))
    assert relaxes(ask("change.step", step=6))
    assert not relaxes(ask("change.step", step=4))
    assert not relaxes(ask("bypass.end"))


def test_asks_that_make_no_sense_are_refused_in_words() -> None:
    one = hall("start")
    one.settle()
    for name, body, why in (
        ("alarm.ack", {}, "expected which alarm"),
        ("alarm.ack", {"keys": []}, "nothing to acknowledge"),
        ("alarm.shelve", {"key": "drift", "minutes": True}, "expected a number"),
        ("alarm.service", {"key": "drift", "out": 1}, "expected true or false"),
        ("lot.set", {"lot": "x" * 201}, "up to 200 characters"),
        ("change.begin", {"number": 0}, "expected a number"),
        ("challenge.samples", {"recipe": "cap", "samples": [{}]}, "test parts"),
        ("challenge.confirm", {"removed": "yes"}, "expected true or false"),
    ):
        answer = one.ask(name, **body)
        assert not answer.done
        assert why in answer.detail, (name, answer.detail)


def test_test_parts_are_kept_under_the_name_of_their_recipe() -> None:
    one = hall("start")
    one.settle()
    one.do("challenge.samples", recipe="lid", samples=[{"id": "x", "name": "crack", "expected": "NG"}])
    one.settle()
    kept = [ask.body["name"] for ask in one.records.asks if ask.name == "journal.state"]
    assert "challenge:lid" in kept
    assert one.foreman.challenge.parts == PARTS
    one.do("challenge.start")
    with pytest.raises(Refused, match="running"):
        one.foreman.set_samples("cap", (), "lea")


def test_test_parts_that_cannot_be_read_yet_are_asked_for_again() -> None:
    one = hall("start")
    one.readable = False
    one.open_shift(None)
    one.settle()
    assert one.ask("challenge.start").detail == "no defective test part is set for cap: set them first"
    one.readable = True
    one.settle(30)
    one.do("challenge.start")


def test_test_parts_that_are_not_in_the_ledger_yet_are_not_lost() -> None:
    one = hall("start")
    one.do("challenge.samples", recipe="lid", samples=[{"id": "x", "name": "crack", "expected": "NG"}])
    one.number = 2
    one.settle()
    assert [part.name for part in one.foreman.challenge.parts] == ["crack"]


def test_a_snapshot_that_is_damaged_is_left_out_and_said() -> None:
    one = hall("start")
    one.open_shift({"at": UTC, "boot": "b1", "challenge": {"phase": "x"}, "alarms": [{}], "bypass": {}, "lot": 3})
    one.settle()
    assert (one.phase, one.ready) == ("due", False), "nobody knows what was due"
    said = [ask.body["body"]["what"] for ask in one.records.asks if ask.body.get("event") == "not restored"]
    assert said == ["challenge", "bypass"]


def test_what_a_ledger_that_cannot_be_read_keeps_of_us_may_be_a_failed_test() -> None:
    one = hall("end")
    one.foreman.forgot()
    one.settle()
    assert (one.phase, one.ready) == ("due", False)
    none = hall()
    none.foreman.forgot()
    none.settle()
    assert (none.phase, none.ready) == ("off", True), "no tests are asked for here"


def test_what_asks_for_a_test_while_one_runs_is_not_forgotten_when_it_is_broken_off() -> None:
    one = hall("maintenance")
    one.settle()
    one.do("challenge.start")
    one.do("inspection.stop")
    one.do("inspection.start", maintenance=True)
    one.open_shift(one.foreman.snapshot(one.now, UTC))
    assert one.phase == "due", "nor by a restart"
    one.settle()
    one.do("challenge.start")
    one.do("challenge.abort")
    one.settle()
    assert (one.phase, one.foreman.challenge.occasion, one.ready) == ("due", "maintenance", False)


def test_a_product_that_was_changed_while_shift_was_away_has_to_be_tested() -> None:
    one = hall("changeover")
    one.settle()
    kept = one.foreman.snapshot(one.now, UTC)
    one.number = 2
    one.open_shift(kept)
    one.settle()
    assert (one.phase, one.ready) == ("due", False)


def test_another_revision_of_the_same_recipe_is_another_product(monkeypatch: pytest.MonkeyPatch) -> None:
    one = hall("changeover")
    one.settle()
    one.do("challenge.start")
    one.settle()
    monkeypatch.setitem(JOBS, 1, Job("cap", "c" * 12, "f" * 64, 10**8))
    one.settle()
    assert (one.phase, one.ready) == ("due", False)


def test_a_run_that_began_before_the_new_job_does_not_release_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JOBS, 2, JOBS[1])
    one = hall("changeover")
    one.settle()
    one.do("change.begin", number=2)
    for step in (2, 3, 4):
        one.do("change.step", step=step)
    one.settle()
    one.do("challenge.start")
    one.number = 2
    one.foreman.hear(JobAnswer(2, one.asked[-1].token, True, "", "shift"), one.now, UTC)
    one.settle()
    assert (one.phase, one.foreman.changes.step, one.ready) == ("due", 5, False)


def test_a_late_touch_of_a_second_screen_confirms_no_other_part() -> None:
    one = hall("start", confirm_by_hand=True, passes=2)
    one.settle()
    one.do("challenge.start")
    one.settle()
    one.foreman.hear(record(part=7), one.now, UTC)
    assert one.foreman.state(one.now, UTC).challenge.waiting == 7
    one.do("challenge.confirm", removed=True, part=7)
    one.foreman.hear(record(part=8), one.now, UTC)
    late = one.ask("challenge.confirm", removed=True, part=7)
    assert late.detail == "no test part waits for a confirmation"
    one.do("challenge.confirm", removed=True, part=8)
    assert one.phase == "unsigned"
    assert not one.ask("challenge.sign", run=2).done
    one.do("challenge.sign", run=1)


ACTS = st.sampled_from(
    [
        *("turn", "turn", "turn", "io hears", "io hears", "io says", "io says", "start", "abort", "found", "missed"),
        *("sign", "release", "io again", "shift again", "bypass", "bypass end", "deaf", "hears again", "due"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ACTS, max_size=60))
def test_production_never_runs_while_a_test_is_due_or_failed(acts: list[str]) -> None:
    """However messages are late or lost: READY in production only if shift lets it, or its word is under way."""
    one = hall(*ALL)
    one.settle(2)
    for act in acts:
        match act:
            case "turn":
                one.turn()
            case "io hears":
                one.io_hears()
            case "io says":
                one.io_says()
            case "start" | "abort":
                one.ask(f"challenge.{act}")
            case "found":
                if one.modes.at(one.now) is Mode.CHALLENGE and one.ready:
                    one.foreman.hear(record(), one.now, UTC)
            case "missed":
                if one.modes.at(one.now) is Mode.CHALLENGE and one.ready:
                    one.foreman.hear(record(Outcome.OK), one.now, UTC)
            case "sign":
                one.ask("challenge.sign")
            case "release":
                one.ask("hold.release", "sorted")
            case "io again":
                one.epoch += "x"
                one.open_io()
            case "shift again":
                one.open_shift(one.foreman.snapshot(one.now, UTC))
                one.wire.clear()
            case "bypass":
                one.ask("bypass.set", "why", minutes=1)
            case "bypass end":
                one.ask("bypass.end")
            case "deaf":
                one.records.deaf = True
            case "hears again":
                one.records.deaf = False
            case "due":
                one.foreman.challenge.occur("maintenance")
        held = one.foreman.challenge.holds
        if held and one.ready and one.modes.at(one.now) is Mode.PRODUCTION:
            assert act != "io again", "io lets production run before shift has spoken"
            # Only because the word that holds it has not reached io: once it does, it is over.
            one.turn()
            one.io_hears()
            assert not one.ready or one.modes.at(one.now) is not Mode.PRODUCTION


def test_the_way_back_needs_no_ledger_and_no_job_is_asked_for_before_io_holds() -> None:
    one = hall()
    one.settle()
    one.do("change.begin", number=2)
    for step in (2, 3, 4):
        one.do("change.step", step=step)
    for _ in range(20):
        one.turn()
        one.io_says()
    assert not [message for message in one.wire if isinstance(message, JobAsk)], "io has not taken the hold"
    one.settle()
    token = one.asked[-1].token
    one.number = 2
    one.foreman.hear(JobAnswer(2, token, True, "", "shift"), one.now, UTC)
    one.settle()
    one.records.deaf = True
    one.asked.clear()
    one.do("change.abort")
    one.settle(30)
    assert {ask.number for ask in one.asked} == {1}
    one.foreman.hear(JobAnswer(1, one.asked[-1].token, True, "", "shift"), one.now, UTC)
    one.number = 1
    one.settle(30)
    assert (one.foreman.changes.step, one.ready) == (0, False), "the end of the hold waits for the ledger"
    one.records.deaf = False
    one.settle(60)
    assert one.ready
