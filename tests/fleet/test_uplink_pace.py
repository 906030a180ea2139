"""How fast and when the box speaks: the bucket is kept to, the hours are, and nobody comes back in a wave."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.fleet.pace import LONGEST_AFTER_S, LONGEST_S, BackOff, Bucket, is_open


@given(
    kbit=st.integers(16, 1_000_000),
    sizes=st.lists(st.integers(1, 200_000), min_size=1, max_size=200),
    idle=st.floats(0, 10_000),
)
def test_no_more_leaves_than_the_rate_and_one_second_allow(kbit: int, sizes: list[int], idle: float) -> None:
    bucket = Bucket(kbit, 0.0)
    now = idle
    sent = 0
    for size in sizes:
        now += bucket.wait_s(size, now)
        bucket.take(size, now)
        sent += size
    burst = max(bucket.rate, bucket.slice) + max(sizes)
    assert sent <= bucket.rate * (now - idle) + burst + 1


def test_what_did_not_wait_is_owed_by_what_comes_after() -> None:
    bucket = Bucket(80, 0.0)  # 10,000 bytes a second
    bucket.take(50_000, 0.0)
    assert bucket.wait_s(1, 0.0) == pytest.approx((50_000 - bucket.slice) / 10_000, abs=0.01)


@pytest.mark.parametrize(
    ("spans", "clock", "wanted"),
    [
        ((), "03:00", True),
        (("22:00-06:00",), "23:59", True),
        (("22:00-06:00",), "05:59", True),
        (("22:00-06:00",), "06:00", False),
        (("08:00-12:00", "13:00-24:00"), "12:30", False),
        (("08:00-12:00", "13:00-24:00"), "23:59", True),
        (("00:00-24:00",), "00:00", True),
    ],
)
def test_hours_may_pass_midnight(spans: tuple[str, ...], clock: str, wanted: bool) -> None:
    hour, minute = clock.split(":")
    assert is_open(spans, datetime(2026, 11, 27, int(hour), int(minute), tzinfo=UTC)) is wanted


@given(st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(lambda pair: pair[0] != pair[1]))
def test_a_span_and_the_one_turned_round_share_the_day(pair: tuple[int, int]) -> None:
    begin, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in pair)
    day = datetime(2026, 1, 1, tzinfo=UTC)
    for minute in range(0, 1440, 7):
        at = day + timedelta(minutes=minute)
        assert is_open((f"{begin}-{end}",), at) != is_open((f"{end}-{begin}",), at)


def test_waits_double_up_to_five_minutes_and_are_drawn_from_the_whole() -> None:
    drawn: list[tuple[float, float]] = []

    def longest(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    back_off = BackOff(longest)
    waits = [back_off.failed(0.0) for _ in range(12)]
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert waits[-1] == LONGEST_S
    assert {low for low, _ in drawn} == {0.0}
    back_off.worked()
    assert back_off.wait_s(0.0) == 0
    assert back_off.failed(0.0) == 1


def test_the_pause_that_is_asked_for_is_kept_but_not_for_ever() -> None:
    back_off = BackOff(lambda low, high: low)
    assert back_off.failed(100.0, 42.0) == 42.0
    assert back_off.wait_s(130.0) == 12.0
    assert back_off.failed(0.0, 1e9) == LONGEST_AFTER_S
