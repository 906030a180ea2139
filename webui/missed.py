"""A defect was found downstream: which part, what, and where. It becomes an advisory and a line of the reports."""

from typing import Any

from flask import Blueprint, Response, abort, render_template, request
from flask_babel import gettext

from ..bus.errors import BadLedger
from ..records.gallery_read import GalleryReader, Wanted
from ..records.labels_read import LabelsReader
from .access import needs
from .answered import sent_object
from .asking import ask
from .kinds import PLACES, offered
from .run import row_payload, told
from .spans import before_now
from .web import Web
from .words import N_

HOURS = {"1": N_("Last hour"), "4": N_("4 hours"), "12": N_("12 hours"), "48": N_("2 days")}
PAGE = 24


def missed_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("missed", __name__, url_prefix="/missed")
    gallery, labels = GalleryReader(web.store), LabelsReader(web.store)

    def found(asked: str, hours: str, seq: int | None, before: int | None, bare: bool) -> dict[str, Any]:
        """Parts to choose from: the one that was asked for, those of a number, or passed ones of the span.

        Only a sample of passed parts has its picture: those come alone. bare: the others too.
        """
        try:
            if seq is not None:
                row = web.history.row(seq)
                rows, more = [row] if row else [], None
            elif asked:
                rows, more = web.history.rows(limit=PAGE, find=asked), None
            else:
                wanted = Wanted("ok", since=before_now(float(hours)), kept=not bare)
                page = gallery.page(wanted, PAGE, before)
                rows, more = page.rows, page.before
        except BadLedger:
            return {"tiles": [], "more": None, "history": False}
        return {"tiles": [row_payload(row) for row in rows], "more": more, "history": True}

    @views.get("/")
    @needs("part.escape")
    def page() -> str:
        hours = request.args.get("hours", "4")
        if hours not in HOURS:
            abort(404)
        asked = request.args.get("find", "").replace(chr(29), "<GS>").strip()[:200]
        seq, bare = request.args.get("seq", type=int), "bare" in request.args
        return render_template(
            "missed/page.html",
            asked=asked,
            bare=bare,
            hours=hours,
            spans=HOURS,
            seq=seq,
            kinds=offered(gallery, labels, gettext),
            places=PLACES,
            **found(asked, hours, seq, request.args.get("before", type=int), bare),
        )

    @views.post("/report")
    @needs("part.escape")
    def report() -> Response:
        given = sent_object()
        if given.get("found_at") not in PLACES:
            abort(400)
        seq, what = given.get("seq"), str(given.get("what", ""))[:64]
        if not what or not (seq is None or type(seq) is int):
            abort(400)
        body = {"seq": seq, "serial": str(given.get("serial", ""))[:200], "found_at": given["found_at"], "what": what}
        return told(ask(web, "escape.set", body, id=str(given.get("id", ""))))

    return views
