"""Tokens over the wire. Nobody gives a token more than they hold themselves, and no token makes another."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from pydantic import Field
from spectree import SpecTree

from . import tokens
from .access import needs, person
from .answers import problem
from .service import Service
from .spec import Done, Problem, Shape, Text, answers


class NewToken(Shape):
    """A token to be made."""

    name: Text = Field(min_length=1)
    rights: list[str] = Field(min_length=1, max_length=40)
    days: int = Field(default=90, ge=1, le=tokens.MOST_DAYS)


class MadeToken(Shape):
    """The only time that the secret is told."""

    id: str
    token: str


class OneToken(Shape):
    """A token without its secret."""

    id: str
    name: str
    rights: list[str]
    made_by: str
    made_at: str
    expires_at: str
    revoked_at: str | None
    used_at: str | None


class Tokens(Shape):
    """All of them."""

    tokens: list[OneToken]


def add_tokens(views: Blueprint, spec: SpecTree, service: Service) -> None:
    """Add the views."""

    @views.post("/tokens")
    @needs("token.make")
    @spec.validate(json=NewToken, resp=answers(MadeToken, HTTP_422=Problem), tags=("people",))
    def make() -> Response:
        """Make a token. Right: `token.make`, by a person; it gets no right that the person lacks."""
        asker = person()
        if asker is None or asker.by_token:
            abort(403, "expected a person: no token makes another")
        given = NewToken.model_validate(request.get_json(silent=True) or {})
        if lacking := [right for right in given.rights if right not in asker.rights]:
            return problem(422, f"rights: {', '.join(lacking)[:500]}: expected only what you hold yourself")
        made, secret = tokens.make(service.engine, asker.who, given.name, given.rights, given.days)
        return jsonify(id=made, token=secret)

    @views.get("/tokens")
    @needs("token.make")
    @spec.validate(resp=answers(Tokens), tags=("people",))
    def look() -> Response:
        """All tokens, without their secrets. Right: `token.make`."""
        return jsonify(tokens=[_told(one) for one in tokens.all_of(service.engine)])

    @views.post("/tokens/<name>/revoke")
    @needs("token.make")
    @spec.validate(resp=answers(Done, HTTP_404=Problem), tags=("people",))
    def revoke(name: str) -> Response:
        """Withdraw a token, at once and everywhere. Right: `token.make`."""
        asker = person()
        if asker is None or not tokens.revoke(service.engine, asker.who, name):
            return problem(404, f"token {name[:60]}: expected one that is not revoked")
        return jsonify(done=True)


def _told(one: Any) -> dict[str, Any]:
    moments = {name: getattr(one, name) for name in ("made_at", "expires_at", "revoked_at", "used_at")}
    return {
        "id": one.id,
        "name": one.name,
        "rights": one.rights,
        "made_by": one.made_by,
        **{name: at.isoformat() if at is not None else None for name, at in moments.items()},
    }
