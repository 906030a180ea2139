"""The budget between eye and gate."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.plc_io.budget import ENOUGH, Taken, Way, allowed, budget, p999

WAY = Way(distance_mm=500, max_speed_mm_s=600, deadline_ms=400, margin_ms=150, valve_ms=12, spare_ms=5)


def taken(decision_ms: float, answer_ms: float) -> Taken:
    return Taken(picture_ms=5, inspection_ms=20, decision_ms=decision_ms, answer_ms=answer_ms)


def test_before_anything_is_measured_the_recipe_rules() -> None:
    found = allowed(WAY)
    assert found.sum_ms == 550
    assert found.needs_mm == pytest.approx(330)
    assert found.fits
    near = allowed(Way(300, 600, 400, 150, 12))
    assert not near.fits
    assert near.short_mm == pytest.approx(30)
    assert near.top_speed_mm_s == pytest.approx(545.45, abs=0.01)
    assert "30 mm too near" in near.words
    assert "545 mm/s" in near.words


def test_enough_parts_replace_what_was_allowed() -> None:
    assert budget(WAY, [taken(40, 10)] * (ENOUGH - 1)).measured == 0
    found = budget(WAY, [taken(40, 10)] * ENOUGH)
    assert found.measured == ENOUGH
    assert found.sum_ms == pytest.approx(40 + 10 + 12 + 5)


def test_one_part_in_a_thousand_may_be_slower_but_not_two() -> None:
    one = budget(WAY, [taken(40, 10)] * 999 + [taken(300, 10)])
    two = budget(WAY, [taken(40, 10)] * 998 + [taken(300, 10)] * 2)
    assert one.sum_ms == pytest.approx(67)
    assert two.sum_ms == pytest.approx(327)


def test_a_decision_counts_for_the_deadline_at_most() -> None:
    assert budget(WAY, [taken(5000, 10)] * ENOUGH).sum_ms == pytest.approx(400 + 10 + 17)


def test_parts_that_were_never_acknowledged_are_no_measure() -> None:
    unknown = Taken(picture_ms=None, inspection_ms=None, decision_ms=40, answer_ms=None)
    assert budget(WAY, [unknown] * 5000).measured == 0


@given(
    distance=st.floats(1, 10_000),
    speed=st.floats(1, 5000),
    decision=st.floats(0.1, 1000),
    answer=st.floats(0.1, 1000),
)
def test_what_is_named_would_do(distance: float, speed: float, decision: float, answer: float) -> None:
    way = Way(distance, speed, 400, 150, 12, 5)
    found = budget(way, [taken(decision, answer)], enough=1)
    assert found.fits == (way.has_ms >= found.sum_ms) or math.isclose(way.has_ms, found.sum_ms)
    far = budget(Way(distance + found.short_mm + 0.001, speed, 400, 150, 12, 5), [taken(decision, answer)], enough=1)
    assert far.fits
    slow = budget(Way(distance, found.top_speed_mm_s * 0.999, 400, 150, 12, 5), [taken(decision, answer)], enough=1)
    assert slow.fits


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_p999_is_one_of_the_values_and_hardly_any_lies_above(values: list[float]) -> None:
    found = p999(values)
    assert found in values
    assert sum(value > found for value in values) <= len(values) / 1000
