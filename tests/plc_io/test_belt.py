"""Geometry, travel and stop rules of the tracker, each alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.bus.part import Why
from okng.plc_io.belt import Belt, Gate, Lane
from okng.plc_io.stop_rules import StopRules, Stops
from okng.plc_io.travel import Travel

MS = 1_000_000
GATE = Gate("g1", distance_mm=300.0, link_ms=4.0)


def belt(gate: Gate = GATE, **more: object) -> Belt:
    values: dict[str, object] = {"counts_per_mm": 20.0, "lanes": (Lane("a", (gate,)),), **more}
    return Belt(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"counts_per_mm": 0.0}, "counts_per_mm = 0.0: expected more than 0"),
        ({"encoder_bits": 24}, "encoder_bits = 24: expected 16 or 32"),
        ({"encoder_bits": 16, "jump_mm": 2000.0}, "half a turn"),
        ({"lanes": ()}, "lanes: expected one or more"),
        ({"lanes": (Lane("a", (GATE,)), Lane("b", (GATE,)))}, "expected each once, found g1, g1"),
        ({"lanes": (Lane("a", (replace(GATE, distance_mm=60.0),)),)}, "distance_mm = 60: expected at least 80.2 mm"),
        (
            {"lanes": (Lane("a", (replace(GATE, resync_mm=290.0),)),)},
            "resync_mm = 290: expected more than 0 and at most",
        ),
        ({"lanes": (Lane("a", (replace(GATE, confirm_mm=300.0),)),)}, "confirm_mm = 300: expected 312.0 or more"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        belt(**change)  # type: ignore[arg-type]


def test_the_distance_that_is_asked_for_would_do() -> None:
    assert belt(replace(GATE, distance_mm=80.3)).lanes[0].gate.distance_mm == 80.3
    with pytest.raises(ValueError, match="expected at least 80"):
        belt(replace(GATE, distance_mm=80.0))


@given(
    st.sampled_from([16, 32]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(-700, 700), min_size=1, max_size=60),
)
def test_travel_is_the_sum_of_the_steps_wherever_the_count_goes_round(
    bits: int, down: bool, start: int, steps: list[int]
) -> None:
    travel = Travel(belt(encoder_bits=bits, reversed=down, max_speed_mm_s=2000.0))
    turn, at, gone, now = 1 << bits, start, 0, 0
    assert travel.move(at % turn, now) == ""
    for step in steps:
        now += 20 * MS
        gone += step
        at += -step if down else step
        assert travel.move(at % turn, now) == ""
        assert travel.mm == pytest.approx(gone / 20.0)
        assert travel.at((at + 40) % turn) == pytest.approx(gone / 20.0 + (-2.0 if down else 2.0))


@pytest.mark.parametrize(
    ("counts", "said"), [(2000, "jumped by 101.0 mm"), (-2000, "jumped by -99.0 mm"), (200, "in 2.0")]
)
def test_a_count_that_cannot_be_is_told_and_not_believed(counts: int, said: str) -> None:
    travel = Travel(belt())
    at = 5000
    for tick in range(10):
        assert travel.move(at, tick * 2 * MS) == ""
        at += 20
    before = travel.mm
    assert said in travel.move(at + counts, 20 * MS)
    assert travel.mm == pytest.approx(before + 1.0, abs=0.2)
    assert travel.move(at + counts + 20, 22 * MS) == ""
    assert travel.mm == pytest.approx(before + 2.0, abs=0.2)


def test_a_belt_faster_than_declared_is_told() -> None:
    travel = Travel(belt())
    said = [travel.move(round(tick * 1.3 * 24), tick * 2 * MS) for tick in range(60)]  # 1.3 x 600 mm/s
    assert said[:20] == [""] * 20
    assert "belt: 780 mm/s, expected at most 600" in said[-1]
    right = Travel(belt())
    assert {right.move(round(tick * 24), tick * 2 * MS) for tick in range(200)} == {""}


def goes_forward(travel: Travel) -> bool:
    return travel.forward


def test_shaking_is_no_turn_and_old_ground_is_known() -> None:
    travel = Travel(belt())
    at = now = 0
    for step in [20] * 50 + [-1, 1, -2, 2] * 5:
        at, now = at + step, now + 2 * MS
        travel.move(at, now)
    assert goes_forward(travel)
    for _ in range(40):
        at, now = at - 10, now + 2 * MS
        travel.move(at, now)
    assert not goes_forward(travel)
    assert travel.is_old_ground(travel.mm)
    assert not travel.is_old_ground(50.0)
    for _ in range(4):
        at, now = at + 10, now + 2 * MS
        travel.move(at, now)
    assert goes_forward(travel)
    assert travel.is_old_ground(travel.mm)


def test_each_rule_stops_at_its_limit_and_not_before() -> None:
    stops = Stops(StopRules(consecutive=3))
    assert [bool(stops.decided(why)) for why in (Why.NG, Why.LATE, Why.OK, Why.NG, Why.NG, Why.NG)] == [False] * 5 + [
        True
    ]
    stops = Stops(StopRules(k=2, n=4))
    said = [bool(stops.decided(why)) for why in (Why.NG, Why.OK, Why.OK, Why.OK, Why.NG, Why.OK, Why.NG)]
    assert said == [False] * 6 + [True]
    stops = Stops(StopRules(late_in_row=2))
    assert [bool(stops.decided(why)) for why in (Why.LATE, Why.NG, Why.LATE, Why.LATE)] == [False, False, False, True]
    stops = Stops(StopRules(unconfirmed_in_row=2))
    assert [bool(stops.confirmed(left)) for left in (False, True, False, False)] == [False, False, False, True]
    stops.reset()
    assert stops.confirmed(False) == ""


def test_a_fault_is_no_reject_of_the_product_and_rules_off_never_stop() -> None:
    stops = Stops(StopRules(consecutive=1))
    assert [stops.decided(Why.FAULT) for _ in range(5)] == [""] * 5
    free = Stops(StopRules())
    assert {free.decided(Why.NG) for _ in range(500)} == {""}
    for wrong in ({"consecutive": -1}, {"k": 3, "n": 2}, {"k": 1}):
        with pytest.raises(ValueError, match="expected"):
            StopRules(**wrong)
