"""How the views of several cameras become one result on the screen."""

from dataclasses import replace
from itertools import permutations

import pytest

from okng.bus.clock import SECOND
from okng.bus.messages import Agreement, FrameLost, FrameReady, Health, InspectState, Job
from okng.bus.part import (
    Action,
    CodeRead,
    Delivery,
    Disposition,
    HeatMap,
    Outcome,
    Receipt,
    Record,
    Trigger,
    Verdict,
    Vote,
    Why,
)
from okng.webui.board import Board
from okng.webui.payload import result_payload
from okng.webui.pictures import Shown, ShownView

AT = 1000 * SECOND
CAMERAS = ("top", "side", "back")


def frame(camera: str, part: int = 5) -> FrameReady:
    return FrameReady(part, camera, f"ring-{camera}", 0, 2, 1, 1, 64, 48, "Mono8", 3072, AT, AT, None, AT, AT, "")


def said(camera: str, outcome: Outcome = Outcome.OK, score: float = 1.0) -> Verdict:
    reasons = () if outcome is Outcome.OK else (f"score {score:.2f} above 4.00 in region {camera}",)
    heat = (HeatMap(0, 0, 64, 48, 1, 1, camera[:1].encode()),)
    job = ("plate", "3f2a91c04b1d", "9f" * 32, camera)
    codes = (CodeRead(f"of-{camera}", camera, "QRCode", serial=camera == "back"),)
    return Verdict(
        5, outcome, reasons, (), score, 4.0, *job, AT, frame(camera), heat, AT, AT + len(camera), codes=codes
    )


def record(verdict: Verdict | None, why: Why) -> Record:
    action = Action.PASS if why is Why.OK else Action.REJECT
    trigger = Trigger(5, "line 1", AT, None, AT + SECOND, "plate")
    return Record(trigger, verdict, Disposition(5, action, why, AT, AT, 1), Receipt(5, Delivery.DELIVERED, AT), "")


def is_shown(board: Board) -> bool:
    return board.latest is not None


@pytest.mark.parametrize("order", list(permutations(CAMERAS)))
def test_a_part_is_ok_on_the_screen_when_all_its_cameras_have_said_so(order: tuple[str, ...]) -> None:
    board = Board(3)
    scores = {"top": 1.0, "side": 3.5, "back": 2.0}
    for camera in order[:2]:
        board.take(said(camera, score=scores[camera]), AT)
        assert board.latest is None
    board.take(said(order[2], score=scores[order[2]]), AT)
    assert board.latest is not None
    assert (board.latest.outcome, board.latest.camera, board.latest.score) == ("OK", "side", 3.5)
    assert {ready.camera for ready in board.latest.frames} == set(CAMERAS)
    assert {code.name for code in board.latest.codes} == {"of-top", "of-side", "of-back"}
    assert board.latest.heat[0].levels == b"s"


@pytest.mark.parametrize("at", range(3))
def test_the_first_view_that_is_not_ok_is_shown_at_once_and_stays(at: int) -> None:
    board = Board(3)
    for camera in CAMERAS[:at]:
        board.take(said(camera), AT)
    board.take(said(CAMERAS[at], Outcome.NG, 7.0), AT)
    for camera in CAMERAS[at + 1 :]:
        board.take(said(camera), AT)  # an OK of another view after that undoes nothing
    assert board.latest is not None
    assert (board.latest.outcome, board.latest.camera, board.latest.frame) == ("NG", CAMERAS[at], frame(CAMERAS[at]))
    assert board.last_ng == board.latest
    assert {ready.camera for ready in board.latest.frames} == set(CAMERAS)


def test_the_view_by_which_io_decided_is_shown_where_two_say_no() -> None:
    board = Board(2)
    board.take(said("top", Outcome.NG, 7.0), AT)
    board.take(record(said("side", Outcome.NG, 6.0), Why.NG), AT)
    board.take(said("side", Outcome.NG, 6.0), AT)
    assert board.latest is not None
    assert (board.latest.camera, board.latest.score, board.latest.action) == ("side", 6.0, "REJECT")


def agreed(board: Board, needed: int) -> Board:
    members = tuple(f"{camera}/seam" for camera in CAMERAS)
    job = Job("plate", "3f2a91c04b1d", "9f" * 32, SECOND, (Agreement("weld", members, needed),))
    board.take(InspectState(Health.READY, job, "CPUExecutionProvider", 0, ""), AT)
    return board


def voted(camera: str, vote: Outcome, score: float = 1.0) -> Verdict:
    return replace(said(camera, vote, score), votes=(Vote("weld", "seam", vote, score / 4.0),), apart=Outcome.OK)


@pytest.mark.parametrize("order", list(permutations(CAMERAS)))
def test_a_view_that_is_outvoted_shows_no_ng(order: tuple[str, ...]) -> None:
    board = agreed(Board(3), 2)
    for camera in order:
        assert not is_shown(board)
        board.take(voted(camera, *((Outcome.NG, 7.0) if camera == "side" else (Outcome.OK, 1.0))), AT)
    assert board.latest is not None
    assert (board.latest.outcome, board.latest.reasons, board.latest.defects) == ("OK", (), ())
    assert board.latest.camera != "side"
    assert board.last_ng is None


def test_views_that_agree_show_the_one_that_objects_most() -> None:
    board = agreed(Board(3), 2)
    board.take(voted("top", Outcome.NG, 6.0), AT)
    assert not is_shown(board)
    board.take(voted("back", Outcome.NG, 8.0), AT)
    assert board.latest is not None
    assert (board.latest.outcome, board.latest.camera) == ("NG", "back")
    assert board.latest.reasons[0] == "2 of 3 views object to weld, limit 2"
    board.take(voted("side", Outcome.OK), AT)
    assert board.latest.outcome == "NG"


def test_a_view_that_objects_for_itself_needs_no_other() -> None:
    board = agreed(Board(3), 2)
    board.take(replace(voted("top", Outcome.NG, 6.0), apart=Outcome.NG), AT)
    assert board.latest is not None
    assert board.latest.outcome == "NG"


def test_a_lost_view_leaves_what_the_others_said_and_io_has_the_last_word() -> None:
    board = Board(2)
    board.take(said("top"), AT)
    board.take(FrameLost(5, "side", AT, "gap"), AT)
    assert not is_shown(board)
    whole = replace(said("top"), outcome=Outcome.UNJUDGED, reasons=("no picture by camera side",))
    board.take(record(whole, Why.LOST), AT)
    assert board.latest is not None
    assert (board.latest.outcome, board.latest.action, board.latest.camera) == ("UNJUDGED", "REJECT", "top")
    assert board.latest.reasons == ("no picture by camera side",)


def test_frames_of_other_cameras_do_not_push_the_deciding_one_away() -> None:
    board = Board(2)
    board.take(frame("top"), AT)
    board.take(frame("side"), AT)
    board.take(said("side", Outcome.NG, 7.0), AT)
    board.take(frame("top"), AT)
    assert board.latest is not None
    assert (board.latest.camera, board.latest.frame) == ("side", frame("side"))


def test_what_goes_to_the_browser_names_the_other_views_and_the_developed_size() -> None:
    board = Board(2)
    board.take(said("top"), AT)
    board.take(said("side", Outcome.NG, 7.0), AT)
    assert board.latest is not None
    views = {"side": ShownView(b"s", b"h", 60, 40), "top": ShownView(b"t", None, 32, 24)}
    payload = result_payload(board.latest, Shown(9, 5, AT, "side", views))
    assert (payload["camera"], payload["width"], payload["height"], payload["frame"]) == ("side", 60, 40, 9)
    expected = {"camera": "top", "outcome": "OK", "defects": [], "overlay": False, "width": 32, "height": 24}
    assert payload["views"] == [expected]
    assert sorted(payload["codes"]) == [["of-side", "side", False], ["of-top", "top", False]]
    assert result_payload(board.latest, None)["views"] == []
