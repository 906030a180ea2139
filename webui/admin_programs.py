"""Programs that use the API: their tokens, and the addresses that are told of events."""

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ..bus.errors import BadLedger
from ..bus.rights import RIGHTS
from .access import needs
from .asking import ask
from .refusals import refusal
from .web import Web

Answered = Response | tuple[str, int]


def add_programs(views: Blueprint, web: Web) -> None:
    """Add the views."""

    @views.get("/programs")
    @needs("api.token")
    def programs() -> Answered:
        return _page(web)

    @views.post("/programs/token")
    @needs("api.token")
    def make_token() -> Answered:
        """Make a token; it is shown this once."""
        rights = [right for right in request.form.getlist("right") if right in RIGHTS]
        answer = ask(web, "token.make", {"name": request.form.get("name", "").strip(), "rights": rights})
        if not answer.done:
            return _page(web, refusal(answer.detail))
        return _page(web, token=str(answer.body.get("token", "")))

    @views.post("/programs/token/end")
    @needs("api.token")
    def end_token() -> Answered:
        answer = ask(web, "token.end", {"token": request.form.get("token", "")})
        return redirect(url_for("admin.programs"), 303) if answer.done else _page(web, refusal(answer.detail))

    @views.post("/programs/webhook")
    @needs("api.token")
    def set_webhook() -> Answered:
        form = request.form
        body = {"webhook": form.get("webhook", ""), "url": form.get("url", "").strip()}
        answer = ask(web, "webhook.set", {**body, "events": form.get("events", "").split()})
        if not answer.done:
            return _page(web, refusal(answer.detail))
        return _page(web, secret=str(answer.body.get("secret", ""))) if answer.body.get("secret") else _back()


def _back() -> Response:
    return redirect(url_for("admin.programs"), 303)


def _page(web: Web, wrong: str = "", token: str = "", secret: str = "") -> tuple[str, int]:
    try:
        tokens, webhooks = web.people.tokens(), web.people.webhooks()
        letters = web.people.dead_letters()
    except BadLedger:
        abort(503)
    made = render_template(
        "admin/programs.html",
        tokens=[one for one in tokens if not one.ended_at],
        webhooks=webhooks,
        letters=letters,
        urls={one.id: one.url for one in webhooks},
        rights=list(RIGHTS),
        wrong=wrong,
        token=token,
        secret=secret,
    )
    return made, 409 if wrong else 200
