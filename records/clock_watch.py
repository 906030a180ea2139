"""Whether the wall clock is believed. No verdict depends on it; what goes by its age, and what people read, do.

At the start it may not stand before the build nor before the newest thing in the ledger; from then on it can only be
later by what the monotonic clock has counted. A clock that was put far ahead while the box ran is not believed either
until somebody had a day to see the alarm: pictures would go because they seem old.
"""

import logging
from datetime import UTC, datetime, timedelta

from ..bus.clock import SECOND, now_ns, utc_text
from ..bus.clock_floor import build_utc
from .bookkeeping import rows
from .ledger import Ledger, LedgerDamaged, LedgerStuck

log = logging.getLogger(__name__)
BACK = timedelta(seconds=60)
"""So far behind it may be: a battery clock tells whole seconds and drifts."""
AHEAD = timedelta(hours=1)
"""A jump further than this is not believed at once."""
SEEN = timedelta(hours=24)
"""After so long it is."""
_TOLD = timedelta(seconds=1)
"""Smaller steps are what network time does."""


class ClockWatch:
    """Looks at the wall clock now and then, against the monotonic one. One thread."""

    def __init__(self, newest: datetime | None, built: datetime, wall: datetime, at_ns: int) -> None:
        """newest: moment of the newest thing in the ledger; None: it is empty. wall, at_ns: both clocks now."""
        self.floor = max(built, newest or built)
        """The later of build and newest record, as of the start."""
        self._since = "the newest record" if newest is not None and newest > built else "the build of okng"
        self._begun_ns = self._at_ns = at_ns
        self._wall = wall
        self._jump: tuple[timedelta, datetime, int] | None = None
        """How far it was put ahead, where it stood just before, and when."""
        self.doubt = ""
        """Why it is not believed, for people; empty: it is."""
        self.look(wall, at_ns)

    @classmethod
    def of(cls, ledger: Ledger) -> "ClockWatch":
        """By the newest row and the newest line of the trail of a ledger, whichever came last."""
        return cls(newest_in(ledger), build_utc(), datetime.now(UTC), now_ns())

    def look(self, wall: datetime | None = None, at_ns: int | None = None) -> str:
        """Look once; return why the clock is not believed, or nothing."""
        wall, at_ns = wall or datetime.now(UTC), now_ns() if at_ns is None else at_ns
        step = (wall - self._wall) - _span(at_ns - self._at_ns)
        if abs(step) > _TOLD:
            log.warning("the wall clock was set %s by %s", "ahead" if step > timedelta() else "back", _words(step))
            believed = not self.doubt
            if step > AHEAD and believed:
                self._jump = (step, self._wall, self._at_ns)
        self._wall, self._at_ns = wall, at_ns
        self.doubt = self._behind(wall, at_ns) or self._ahead(wall, at_ns)
        return self.doubt

    def _behind(self, wall: datetime, at_ns: int) -> str:
        least = self.floor + _span(at_ns - self._begun_ns)
        if wall >= least - BACK:
            return ""
        return f"the clock says {utc_text(wall)[:16]}Z, and by {self._since} it is at least {utc_text(least)[:16]}Z"

    def _ahead(self, wall: datetime, at_ns: int) -> str:
        if self._jump is None:
            return ""
        step, before, then_ns = self._jump
        gone = _span(at_ns - then_ns)
        if gone >= SEEN or wall - before - gone <= AHEAD:
            self._jump = None
            return ""
        return f"the clock was set ahead by {_words(step)}; it is believed after {_words(SEEN - gone)}, or set it back"


def newest_in(ledger: Ledger) -> datetime | None:
    """When the newest row and the newest line of the trail were written; None: there are none, or they cannot be read.

    Newest is what came last, not what bears the latest time: one record of a clock that ran ahead does not spoil all
    those to come.
    """
    asked = (
        "select stored_at from part order by seq desc limit 1",
        "select json_extract(body, '$.at') from audit order by n desc limit 1",
    )
    found: list[datetime] = []
    try:
        with ledger.transaction() as db:
            for sql in asked:
                found += [datetime.fromisoformat(str(at)) for (at,) in rows(db, sql)]
    except (LedgerStuck, LedgerDamaged, ValueError):
        return None
    return max(found, default=None)


def _span(ns: int) -> timedelta:
    return timedelta(seconds=ns / SECOND)


def _words(span: timedelta) -> str:
    minutes, seconds = divmod(round(abs(span).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s"))
    shown = [f"{n} {unit}" for n, unit in parts if n]
    return " ".join(shown[:2]) or "0 s"
