"""One trigger, one frame, one part: no frame is ever given to a part that may not be its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okng.camera.pairing import Pairing
from okng.camera.waiting import Arrived, Expected, Match, Missing

BEFORE, AFTER, PATIENCE, HOLD = 30, 5, 50, 300


def expected(part: int, at: int, ghost: bool = False) -> Expected:
    return Expected(part, at, at - BEFORE, at + AFTER, at + AFTER + PATIENCE, ghost)


def pairing() -> Pairing[str]:
    return Pairing(5, HOLD)


def said(answers: Sequence[Match[str] | Missing]) -> list[tuple[int, str]]:
    """(part, the frame or the reason)."""
    return [(answer.expected.part, answer.what if isinstance(answer, Match) else answer.reason) for answer in answers]


def test_a_frame_after_its_trigger() -> None:
    pairs = pairing()
    assert pairs.expect(expected(1, 1000)) == []
    assert said(pairs.arrive(Arrived(990, 0, "a"))) == [(1, "a")]
    assert pairs.waiting == 0


def test_a_frame_before_its_triggers_message() -> None:
    pairs = pairing()
    assert pairs.arrive(Arrived(990, 0, "a")) == []
    assert said(pairs.expect(expected(1, 1000))) == [(1, "a")]


@pytest.mark.parametrize(("stamp", "inside"), [(969, False), (970, True), (1005, True), (1006, False)])
def test_the_window_has_edges(stamp: int, inside: bool) -> None:
    pairs = pairing()
    pairs.expect(expected(1, 1000))
    assert bool(pairs.arrive(Arrived(stamp, 0, "a"))) is inside


def test_a_part_that_is_due_is_lost_at_that_very_nanosecond() -> None:
    pairs = pairing()
    pairs.expect(expected(1, 1000))
    assert pairs.due_ns == 1055
    assert pairs.expire(1054) == []
    assert said(pairs.expire(1055)) == [(1, "timeout")]
    assert pairs.due_ns is None


def test_a_gap_loses_exactly_the_skipped_parts() -> None:
    pairs = pairing()
    for part, at in ((1, 1000), (2, 1100), (3, 1200)):
        pairs.expect(expected(part, at))
    assert said(pairs.arrive(Arrived(1190, 2, "c"))) == [(1, "gap"), (2, "gap"), (3, "c")]


def test_an_edge_the_camera_missed_skips_no_number() -> None:
    pairs = pairing()
    for part, at in ((1, 1000), (2, 1100)):
        pairs.expect(expected(part, at))
    assert said(pairs.arrive(Arrived(1090, 0, "b"))) == [(1, "timeout"), (2, "b")]


def test_a_gap_after_a_part_that_was_already_given_up_is_explained() -> None:
    pairs = pairing()
    pairs.expect(expected(1, 1000))
    assert said(pairs.expire(1100)) == [(1, "timeout")]
    pairs.expect(expected(2, 1200))
    assert said(pairs.arrive(Arrived(1190, 1, "b"))) == [(2, "b")]


def test_a_gap_nobody_explains_makes_the_frame_doubtful() -> None:
    pairs = pairing()
    pairs.expect(expected(1, 1000))
    assert said(pairs.arrive(Arrived(990, 1, "a"))) == [(1, "gap")]
    assert pairs.strays == 1


def test_two_triggers_for_one_frame_lose_both() -> None:
    pairs = pairing()
    pairs.expect(expected(1, 1000))
    pairs.expect(expected(2, 1010))
    assert said(pairs.arrive(Arrived(995, 0, "a"))) == [(1, "pairing"), (2, "pairing")]


def test_two_frames_for_one_trigger_lose_it() -> None:
    pairs = pairing()
    pairs.arrive(Arrived(980, 0, "a"))
    pairs.arrive(Arrived(990, 0, "b"))
    assert said(pairs.expect(expected(1, 1000))) == [(1, "pairing")]


def test_a_frame_that_was_used_cannot_be_a_second_parts_too() -> None:
    pairs = pairing()
    pairs.expect(expected(1, 1000))
    assert said(pairs.arrive(Arrived(995, 0, "a"))) == [(1, "a")]
    assert said(pairs.expect(expected(2, 1010))) == [(2, "pairing")]


def test_a_late_frame_is_not_the_next_parts() -> None:
    pairs = pairing()
    pairs.expect(expected(1, 1000))
    pairs.expire(1100)
    pairs.expect(expected(2, 1200))
    assert pairs.arrive(Arrived(995, 0, "late")) == []
    assert said(pairs.arrive(Arrived(1195, 0, "b"))) == [(2, "b")]


def test_a_frame_of_a_lost_part_casts_doubt_on_its_neighbour() -> None:
    pairs = pairing()
    pairs.expect(expected(1, 1000))
    assert said(pairs.expire(1055)) == [(1, "timeout")]
    pairs.expect(expected(2, 1020))
    assert said(pairs.arrive(Arrived(998, 0, "whose?"))) == [(2, "pairing")]


def test_a_ghost_uses_its_frame_up() -> None:
    pairs = pairing()
    pairs.expect(expected(1, 1000, ghost=True))
    answers = pairs.arrive(Arrived(995, 0, "a"))
    assert [answer.expected.ghost for answer in answers] == [True]
    assert pairs.oldest_ns == 0


def test_spoiled_frames_cost_the_part_that_waits_longest() -> None:
    pairs = pairing()
    assert pairs.spoil("incomplete") == []
    pairs.expect(expected(1, 1000))
    pairs.expect(expected(2, 1100))
    assert said(pairs.spoil("incomplete")) == [(1, "incomplete")]
    assert said(pairs.arrive(Arrived(1095, 1, "b"))) == [(2, "b")]


def test_held_frames_are_bounded_in_number_and_time() -> None:
    pairs = pairing()
    for number in range(7):
        pairs.arrive(Arrived(1000 + number, 0, str(number)))
    assert pairs.strays == 2
    pairs.expire(1000 + 6 + HOLD)
    assert pairs.strays == 7


def test_a_reset_loses_all_and_forgets_all() -> None:
    pairs = pairing()
    pairs.expect(expected(1, 1000))
    pairs.arrive(Arrived(500, 0, "old"))
    assert said(pairs.reset("camera lost")) == [(1, "camera lost")]
    assert pairs.expect(expected(2, 501)) == []


def test_a_window_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="window"):
        Expected(1, 0, 10, 9, 20)


@dataclass
class Line:
    """What truly happened: parts at the eye, and what became of each one's exposure."""

    spacings: list[int]
    delays: list[int]
    """Link delay from the eye to the box, 0..BEFORE."""
    fates: list[str]
    """`ok`; `drop`: exposed, its picture lost; `missed`: never exposed; `incomplete`; `slow`: here after the due."""


FATES = ["ok", "ok", "ok", "ok", "drop", "missed", "incomplete", "slow"]


@st.composite
def lines(draw: st.DrawFn, least_spacing: int) -> Line:
    count = draw(st.integers(1, 12))
    return Line(
        draw(st.lists(st.integers(least_spacing, 400), min_size=count, max_size=count)),
        draw(st.lists(st.integers(0, BEFORE), min_size=count, max_size=count)),
        draw(st.lists(st.sampled_from(FATES), min_size=count, max_size=count)),
    )


def play(line: Line) -> dict[int, list[str]]:
    """Run a line in time; return each part's answers. Frame i belongs to part i."""
    pairs = pairing()
    found: dict[int, list[str]] = {}
    eye = [sum(line.spacings[: at + 1]) for at in range(len(line.spacings))]
    events: list[tuple[int, int, str, int]] = []
    box_before = 0
    arrived_before = 0
    skipped = 0
    for at, moment in enumerate(eye):
        box = box_before = max(moment + line.delays[at], box_before + 1)
        events.append((box, 1, "trigger", at))
        fate = line.fates[at]
        if fate == "missed":
            continue
        if fate == "drop":
            skipped += 1
            continue
        here = max(moment + (120 if fate == "slow" else 8), arrived_before + 1)
        arrived_before = here
        events.append((here, 0, fate, skipped << 8 | at))
        skipped = skipped + 1 if fate == "incomplete" else 0
    for now, _, kind, value in sorted(events):
        at = value & 0xFF
        answers = pairs.expire(now)
        if kind == "trigger":
            answers += pairs.expect(expected(at + 1, now))
        elif kind == "incomplete":
            answers += pairs.spoil("incomplete")
        else:
            answers += pairs.arrive(Arrived(eye[at], value >> 8, str(at + 1)))
        collect(found, answers)
    collect(found, pairs.expire(10**9))
    return found


def collect(found: dict[int, list[str]], answers: Sequence[Match[str] | Missing]) -> None:
    for part, what in said(answers):
        found.setdefault(part, []).append(what)


@given(lines(least_spacing=1))
@settings(max_examples=250, deadline=None)
def test_each_part_has_exactly_one_answer(line: Line) -> None:
    found = play(line)
    assert {part: len(answers) for part, answers in found.items()} == dict.fromkeys(range(1, len(line.spacings) + 1), 1)


@given(lines(least_spacing=BEFORE + AFTER + 1))
@settings(max_examples=250, deadline=None)
def test_no_part_ever_gets_anothers_frame(line: Line) -> None:
    for part, (what,) in play(line).items():
        assert not what.isdigit() or int(what) == part


@given(lines(least_spacing=200))
@settings(max_examples=250, deadline=None)
def test_with_room_between_them_only_the_troubled_parts_are_lost(line: Line) -> None:
    for part, (what,) in play(line).items():
        assert (what == str(part)) == (line.fates[part - 1] == "ok")
