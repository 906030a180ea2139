"""A part is marked as golden, or the mark is taken back: with a reason, by who may draw labels."""

from flask import Blueprint, abort, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.errors import BadLedger
from ..records.gallery_read import GalleryReader
from .access import needs
from .asking import ask
from .run import row_payload
from .told import Told, reason_given
from .web import Web


def golden_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("golden", __name__, url_prefix="/rejects/<int:seq>/golden")
    gallery, answers = GalleryReader(web.store), Told()

    @views.get("")
    @needs("label.draw")
    def page(seq: int) -> str:
        try:
            row = web.history.row(seq)
            story = gallery.story(seq)
        except BadLedger:
            abort(503)
        if row is None or story is None:
            abort(404)
        return render_template(
            "rejects/golden.html",
            row=row,
            shown=row_payload(row),
            golden=story.golden,
            reasons=_reasons(),
            said=answers.here(),
            here=url_for(".page", seq=seq),
        )

    @views.post("/set")
    @needs("label.draw")
    def mark(seq: int) -> Response:
        return _asked(seq, "golden.set")

    @views.post("/end")
    @needs("label.draw")
    def take_back(seq: int) -> Response:
        return _asked(seq, "golden.end")

    def _asked(seq: int, command: str) -> Response:
        reason = reason_given()
        if not reason or not 0 < seq < 2**53:
            abort(400)
        return answers.back(ask(web, command, {"seq": seq}, reason=reason), ".page", seq=seq)

    return views


def _reasons() -> list[str]:
    return [
        gettext("reference of a good part"),
        gettext("reference of a defect"),
        gettext("limit sample"),
        gettext("complaint of a customer"),
    ]
