"""Trends: how the line has been doing for 8 hours, a day, a week. All figures come from the sums, so it is quick."""

import csv
import io
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from .. import __version__
from ..bus.errors import BadLedger
from ..records.figures_read import FiguresReader, LotSpan, Point, Sums
from .access import needs, open_to_all
from .bands import bands_of
from .charts import Chart, charts_of
from .facts import Facts, facts_of
from .image import PARTS, TITLES
from .papers import order_paper
from .period import HOURS, Period, Shift, period_of, shifts
from .web import Web
from .words import N_

KEYS = {"8h": N_("8 h"), "24h": N_("24 h"), "7d": N_("7 days")}
ROWS = 8
"""Shifts and lots in the table."""
_CSV = ("at_utc", "triggered", "ok", "ng", "late", "lost", "missed", "fault", "grouped", "challenge", "bypass")


def trend_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("trends", __name__, url_prefix="/trends")
    reader = FiguresReader(web.store)

    def shown() -> dict[str, Any]:
        key = request.args.get("span", "8h")
        if key not in HOURS:
            abort(404)
        given: dict[str, Any] = {"key": key, "keys": KEYS, "facts": None, "why": why_words(), "version": __version__}
        try:
            period = _period(key, reader, web)
            facts = facts_of(reader, period, web.options.ideal_per_min)
            given.update(facts=facts, rows=rows_of(reader, web, period), images=_images(web), titles=TITLES)
        except BadLedger:
            given["facts"] = None
        return given

    @views.get("/")
    @open_to_all
    def page() -> str:
        return render_template("trends/page.html", **shown())

    @views.get("/body")
    @open_to_all
    def body() -> str:
        return render_template("trends/body.html", **shown())

    @views.get("/series.json")
    @open_to_all
    def series() -> Response:
        facts = shown()["facts"]
        return jsonify(series_of(facts) if facts is not None else None)

    @views.get("/figures.csv")
    @open_to_all
    def figures() -> Response:
        facts = shown()["facts"]
        if facts is None:
            abort(503)
        name = f"okng-trends-{facts.period.span.since[:16].replace(':', '')}-{facts.period.key}.csv"
        answer = Response(as_csv(facts), mimetype="text/csv")
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    @views.post("/paper")
    @needs("report.make")
    def paper() -> AnyResponse:
        given = shown()
        if given["facts"] is None:
            abort(503)
        title = f"okng-trends-{web.station}-{given['key']}-{given['facts'].period.span.until[:16].replace(':', '')}"
        back = url_for("trends.page", span=given["key"])
        return order_paper(title, render_template("trends/paper.html", **given), back)

    return views


def _period(key: str, reader: FiguresReader, web: Web) -> Period:
    period = period_of(key, reader, web.watch)
    if period is None:
        abort(404)
    return period


def _images(web: Web) -> list[tuple[str, list[Chart]]]:
    """Focus and brightness of each camera over its last parts, as on the Image page."""
    bands = bands_of(web.watch.inspect.image_limits if web.watch.inspect is not None else ())
    found = []
    for camera in web.cameras:
        history = web.history.image(camera, PARTS)
        if history.parts:
            charts = charts_of(history, bands.get(camera))
            found.append((camera, [chart for chart in charts if chart.figure.name in ("focus", "brightness")]))
    return found


def rows_of(reader: FiguresReader, web: Web, period: Period) -> list[tuple[str, str, str, Sums]]:
    """Kind, name, key and sums of the shifts and lots that touch the period, newest first."""
    since, until = period.span.since, period.span.until
    found: list[tuple[str, str, str, Sums]] = []
    near: list[Shift] = [one for one in shifts(reader, web.watch) if one.until > since and one.since < until]
    for shift in near[:ROWS]:
        key = f"shift:{shift.since}"
        of = period_of(key, reader, web.watch)
        if of is not None:
            found.append(("shift", shift.name, key, reader.sums(of.span)))
    lots: list[LotSpan] = reader.lots(since, ROWS)
    for lot in lots:
        of = period_of(f"lot:{lot.lot}", reader, web.watch)
        if of is not None:
            found.append(("lot", lot.lot, of.key, reader.sums(of.span)))
    return found


def series_of(facts: Facts) -> dict[str, Any]:
    """What the charts draw: columns by chart, times in seconds UTC; None where there is nothing."""
    points = facts.series
    chart, drift = facts.chart, facts.drift
    return {
        "yield": {
            "t": [_seconds(point.at) for point in points],
            "share": [_percent(point.sums.quality) for point in points],
            "parts": [point.sums.production for point in points],
        },
        "latency": {
            "t": [_seconds(one.at) for one in facts.latency],
            "p50": [one.p50_ms for one in facts.latency],
            "p99": [one.p99_ms for one in facts.latency],
        },
        "chart": {
            "t": [_seconds(point.at) for point in chart.points],
            "share": [_percent(point.share) for point in chart.points],
            "low": [_percent(point.low) if chart.kind else None for point in chart.points],
            "high": [_percent(point.high) if chart.kind else None for point in chart.points],
            "mean": [_percent(chart.mean)] * len(chart.points),
            "out": [_percent(point.share) if point.out else None for point in chart.points],
        },
        "drift": {
            "t": [_seconds(at) for at in drift.at],
            "mean": [round(100 * mean, 2) for mean in drift.means],
            "ewma": [None if one is None else round(100 * one, 2) for one in drift.ewma],
            "limit": [None if drift.limit is None else round(100 * drift.limit, 2)] * len(drift.at),
        },
        "step_min": facts.period.step_min,
        "since": _seconds(facts.period.span.since[:16]),
        "until": _seconds(facts.period.span.until[:16]),
    }


def as_csv(facts: Facts) -> str:
    """The series of counts, one line a step; the last line is the sum of all."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_CSV)
    for point in (*facts.series, Point("total", facts.sums)):
        writer.writerow([point.at, *(getattr(point.sums, name) for name in _CSV[1:])])
    return out.getvalue()


def _seconds(minute: str) -> int:
    return round(datetime.fromisoformat(minute + "Z").timestamp())


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 3)


def why_words() -> dict[str, str]:
    """What a part was rejected for, in the viewer's language."""
    return {
        "ng": gettext(N_("defect found")),
        "late": gettext(N_("verdict came too late")),
        "lost": gettext(N_("no picture")),
        "missed": gettext(N_("came while the line was not ready")),
        "fault": gettext(N_("fault of the line")),
        "group": gettext(N_("too close to a reject")),
    }
