"""The report of a shift, a lot or a day: counts that balance on paper, what happened, what was in use, a signature."""

from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask_babel import get_locale, gettext
from werkzeug.wrappers import Response as AnyResponse

from .. import __version__
from ..bus.errors import BadLedger
from ..records.figures_read import FiguresReader
from .access import needs
from .events_log import events_of
from .facts import facts_of
from .papers import order_paper
from .period import days, period_of, shifts
from .sealed import box_wrote, report_digest, short_head, signatures_of
from .trends import why_words
from .web import Web
from .words import N_

KINDS = {"shift": N_("Shift"), "lot": N_("Lot"), "day": N_("Day"), "last": N_("Up to now")}
TRUTHS = {"defect": N_("real defect"), "good": N_("false reject"), "unsure": N_("not sure")}
LOTS_SINCE = "2000-01-01T00:00"
LOTS = 24


def report_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("report", __name__, url_prefix="/report")
    reader = FiguresReader(web.store)

    def shown() -> dict[str, Any]:
        given: dict[str, Any] = {"facts": None, "kinds": KINDS, "truths": TRUTHS, "version": __version__}
        try:
            key = request.args.get("period") or _first(reader, web)
            period = period_of(key, reader, web.watch)
            if period is None:
                abort(404)
            facts = facts_of(reader, period, web.options.ideal_per_min)
            escapes = web.people.escapes(period.span.since, period.span.until)
            digest = report_digest(facts, escapes)
            signed = signatures_of(web.store, "report", name=period.key)
            given.update(
                facts=facts,
                period=period,
                events=events_of(reader, period, gettext),
                escapes=escapes,
                digest=digest,
                signatures=signed,
                vouched=box_wrote(web.store, signed),
                head=short_head(web.store),
                why=why_words(),
            )
        except BadLedger:
            given["facts"] = None
        return given

    @views.get("/")
    @needs("report.make")
    def page() -> str:
        return render_template("report/page.html", **shown())

    @views.get("/choose")
    @needs("report.make")
    def choose() -> str:
        try:
            offered = {"shifts": shifts(reader, web.watch)[:12], "lots": reader.lots(LOTS_SINCE, LOTS), "days": days()}
        except BadLedger:
            offered = {"shifts": [], "lots": [], "days": days()}
        return render_template("report/choose.html", **offered)

    @views.post("/paper")
    @needs("report.make")
    def paper() -> AnyResponse:
        given = shown()
        if given["facts"] is None:
            abort(503)
        period = given["period"]
        stamp = period.span.since[:16].replace(":", "")
        named = "-".join(word for word in (period.kind, period.name, stamp) if word)
        title = f"okng-report-{web.station}-{named}-{get_locale()}"
        html = render_template("report/paper.html", **given)
        return order_paper(title, html, url_for("report.page", period=period.key))

    return views


def _first(reader: FiguresReader, web: Web) -> str:
    """The shift that runs, else today."""
    found = shifts(reader, web.watch)
    return f"shift:{found[0].since}" if found and found[0].running else f"day:{days()[0]}"
