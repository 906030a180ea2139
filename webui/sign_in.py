"""Sign-in (screen 8): tiles, PIN pad, badge, password; sign out; one's own PIN; the first administrator.

At the panel a PIN or a badge does. From elsewhere it takes a password, unless `[web] remote_pin` says otherwise.
"""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.asks import Answer
from ..bus.errors import BadLedger
from ..records.people_read import Person
from .access import open_to_all, person
from .asking import ask
from .catalogue import LOCALES
from .refusals import is_late, refusal
from .second import add_own_second, code_page
from .session import Sessions, at_panel
from .web import Web

LANGUAGE_COOKIE = "okng-language"
LONG_S = 400 * 86_400
Answered = Response | tuple[str, int]


def sign_in_views(web: Web, sessions: Sessions) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("access", __name__)
    _pages(views, web, sessions)
    _first(views, web, sessions)
    _own(views, web, sessions)
    add_own_second(views, web, sessions)
    return views


def own_path(asked: str) -> str:
    """A path of this server, whatever was asked for."""
    parts = urlsplit(asked)
    own = not parts.scheme and not parts.netloc and asked.startswith("/") and not asked.startswith(("//", "/\\"))
    return asked if own and asked.isprintable() and "\\" not in asked else "/"


def keep_choice(answer: Response, cookie: str, value: str) -> None:
    """Let the browser remember a choice of its own for long."""
    answer.set_cookie(cookie, value, max_age=LONG_S, httponly=True, samesite="Strict", secure=request.is_secure)


def _pages(views: Blueprint, web: Web, sessions: Sessions) -> None:
    @views.get("/sign-in")
    @open_to_all
    def page() -> Answered:
        return _page(web)

    @views.post("/sign-in")
    @open_to_all
    def sign_in() -> Answered:
        kind = request.form.get("kind", "pin")
        if kind not in ("pin", "password"):
            abort(400)
        body = {"who": request.form.get("who", ""), "secret": request.form.get("secret", ""), "kind": kind}
        return _try(web, sessions, body)

    @views.post("/sign-in/code")
    @open_to_all
    def code() -> Answered:
        """The second factor, after the password."""
        ticket = request.form.get("ticket", "")[:128]
        answer = ask(web, "account.sign_in_second", {"ticket": ticket, "code": request.form.get("code", "")[:64]})
        if answer.done:
            return _begin(sessions, answer)
        if is_late(answer.detail):
            return _page(web, refusal(answer.detail), 403)
        return code_page(ticket, own_path(request.form.get("next", "/")), refusal(answer.detail), _code_of(answer))

    @views.post("/sign-in/badge")
    @open_to_all
    def badge() -> Answered:
        code = request.form.get("code", "")
        if web.options.badge_removed and code == web.options.badge_removed:
            _sign_out(web, sessions, "badge removed")
            return redirect(own_path(request.form.get("next", "/")), 303)
        return _try(web, sessions, {"badge": code, "kind": "badge"})

    @views.post("/sign-out")
    @open_to_all
    def sign_out() -> Answered:
        _sign_out(web, sessions, "asked")
        return redirect(url_for("run.run"), 303)

    @views.post("/touch")
    @open_to_all
    def touch() -> Response:
        return jsonify(_state(sessions))  # the guard has touched the session already

    @views.get("/sign-in/who")
    @open_to_all
    def who() -> Response:
        return jsonify(_state(sessions))


def _first(views: Blueprint, web: Web, sessions: Sessions) -> None:
    @views.post("/sign-in/first")
    @open_to_all
    def first() -> Answered:
        """Make the first administrator: at the box itself only, and only while there is none."""
        if not at_panel(request):
            abort(403)
        form = request.form
        if form.get("password", "") != form.get("again", ""):
            return _page(web, gettext("The two passwords are not the same."), 400)
        given = {name: form.get(name, "") for name in ("name", "full_name", "password", "pin")}
        answer = ask(web, "account.first", given)
        if not answer.done:
            return _page(web, refusal(answer.detail), 409)
        return _try(
            web, sessions, {"who": form.get("name", ""), "secret": form.get("password", ""), "kind": "password"}
        )


def _own(views: Blueprint, web: Web, sessions: Sessions) -> None:
    @views.post("/sign-in/own")
    @open_to_all
    def own_secret() -> Answered:
        """Change one's own PIN or password."""
        if person() is None:
            abort(401)
        form = request.form
        kind = form.get("kind", "pin")
        if form.get("new", "") != form.get("again", ""):
            return _page(web, gettext("The new one was not given the same twice."), 400)
        given = {"kind": kind, "new": form.get("new", ""), "old": form.get("old", "")}
        answer = ask(web, "account.own_secret", given)
        if not answer.done:
            return _page(web, refusal(answer.detail), 409)
        sessions.renew(int(answer.body.get("generation", 0)))
        return redirect(url_for("access.page", changed=1), 303)


def _try(web: Web, sessions: Sessions, body: dict[str, Any]) -> Answered:
    here = at_panel(request) or web.options.remote_pin
    place = (
        {"panel": "panel" if at_panel(request) else request.remote_addr or "elsewhere"} if here else {"panel": False}
    )
    away = {"elsewhere": not at_panel(request), "address": request.remote_addr or ""}
    answer = ask(web, "account.sign_in", {**body, **place, **away})
    if not answer.done:
        return _page(web, refusal(answer.detail), _code_of(answer))
    if "second" in answer.body:
        return code_page(str(answer.body.get("ticket", "")), own_path(request.form.get("next", "/")))
    return _begin(sessions, answer)


def _code_of(answer: Answer) -> int:
    return 429 if answer.detail.startswith("locked") else 403


def _begin(sessions: Sessions, answer: Answer) -> Answered:
    sessions.begin(answer.body)
    gone = redirect(own_path(request.form.get("next", "/")), 303)
    if answer.body.get("language") in LOCALES:
        keep_choice(gone, LANGUAGE_COOKIE, str(answer.body["language"]))
    return gone


def _sign_out(web: Web, sessions: Sessions, why: str) -> None:
    if person() is not None:
        ask(web, "account.sign_out", {"why": why})
    sessions.end()


def _state(sessions: Sessions) -> dict[str, Any]:
    who = person()
    return {"who": who.name if who else "", "left_s": sessions.left_s() if who else 0}


def _page(web: Web, wrong: str = "", code: int = 200) -> Answered:
    """The page as it stands for who asks; wrong: what did not work."""
    here = at_panel(request) or web.options.remote_pin
    who = request.values.get("who", "")
    try:
        people = [one for one in web.people.people() if not one.disabled] if at_panel(request) else []
        empty = not web.people.has_keeper()
    except BadLedger:
        people, empty = [], False
    chosen: Person | None = next((one for one in people if one.name == who), None)
    by_password = not here or request.values.get("by") == "password" or request.values.get("kind") == "password"
    tls = current_app.extensions.get("okng-tls")
    made = render_template(
        "access/sign_in.html",
        people=people,
        chosen=chosen,
        typed=who,
        by_password=by_password,
        at_panel=at_panel(request),
        pin_allowed=here,
        first=empty and at_panel(request),
        empty=empty,
        wrong=wrong,
        next=own_path(request.values.get("next", "/")),
        own="own" in request.args or request.endpoint == "access.own_secret",
        changed="changed" in request.args,
        held=tls.certificate if tls is not None else None,
    )
    return made, code
