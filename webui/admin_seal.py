"""Tamper evidence on the Administration screen: the signed head in short, a proof on demand, files for an auditor."""

from typing import Any

from flask import Blueprint, Response, abort, redirect, request, send_from_directory, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from ..bus.errors import BadLedger
from ..records.seal_read import HEADS_FILE, PUBLIC_FILE, SealReader
from .access import needs
from .asking import ask
from .refusals import refusal
from .sealed import short_head
from .web import Web
from .words import N_, saying, translated

FILES = {"heads.jsonl": HEADS_FILE, "box-key.pub.pem": PUBLIC_FILE}
"""What an auditor takes along, and keeps where the box cannot write."""
_SAYINGS = (saying(r"^a proof is under way already$", N_("A proof is under way already.")),)


def add_seal(views: Blueprint, web: Web) -> None:
    """Add the views."""
    reader = SealReader(web.store)

    @views.app_context_processor
    def seal() -> dict[str, Any]:
        return {"seal_head": lambda: short_head(web.store), "seal_proof": lambda: _proof(reader)}

    @views.post("/prove")
    @needs("audit.read")
    def prove() -> AnyResponse:
        answer = ask(web, "audit.verify", {"full": request.form.get("full") == "1"}, timeout_ms=5000)
        if not answer.done:
            said = translated(answer.detail, _SAYINGS, gettext)
            return redirect(url_for("admin.page", wrong=refusal(said)), 303)
        return redirect(url_for("admin.page", proving="" if answer.body.get("finished") else 1, _anchor="seal"), 303)

    @views.get("/seal/<name>")
    @needs("audit.read")
    def seal_file(name: str) -> Response:
        if name not in FILES or not (web.store / FILES[name]).is_file():
            abort(404)
        return send_from_directory(web.store.absolute(), FILES[name], mimetype="text/plain", as_attachment=True)


def _proof(reader: SealReader) -> dict[str, Any] | None:
    """What the last proof found, with its time; None: there was none."""
    try:
        found = reader.proof()
    except (BadLedger, ValueError):
        return None
    return None if found is None else {"at": found[0], **found[1]}
