"""Really a defect? One reject after another, three keys, one hand. What is said changes no result and no limit."""

import math
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, request
from flask_babel import gettext

from ..bus.errors import BadLedger
from ..records.gallery_read import GalleryReader
from ..records.labels_read import LabelsReader, Waiting
from ..records.read import PartRow
from .access import needs, person
from .answered import sent_object
from .asking import ask
from .history import rows_of_part
from .kinds import offered
from .run import row_payload, told
from .spans import SPANS, since_of
from .web import Web

AHEAD = 8
"""Parts that are sent to the page at once."""
TRUTHS = ("defect", "good", "unsure")
MOST_SKIPPED = 64


def confirm_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("confirm", __name__, url_prefix="/confirm")
    labels, gallery = LabelsReader(web.store), GalleryReader(web.store)

    def queue_of(span: str, first: int | None, skip: tuple[int, ...]) -> dict[str, Any]:
        who, since = _who(), since_of(span, web.watch)
        try:
            row = None if first is None else web.history.row(first)
            waiting = labels.waiting(who, since, AHEAD, skip)
            items = _items(waiting, row)
            last = labels.last(who, since)
        except BadLedger:
            return {"history": False, "items": [], "total": 0, "done": 0, "since": since, "last": None}
        return {
            "history": True,
            "items": items,
            "total": waiting.total,
            "done": waiting.done,
            "since": since,
            "last": asdict(last) if last else None,
        }

    def newest() -> int | None:
        """Number in the ledger of the newest part that bears the number asked for; None: none is asked for."""
        part = request.args.get("part", type=int)
        try:
            found = [] if part is None else rows_of_part(web.history, part)
        except BadLedger:
            return None
        return found[0].seq if found else None

    @views.get("/")
    @needs("part.label")
    def page() -> str:
        span = _span()
        return render_template(
            "confirm/page.html",
            span=span,
            spans=SPANS,
            queue=queue_of(span, request.args.get("seq", type=int) or newest(), ()),
            kinds=offered(gallery, labels, gettext),
        )

    @views.get("/queue.json")
    @needs("part.label")
    def queue() -> Response:
        given = request.args.get("skip", "").split(",")[:MOST_SKIPPED]
        return jsonify(queue_of(_span(), None, tuple(int(seq) for seq in given if seq.isdecimal())))

    @views.post("/label")
    @needs("part.label")
    def label() -> Response:
        given = sent_object()
        if given.get("truth") not in TRUTHS or not isinstance(given.get("seq"), int):
            abort(400)
        body = {"seq": given["seq"], "truth": given["truth"], "kind": str(given.get("kind", ""))[:40]}
        body["second"] = bool(given.get("second", False))
        return told(ask(web, "label.set", body, id=str(given.get("id", ""))))

    @views.post("/undo")
    @needs("part.label")
    def undo() -> Response:
        given = sent_object()
        if not isinstance(given.get("n"), int):
            abort(400)
        return told(ask(web, "label.undo", {"n": given["n"]}, id=str(given.get("id", ""))))

    @views.get("/agreement")
    @needs("study.run")
    def agreement() -> str:
        span = request.args.get("span", "week")
        span = span if span in SPANS else "week"
        try:
            rates = labels.rates(since_of(span, web.watch))
        except BadLedger:
            return render_template("confirm/agreement.html", span=span, spans=SPANS, rates=None)
        figures = [
            (gettext("False rejects among the labelled rejects"), *share(rates.good, rates.good + rates.defect)),
            (gettext("Two persons say the same"), *share(rates.agree, rates.twice)),
        ]
        return render_template("confirm/agreement.html", span=span, spans=SPANS, rates=rates, figures=figures)

    return views


def share(hits: int, of: int) -> tuple[int, int, float | None, float, float]:
    """Hits, of how many, the share in percent, and its 95 % interval by Wilson. None: of nothing."""
    if not of:
        return hits, of, None, 0.0, 100.0
    z, p = 1.96, hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return hits, of, 100 * p, 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


def _items(waiting: Waiting, first: PartRow | None) -> list[dict[str, Any]]:
    """What the page shows. A second look is no different from a first one: it is blind.

    A part that was asked for by itself is never a second look: its page told what others say, and a person who differs
    wants to put it right.
    """
    asked = [] if first is None else [(first, False)]
    rest = [(row, twice) for row, twice in waiting.rows if first is None or row.seq != first.seq]
    return [{**row_payload(row), "second": twice} for row, twice in (*asked, *rest)]


def _who() -> str:
    found = person()
    return found.name if found else ""


def _span() -> str:
    span = request.args.get("span", "shift")
    if span not in SPANS:
        abort(404)
    return span
