"""Users and roles: made, changed, disabled. records looks at the rights again and writes the trail."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from ..bus.errors import BadLedger
from ..bus.rights import RIGHTS
from ..records.people_read import Person
from .access import needs
from .asking import ask
from .refusals import refusal
from .session import at_panel
from .web import Web

Answered = str | Response | tuple[str, int]
_GIVEN = ("full_name", "role", "pin", "password", "badge", "language")


def add_people(views: Blueprint, web: Web) -> None:
    """Add the views."""
    _users(views, web)
    _roles(views, web)


def _users(views: Blueprint, web: Web) -> None:
    @views.get("/users")
    @needs("user.edit")
    def users() -> Answered:
        return render_template("admin/users.html", people=_people(web))

    @views.get("/users/new")
    @needs("user.edit")
    def new_user() -> Answered:
        return _user_page(web, None)

    @views.post("/users/new")
    @needs("user.edit")
    def make_user() -> Answered:
        given = {name: request.form.get(name, "") for name in ("name", *_GIVEN)}
        return _done(web, "account.create", given, None)

    @views.get("/users/<name>")
    @needs("user.edit")
    def user(name: str) -> Answered:
        return _user_page(web, _found(web, name))

    @views.post("/users/<name>")
    @needs("user.edit")
    def change_user(name: str) -> Answered:
        found = _found(web, name)
        given: dict[str, Any] = {field: request.form.get(field, "") for field in _GIVEN}
        without = [kind for kind in ("pin", "password", "badge") if request.form.get(f"without_{kind}")]
        body = {"name": name, **given, "without": without, "disabled": bool(request.form.get("disabled"))}
        return _done(web, "account.change", body, found)

    @views.post("/users/<name>/sign-out")
    @needs("user.edit")
    def sign_out_all(name: str) -> Answered:
        return _done(web, "account.sign_out_all", {"name": name}, _found(web, name))

    @views.post("/users/<name>/second")
    @needs("user.edit")
    def take_off_second(name: str) -> Answered:
        """They lost the phone."""
        return _done(web, "account.second_take_off", {"name": name, "panel": at_panel(request)}, _found(web, name))


def _done(web: Web, command: str, body: dict[str, Any], person: Person | None) -> Answered:
    answer = ask(web, command, body, reason=request.form.get("reason", "")[:500])
    if answer.done:
        return redirect(url_for("admin.users"), 303)
    return _user_page(web, person, refusal(answer.detail), body)


def _user_page(
    web: Web, person: Person | None, wrong: str = "", typed: dict[str, Any] | None = None
) -> tuple[str, int]:
    made = render_template("admin/user.html", one=person, roles=list(_roles_of(web)), wrong=wrong, typed=typed or {})
    return made, 409 if wrong else 200


def _roles(views: Blueprint, web: Web) -> None:
    @views.get("/roles")
    @needs("user.edit")
    def roles() -> Answered:
        return _roles_page(web)

    @views.post("/roles")
    @needs("user.edit")
    def change_roles() -> Answered:
        """Write each role that was changed; the first one that is refused ends it."""
        reason = request.form.get("reason", "")[:500]
        for name, rights in _roles_of(web).items():
            # Only what stood on the page is changed: a role made meanwhile keeps its rights.
            if name not in request.form.getlist("role"):
                continue
            wanted = {right for right in request.form.getlist(f"may:{name}") if right in RIGHTS}
            if wanted == rights:
                continue
            answer = ask(web, "role.change", {"name": name, "rights": sorted(wanted)}, reason=reason)
            if not answer.done:
                return _roles_page(web, refusal(answer.detail))
        before = _demanded(web)
        demanded = (before - set(request.form.getlist("role"))) | set(request.form.getlist("second"))
        if demanded != before:
            answer = ask(web, "account.second_demand", {"roles": sorted(demanded)}, reason=reason)
            if not answer.done:
                return _roles_page(web, refusal(answer.detail))
        return redirect(url_for("admin.roles", saved=1), 303)

    @views.post("/roles/new")
    @needs("user.edit")
    def make_role() -> Answered:
        name = request.form.get("name", "").strip()
        if name in _roles_of(web):
            return redirect(url_for("admin.roles"), 303)
        answer = ask(web, "role.change", {"name": name, "rights": []})
        return redirect(url_for("admin.roles"), 303) if answer.done else _roles_page(web, refusal(answer.detail))

    @views.post("/roles/drop")
    @needs("user.edit")
    def drop_role() -> Answered:
        answer = ask(web, "role.change", {"name": request.form.get("name", ""), "drop": True})
        return redirect(url_for("admin.roles"), 303) if answer.done else _roles_page(web, refusal(answer.detail))


def _roles_page(web: Web, wrong: str = "") -> tuple[str, int]:
    taken = {one.role for one in _people(web)}
    roles = _roles_of(web)
    free = [name for name in roles if name not in taken]
    saved = "saved" in request.args
    made = render_template(
        "admin/roles.html",
        roles=roles,
        rights=list(RIGHTS),
        demanded=_demanded(web),
        free=free,
        wrong=wrong,
        saved=saved,
    )
    return made, 409 if wrong else 200


def _demanded(web: Web) -> frozenset[str]:
    """Roles that need a second factor from elsewhere."""
    try:
        return web.people.second_demanded()
    except BadLedger:
        abort(503)


def _people(web: Web) -> list[Person]:
    try:
        return web.people.people()
    except BadLedger:
        abort(503)


def _roles_of(web: Web) -> dict[str, frozenset[str]]:
    try:
        return web.people.roles()
    except BadLedger:
        abort(503)


def _found(web: Web, name: str) -> Person:
    try:
        person = web.people.person(name)
    except BadLedger:
        abort(503)
    if person is None:
        abort(404)
    return person
