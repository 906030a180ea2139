"""A day of a report is a day of the box's own zone, also where it has 23 or 25 hours."""

import itertools
import os
import time
from collections.abc import Iterator

import pytest

from okng.webui.period import _day, minutes_between

NOW = "2026-12-01T00:00:00.000Z"


@pytest.fixture(autouse=True)
def berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("day", "since", "hours"),
    [
        ("2026-03-28", "2026-03-27T23:00", 24),
        ("2026-03-29", "2026-03-28T23:00", 23),
        ("2026-03-30", "2026-03-29T22:00", 24),
        ("2026-10-25", "2026-10-24T22:00", 25),
        ("2026-10-26", "2026-10-25T23:00", 24),
    ],
)
def test_a_day_begins_at_midnight_there_and_is_as_long_as_it_is(day: str, since: str, hours: int) -> None:
    period = _day(f"day:{day}", day, NOW)
    assert period is not None
    assert period.span.since.startswith(since)
    assert minutes_between(period.span.since, period.span.until) == 60 * hours


def test_days_leave_no_gap_and_overlap_nowhere() -> None:
    found = [_day("", f"2026-10-{day}", NOW) for day in range(23, 29)]
    for one, following in itertools.pairwise(found):
        assert one is not None
        assert following is not None
        assert one.span.until == following.span.since
