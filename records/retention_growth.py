"""How quickly the store grows, from what came in during the last days."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..bus.clock import utc_text
from .read import Ask
from .retention_plan import Growth

_WINDOW_DAYS = 7
_LEAST_S = 3600
"""What came in within less than an hour says nothing of days."""


@dataclass(frozen=True, slots=True)
class Grown:
    """What was found."""

    growth: Growth = field(default_factory=lambda: Growth({}))
    known: bool = False
    """The line has run for long enough to tell."""


def growth(ask: Ask, now: datetime) -> Grown:
    """Bytes a day by class over the last week, or since the first part where that is later."""
    begin = utc_text(now - timedelta(days=_WINDOW_DAYS))
    first = ask.first("select seq, taken_at from part where taken_at >= ? order by taken_at limit 1", [begin])
    if first is None:
        return Grown()
    try:
        seconds = (now - datetime.fromisoformat(first["taken_at"])).total_seconds()
    except (ValueError, TypeError):
        return Grown()
    if seconds < _LEAST_S:
        return Grown()
    days = seconds / 86_400
    (newest,) = ask("select coalesce(max(seq), 0) as seq from part")
    (pages,) = ask("pragma page_count")
    (page,) = ask("pragma page_size")
    row_bytes = pages["page_count"] * page["page_size"] / max(1, newest["seq"])
    other = max(0, newest["seq"] - first["seq"] + 1) * row_bytes / days
    sql = "select class, coalesce(sum(bytes), 0) as bytes from picture where class = ? and seq >= ?"
    by_class = {}
    for row in ask("select class from picture_sum"):
        (found,) = ask(sql, [row["class"], first["seq"]])
        by_class[str(row["class"])] = found["bytes"] / days
    return Grown(Growth(by_class, other), known=True)
