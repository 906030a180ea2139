"""Which stretch of time or which lot a page of figures is about, as it stands in the page's address.

`8h`, `24h`, `7d`: up to now. `day:2026-11-26`: a day of the box's own zone. `shift:2026-11-26T05:00`: the shift that
began then (UTC). `lot:A-17`: from its first part to its last.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from ..bus.clock import utc_now
from ..records.figures_read import FiguresReader, Span
from .watch import Watch

HOURS = {"8h": 8, "24h": 24, "7d": 168}
_MINUTE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d$")
SHIFTS_BACK_DAYS = 8
LONGEST_SHIFT_H = 24
"""A shift after which no other began ends after this at the latest."""


@dataclass(frozen=True, slots=True)
class Period:
    """What was asked for."""

    key: str
    """As in the address."""
    kind: str
    """`last`, `day`, `shift`, `lot`."""
    name: str
    """Of the shift or the lot; empty: none."""
    span: Span
    running: bool
    """It goes on: the figures are those up to now."""

    @property
    def minutes(self) -> int:
        """Length of the span."""
        return round(minutes_between(self.span.since, self.span.until))

    @property
    def step_min(self) -> int:
        """Steps its series is drawn in."""
        return 1 if self.minutes <= 120 else 10 if self.minutes <= 24 * 60 + 10 else 60


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift of the calendar, as it came."""

    name: str
    since: str
    """UTC to the minute; in its period's key."""
    until: str
    running: bool


def period_of(key: str, reader: FiguresReader, watch: Watch, now: str = "") -> Period | None:
    """The period of a key; None: there is none of that key. BadLedger."""
    now = now or utc_now()
    kind, _, name = key.partition(":")
    if key in HOURS:
        return Period(key, "last", "", Span(_text(_moment(now) - timedelta(hours=HOURS[key])), now), running=True)
    if kind == "day":
        return _day(key, name, now)
    if kind == "lot" and name:
        return _lot(key, name, reader, watch, now)
    if kind == "shift" and _MINUTE.match(name):
        found = next((shift for shift in shifts(reader, watch, now) if shift.since == name), None)
        if found is None:
            return None
        return Period(key, "shift", found.name, Span(found.since + ":00.000Z", found.until), found.running)
    return None


def shifts(reader: FiguresReader, watch: Watch, now: str = "") -> list[Shift]:
    """The shifts of the last days, newest first. BadLedger."""
    now = now or utc_now()
    back = _text(_moment(now) - timedelta(days=SHIFTS_BACK_DAYS))
    begun: dict[str, str] = {}
    for event in reader.happened("shift", back, now):
        since = event["body"].get("since", "")
        if event["event"] == "begun" and isinstance(since, str) and _is_moment(since):
            begun[_minute(since)] = str(event["body"].get("shift", ""))
    said = watch.shift
    if said is not None and said.shift and _is_moment(said.shift_since):
        begun[_minute(said.shift_since)] = said.shift
    ordered = sorted(begun.items())
    made = []
    for n, (since, name) in enumerate(ordered):
        last = n + 1 == len(ordered)
        longest = _text(_moment(since + ":00Z") + timedelta(hours=LONGEST_SHIFT_H))
        until = min(now, longest) if last else ordered[n + 1][0] + ":00.000Z"
        made.append(Shift(name, since, until, running=last and until == now))
    return made[::-1]


def minutes_between(since: str, until: str) -> float:
    """Minutes from one moment to a later one, UTC; 0 where it is not later."""
    return max(0.0, (_moment(until) - _moment(since)).total_seconds() / 60)


def days(now: str = "") -> list[str]:
    """The last seven days of the box's own zone, newest first, as in the key."""
    today = _moment(now or utc_now()).astimezone().date()
    return [(today - timedelta(days=back)).isoformat() for back in range(7)]


def _day(key: str, name: str, now: str) -> Period | None:
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return None
    since, until = (_text(datetime.combine(each, time()).astimezone()) for each in (day, day + timedelta(days=1)))
    return Period(key, "day", name, Span(since, min(until, now)), running=until > now)


def _lot(key: str, name: str, reader: FiguresReader, watch: Watch, now: str) -> Period | None:
    found = reader.lot(name)
    said = watch.shift
    running = said is not None and said.lot == name
    if found is None:
        return None
    after = _text(_moment(found.last + ":00Z") + timedelta(minutes=1))
    return Period(key, "lot", name, Span(found.first + ":00.000Z", now if running else after, lot=name), running)


def _moment(utc: str) -> datetime:
    return datetime.fromisoformat(utc)


def _is_moment(utc: str) -> bool:
    try:
        return bool(_moment(_minute(utc) + ":00Z"))
    except ValueError:
        return False


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:00.000Z")


def _minute(utc: str) -> str:
    return utc[:16]
