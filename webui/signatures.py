"""Electronic signatures: who has signed a model, a recipe or a report, as what and why; and one more, in two parts.

A name alone never signs: the PIN (from elsewhere the password) is given again each time, also by who is signed in.
"""

import re
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.errors import BadLedger
from ..records.figures_read import FiguresReader
from ..records.seal_read import short_of
from .access import needs_one_of, person, require
from .answered import ASKING
from .asking import ask
from .facts import facts_of
from .period import period_of
from .sealed import box_wrote, report_digest, signatures_of
from .session import at_panel
from .web import Web
from .words import N_, saying, translated

MAY_SIGN = {"model": "model.activate", "recipe": "recipe.edit", "report": "report.make"}
KINDS = {"model": N_("Model"), "recipe": N_("Recipe"), "report": N_("Shift report")}
MEANINGS = {
    "authored": N_("Author"),
    "reviewed": N_("Reviewed"),
    "approved": N_("Approved"),
    "released": N_("Released"),
}
_WHOLE = re.compile(r"[0-9a-f]{64}")
_SAYINGS = (
    saying(r"^not signed: name or secret is wrong$", N_("Name or secret is wrong.")),
    saying(r"^from here it takes a password$", N_("From here it takes a password.")),
    saying(r"^locked for (?P<seconds>\d+) s$", N_("Locked after too many tries. Try again in %(seconds)s s.")),
    saying(r"^a signature needs a reason", N_("Say why: a signature needs a reason or a remark.")),
    saying(r"^(?P<who>.+) is the author: another person", N_("%(who)s is the author: another person has to sign.")),
    saying(r"^(?P<who>.+) has signed this as .+: the author", N_("%(who)s has looked at it: the author is another.")),
    saying(r"^(?P<who>.+) has signed this as \w+ already$", N_("%(who)s has signed this already.")),
    saying(
        r"^(?P<who>.+) has a second factor: from elsewhere",
        N_("%(who)s has to sign in here before signing, with the second factor."),
    ),
    saying(r"^(?P<who>.+) has not the right ", N_("%(who)s may not sign this.")),
    *ASKING,
)


def signature_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("signatures", __name__, url_prefix="/signatures")
    reader = FiguresReader(web.store)

    @views.app_context_processor
    def words() -> dict[str, Any]:
        return {"meaning_word": lambda meaning: gettext(MEANINGS[meaning]) if meaning in MEANINGS else meaning}

    def record() -> tuple[str, str, str, str]:
        """Kind, name and digest of the record in the address, and why it cannot be signed now."""
        kind, name = request.values.get("kind", ""), request.values.get("name", "")[:200]
        if kind not in MAY_SIGN or not name:
            abort(404)
        require(MAY_SIGN[kind])
        if kind != "report":
            digest = request.values.get("digest", "")
            if not _WHOLE.fullmatch(digest):
                abort(404)
            return kind, name, digest, ""
        try:
            period = period_of(name, reader, web.watch)
            if period is None:
                abort(404)
            if period.running:
                return kind, name, "", gettext("It goes on: sign it when it is over.")
            facts = facts_of(reader, period, web.options.ideal_per_min)
            escapes = web.people.escapes(period.span.since, period.span.until)
        except BadLedger:
            abort(503)
        return kind, name, report_digest(facts, escapes), ""

    def shown(wrong: str = "") -> tuple[str, int]:
        kind, name, digest, trouble = record()
        if kind == "report":  # also those of what it said before
            made = signatures_of(web.store, kind, name=name)
        else:
            short = signatures_of(web.store, kind, digest=short_of(digest)) if kind == "recipe" else []
            made = sorted([*short, *signatures_of(web.store, kind, digest=digest)], key=lambda one: one.n)
        page = render_template(
            "signatures/page.html",
            kind=kind,
            kind_word=gettext(KINDS[kind]),
            name=name,
            digest=digest,
            trouble=trouble,
            wrong=wrong,
            signatures=made,
            vouched=box_wrote(web.store, made),
            meanings=MEANINGS,
            people=_signers(web, MAY_SIGN[kind]),
            secret_kind="pin" if at_panel(request) else "password",
            back=_back(kind, name),
            signed="signed" in request.args,
        )
        return page, 409 if wrong else 200

    @views.get("/")
    @needs_one_of(*MAY_SIGN.values())
    def page() -> tuple[str, int]:
        return shown()

    @views.post("/")
    @needs_one_of(*MAY_SIGN.values())
    def sign() -> Response | tuple[str, int]:
        kind, name, digest, trouble = record()
        form, here = request.form, at_panel(request)
        if trouble:
            return shown(trouble)
        if form.get("digest", "") != digest:
            return shown(gettext("It was changed meanwhile: look at it again, then sign."))
        body = {
            "who": form.get("who", "")[:64],
            "secret": form.get("secret", "")[:256],
            "secret_kind": "pin" if here else "password",
            "meaning": form.get("meaning", ""),
            "kind": kind,
            "name": name,
            "digest": digest,
            "panel": "panel" if here else False,
            "address": request.remote_addr or "",
        }
        if body["meaning"] not in MEANINGS:
            abort(400)
        answer = ask(web, "signature.make", body, reason=form.get("reason", "").strip()[:500])
        if not answer.done:
            return shown(translated(answer.detail, _SAYINGS, gettext))
        return redirect(url_for("signatures.page", kind=kind, name=name, digest=digest, signed=1), 303)

    return views


def _signers(web: Web, right: str) -> list[Any]:
    """Persons who may sign, who is signed in first."""
    mine = person()
    try:
        found = [one for one in web.people.people() if not one.disabled and right in one.rights]
    except BadLedger:
        return []
    return sorted(found, key=lambda one: (mine is None or one.name != mine.name, one.name))


def _back(kind: str, name: str) -> str:
    if kind == "report":
        return url_for("report.page", period=name)
    return url_for("models.page")
