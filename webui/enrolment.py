"""The Fleet screen: whether this box belongs to a fleet, the code by which it is let in, and what it still owes.

Nothing is owned here: the process sync asks the service, holds the key and says how it stands.
"""

from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.asks import Answer
from .access import needs
from .answered import answer_words
from .asking import ask, is_silent
from .sealed import grouped
from .web import Web
from .words import N_, saying, translated

RIGHT = "fleet.enrol"
STREAMS = {
    "alarms": N_("alarms"),
    "audit": N_("audit trail"),
    "ladder": N_("steps of models"),
    "records": N_("records of parts"),
    "labels": N_("what people said of parts"),
    "heads": N_("signed heads"),
}
"""What travels, in the order in which it goes."""
LEAVES = {
    "nothing": N_("nothing but how the box is"),
    "records": N_("records, no pictures"),
    "crops": N_("records and cut-outs of defects"),
    "pictures": N_("records and pictures"),
}
CLOCK_S = 60
_SAYINGS = (
    saying(
        r"certificate is not yet valid by this box's clock, which says (?P<clock>.+?):",
        N_("The clock of this box says %(clock)s, and the service's certificate begins later: the clock is wrong."),
    ),
    saying(
        r"certificate has ended by this box's clock, which says (?P<clock>.+?):",
        N_(
            "By the clock of this box, %(clock)s, the service's certificate has ended:"
            " the clock is wrong, or the service needs a new one."
        ),
    ),
    saying(
        r"^the certificate begins (?P<begins>\S+) and this box's clock says (?P<clock>\S+):",
        N_("The box's certificate begins %(begins)s and its clock says %(clock)s: the clock is wrong."),
    ),
    saying(
        r"the service refuses this box: 401",
        N_("The service does not know this box any more: it was taken out of the fleet. Let it join again."),
    ),
    saying(
        r"not who this box was told to trust \(fleet\.ca\)",
        N_("What answers is not the service that this box was told to trust: nothing is sent to it."),
    ),
    saying(
        r"asks for a pause of (?P<seconds>\d+) s",
        N_("The service is busy and asks for a pause of %(seconds)s s."),
    ),
    saying(
        r"^https?://(?P<host>[^/]+)/\S*: NameResolution",
        N_("The name %(host)s is not found: look at the network and the name service."),
    ),
    saying(
        r"^https?://(?P<host>[^/]+)/\S*: (?:5\d\d |it ends the connection|[A-Z]\w+: )",
        N_("%(host)s does not answer. What is owed goes when it is back."),
    ),
    saying(r"the service takes? .*too many boxes ask", N_("Too many boxes ask to join. Wait a minute.")),
    saying(r"^stream \S+ does not stand still$", N_("It does not stand still any more.")),
    saying(
        r"the service holds other content under number (?P<seq>\d+)",
        N_(
            "The service has something else under number %(seq)s:"
            " two boxes with one name, or an older copy of the ledger."
        ),
    ),
    saying(
        r"this ledger has not: it is an older copy",
        N_("The service has more than this ledger: it is an older copy. It has to be restored, which begins anew."),
    ),
)


def enrolment_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("enrolment", __name__, url_prefix="/fleet")

    @views.get("/")
    @needs(RIGHT)
    def page() -> str:
        return render_template("fleet/page.html", wrong=request.args.get("wrong", ""), **_standing(web))

    @views.get("/standing")
    @needs(RIGHT)
    def standing() -> str:
        return render_template("fleet/standing.html", **_standing(web))

    @views.post("/join")
    @needs(RIGHT)
    def join() -> Response:
        return _back(ask(web, "fleet.enrol"))

    @views.post("/take-back")
    @needs(RIGHT)
    def take_back() -> Response:
        return _back(ask(web, "fleet.cancel"))

    @views.post("/go-on")
    @needs(RIGHT)
    def go_on() -> Response:
        stream, _, epoch = request.form.get("name", "").partition("/")
        reason = request.form.get("reason", "").strip()[:500]
        body = {"stream": stream, "epoch": int(epoch) if epoch.isascii() and epoch.isdigit() else 0}
        return _back(ask(web, "fleet.resume", body, reason=reason))

    return views


def _back(answer: Answer) -> Response:
    if answer.done:
        return redirect(url_for("enrolment.page"), 303)
    return redirect(url_for("enrolment.page", wrong=_words(answer.detail)), 303)


def _standing(web: Web) -> dict[str, Any]:
    """What the screen shows now."""
    answer = ask(web, "fleet.look", timeout_ms=700)
    if not answer.done:
        trouble = "" if is_silent(answer) else _words(answer.detail)
        return {"known": False, "trouble": trouble}
    said, shown, uplink = answer.body, answer.body["enrolment"], answer.body["uplink"]
    off_s = said.get("clock_off_s")
    return {
        "known": True,
        "trouble": _words(shown["trouble"]) if shown["trouble"] else "",
        "shown": shown,
        "fingerprint": grouped(shown["fingerprint"]),
        "ends": _day(shown["ends"]),
        "renews": _day(shown["renews"]),
        "service": said["service"],
        "name": said["name"],
        "line": said["line"],
        "leaves": gettext(LEAVES.get(said["leaves"], said["leaves"])),
        "hours": said["hours"],
        "uplink": uplink,
        "uplink_trouble": _words(uplink["trouble"]) if uplink.get("trouble") else "",
        "owed": [(gettext(word), uplink["owed"].get(name, 0)) for name, word in STREAMS.items()],
        "owes": sum(uplink["owed"].values()),
        "halted": [
            {"name": name, "stream": gettext(STREAMS.get(name.partition("/")[0], name)), "why": _words(one["why"])}
            for name, one in uplink["halted"].items()
        ],
        "clock_off": round(off_s) if isinstance(off_s, (int, float)) and abs(off_s) >= CLOCK_S else 0,
    }


def _day(utc: str) -> str:
    try:
        return datetime.fromisoformat(utc).strftime("%Y-%m-%d") if utc else ""
    except ValueError:
        return utc


def _words(detail: str) -> str:
    found = translated(detail, _SAYINGS, gettext)
    return answer_words(detail) if found == detail else found
