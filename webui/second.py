"""The second factor on the screens: the code after the password, and one's own turned on, renewed, turned off."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.clock import utc_now
from ..bus.errors import BadLedger
from ..imaging.qr import qr_code
from .access import open_to_all, person
from .asking import ask
from .refusals import refusal
from .session import Sessions, at_panel
from .web import Web

Answered = Response | tuple[str, int]


def code_page(ticket: str, next_page: str, wrong: str = "", code: int = 200) -> tuple[str, int]:
    """Ask for the code that has to follow the password."""
    made = render_template("access/code.html", ticket=ticket, next=next_page, wrong=wrong, now=utc_now())
    return made, code


def add_own_second(views: Blueprint, web: Web, sessions: Sessions) -> None:
    """Add the views of one's own second factor."""

    @views.get("/sign-in/second")
    @open_to_all
    def second() -> Answered:
        return _page(web)

    @views.post("/sign-in/second/begin")
    @open_to_all
    def second_begin() -> Answered:
        return _begun(web)

    @views.post("/sign-in/second/confirm")
    @open_to_all
    def second_confirm() -> Answered:
        answer = ask(web, "account.second_confirm", _proof())
        if not answer.done:
            return _begun(web, refusal(answer.detail))
        return _codes(sessions, answer.body)

    @views.post("/sign-in/second/codes")
    @open_to_all
    def second_codes() -> Answered:
        answer = ask(web, "account.second_codes", _proof())
        return _codes(sessions, answer.body) if answer.done else _page(web, refusal(answer.detail))

    @views.post("/sign-in/second/off")
    @open_to_all
    def second_off() -> Answered:
        answer = ask(web, "account.second_off", _proof())
        if not answer.done:
            return _page(web, refusal(answer.detail))
        sessions.renew(int(answer.body.get("generation", 0)))
        return redirect(url_for("access.second"), 303)


def _proof() -> dict[str, Any]:
    if person() is None:
        abort(401)
    form = request.form
    return {"code": form.get("code", "")[:64], "secret": form.get("secret", "")[:256], "secret_kind": _kind()}


def _kind() -> str:
    """What is given again: at the panel the PIN where there is one."""
    mine = person()
    return "pin" if mine is not None and at_panel(request) and "pin" in mine.secrets else "password"


def _page(web: Web, wrong: str = "", **more: Any) -> tuple[str, int]:
    mine = person()
    if mine is None:
        abort(401)
    try:
        left = web.people.recovery_left(mine.name) if mine.second_since else 0
        demanded = mine.role in web.people.second_demanded()
    except BadLedger:
        abort(503)
    kind = _kind()
    made = render_template(
        "access/second.html",
        since=mine.second_since,
        left=left,
        demanded=demanded,
        kind=kind,
        able=kind in mine.secrets,
        wrong=wrong,
        now=utc_now(),
        **more,
    )
    return made, 409 if wrong else 200


def _begun(web: Web, wrong: str = "") -> Answered:
    if person() is None:
        abort(401)
    answer = ask(web, "account.second_begin", {"box": f"okng {web.station}"[:64]})
    if not answer.done:
        return _page(web, wrong or refusal(answer.detail))
    qr = qr_code(str(answer.body["address"]))
    return _page(web, wrong, qr=qr, typed_secret=str(answer.body["secret"]))


def _codes(sessions: Sessions, body: dict[str, Any]) -> tuple[str, int]:
    """The recovery codes, this one time."""
    sessions.renew(int(body.get("generation", 0)))
    trouble = "" if body.get("codes") else gettext("The codes can be shown only once: make new ones.")
    return render_template("access/codes.html", codes=body.get("codes", []), wrong=trouble), 200
