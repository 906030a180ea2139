"""Who asks, and what they may do. Every view says who reaches it: `needs("right")`, `for_boxes` or `open_to_all`.

A box is known by its certificate, a person by the signed cookie, a program by its token. All three are looked up in the
database at each request: what was taken from somebody is gone at once, in every worker.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import abort, current_app, g, redirect, request, session

from .database import reading, writing
from .rights import rights_of
from .service import Service
from .tables import Box, Person, Token

View = TypeVar("View", bound=Callable[..., Any])
PEER = "okng.peer_sha256"
"""In the environment of a request: the SHA-256 of the certificate (DER) that the client proved to hold, hex. Set by
`tls.PeerTold` alone; a client cannot set it, for headers arrive under other names."""
BEARER = "Bearer "
FOR_BOXES = "(box)"
LOOK = ""
SEEN_S = 60
"""How fresh the note of a token's or a person's last use is, at worst."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A person, or a program with a token."""

    who: str
    """As deeds name them: `person:<sub>`, `token:<id>`."""
    name: str
    rights: frozenset[str]
    by_token: bool = False


def the_service() -> Service:
    """Of this application."""
    found: Service = current_app.extensions["okng-fleet"]
    return found


def person() -> Asker | None:
    """Who is signed in, or bears the token of this request; None: nobody."""
    if "asker" not in g:
        header = request.headers.get("Authorization", "")
        g.asker = _bearer(header) if header else _signed_in()
    found: Asker | None = g.asker
    return found


def box() -> str | None:
    """Id of the box that proved itself in this request; None: none did, or it is retired."""
    if "box" not in g:
        g.box = _proved(request.environ.get(PEER))
    found: str | None = g.box
    return found


def may(right: str) -> bool:
    """True when who asks has that right. The empty right is everybody's."""
    found = person()
    return not right or (found is not None and right in found.rights)


def require(right: str) -> None:
    """Abort with 401 (nobody is signed in) or 403 (they may not) unless they may."""
    if not may(right):
        if person() is None:
            abort(401, "expected somebody signed in, or a token: Authorization: Bearer …")
        abort(403, f"the right {right!r} is missing")


def needs(right: str) -> Callable[[View], View]:
    """Let only those to this view who have the right. A page sends who is not signed in to the sign-in and back."""

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(*given: Any, **named: Any) -> Any:
            if person() is None and request.method == "GET" and _is_page():
                return redirect(f"/sign-in?{urlencode({'next': request.full_path.rstrip('?')})}")
            require(right)
            return view(*given, **named)

        guarded.needs = right  # type: ignore[attr-defined]  # make_app refuses a view without
        return guarded  # type: ignore[return-value]

    return wrap


def for_boxes(view: View) -> View:
    """Let only a box to this view that proved by its certificate who it is; `box()` says which."""

    @wraps(view)
    def guarded(*given: Any, **named: Any) -> Any:
        if box() is None:
            abort(401, "expected the certificate of a box that was let in and is not retired")
        return view(*given, **named)

    guarded.needs = FOR_BOXES  # type: ignore[attr-defined]
    return guarded  # type: ignore[return-value]


def open_to_all(view: View) -> View:
    """Let everybody see this."""
    view.needs = LOOK  # type: ignore[attr-defined]
    return view


def _is_page() -> bool:
    return not request.path.startswith(("/v1/", "/metrics")) and request.headers.get("X-Piece") is None


def _proved(fingerprint: str | None) -> str | None:
    if not fingerprint:
        return None
    service = the_service()
    with reading(service.engine) as db:
        found = db.execute(
            sa.select(Box.id, Box.cert_before, Box.retired_at).where(
                sa.or_(Box.cert_sha256 == fingerprint, Box.cert_before == fingerprint)
            )
        ).first()
    if found is None or found.retired_at is not None:
        return None
    if found.cert_before is not None and found.cert_before != fingerprint:
        with writing(service.engine) as db:  # the renewed one arrived: the old one opens nothing any more
            db.execute(
                sa.update(Box).where(Box.id == found.id, Box.cert_sha256 == fingerprint).values(cert_before=None)
            )
    return str(found.id)


def _signed_in() -> Asker | None:
    sub, begun = session.get("sub"), session.get("at")
    if not isinstance(sub, str) or not isinstance(begun, int):
        return None
    service, now = the_service(), datetime.now(UTC)
    at = datetime.fromtimestamp(begun / 1000, UTC)
    if (
        not timedelta(0)
        <= now - at + timedelta(seconds=60)
        <= timedelta(hours=service.options.people.hours, seconds=60)
    ):
        return None
    with reading(service.engine) as db:
        found = db.get(Person, sub)
    if found is None or found.closed_at is not None:
        return None
    if found.signed_out_at is not None and found.signed_out_at >= at:
        return None
    return Asker(f"person:{found.sub}", found.name, rights_of(found.roles))


def _bearer(header: str) -> Asker | None:
    if not header.startswith(BEARER):
        return None
    digest = hashlib.sha256(header.removeprefix(BEARER).strip().encode("utf-8", "replace")).hexdigest()
    service, now = the_service(), datetime.now(UTC)
    with reading(service.engine) as db:
        found = db.execute(sa.select(Token).where(Token.sha256 == digest)).scalar_one_or_none()
    if found is None or found.revoked_at is not None or found.expires_at <= now:
        return None
    if found.used_at is None or now - found.used_at > timedelta(seconds=SEEN_S):
        with writing(service.engine) as db:
            db.execute(sa.update(Token).where(Token.id == found.id).values(used_at=now))
    return Asker(f"token:{found.id}", found.name, frozenset(found.rights), by_token=True)
