"""Good, rejected and unjudged parts by the hour, counted in the transaction that stores them, so exactly once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .causes import wilson
from .search_terms import Terms
from .tables import Box, Part
from .tables_rollout import Hourly
from .upsert import put

KEYS = ("hour", "box", "recipe", "model", "lot", "shift", "tool", "camera", "health")
COUNTS = {"OK": "good", "NG": "rejects", "UNJUDGED": "unjudged"}
TOOLS = ("tool", "mould", "mold", "cavity", "nest")
"""Names of codes that say what made the part."""
BY = ("recipe", "line", "box", "shift", "model", "lot", "tool", "camera", "hour", "day")
"""What yield may be told by."""
MOST_GROUPS = 2000


@dataclass(frozen=True, slots=True)
class Yield:
    """Counts of one group, with the interval of the reject share."""

    name: str
    """Of the group; of a box its id."""
    good: int
    rejects: int
    unjudged: int
    label: str = ""
    """Of a box its name; else as `name`."""

    @property
    def judged(self) -> int:
        """Parts that a verdict was found for."""
        return self.good + self.rejects

    @property
    def total(self) -> int:
        """All parts."""
        return self.judged + self.unjudged

    @property
    def reject_share(self) -> float | None:
        """0..1 of the judged ones; None: there are none."""
        return self.rejects / self.judged if self.judged else None

    @property
    def interval(self) -> tuple[float, float]:
        """Of the reject share, 95 % (Wilson)."""
        return wilson(self.rejects, self.judged)

    def told(self) -> dict[str, Any]:
        """As the API says it."""
        low, high = self.interval
        return {
            "name": self.name,
            "label": self.label or self.name,
            "good": self.good,
            "rejects": self.rejects,
            "unjudged": self.unjudged,
            "reject_share": self.reject_share,
            "low": low,
            "high": high,
        }


def hour_of(at: datetime) -> datetime:
    """Begin of its hour, UTC."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def tool_of(codes: object) -> str:
    """What made the part, by its codes; empty: none says so."""
    for code in codes if isinstance(codes, list) else []:
        if isinstance(code, Mapping) and str(code.get("name", "")).lower() in TOOLS and code.get("text"):
            return str(code["text"])[:100]
    return ""


def health_of(image: object) -> str:
    """Causes that the image health of a part names, sorted, joined by `+`; empty: none."""
    found = {
        str(alarm)
        for one in (image if isinstance(image, list) else [])
        if isinstance(one, Mapping) and isinstance(one.get("alarms"), list)
        for alarm in one["alarms"]
    }
    return "+".join(sorted(found))[:100]


def key_of(part: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where a part is counted, in the order of KEYS."""
    return (
        hour_of(part["taken_at"]),
        part["box"],
        *((part.get(name) or "") for name in ("recipe", "model", "lot", "shift")),
        part["tool"] if "tool" in part else tool_of(part.get("codes")),
        part.get("camera") or "",
        health_of(part.get("image")),
    )


def count(session: Session, parts: Iterable[Mapping[str, Any]], times: int = 1) -> None:
    """Add parts to the counts of their hours; times: -1 takes them out again."""
    found: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for part in parts:
        found[key_of(part)][COUNTS.get(str(part.get("outcome", "")).upper(), "unjudged")] += times
    rows = [
        dict(zip(KEYS, key, strict=True)) | {name: counter[name] for name in COUNTS.values()}
        for key, counter in sorted(found.items())
    ]
    put(session, Hourly, rows, add=tuple(COUNTS.values()))


def by(session: Session, terms: Terms, what: str, limit: int = MOST_GROUPS) -> list[Yield]:
    """Counts of a search, one row for each recipe, line or box.

    By hour and day in order of time, else most rejects first. ValueError: `what` is none of BY.
    """
    if what not in BY:
        raise ValueError(f"by = {what!r}: expected one of {', '.join(BY)}")
    if what in ("hour", "day"):
        return _over_time(session, terms, what)
    column: Any = Box.line if what == "line" else getattr(Hourly, what)
    sums = [sa.func.coalesce(sa.func.sum(getattr(Hourly, name)), 0) for name in COUNTS.values()]
    asked = (
        sa.select(column, *sums).where(*terms.hourly()).group_by(column).order_by(sums[1].desc(), column).limit(limit)
    )
    if what == "line" or terms.line:
        asked = asked.join(Box, Box.id == Hourly.box)
    rows = session.execute(asked).all()
    names = _box_names(session, [row[0] for row in rows]) if what == "box" else {}
    return [Yield(str(name), int(good), int(ng), int(un), names.get(name, "")) for name, good, ng, un in rows]


def _over_time(session: Session, terms: Terms, what: str) -> list[Yield]:
    asked = sa.select(Hourly.hour, *(sa.func.sum(getattr(Hourly, name)) for name in COUNTS.values()))
    asked = asked.where(*terms.hourly()).group_by(Hourly.hour).order_by(Hourly.hour)
    if terms.line:
        asked = asked.join(Box, Box.id == Hourly.box)
    sums: dict[str, list[int]] = {}
    for hour, *counts in session.execute(asked):
        name = hour.strftime("%Y-%m-%dT%H:00:00Z" if what == "hour" else "%Y-%m-%d")
        have = sums.setdefault(name, [0, 0, 0])
        for n, one in enumerate(counts):
            have[n] += int(one)
    return [Yield(name, good, rejects, unjudged) for name, (good, rejects, unjudged) in sums.items()]


def _box_names(session: Session, ids: Sequence[str]) -> dict[str, str]:
    return {box: name for box, name in session.execute(sa.select(Box.id, Box.name).where(Box.id.in_(ids)))}


def recount(session: Session, box: str, since: datetime, until: datetime) -> int:
    """Count a box's parts of whole hours anew, from its parts; doing it twice changes nothing. Return the parts.

    For a database that was mended by hand: as long as it was not, what is there is right. Tools are not told again.
    """
    first, last = hour_of(since), hour_of(until + timedelta(hours=1) - timedelta(microseconds=1))
    session.execute(sa.select(Box.id).where(Box.id == box).with_for_update())
    session.execute(sa.delete(Hourly).where(Hourly.box == box, Hourly.hour >= first, Hourly.hour < last))
    asked = sa.select(Part).where(Part.box == box, Part.taken_at >= first, Part.taken_at < last)
    names = ("box", "taken_at", "recipe", "model", "lot", "shift", "camera", "image", "outcome")
    n = 0
    for chunk in session.scalars(asked.execution_options(yield_per=1000)).partitions():
        rows = [{name: getattr(part, name) for name in names} for part in chunk]
        count(session, rows)
        n += len(rows)
    return n
