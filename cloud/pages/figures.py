"""Yield by the hour with its intervals, and figures of all boxes beside each other."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, render_template, request
from flask_babel import gettext

from .. import drift as courses
from .. import yields as counts
from ..access import needs
from ..database import reading
from ..service import Service
from . import words
from .asked import choices, one_of, terms

WIDTH, HEIGHT = 1000.0, 190.0
SPARK_W, SPARK_H = 260.0, 38.0
ENOUGH = 20
"""Judged parts from which an hour says how high the drawing reaches."""


def figure_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("figures", __name__)

    @views.get("/yield")
    @needs("look")
    def yields() -> str:
        asked, trouble = terms()
        by = one_of(request.args, "by", counts.BY, "recipe")
        with reading(service.engine) as db:
            rows = counts.by(db, asked, by)
            hours = rows if by == "hour" else counts.by(db, asked, "hour")
            offered = choices(db, asked)
        total = counts.Yield(
            "", *(sum(getattr(one, name) for one in hours) for name in ("good", "rejects", "unjudged"))
        )
        return render_template(
            "yield.html",
            rows=rows[::-1] if by in ("hour", "day") else rows,
            total=total,
            by=by,
            groups=[(name, gettext(words.GROUPS[name])) for name in counts.BY],
            plot=share_plot(hours, asked.since, asked.until),
            trouble=trouble,
            **offered,
        )

    @views.get("/drift")
    @needs("look")
    def drift() -> str:
        asked, trouble = terms("7d")
        figure = one_of(request.args, "figure", courses.FIGURES, "score")
        with reading(service.engine) as db:
            found = courses.courses(db, asked, figure)
            offered = choices(db, asked)
        low = min((mean for one in found for _, mean in one.points), default=0.0)
        high = max((mean for one in found for _, mean in one.points), default=1.0)
        return render_template(
            "drift.html",
            rows=sparks(found, low, high),
            low=low,
            high=high,
            too_few=bool(found) and all(one.apart is None for one in found),
            figure=figure,
            figures=[(name, gettext(words.FIGURES[name])) for name in courses.FIGURES],
            trouble=trouble,
            **offered,
        )

    return views


@dataclass(frozen=True, slots=True)
class SharePlot:
    """Share of rejects over time as paths of a drawing of 1000 x 190, y downward."""

    line: str
    band: str
    """The interval, as one closed path for each unbroken run of hours."""
    top: float
    """Share at the upper edge."""


def share_plot(hours: list[counts.Yield], since: datetime, until: datetime) -> SharePlot | None:
    """Draw the hours where they lie in time, a gap where nothing was judged; None: nothing was at all."""
    known = [(datetime.fromisoformat(one.name), one) for one in hours if one.judged]
    if not known:
        return None
    # Hours of a few parts have intervals up to 100 %: they may leave the drawing.
    told = [one for _, one in known if one.judged >= ENOUGH] or [one for _, one in known]
    top = max(0.001, *(one.interval[1] for one in told))
    span = max(1.0, (until - since).total_seconds())

    def x(at: datetime) -> float:
        return round(WIDTH * min(1.0, max(0.0, (at - since).total_seconds() / span)), 1)

    def y(share: float) -> float:
        return round(HEIGHT * (1 - min(1.0, share / top)), 1)

    line: list[str] = []
    band: list[str] = []
    for at, one in known:  # an hour is a step: its share holds from its begin to its end
        left, right = x(at), x(at + timedelta(hours=1))
        low, high = (y(share) for share in one.interval)
        joins = bool(line) and line[-1].endswith(f"H{left}")
        level = y(one.reject_share or 0.0)
        line.append(f"{'V' if joins else f'M{left} '}{level}H{right}")
        band.append(f"M{left} {high}H{right}V{low}H{left}Z")
    return SharePlot("".join(line), "".join(band), top)


@dataclass(frozen=True, slots=True)
class Spark:
    """One box's course as a path of a drawing of 260 x 38, y downward."""

    line: str
    middle: float
    """Where the median of all boxes lies."""


def sparks(found: list[courses.Course], low: float, high: float) -> list[tuple[courses.Course, Spark]]:
    """Draw all courses on one scale and over one stretch of time."""
    times = [hour.timestamp() for one in found for hour, _ in one.points]
    first, last = min(times, default=0.0), max(times, default=1.0)
    span, room = max(last - first, 1.0), max(high - low, 1e-9)
    values = sorted(one.last for one in found)
    middle = values[len(values) // 2] if values else 0.0

    def y(value: float) -> float:
        return round(2 + (SPARK_H - 4) * (1 - (value - low) / room), 1)

    out = []
    for one in found:
        spots = [f"{round(SPARK_W * (hour.timestamp() - first) / span, 1)} {y(mean)}" for hour, mean in one.points]
        if len(spots) == 1:
            spots = [f"0 {y(one.last)}", f"{SPARK_W:g} {y(one.last)}"]
        out.append((one, Spark("M" + "L".join(spots), y(middle))))
    return out
