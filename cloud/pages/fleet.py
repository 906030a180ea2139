"""All boxes, the worst first, however many."""

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext

from ..access import needs
from ..database import reading
from ..search_terms import BadTerms, number_of
from ..service import Service
from ..standing import LEVELS, PER_PAGE, SORTS, fleet, open_alarms
from . import words
from .asked import one_of


def fleet_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("fleet", __name__)

    @views.get("/")
    @needs("look")
    def page() -> str:
        asked = {name: request.args.get(name, "").strip()[:100] for name in ("q", "line", "site")}
        level = one_of(request.args, "level", (*LEVELS, "trouble"), "")
        sort = one_of(request.args, "sort", SORTS, "worst")
        retired = request.args.get("retired") == "1"
        try:
            at = number_of(request.args, "page", 1, 1, 100_000)
        except BadTerms:
            at = 1
        with reading(service.engine) as db:
            found = fleet(db, asked["q"], asked["line"], asked["site"], level, retired, sort, at)
            alarms = open_alarms(db)
        own = {**{name: word for name, word in asked.items() if word}, "level": level, "sort": sort}
        if retired:
            own["retired"] = "1"
        return render_template(
            "fleet.html",
            fleet=found,
            alarms=alarms,
            levels=LEVELS,
            level_now=level,
            sort=sort,
            sorts=[(name, gettext(words.SORTS[name])) for name in SORTS],
            lines=[(one, one) for one in found.lines if one],
            sites=[(one, one) for one in found.sites if one],
            page=at,
            pages=max(1, -(-found.total // PER_PAGE)),
            retired=retired,
            address=lambda **more: url_for("fleet.page", **{**own, **more}),
            **asked,
        )

    return views
