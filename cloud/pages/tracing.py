"""Where a part has been, and what the rejects have in common."""

import math

import sqlalchemy as sa
from flask import Blueprint, render_template, request

from ..access import needs
from ..database import reading
from ..part_told import key_of, labels_of
from ..review import pictures_of
from ..search_terms import BadTerms, terms_of
from ..service import Service
from ..tables import Box
from ..trace_parts import MOST, causes, find
from .asked import choices, terms

KINDS = ("serial", "lot", "part")


def trace_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("trace", __name__)

    @views.get("/trace")
    @needs("look")
    def page() -> str:
        said = {name: request.args.get(name, "").strip()[:200] for name in KINDS}
        searching = "span" not in request.args and "since" not in request.args
        what = next((name for name in KINDS if said[name]), "") if searching else ""
        asked, trouble = terms()
        kind = request.args.get("kind", "").strip()[:64]
        rows, found, names = [], None, {}
        with reading(service.engine) as db:
            if what:
                try:
                    parts = find(db, said[what], what)
                except BadTerms as error:
                    parts, trouble = [], str(error)
                labels = labels_of(db, [part for part, _ in parts])
                pictures = pictures_of(db, [key_of(part) for part, _ in parts])
                rows = [
                    {
                        "part": part,
                        "box": box,
                        "labels": labels.get(key_of(part), []),
                        "pictures": [service.blobs.get_url(one[0]) for one in pictures.get(key_of(part), [])],
                    }
                    for part, box in parts
                ]
                offered = choices(db, terms_of({}))
            else:
                found = causes(db, asked, kind)
                boxes = {one.level for one in found.causes if one.factor == "box"}
                asked_names = sa.select(Box.id, Box.name).where(Box.id.in_(boxes))
                names = {box: name for box, name in db.execute(asked_names)}
                offered = choices(db, asked)
        return render_template(
            "trace.html",
            asked=bool(what),
            rows=rows,
            most=MOST,
            found=found,
            names=names,
            kind=kind,
            lift=lift,
            trouble=trouble,
            **(said if searching else dict.fromkeys(KINDS, "")),
            **offered,
        )

    return views


def lift(value: float) -> str:
    """A ratio for people: 3.2 ×; what has no end or was not measured in words of mathematics."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:.1f} ×" if value < 100 else f"{value:,.0f} ×".replace(",", "\u202f")
