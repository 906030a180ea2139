"""The history of one part on one page: everything that made it what it is (`records.part_trace`)."""

from typing import Any

from flask import Blueprint, abort, render_template
from flask_babel import gettext

from ..bus.errors import BadLedger
from ..records.part_trace import Held, Tracer
from .access import needs
from .alarm_words import EVENTS, KIND_WORDS
from .web import Web
from .words import N_, reason_words

STATES = {
    "kept": N_("kept"),
    "small": N_("given up by its age or for room; a small one is left"),
    "given up": N_("given up by its age or for room"),
    "never": N_("none was kept"),
    "missing": N_("missing, although the ledger says that it is kept"),
}


def history_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("history", __name__)
    tracer = Tracer(web.store)

    @views.get("/rejects/<int:seq>/history")
    @needs("part.review")
    def page(seq: int) -> str:
        try:
            found = tracer.trace(seq) if seq < 2**53 else None
        except BadLedger:
            abort(503)
        if found is None:
            abort(404)
        return render_template(
            "rejects/history.html",
            one=found,
            row=found.part,
            reasons=[reason_words(reason, gettext) for reason in found.part.reasons],
            pictures=[(held, _state(held)) for held in found.pictures],
            alarms=[
                (_alarm(alarm.key), gettext(EVENTS.get(alarm.event, alarm.event)), alarm) for alarm in found.alarms
            ],
        )

    return views


def _state(held: Held) -> dict[str, Any]:
    bad = held.sound is False
    word = gettext(N_("NOT the one that was kept")) if bad and held.state == "kept" else gettext(STATES[held.state])
    return {"bad": bad, "word": word}


def _alarm(key: str) -> str:
    """An alarm by its kind and what it is about; what fills its sentence is not kept with it."""
    kind, _, about = key.partition(":")
    words = KIND_WORDS.get(kind)
    if words is None or "%(" in words[0]:
        return key
    said = str(gettext(words[0]))
    return f"{said} ({about})" if about else said
