"""What a page or a program looks for: a stretch of time and what the parts have in common. Read in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from .tables import Box, Part
from .tables_rollout import Hourly, HourlyFigure

SPANS = {"8h": timedelta(hours=8), "24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
NAMES = ("recipe", "line", "box", "model", "lot", "shift", "tool", "camera")
MOST_DAYS = 3660


class BadTerms(ValueError):
    """What was asked for makes no sense; its text names key, value and what was expected."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Empty words: any."""

    since: datetime
    until: datetime
    span: str = ""
    """Key of SPANS the two were made from; empty: they were given."""
    recipe: str = ""
    line: str = ""
    box: str = ""
    model: str = ""
    lot: str = ""
    shift: str = ""
    tool: str = ""
    camera: str = ""
    others: Mapping[str, str] = field(default_factory=dict)
    """Further words of the page itself."""

    def hourly(self) -> list[ColumnElement[bool]]:
        """Conditions on `hourly`; with a line the question has to be joined to `box`. Whole hours that begin within."""
        return [Hourly.hour >= _hour(self.since), Hourly.hour < self.until, *self._said(Hourly, NAMES)]

    def figures(self) -> list[ColumnElement[bool]]:
        """Conditions on `hourly_figure`; with a line joined to `box`."""
        return [
            HourlyFigure.hour >= _hour(self.since),
            HourlyFigure.hour < self.until,
            *self._said(HourlyFigure, ("recipe", "line", "box", "camera")),
        ]

    def parts(self) -> list[ColumnElement[bool]]:
        """Conditions on `part`; with a line joined to `box`. A tool is not a column of it."""
        return [
            Part.taken_at >= self.since,
            Part.taken_at < self.until,
            *self._said(Part, tuple(name for name in NAMES if name != "tool")),
        ]

    def _said(self, table: Any, names: tuple[str, ...]) -> list[ColumnElement[bool]]:
        words = [(name, getattr(self, name)) for name in names]
        return [(Box.line if name == "line" else getattr(table, name)) == word for name, word in words if word]

    def with_(self, **changes: Any) -> "Terms":
        """The same but for these."""
        return replace(self, **changes)

    def words(self) -> dict[str, str]:
        """As the address of a page holds them."""
        own = {name: getattr(self, name) for name in NAMES if getattr(self, name)}
        if self.span:
            return {"span": self.span} | own
        return {"since": self.since.isoformat(), "until": self.until.isoformat()} | own


def terms_of(given: Mapping[str, str], now: datetime | None = None, span: str = "24h") -> Terms:
    """Read `span` or `since` and `until` (ISO 8601 with a zone, or a date that begins at 00:00 UTC), and the words.

    span: where nothing is said. BadTerms.
    """
    now = now or datetime.now(UTC)
    names: dict[str, Any] = {}
    for name in NAMES:
        word = given.get(name, "").strip()
        if len(word) > 200 or "\0" in word:
            raise BadTerms(f"{name}: expected at most 200 characters and no zero byte")
        names[name] = word
    if given.get("since") or given.get("until"):
        until = moment_of("until", given["until"]) if given.get("until") else now
        since = moment_of("since", given["since"]) if given.get("since") else _before(until, SPANS[span])
        if not since < until:
            raise BadTerms(f"since = {since.isoformat()}: expected a moment before until = {until.isoformat()}")
        if until - since > timedelta(days=MOST_DAYS):
            raise BadTerms(f"since = {since.isoformat()}: expected at most {MOST_DAYS} days before until")
        return Terms(since, until, **names)
    chosen = given.get("span") or span
    if chosen not in SPANS:
        raise BadTerms(f"span = {chosen[:40]!r}: expected one of {', '.join(SPANS)}")
    return Terms(now - SPANS[chosen], now, chosen, **names)


def moment_of(name: str, text: str) -> datetime:
    """The moment of a text. BadTerms."""
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        raise BadTerms(f"{name} = {text[:40]!r}: expected a moment as 2026-11-27T08:15:04Z or a date") from None
    if found.tzinfo is None:
        if len(text.strip()) > 10:
            raise BadTerms(f"{name} = {text[:40]!r}: expected a time zone, for example Z")
        found = found.replace(tzinfo=UTC)
    try:
        found.astimezone(UTC)
    except OverflowError:
        raise BadTerms(f"{name} = {text[:40]!r}: expected a moment within the years 1 to 9999, UTC") from None
    return found


def _before(until: datetime, span: timedelta) -> datetime:
    try:
        return until - span
    except OverflowError:
        raise BadTerms(f"until = {until.isoformat()}: expected a moment after the year 1") from None


def number_of(given: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """A whole number of the address. BadTerms."""
    text = given.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= (found := int(text[:20])) <= most:
        raise BadTerms(f"{name} = {text[:40]!r}: expected a whole number, {least} to {most}")
    return found


def begins(column: Any, text: str, dialect: str) -> ColumnElement[bool]:
    """The column begins with the text, letter for letter, by an index on both databases."""
    if dialect == "postgresql":
        escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return sa.and_(column.like(escaped + "%", escape="\\"))
    return sa.and_(column >= text, column < text + "\U0010ffff")


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
