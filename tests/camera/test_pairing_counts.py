"""A camera that counts its triggers: what it did not take is told apart from what was lost, and nothing shifts."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okng.camera.pairing import Pairing
from okng.camera.trigger_count import TriggerCount
from okng.camera.waiting import Arrived, Expected, Match, Missing

BEFORE, AFTER, PATIENCE, HOLD = 30, 5, 50, 300


def expected(part: int, at: int, ghost: bool = False, patience: int = PATIENCE) -> Expected:
    return Expected(part, at, at - BEFORE, at + AFTER, at + AFTER + patience, ghost)


def frame(stamp: int, gap: int, what: str, count: int | None, dated: bool = True, fault: str = "") -> Arrived[str]:
    return Arrived(stamp, gap, what, fault, count, dated)


def said(answers: Sequence[Match[str] | Missing]) -> list[tuple[int, str]]:
    """(part, the frame or the reason)."""
    return [(answer.expected.part, answer.what if isinstance(answer, Match) else answer.reason) for answer in answers]


def doubts(pairs: Pairing[str]) -> bool:
    return pairs.in_doubt


def begun(patience: int = PATIENCE) -> Pairing[str]:
    """One part has had its frame, with count 1; the count has moved before."""
    pairs: Pairing[str] = Pairing(5, HOLD)
    pairs.expect(expected(9, 500))
    assert said(pairs.arrive(frame(490, 0, "z", 0))) == [(9, "z")]
    pairs.expect(expected(1, 1000, patience=patience))
    assert said(pairs.arrive(frame(990, 0, "a", 1))) == [(1, "a")]
    return pairs


def test_a_count_skipped_without_a_number_is_a_trigger_that_was_not_taken() -> None:
    pairs = begun()
    pairs.expect(expected(2, 1100, patience=500))
    pairs.expect(expected(3, 1200))
    assert said(pairs.arrive(frame(1190, 0, "c", 3))) == [(2, "missed trigger"), (3, "c")]
    assert (pairs.early, pairs.strays) == (1, 0)


def test_a_number_skipped_with_its_count_is_a_gap() -> None:
    pairs = begun()
    pairs.expect(expected(2, 1100, patience=500))
    pairs.expect(expected(3, 1200))
    assert said(pairs.arrive(frame(1190, 1, "c", 3))) == [(2, "gap"), (3, "c")]
    assert pairs.early == 0


def test_neither_skipped_the_camera_never_saw_the_trigger() -> None:
    pairs = begun()
    pairs.expect(expected(2, 1100, patience=500))
    pairs.expect(expected(3, 1200))
    assert said(pairs.arrive(frame(1190, 0, "c", 2))) == [(2, "timeout"), (3, "c")]
    assert pairs.early == 0


def test_of_two_that_are_lost_the_one_that_followed_soonest_was_not_taken() -> None:
    pairs = begun()
    pairs.expect(expected(2, 1200, patience=500))
    pairs.expect(expected(3, 1240, patience=500))
    pairs.expect(expected(4, 1400, patience=500))
    answers = dict(said(pairs.arrive(frame(1390, 1, "d", 4))))
    assert answers == {2: "gap", 3: "missed trigger", 4: "d"}


def test_a_part_already_given_up_is_counted_as_early_afterwards() -> None:
    pairs = begun()
    pairs.expect(expected(2, 1100))
    assert said(pairs.expire(1200)) == [(2, "timeout")]
    pairs.expect(expected(3, 1300))
    assert said(pairs.arrive(frame(1290, 0, "c", 3))) == [(3, "c")]
    assert pairs.early == 1


@pytest.mark.parametrize(("numbered", "gap", "reason"), [(True, 1, "incomplete"), (False, 0, "repeated")])
def test_a_spoiled_frame_is_no_early_trigger(numbered: bool, gap: int, reason: str) -> None:
    pairs = begun()
    pairs.expect(expected(2, 1100))
    assert said(pairs.spoil(reason, numbered=numbered)) == [(2, reason)]
    pairs.expect(expected(3, 1300))
    assert said(pairs.arrive(frame(1290, gap, "c", 3))) == [(3, "c")]
    assert pairs.early == 0


def test_a_frame_that_no_trigger_made_is_nobodys() -> None:
    pairs = begun()
    pairs.expect(expected(2, 1100))
    assert pairs.arrive(frame(1085, 0, "burst", 1)) == []
    assert said(pairs.arrive(frame(1095, 0, "b", 2))) == [(2, "b")]
    assert (pairs.strays, pairs.unasked) == (1, 1)


@pytest.mark.parametrize("dated", [True, False])
def test_a_counter_that_does_not_count_is_not_believed(dated: bool) -> None:
    pairs: Pairing[str] = Pairing(5, HOLD)
    for part in range(1, 6):
        pairs.expect(expected(part, 1000 * part))
        assert said(pairs.arrive(frame(1000 * part - 10, 0, str(part), 7, dated=dated))) == [(part, str(part))]
    assert (pairs.strays, pairs.early) == (0, 0)


def test_more_edges_than_parts_cost_no_part() -> None:
    pairs = begun()
    pairs.expect(expected(2, 1100))
    assert said(pairs.arrive(frame(1095, 0, "b", 4))) == [(2, "b")]
    assert pairs.early == 0, "no part was lost"


def test_a_faulty_frame_costs_the_part_in_whose_window_it_lies() -> None:
    pairs = begun()
    pairs.expect(expected(2, 1100, patience=500))
    pairs.expect(expected(3, 1200, patience=500))
    assert said(pairs.arrive(frame(1190, 0, "c", 2, fault="black"))) == [(2, "timeout"), (3, "black")]


def test_a_late_frame_that_only_its_arrival_dates_is_not_the_next_parts() -> None:
    pairs = begun()
    pairs.expect(expected(2, 1100))
    assert said(pairs.expire(1200)) == [(2, "timeout")]
    pairs.expect(expected(3, 1300))
    assert said(pairs.arrive(frame(1290, 0, "of 2", 2, dated=False))) == [(3, "pairing")]
    assert doubts(pairs)
    pairs.reset("pairing")
    assert not doubts(pairs)
    pairs.expect(expected(4, 1500))
    assert said(pairs.arrive(frame(1490, 0, "d", 1, dated=False))) == [(4, "d")]


def test_a_late_frame_that_comes_before_the_next_trigger_costs_only_its_own_part() -> None:
    pairs = begun()
    pairs.expect(expected(2, 1100))
    pairs.expire(1200)
    assert pairs.arrive(frame(1210, 0, "of 2", 2, dated=False)) == []
    pairs.expire(1210 + HOLD)
    pairs.expect(expected(3, 1900))
    assert said(pairs.arrive(frame(1890, 0, "c", 3, dated=False))) == [(3, "c")]
    assert not pairs.in_doubt
    assert pairs.unasked == 0


def test_a_count_that_goes_back_or_is_missing_concludes_nothing() -> None:
    order = TriggerCount()
    assert [order.step(count) for count in (5, 7, 2, 3, None, 4)] == [None, 2, None, 1, None, None]
    order.join(4, 100)
    order.ask(200)
    assert order.agrees(5, 200)
    assert not order.agrees(6, 200)
    order.step(1)
    assert order.agrees(6, 200), "set back: begins anew"


@dataclass
class Line:
    """What truly happened at a camera that counts its triggers."""

    spacings: list[int]
    delays: list[int]
    fates: list[str]
    """`ok`; `drop`: exposed, its picture lost; `early`: not taken; `dead`: its edge never came; `incomplete`;
    `repeat`: the frame before came again in its place; `black`."""
    bounces: list[int]
    """Edges after the part's own that the camera does not take and nobody is told of."""


FATES = ["ok", "ok", "ok", "ok", "drop", "early", "dead", "incomplete", "repeat", "black"]


@st.composite
def lines(draw: st.DrawFn, least_spacing: int) -> Line:
    count = draw(st.integers(2, 12))

    def each(what: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(what, min_size=count, max_size=count))

    fates = draw(st.lists(st.sampled_from(FATES), min_size=count, max_size=count))
    fates[0] = "ok"
    bounces = each(st.sampled_from([0, 0, 0, 1, 2]))
    return Line(each(st.integers(least_spacing, 400)), each(st.integers(0, BEFORE)), fates, bounces)


def events_of(line: Line) -> list[tuple[int, int, str, int, int, int]]:
    """In order of time: moment, rank, what, part, gap, count."""
    events: list[tuple[int, int, str, int, int, int]] = []
    eye = box = count = skipped = 0
    for at, spacing in enumerate(line.spacings):
        eye += spacing
        box = max(eye + line.delays[at], box + 1)
        events.append((box, 1, "trigger", at + 1, 0, 0))
        fate = line.fates[at]
        count += fate != "dead"
        if fate in ("ok", "black"):
            events.append((eye + 8, 0, fate, at + 1, skipped, count))
            skipped = 0
        elif fate in ("incomplete", "repeat"):
            events.append((max(eye + 8, box + 1), 0, fate, at + 1, 0, count))
            skipped += fate == "incomplete"
        elif fate == "drop":
            skipped += 1
        count += line.bounces[at] * (fate not in ("dead", "early"))
    return sorted(events)


def play(line: Line) -> tuple[dict[int, str], Pairing[str]]:
    """Each part's answer, and the pairing with its counts."""
    pairs: Pairing[str] = Pairing(5, HOLD)
    found: dict[int, str] = {}
    eye = [sum(line.spacings[: at + 1]) for at in range(len(line.spacings))]
    box = {part: now for now, _, what, part, _, _ in events_of(line) if what == "trigger"}
    for now, _, what, part, gap, count in events_of(line):
        answers = pairs.expire(now)
        if what == "trigger":
            answers += pairs.expect(expected(part, box[part]))
        elif what == "incomplete":
            answers += pairs.spoil("incomplete")
        elif what == "repeat":
            answers += pairs.spoil("repeated", numbered=False)
        else:
            answers += pairs.arrive(frame(eye[part - 1], gap, str(part), count, fault="black" * (what == "black")))
        for part_answered, answer in said(answers):
            assert part_answered not in found, "exactly one answer"
            found[part_answered] = answer
    found |= dict(said(pairs.expire(10**9)))
    return found, pairs


REASONS = {
    "drop": {"gap", "timeout"},
    "early": {"missed trigger", "timeout"},
    "dead": {"timeout"},
    "incomplete": {"incomplete"},
    "repeat": {"repeated"},
    "black": {"black"},
}


@given(lines(least_spacing=BEFORE + AFTER + 1))
@settings(max_examples=300, deadline=None)
def test_no_part_ever_gets_anothers_frame_and_the_counts_balance(line: Line) -> None:
    found, pairs = play(line)
    assert sorted(found) == list(range(1, len(line.spacings) + 1))
    assert all(not answer.isdigit() or int(answer) == part for part, answer in found.items())
    lost = sum(not answer.isdigit() for answer in found.values())
    assert 0 <= pairs.early <= lost
    assert not pairs.in_doubt


@given(lines(least_spacing=200))
@settings(max_examples=300, deadline=None)
def test_each_trouble_costs_its_own_part_under_its_own_name_and_shifts_nothing(line: Line) -> None:
    found, pairs = play(line)
    for part, answer in found.items():
        fate = line.fates[part - 1]
        assert answer == str(part) if fate == "ok" else answer in REASONS[fate]
    assert pairs.unasked == 0


@given(lines(least_spacing=200))
@settings(max_examples=300, deadline=None)
def test_triggers_that_were_not_taken_are_counted_once_a_later_frame_tells(line: Line) -> None:
    line.bounces = [0] * len(line.bounces)
    _, pairs = play(line)
    told = max((at for at, fate in enumerate(line.fates) if fate in ("ok", "black")), default=0)
    assert pairs.early == sum(fate == "early" for fate in line.fates[:told])
