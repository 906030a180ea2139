"""One number says how far a value is from its tolerance: above 1 exactly where it is beyond a limit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.imaging.measured import Measured, Place, Reading

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
LIMITS = st.none() | NUMBERS


@given(NUMBERS, LIMITS, LIMITS)
def test_beyond_a_limit_is_above_one_and_nothing_else_is(value: float, low: float | None, high: float | None) -> None:
    if low is not None and high is not None:
        low, high = min(low, high), max(low, high)
    reading = Reading("width", value, "mm", low, high)
    inside = (low is None or value >= low) and (high is None or value <= high)
    assert 0 <= reading.ratio < math.inf
    assert (reading.ratio > 1) == (not inside)
    assert (np.float32(reading.ratio) > 1) == (not inside)  # heat maps are float32


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_count_is_judged_as_a_whole_number(value: int, one: int, other: int) -> None:
    low, high = min(one, other), max(one, other)
    assert (Reading("count", value, "count", low, high).ratio > 1) == (not low <= value <= high)
    assert (Reading("count", value, "count", low, None).ratio > 1) == (value < low)


@pytest.mark.parametrize(
    ("value", "low", "high", "ratio"),
    [
        (10.0, 9.0, 11.0, 0.0),
        (10.5, 9.0, 11.0, 0.5),
        (12.0, 9.0, 11.0, 2.0),
        (8.0, 9.0, 11.0, 2.0),
        (1.5, None, 3.0, 0.5),
        (6.0, None, 3.0, 2.0),
        (4.0, 2.0, None, 0.0),
        (1.0, 2.0, None, 1.5),
        (0.5, None, 0.0, 1.5),
        (7.0, None, None, 0.0),
    ],
)
def test_the_ratio_is_the_distance_over_the_tolerance(
    value: float, low: float | None, high: float | None, ratio: float
) -> None:
    assert Reading("width", value, "mm", low, high).ratio == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("value", "low", "high", "ratio"),
    [(0, None, 0, 0.0), (1, None, 0, 2.0), (3, 3, 3, 0.0), (4, 3, 3, 2.0), (0, 1, None, 2.0), (1, 1, None, 0.0)],
)
def test_limits_of_a_count_lie_half_a_thing_further_out(
    value: int, low: int | None, high: int | None, ratio: float
) -> None:
    assert Reading("count", value, "count", low, high).ratio == pytest.approx(ratio)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="width = nan: expected a finite number"):
        Reading("width", math.nan, "mm", 1.0, 2.0)


def test_the_worst_rules_and_trouble_passes_nothing() -> None:
    good = Reading("width", 10.5, "mm", 9.0, 11.0)
    assert Measured("r", (good,), (Place("r", (0, 0, 4, 4), 0.7),)).score == 0.7
    assert Measured("r", (good, Reading("width", 12.0, "mm", 9.0, 11.0))).score == 2.0
    unjudged = Measured("r", trouble="r: no edge")
    assert not unjudged.sound
    assert unjudged.score == math.inf
