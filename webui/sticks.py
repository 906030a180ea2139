"""The USB stick at the panel: which is plugged in, what is put onto it, how far it is. The workshop writes, never this.

A key with `data-stick` (an address of here) and `data-body` opens one dialog for all kinds.
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request, url_for
from flask_babel import gettext

from ..bus.asks import Answer
from ..bus.rights import COMMANDS
from .access import needs
from .answered import answered, script_words, sent
from .asking import ask
from .session import at_panel
from .stick_words import stick_words
from .web import Web
from .words import N_

KINDS = ("paper", "rejects", "support", "backup", "export")
FIELDS = ("stick", "name", "seqs", "pictures", "file", "format", "since", "until", "lot")


def stick_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("sticks", __name__, url_prefix="/sticks")
    views.add_app_template_global(lambda: at_panel(request), "stick_here")
    views.add_app_template_global(_shown, "stick_shown")

    @views.get("/")
    @needs("")
    def look() -> Response:
        answer = ask(web, "stick.look")
        found = answer.body.get("sticks", [])
        return _told(answer, shown=[{"name": one["name"], **_stick(one)} for one in found])

    @views.get("/state/<work>.json")
    @needs("")
    def state(work: str) -> Response:
        answer = ask(web, "work.status", {"work": work})
        now, came = answer.body.get("work", {}), answer.body.get("result", {})
        told = {name: now.get(name, "") for name in ("state", "share")}
        said = stick_words(str(now.get("detail", "")))
        return _told(Answer(answer.id, answer.done, answer.detail), **told, said=said, file=came.get("file", ""))

    for kind in KINDS:
        right = COMMANDS[f"stick.{kind}"].right
        views.add_url_rule(f"/{kind}", f"save_{kind}", needs(right)(_saves(web, kind)), methods=["POST"])
    return views


def _saves(web: Web, kind: str) -> Callable[[], Response]:
    def save() -> Response:
        given = sent()
        answer = ask(web, f"stick.{kind}", {name: given[name] for name in FIELDS if name in given})
        work = str(answer.body.get("work", ""))
        return _told(answer, **({"state": url_for("sticks.state", work=work)} if work else {}))

    return save


def _told(answer: Answer, **more: Any) -> Response:
    return answered(answer, stick_words, **more)


def _stick(one: dict[str, Any]) -> dict[str, Any]:
    """How a stick is called on the screen, and whether it can be written."""
    name, free = str(one["name"]), one.get("free_mb")
    if one.get("read_only"):
        return {"text": gettext(N_("%(name)s: write-protected"), name=name), "ok": False}
    if free is None:
        return {"text": gettext(N_("%(name)s: does not answer"), name=name), "ok": False}
    return {"text": gettext(N_("%(name)s: %(free)s MB free"), name=name, free=free), "ok": True}


def _shown() -> dict[str, Any]:
    """What the dialog's script takes."""
    words = {
        "none": N_("No USB stick is plugged in. Plug one in (FAT32 or exFAT): it is shown here by itself."),
        "looking": N_("Looking for a USB stick …"),
        "there": N_("Touch 'Save'. Leave the stick in until it says that you may pull it out."),
        "saving": N_("Being written and read back: %(share)s %%. Leave the stick in."),
        "saved": N_("Saved as %(file)s and checked. You may pull the stick out now."),
        "failed": N_("Not saved: %(why)s"),
    }
    told = script_words(words)
    return {"look": url_for("sticks.look"), "words": told}
