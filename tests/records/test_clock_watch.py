"""The wall clock is believed only where it can be right; nothing of this touches a verdict."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from okng.bus.clock import SECOND
from okng.bus.clock_floor import believed_now, build_utc
from okng.records.bookkeeping import Ripe
from okng.records.clock_watch import ClockWatch, newest_in
from okng.records.ledger import Ledger

BUILT = datetime(2026, 11, 1, tzinfo=UTC)
NEWEST = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def watch(wall: datetime, newest: datetime | None = NEWEST) -> ClockWatch:
    return ClockWatch(newest, BUILT, wall, 0)


def after(one: ClockWatch, monotonic: timedelta, wall: datetime) -> str:
    return one.look(wall, int(monotonic.total_seconds() * SECOND))


def test_a_boot_in_1970_is_told_by_the_newest_record_else_by_the_build() -> None:
    at_1970 = datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC)
    told = watch(at_1970).doubt
    assert told == ("the clock says 1970-01-01T00:00Z, and by the newest record it is at least 2026-11-20T12:00Z")
    assert "by the build of okng it is at least 2026-11-01T00:00Z" in watch(at_1970, None).doubt


def test_a_clock_a_little_behind_is_believed_and_one_that_network_time_mends_is_believed_again() -> None:
    assert not watch(NEWEST - timedelta(seconds=59)).doubt
    late = watch(NEWEST - timedelta(days=1))
    assert late.doubt
    assert after(late, timedelta(seconds=5), NEWEST + HOUR) == ""
    assert not after(late, timedelta(seconds=6), NEWEST + HOUR + timedelta(seconds=1))


def test_a_clock_that_is_set_back_while_the_box_runs_is_not_believed() -> None:
    one = watch(NEWEST + HOUR)
    assert not after(one, 5 * HOUR, NEWEST + 6 * HOUR)
    assert after(one, 6 * HOUR, NEWEST - 18 * HOUR)
    # Back to within the time that cannot be told from right: it is at least the floor and what was counted since.
    assert not after(one, 7 * HOUR, NEWEST + 7 * HOUR)


def test_a_clock_put_far_ahead_is_not_believed_until_a_day_has_gone_by_or_it_is_put_back() -> None:
    one = watch(NEWEST)
    ahead = timedelta(days=365)
    told = after(one, HOUR, NEWEST + HOUR + ahead)
    assert told == "the clock was set ahead by 365 d; it is believed after 23 h, or set it back"
    assert after(one, 20 * HOUR, NEWEST + 20 * HOUR + ahead)
    assert not after(one, 26 * HOUR, NEWEST + 26 * HOUR + ahead)
    other = watch(NEWEST)
    assert after(other, HOUR, NEWEST + HOUR + ahead)
    assert not after(other, 2 * HOUR, NEWEST + 2 * HOUR)
    assert not after(other, 3 * HOUR, NEWEST + 3 * HOUR)


def test_an_hour_of_summer_time_and_small_steps_are_nothing() -> None:
    """The clock is UTC: a change of summer time does not move it. Steps of seconds are logged and believed."""
    one = watch(NEWEST)
    assert not after(one, HOUR, NEWEST + HOUR + timedelta(seconds=50))
    assert not after(one, 2 * HOUR, NEWEST + 2 * HOUR - timedelta(seconds=50))


def test_the_newest_is_what_came_last_not_what_bears_the_latest_time(
    tmp_path: Path, maker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One record of a clock that ran ahead would else keep every later clock in doubt."""
    ledger = Ledger(tmp_path)

    def stored(at: str, part: int) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("okng.records.ledger.utc_now", lambda: at)
            patch.setattr("okng.records.audit.utc_now", lambda: at)
            ledger.store([Ripe(maker.record_entry(part, part))])
            ledger.recover("run-1")  # leaves no line in the trail: nothing was open

    with ledger.transaction() as db:
        db.execute("drop trigger audit_no_update")
        db.execute("drop trigger audit_no_delete")
        db.execute("delete from audit")
    assert newest_in(ledger) is None
    stored("2099-01-01T00:00:00.000Z", 1)
    assert newest_in(ledger) == datetime(2099, 1, 1, tzinfo=UTC)
    stored("2026-11-20T12:00:00.000Z", 2)
    assert newest_in(ledger) == NEWEST
    ledger.close()
    assert newest_in(ledger) is None


def test_what_runs_out_is_not_judged_by_a_clock_before_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    class Past(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Past":
            return cls(1970, 1, 1, tzinfo=UTC)

    real: Callable[[], datetime] = believed_now
    assert abs(real() - datetime.now(UTC)) < timedelta(seconds=5)
    monkeypatch.setattr("okng.bus.clock_floor.datetime", Past)
    assert believed_now() == build_utc() > datetime(2026, 1, 1, tzinfo=UTC)
