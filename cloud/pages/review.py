"""One part after the other: good, defect or not sure, by three keys."""

from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from ...bus.errors import Refused
from .. import review
from ..access import needs
from ..database import reading, writing
from ..service import Service
from ..tables_rollout import Review
from . import words
from .asked import asker, lines, one_of, recipes, terms

AHEAD = 4
"""Pictures that the browser fetches before they are asked for."""


def review_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("review", __name__)

    @views.get("/review")
    @needs("review")
    def page() -> str:
        return shown(request.args.get("part", ""))

    def shown(part: str = "", trouble: str = "") -> str:
        who = asker().who
        asked = {name: request.args.get(name, "").strip()[:200] for name in ("line", "recipe")}
        why = one_of(request.args, "why", review.WHYS, "")
        with reading(service.engine) as db:
            rows = review.queue(db, who, why, line=asked["line"], recipe=asked["recipe"], limit=AHEAD + 1)
            if part:
                rows = [review.shown(db, *part_key(part)), *rows]
            last = sa.select(Review).where(Review.who == who).order_by(Review.at.desc()).limit(1)
            before = db.scalars(last).one_or_none()
            waits = review.waiting(db, who, why, line=asked["line"], recipe=asked["recipe"])
            offered = {"lines": lines(db), "recipes": recipes(db, terms("30d")[0].since)}
        urls = [[service.blobs.get_url(sha256) for sha256, _, _ in row.pictures] for row in rows]
        mark = f"{before.box}/{before.epoch}/{before.part_seq}" if before is not None else ""
        return render_template(
            "review.html",
            one=rows[0] if rows else None,
            picture=urls[0][0] if urls and urls[0] else "",
            pictures=urls[0] if urls else [],
            ahead=[each[0] for each in urls[1:] if each],
            before="" if mark == part else mark,
            waits=waits,
            filters={name: word for name, word in {**asked, "why": why}.items() if word},
            why=why,
            whys=[(name, gettext(words.SAMPLE_WHY[name])) for name in review.WHYS],
            trouble=trouble,
            **{name: [(one, one) for one in values] for name, values in offered.items()},
            **{name: word for name, word in asked.items()},
        )

    @views.post("/review")
    @needs("review")
    def say() -> AnyResponse | tuple[str, int]:
        key = part_key(request.form.get("part", ""))
        try:
            with writing(service.engine) as db:
                review.say(db, asker().who, *key, request.form.get("truth", ""))
        except Refused as error:
            return shown(trouble=str(error)), 422
        kept: dict[str, Any] = {
            name: request.args[name] for name in ("why", "line", "recipe") if request.args.get(name)
        }
        return redirect(url_for("review.page", **kept), 303)

    return views


def part_key(text: str) -> tuple[str, int, int]:
    """`<box>/<epoch>/<number>`; anything else is 400."""
    box, _, rest = text.partition("/")
    epoch, _, seq = rest.partition("/")
    if not box or not (epoch + seq).isascii() or not epoch.isdigit() or not seq.isdigit() or len(rest) > 36:
        abort(400, f"part = {text[:60]!r}: expected <box>/<epoch>/<number>")
    return box, int(epoch), int(seq)
