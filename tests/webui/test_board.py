from dataclasses import replace
from types import ModuleType

import pytest

from okng.bus.clock import MS, SECOND
from okng.bus.heartbeat import Beat
from okng.bus.messages import Counters, FrameLost, Health, StationState
from okng.bus.part import Action, Delivery, Disposition, Outcome, Receipt, Record, Trigger, Verdict, Why
from okng.webui.board import MINUTE_NS, Board
from okng.webui.line import SILENT_NS, assess, started_at
from okng.webui.payload import counters_payload

NOW = 1_000 * SECOND


@pytest.fixture
def board() -> Board:
    return Board()


def trigger(part: int, at: int = NOW) -> Trigger:
    return Trigger(part, "line 1", at, None, at + 120 * MS, "plate")


def verdict(part: int, outcome: Outcome, at: int = NOW) -> Verdict:
    reasons = () if outcome is Outcome.OK else ("score 7.10 above 4.00 in region cap",)
    job = ("plate", "3f2a91c04b1d", "9f" * 32, "top")
    return Verdict(part, outcome, reasons, (), 7.1, 4.0, *job, at, None, (), at, at + 30 * MS)


def disposition(part: int, why: Why) -> Disposition:
    action = Action.PASS if why is Why.OK else Action.REJECT
    return Disposition(part, action, why, NOW, NOW, 1)


def state(feed: ModuleType, counters: Counters, epoch: str = "e1", **other: object) -> StationState:
    base = StationState("line 1", epoch, "READY", True, (), 0, True, (), feed.JOB, counters, NOW)
    return replace(base, **other)  # type: ignore[arg-type]


def test_one_part_grows_from_trigger_to_receipt(board: Board) -> None:
    board.take(trigger(5), NOW)
    board.take(verdict(5, Outcome.NG), NOW)
    assert board.latest is not None
    assert (board.latest.outcome, board.latest.action, board.latest.verdict_ms) == ("NG", "", 30)
    board.take(disposition(5, Why.NG), NOW)
    record = Record(trigger(5), verdict(5, Outcome.NG), disposition(5, Why.NG), Receipt(5, Delivery.LATE, NOW), "")
    board.take(record, NOW)
    latest = board.latest
    assert (latest.action, latest.why, latest.delivery, latest.budget_ms) == ("REJECT", "ng", "late", 120)
    assert [reject.part for reject in board.rejects] == [5]
    assert board.rejects[0].delivery == "late"


def test_verdict_after_a_late_disposition_changes_nothing(board: Board) -> None:
    board.take(trigger(5), NOW)
    board.take(disposition(5, Why.LATE), NOW)
    board.take(verdict(5, Outcome.OK), NOW)
    assert board.latest is not None
    assert (board.latest.outcome, board.latest.action, board.latest.why) == ("UNJUDGED", "REJECT", "late")


def test_disposition_that_overtakes_its_verdict_agrees_with_it(board: Board) -> None:
    board.take(trigger(5), NOW)
    board.take(disposition(5, Why.OK), NOW)
    assert board.latest is not None
    assert board.latest.outcome == "OK"
    board.take(verdict(5, Outcome.OK), NOW)
    assert (board.latest.outcome, board.latest.score) == ("OK", 7.1)


def test_older_part_does_not_push_a_newer_one_off(board: Board) -> None:
    for part, at in ((5, NOW), (6, NOW + 50 * MS)):
        board.take(trigger(part, at), NOW)
        board.take(verdict(part, Outcome.OK, at), NOW)
    board.take(disposition(5, Why.OK), NOW)
    assert board.latest is not None
    assert board.latest.part == 6
    older = board.result(5)
    assert older is not None
    assert older.action == "PASS"


def test_reused_part_number_is_another_part(board: Board) -> None:
    board.take(trigger(5), NOW)
    board.take(verdict(5, Outcome.NG), NOW)
    board.take(trigger(5, NOW + SECOND), NOW)
    board.take(verdict(5, Outcome.OK, NOW + SECOND), NOW)
    assert board.latest is not None
    assert (board.latest.outcome, board.latest.reasons, board.latest.action) == ("OK", (), "")


def test_ng_is_offered_once_even_when_ok_parts_follow(board: Board) -> None:
    board.take(trigger(5), NOW)
    board.take(verdict(5, Outcome.NG), NOW)
    board.take(trigger(6, NOW + 1), NOW)
    board.take(verdict(6, Outcome.OK, NOW + 1), NOW)
    assert board.fresh_ng is not None
    assert board.fresh_ng.part == 5
    board.fresh_ng = None
    board.take(disposition(5, Why.NG), NOW)
    assert board.fresh_ng is None
    assert board.last_ng is not None
    assert board.last_ng.action == "REJECT"


def test_lost_picture_says_why(board: Board) -> None:
    board.take(trigger(5), NOW)
    board.take(FrameLost(5, "top", NOW, "timeout"), NOW)
    board.take(disposition(5, Why.LOST), NOW)
    assert board.latest is not None
    assert (board.latest.outcome, board.latest.reasons) == ("UNJUDGED", ("no picture: timeout",))


def test_trend_and_totals_come_from_ios_counters(board: Board, feed: ModuleType) -> None:
    zero = feed.NOTHING
    board.take(state(feed, zero), NOW)
    board.take(state(feed, replace(zero, triggers=10, ok=8, ng=1, unjudged=1, ordered=2)), NOW)
    board.take(state(feed, replace(zero, triggers=12, ok=9, ng=2, unjudged=1, ordered=3)), NOW + MINUTE_NS)
    payload = counters_payload(board, NOW // MINUTE_NS + 1, "2026-11-23T08:00:00Z", whole=True)
    assert payload["trend"] == [[1, 8, 1, 1], [0, 1, 1, 0]]
    assert (payload["triggers"], payload["balanced"], payload["yield"]) == (12, True, 0.75)
    board.take(state(feed, replace(zero, triggers=13, ok=9, ng=2, unjudged=1, ordered=3)), NOW)
    assert counters_payload(board, 0, "", whole=True)["balanced"] is False


def test_new_run_of_io_and_a_reset_do_not_spoil_the_trend(board: Board, feed: ModuleType) -> None:
    zero = feed.NOTHING
    board.take(state(feed, replace(zero, triggers=1000, ok=1000)), NOW)
    board.take(state(feed, replace(zero, triggers=3, ok=3)), NOW)
    board.take(state(feed, replace(zero, triggers=500, ok=500), epoch="e2"), NOW)
    assert sum(minute.ok for minute in board.minutes) == 0
    assert board.resets == 1


def beats(at: int, **health: Health) -> dict[str, Beat]:
    names = ("io", "inspect", "camera-top")
    return {name: Beat(name, 1, health.get(name.replace("-", "_"), Health.READY), at, 0, 0) for name in names}


def test_line_is_inspecting_only_while_all_move(board: Board, feed: ModuleType) -> None:
    board.take(state(feed, feed.NOTHING), NOW)
    line = assess(board, beats(NOW), ("top",), NOW)
    assert (line.state, line.inspecting, line.reasons) == ("inspecting", True, ())
    for dead in ("inspect", "camera-top"):
        still = beats(NOW) | {dead: Beat(dead, 1, Health.READY, NOW - 5 * SECOND, 0, 0)}
        line = assess(board, still, ("top",), NOW)
        assert (line.state, line.inspecting) == ("notready", False)
        assert dead.rpartition("-")[2] in line.reasons[0]
    stuck = beats(NOW) | {"inspect": Beat("inspect", 1, Health.READY, NOW, NOW - 5 * SECOND, 0)}
    assert not assess(board, stuck, ("top",), NOW).inspecting


def test_silent_io_is_never_believed(board: Board, feed: ModuleType) -> None:
    assert assess(board, beats(NOW), ("top",), NOW).state == "silent"
    board.take(state(feed, feed.NOTHING), NOW)
    assert assess(board, beats(NOW + SILENT_NS + 1), ("top",), NOW + SILENT_NS + 1).state == "silent"


def test_part_under_way_is_no_interruption_but_a_fault_is(board: Board, feed: ModuleType) -> None:
    board.take(state(feed, feed.NOTHING, state="ACQUIRING", ready=False), NOW)
    assert assess(board, beats(NOW), ("top",), NOW).inspecting
    board.take(state(feed, feed.NOTHING, state="OFFLINE", ready=False, reasons=("PLC: TRIG_ENABLE is 0",)), NOW)
    assert assess(board, beats(NOW), ("top",), NOW).reasons == ("PLC: TRIG_ENABLE is 0",)
    board.take(state(feed, feed.NOTHING, state="FAULT", ready=False, fault=2), NOW)
    assert assess(board, beats(NOW), ("top",), NOW).state == "fault"


def test_warning_that_does_not_stop_the_line_is_shown(board: Board, feed: ModuleType) -> None:
    lost = "records does not answer: 3 entries of the ledger are lost"
    board.take(state(feed, feed.NOTHING, reasons=(lost,)), NOW)
    line = assess(board, beats(NOW), ("top",), NOW)
    assert (line.inspecting, line.reasons) == (True, (lost,))


def test_age_of_a_process_is_known() -> None:
    assert started_at(2**30) is None
    assert str(started_at(1)).endswith("Z")
