"""Enrolment over the wire: what a box asks before it has a certificate, and what an administrator says to it."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from pydantic import Field
from spectree import SpecTree

from .access import PEER, Asker, box, for_boxes, needs, open_to_all, person
from .answers import busy, problem
from .authority import MOST_CSR, BadRequest
from .enrolment import Wait, approve, ask, look, refuse, renew, retire, state_of
from .service import Service
from .spec import BY_BOX, OPEN, Done, Hex64, Problem, Shape, Text, answers

Code = Field(max_length=40, description="As the box's screen shows it; hyphens and case do not matter.")
NO_BOX = "no box that waits shows this code and this fingerprint: look at its screen; a code lives for 15 minutes"


class WantsIn(Shape):
    """A box asks to be let in."""

    csr: str = Field(max_length=MOST_CSR, description="PKCS #10 in PEM, a key on P-256.")
    name: Text = Field(min_length=1)
    line: Text = ""


class Shown(Shape):
    """What the box shows on its screen, and by what it asks again."""

    ask: str
    code: str
    expires_at: str
    fingerprint: str = Field(description="SHA-256 of the public key (SPKI, DER), hex.")


class Decided(Shape):
    """What became of it."""

    state: str = Field(description="waiting, approved, refused, expired")
    box: str | None = None
    certificate: str | None = Field(default=None, description="PEM: the box's, then the authority's.")
    ca: str | None = None


class Renewal(Shape):
    """A request by a new key, or the old one."""

    csr: str = Field(max_length=MOST_CSR)


class Renewed(Shape):
    """The new certificate; the one shown stays good until this one was used."""

    certificate: str
    ca: str
    box: str


class Typed(Shape):
    """A code that an administrator read on a box's screen."""

    code: str = Code


class Approval(Shape):
    """Let it in: the administrator compared the fingerprint."""

    code: str = Code
    fingerprint: Hex64
    name: Text = Field(min_length=1)
    site: Text = ""
    line: Text = ""


class Waiting(Shape):
    """The box that shows the code."""

    name: str
    line: str
    fingerprint: str
    asked_at: str
    expires_at: str


class LetIn(Shape):
    """Its id from now on."""

    box: str


def add_enrolment(views: Blueprint, spec: SpecTree, service: Service) -> None:
    """Add the views."""
    _of_boxes(views, spec, service)
    _of_people(views, spec, service)


def _of_boxes(views: Blueprint, spec: SpecTree, service: Service) -> None:
    @views.post("/enrol/ask")
    @open_to_all
    @spec.validate(json=WantsIn, resp=answers(Shown), tags=("box",), security=OPEN)
    def wants_in() -> Response:
        """Ask to be let in, before there is a certificate; the answer's code is shown on the box's screen."""
        given = _given(WantsIn)
        try:
            found = ask(service, given.csr, given.name, given.line, request.remote_addr or "")
        except BadRequest as error:
            return problem(400, str(error))
        if isinstance(found, Wait):
            return busy("too many boxes ask to be let in: wait", found.seconds)
        return jsonify(ask=found.ask, code=found.code, expires_at=_utc(found.expires_at), fingerprint=found.fingerprint)

    @views.get("/enrol/<asked>")
    @open_to_all
    @spec.validate(resp=answers(Decided, HTTP_404=Problem), tags=("box",), security=OPEN)
    def decided(asked: str) -> Response:
        """What became of an ask."""
        found = state_of(service, asked)
        if found is None:
            return problem(404, "expected an ask that was begun here within a day")
        state, row = found
        if row.certificate is None:
            return jsonify(state=state)
        return jsonify(state=state, box=row.box, certificate=row.certificate, ca=service.authority.pem)

    @views.post("/renew")
    @for_boxes
    @spec.validate(json=Renewal, resp=answers(Renewed, HTTP_409=Problem), tags=("box",), security=BY_BOX)
    def again() -> Response:
        """Renew the certificate, in the last third of its life."""
        who = box() or ""
        try:
            found = renew(service, who, _given(Renewal).csr, request.environ[PEER])
        except BadRequest as error:
            return problem(400, str(error))
        if found is None:
            abort(401)
        if isinstance(found, datetime):
            return problem(409, f"too early: expected not before {_utc(found)}")
        return jsonify(certificate=found.chain, ca=service.authority.pem, box=who)


def _of_people(views: Blueprint, spec: SpecTree, service: Service) -> None:
    @views.post("/enrolments/look")
    @needs("enrol")
    @spec.validate(json=Typed, resp=answers(Waiting, HTTP_404=Problem), tags=("people",))
    def who_waits() -> Response:
        """Look which box shows a code. Right: `enrol`."""
        found = look(service, _asker(), _given(Typed).code)
        if isinstance(found, Wait):
            return busy("too many wrong codes: wait", found.seconds)
        if found is None:
            return problem(404, NO_BOX)
        return jsonify(
            name=found.name,
            line=found.line,
            fingerprint=found.fingerprint,
            asked_at=_utc(found.asked_at),
            expires_at=_utc(found.expires_at),
        )

    @views.post("/enrolments/approve")
    @needs("enrol")
    @spec.validate(json=Approval, resp=answers(LetIn, HTTP_404=Problem), tags=("people",))
    def let_in() -> Response:
        """Let a box in whose screen shows this code and this fingerprint. Right: `enrol`."""
        given = _given(Approval)
        found = approve(service, _asker(), given.code, given.fingerprint, given.name, given.site, given.line)
        if isinstance(found, Wait):
            return busy("too many wrong codes: wait", found.seconds)
        return problem(404, NO_BOX) if found is None else jsonify(box=found)

    @views.post("/enrolments/refuse")
    @needs("enrol")
    @spec.validate(json=Typed, resp=answers(Done, HTTP_404=Problem), tags=("people",))
    def turn_away() -> Response:
        """Turn a box away. Right: `enrol`."""
        found = refuse(service, _asker(), _given(Typed).code)
        if isinstance(found, Wait):
            return busy("too many wrong codes: wait", found.seconds)
        return jsonify(done=True) if found else problem(404, NO_BOX)

    @views.post("/boxes/<name>/retire")
    @needs("box.revoke")
    @spec.validate(resp=answers(Done, HTTP_404=Problem), tags=("people",))
    def out(name: str) -> Response:
        """Retire a box: its certificate opens nothing from now on. Right: `box.revoke`."""
        if not retire(service, _asker().who, name):
            return problem(404, f"box {name[:60]}: expected one that is let in")
        return jsonify(done=True)


def _asker() -> Asker:
    found = person()
    if found is None:  # needs() has looked
        abort(401)
    return found


def _given(shape: Any) -> Any:
    return shape.model_validate(request.get_json(silent=True) or {})


def _utc(at: Any) -> str:
    return str(at.isoformat(timespec="seconds")).replace("+00:00", "Z")
