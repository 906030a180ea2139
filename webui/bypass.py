"""Bypass: declared by a person, for a reason and a time. The box passes nothing by itself meanwhile."""

from datetime import UTC, datetime

from flask import Blueprint, abort, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.clock import SECOND, now_ns
from ..bus.shift import LineMode, Mode
from .access import needs, open_to_all
from .asking import ask
from .told import Told, reason_given
from .web import Web

MOST_MIN = 120
USUAL_MIN = 30


def bypass_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("bypass", __name__, url_prefix="/bypass")
    answers = Told()

    @views.get("/")
    @open_to_all
    def page() -> str:
        shift = web.watch.shift
        on = shift is not None and shift.mode.mode == Mode.BYPASS
        return render_template(
            "change/bypass_part.html" if "part" in request.args else "change/bypass.html",
            kept=shift is not None,
            mode=shift.mode if shift and on else None,
            until=_utc_of(shift.mode) if shift and on else "",
            testing=shift is not None and shift.challenge.phase == "running",
            reasons=_reasons(),
            usual=USUAL_MIN,
            most=MOST_MIN,
            said=answers.here(),
            here=url_for("bypass.page"),
        )

    @views.post("/set")
    @needs("bypass.set")
    def declare() -> Response:
        minutes = request.form.get("minutes", type=int)
        reason = reason_given()
        if minutes is None or not 1 <= minutes <= MOST_MIN or not reason:
            abort(400)
        return answers.back(ask(web, "bypass.set", {"minutes": minutes}, reason=reason), "bypass.page")

    @views.post("/end")
    @needs("bypass.set")
    def end() -> Response:
        return answers.back(ask(web, "bypass.end"), "bypass.page")

    return views


def _reasons() -> list[str]:
    return [
        gettext("camera or lamp is broken"),
        gettext("set-up of the machine"),
        gettext("trial parts"),
        gettext("wrong rejects, engineer informed"),
    ]


def _utc_of(mode: LineMode) -> str:
    """When it ends by itself; empty: it does not."""
    if not mode.until_ns:
        return ""
    left_s = (mode.until_ns - now_ns()) / SECOND
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() + left_s, UTC).isoformat(timespec="seconds")
