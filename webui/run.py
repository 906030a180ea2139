"""The Run screen: what it asks for when it opens, the last rejects and the last NG, and how inspection is stopped."""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response, abort, current_app, jsonify, render_template, url_for
from flask_babel import gettext

from ..bus.asks import Answer
from ..bus.errors import BadLedger
from ..bus.part import Action, Outcome
from ..records.read import PartRow, ViewRow
from .access import needs, open_to_all
from .answered import answered, sent_object
from .asking import ask
from .board import FILM
from .history import History
from .options import WebOptions
from .shift_words import detail_words
from .signing import sign_in_for
from .web import Web
from .words import reason_words

ASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "stop": ("inspection.stop", {}),
    "start": ("inspection.start", {}),
    "mended": ("inspection.start", {"maintenance": True}),
}
"""What the key of the Run screen asks for."""


def run_views(options: WebOptions, history: History) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("run", __name__)

    @views.get("/")
    @open_to_all
    def run() -> str:
        return render_template(
            "run.html",
            hold_ms=round(options.hold_ng_s * 1000),
            sign_in=sign_in_for("inspection.run", url_for("run.run")),
        )

    @views.post("/inspection")
    @needs("inspection.run")
    def inspection() -> Response:
        wanted = ASKS.get(str(sent_object().get("do", "")))
        if wanted is None:
            abort(400)
        web: Web = current_app.extensions["okng-web"]
        return told(ask(web, *wanted, about={"old": web.watch.shift.stopped_by if web.watch.shift else "unknown"}))

    @views.get("/film.json")
    @open_to_all
    def film() -> Response:
        try:
            rows = history.rows(limit=FILM, action=str(Action.REJECT))
        except BadLedger:
            return jsonify(tiles=[], history=False)
        return jsonify(tiles=[row_payload(row) for row in rows], history=True)

    @views.get("/last-ng.json")
    @open_to_all
    def last_ng() -> Response:
        try:
            rows = history.rows(limit=1, outcome=str(Outcome.NG))
        except BadLedger:
            rows = []
        return jsonify(row_payload(rows[0]) if rows else None)

    return views


def told(answer: Answer) -> Response:
    """An answer as the scripts of an operator's page take it."""
    return answered(answer, lambda detail: detail_words(detail, gettext))


def row_payload(row: PartRow) -> dict[str, Any]:
    """A part of the ledger in the shape of a live result."""
    urls = picture_urls(row.seq, row)
    return {
        "key": f"seq-{row.seq}",
        "seq": row.seq,
        "part": row.part,
        "outcome": row.outcome,
        "action": row.action,
        "why": row.why,
        "reasons": [reason_words(reason, gettext) for reason in row.reasons],
        "defects": [[d.kind, d.x, d.y, d.w, d.h, d.score] for d in row.defects],
        "score": row.score,
        "threshold": row.threshold,
        "width": row.width or 0,
        "height": row.height or 0,
        "frame": 0,
        "verdict_ms": row.latency_ms,
        "budget_ms": None,
        "delivery": row.delivery,
        "confirmed": row.confirmed,
        "taken_at": row.taken_at,
        "camera": row.camera,
        "serial": row.serial,
        "serial_before": row.serial_before,
        "codes": [[code.name, code.text, code.serial] for code in row.codes],
        "views": [
            {"camera": view.camera, "width": view.width, "height": view.height, **picture_urls(row.seq, view)}
            for view in row.views
        ],
        **urls,
        "overlay_url": url_for("rejects.overlay", seq=row.seq) if urls["picture_url"] and row.heat else None,
        "href": url_for("rejects.detail", seq=row.seq),
    }


def picture_urls(seq: int, held: PartRow | ViewRow) -> dict[str, str | None]:
    """Where a kept picture and its small copy are served; None: there is none (any more)."""
    mark = held.picture_sha256
    if held.small and held.picture and mark:
        return {"picture_url": None, "thumb_url": url_for("rejects.thumb", seq=seq, sha256=mark)}
    if not held.picture_kept or not held.picture or not mark:
        return {"picture_url": None, "thumb_url": None}
    return {
        "picture_url": url_for("rejects.picture", seq=seq, sha256=mark),
        "thumb_url": url_for("rejects.thumb", seq=seq, sha256=mark),
    }


def thumbs_of(history: History, seqs: Iterable[Any]) -> dict[str, str]:
    """Small pictures of parts by their number in the ledger, for a script; parts without one are left out."""
    found: dict[str, str] = {}
    for seq in seqs:
        try:
            row = history.row(seq) if isinstance(seq, int) else None
        except BadLedger:
            break
        views: tuple[PartRow | ViewRow, ...] = () if row is None else (row, *row.views)
        small = next((url for held in views if (url := picture_urls(seq, held)["thumb_url"])), None)
        if small:
            found[str(seq)] = small
    return found
