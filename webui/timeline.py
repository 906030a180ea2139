"""The moments of the last parts as bars of an SVG: one row a part, milliseconds after its trigger. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..records.timing_read import Moments

WIDTH, ROW = 1000, 34
LEAST_ROWS = 10
"""Room is kept for so many, so that a row is as high with one part as with ten."""
STAGES = ("exposed", "ready", "done", "published", "acked")
"""Where each stage ends; the first begins at the trigger."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage of one part."""

    stage: str
    x: float
    w: float


@dataclass(frozen=True, slots=True)
class Row:
    """One part."""

    part: Moments
    y: int
    bars: tuple[Bar, ...]
    deadline_x: float
    last_ms: float | None
    """When the last moment that is known came."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """All of them, and the scale."""

    rows: tuple[Row, ...]
    height: int
    ticks: tuple[tuple[float, int], ...]
    """Place and milliseconds."""


def timeline(parts: Sequence[Moments]) -> Timeline:
    """Draw them, the newest on top."""
    ends = [value for one in parts for value in (one.deadline_ms, one.acked_ms, one.published_ms) if value is not None]
    span = max([*ends, 10.0]) * 1.05
    scale = WIDTH / span
    rows = tuple(_row(one, at * ROW, scale) for at, one in enumerate(parts))
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10**9) if span / step <= 10)
    ticks = tuple((round(ms * scale, 1), ms) for ms in range(0, int(span) + 1, step)) if step < 10**9 else ()
    return Timeline(rows, max(LEAST_ROWS, len(rows)) * ROW, ticks)


def _row(one: Moments, y: int, scale: float) -> Row:
    bars, began, last = [], 0.0, None
    for stage in STAGES:
        ended = getattr(one, f"{stage}_ms")
        if ended is None:
            continue
        last = ended
        if ended > began:
            bars.append(Bar(stage, round(began * scale, 1), round(max(1.0, (ended - began) * scale), 1)))
        began = max(began, ended)
    return Row(one, y, tuple(bars), round(one.deadline_ms * scale, 1), last)
