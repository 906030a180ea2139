"""How people come in and go out: by the plant's provider, or as local people of a site that has none."""

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Blueprint, Response, redirect, render_template, request, session
from flask_wtf.csrf import generate_csrf
from sqlalchemy.dialects import postgresql, sqlite
from werkzeug.wrappers import Response as AnyResponse

from . import limits
from .access import open_to_all, person
from .database import writing
from .deeds import note
from .people import checked, sign_out_everywhere
from .provider import NotLetIn, Provider
from .said import cleaned
from .service import Service
from .settings import PeopleOptions
from .tables import Person

NO_ROLE = "no_role"


def sign_in_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("sign_in", __name__)
    options = service.options.people
    holder: dict[str, Provider] = {}

    @views.record_once
    def begin(state: Any) -> None:
        if options.issuer is not None:
            holder["provider"] = Provider(state.app, service.options)

    @views.get("/sign-in")
    @open_to_all
    def page() -> AnyResponse:
        """The page; who is signed in already goes on."""
        if person() is not None:
            return redirect(own_path(request.args.get("next", "/")), 303)
        return _page(options)

    if options.local:
        _add_local(views, service)
    if options.issuer is not None:
        _add_provider(views, service, holder)

    @views.post("/sign-out")
    @open_to_all
    def out() -> AnyResponse:
        """End this session; with `everywhere`, all of this person's."""
        asker = person()
        if asker is not None and not asker.by_token:
            with writing(service.engine) as db:
                everywhere = bool(request.form.get("everywhere"))
                if everywhere:
                    sign_out_everywhere(db, asker.who.removeprefix("person:"))
                note(db, asker.who, "signed out", asker.who, {"everywhere": everywhere})
        session.clear()
        return redirect("/sign-in", 303)

    return views


def _add_local(views: Blueprint, service: Service) -> None:
    options = service.options.people

    @views.post("/sign-in")
    @open_to_all
    def local() -> AnyResponse:
        """Name and password of a local person."""
        name, password = cleaned(request.form.get("name", "").strip().lower()), request.form.get("password", "")
        with writing(service.engine) as db:
            wait = limits.count(db, f"sign-in:{request.remote_addr}", options.sign_ins_a_minute) or limits.count(
                db, f"sign-in-as:{name[:63]}", options.sign_ins_a_minute
            )
        if wait:
            answer = _page(options, "busy", 429, name)
            answer.headers["Retry-After"] = str(wait)
            return answer
        found = checked(service.engine, name, password)
        if found is None:
            with writing(service.engine) as db:
                note(db, "service", "sign-in failed", f"person:local:{name[:63]}", {"from": request.remote_addr or ""})
            return _page(options, "wrong", 401, name)
        return _enter(service, found.sub, found.name, None)

    # A stranger's page must not sign a browser in under a name that the stranger knows.
    local.forgeable = True  # type: ignore[attr-defined]


def _add_provider(views: Blueprint, service: Service, holder: dict[str, Provider]) -> None:
    options = service.options.people

    @views.post("/sign-in/provider")
    @open_to_all
    def go() -> AnyResponse:
        """Off to the provider."""
        onward = own_path(request.form.get("next", "/"))
        for key in [key for key in session if key.startswith("_state_")]:
            session.pop(key)  # of an earlier try: the cookie must not grow
        session["next"] = onward
        try:
            return holder["provider"].send()
        except NotLetIn as error:
            return _page(options, str(error), 502)

    go.forgeable = True  # type: ignore[attr-defined]

    @views.get("/sign-in/answer")
    @open_to_all
    def back() -> AnyResponse:
        """Back from the provider."""
        try:
            sub, name, roles = holder["provider"].came_back()
        except NotLetIn as error:
            with writing(service.engine) as db:
                note(db, "service", "sign-in failed", "", {"from": request.remote_addr or "", "why": str(error)})
            return _page(options, str(error), 401)
        if not roles:
            with writing(service.engine) as db:
                note(db, "service", "sign-in failed", f"person:{sub}", {"why": "no role"})
            return _page(options, NO_ROLE, 403, name)
        return _enter(service, sub, name, roles)


def _enter(service: Service, sub: str, name: str, roles: list[str] | None) -> AnyResponse:
    """Begin a session. roles: what the provider says; None: those that are stored."""
    now = datetime.now(UTC)
    onward = own_path(request.form.get("next") or session.get("next") or "/")
    with writing(service.engine) as db:
        insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
        fresh = insert(Person).values(sub=sub, name=name, created_at=now, roles=roles or [])
        db.execute(fresh.on_conflict_do_nothing(index_elements=["sub"]))
        found = db.get_one(Person, sub)
        if found.closed_at is not None:
            return _page(service.options.people, "closed", 403, name)
        before = sorted(found.roles)
        values: dict[str, Any] = {"name": name, "seen_at": now, **({"roles": roles} if roles is not None else {})}
        db.execute(sa.update(Person).where(Person.sub == sub).values(**values))
        if roles is not None and before != roles:
            note(db, "service", "roles changed", f"person:{sub}", {"from": before, "to": roles})
        note(db, f"person:{sub}", "signed in", f"person:{sub}", {"from": request.remote_addr or ""})
    session.clear()  # nothing of before goes on: neither a name nor a CSRF token that somebody else may know
    session.update(sub=sub, at=int(time.time() * 1000))
    session.permanent = True
    return redirect(onward, 303)


def own_path(wanted: str) -> str:
    """A path of this service; anything else becomes `/`: nobody is sent elsewhere by an address they were given."""
    parts = urlsplit(wanted.replace("\\", "/"))
    inside = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if inside and not parts.scheme and not parts.netloc and len(wanted) <= 2000 else "/"


def _page(options: PeopleOptions, trouble: str = "", code: int = 200, name: str = "") -> Response:
    onward = own_path(request.values.get("next", "/"))
    text = render_template(
        "sign_in.html",
        trouble=trouble,
        name=name,
        next=onward,
        local=options.local,
        provider=options.issuer is not None,
        csrf=generate_csrf,
    )
    return Response(text, code, mimetype="text/html")
