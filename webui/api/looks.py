"""What may be read: the line now, parts, alarms, and what people did."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, request
from spectree import SpecTree

from ...bus.errors import BadLedger
from ...records.parts_read import Wanted, part, parts
from ..access import needs, open_to_all
from ..web import Web
from .shapes import Alarms, Checked, JournalQuery, LineNow, PageQuery, Part, PartQuery, Parts, Rows
from .spec import Problem, answers

Answered = tuple[Response, int]


def add_looks(views: Blueprint, spec: SpecTree, web: Web) -> None:
    """Add the views."""
    _line(views, spec, web)
    _parts(views, spec, web)
    _people(views, spec, web)


def _line(views: Blueprint, spec: SpecTree, web: Web) -> None:
    @views.get("/line")
    @open_to_all
    @spec.validate(resp=answers(LineNow), tags=("line",), security=[{}], operation_id="line")
    def line() -> Response:
        """The line now."""
        return jsonify(line_now(web))

    @views.get("/alarms")
    @open_to_all
    @spec.validate(resp=answers(Alarms), tags=("alarm",), security=[{}], operation_id="alarms")
    def alarms() -> Response:
        """Alarms that are not normal, in the order people should take them."""
        shift = web.watch.shift
        if shift is None:
            return jsonify(known=False, hourly=0.0, alarms=[])
        return jsonify(known=True, hourly=shift.hourly, alarms=[asdict(alarm) for alarm in shift.alarms])


def _parts(views: Blueprint, spec: SpecTree, web: Web) -> None:
    @views.get("/parts")
    @needs("part.review")
    @spec.validate(query=PartQuery, resp=answers(Parts, HTTP_422=Problem), tags=("part",), operation_id="parts")
    def many() -> Answered:
        """Parts, a page at a time. To follow them use `after` with the greatest seq seen, or `/stream`."""
        asked = PartQuery.model_validate(request.args.to_dict())
        wanted = Wanted(**asked.model_dump(exclude={"limit"}))
        return _history(lambda: {"parts": parts(web.store, wanted, asked.limit)})

    @views.get("/parts/<int:seq>")
    @needs("part.review")
    @spec.validate(resp=answers(Part), tags=("part",), operation_id="part")
    def one(seq: int) -> Answered:
        """One part."""
        return _history(lambda: part(web.store, seq) if seq < 2**53 else None)


def _people(views: Blueprint, spec: SpecTree, web: Web) -> None:
    people = web.people

    @views.get("/journal")
    @needs("part.review")
    @spec.validate(query=JournalQuery, resp=answers(Rows, HTTP_422=Problem), tags=("journal",), operation_id="journal")
    def journal() -> Answered:
        """What the shift did: alarms, tests, change-overs, bypasses, lots; newest first."""
        asked = JournalQuery.model_validate(request.args.to_dict())
        return _rows(lambda: people.journal(asked.stream, limit=asked.limit, before=asked.before))

    @views.get("/labels/<int:seq>")
    @needs("part.review")
    @spec.validate(resp=answers(Rows), tags=("label",), operation_id="labels")
    def labels(seq: int) -> Answered:
        """What people said of a part."""
        return _rows(lambda: people.labels((seq,)) if seq < 2**53 else ())

    @views.get("/escapes")
    @needs("part.review")
    @spec.validate(resp=answers(Rows), tags=("label",), operation_id="escapes")
    def escapes() -> Answered:
        """Defects that were found downstream."""
        return _rows(lambda: people.escapes())

    @views.get("/golden")
    @needs("part.review")
    @spec.validate(query=PageQuery, resp=answers(Rows, HTTP_422=Problem), tags=("golden",), operation_id="golden")
    def golden() -> Answered:
        """Parts that people marked as golden, newest part first."""
        asked = PageQuery.model_validate(request.args.to_dict())
        return _rows(lambda: people.golden(asked.limit, asked.before))

    @views.get("/audit")
    @needs("audit.read")
    @spec.validate(query=PageQuery, resp=answers(Rows, HTTP_422=Problem), tags=("audit",), operation_id="audit")
    def audit() -> Answered:
        """The audit trail, newest first."""
        asked = PageQuery.model_validate(request.args.to_dict())
        return _rows(lambda: people.audit_page(before_n=asked.before, limit=asked.limit))

    @views.get("/audit/check")
    @needs("audit.read")
    @spec.validate(resp=answers(Checked), tags=("audit",), operation_id="audit_check")
    def check() -> Answered:
        """Whether the chain of the audit trail is whole."""
        return _history(lambda: {"problems": people.audit_check()})

    @views.get("/people")
    @needs("user.edit")
    @spec.validate(resp=answers(Rows), tags=("account",), operation_id="people")
    def persons() -> Answered:
        """Who may sign in."""
        return _rows(lambda: people.people())

    @views.get("/tokens")
    @needs("api.token")
    @spec.validate(resp=answers(Rows), tags=("token",), operation_id="tokens")
    def tokens() -> Answered:
        """Tokens, without their secrets."""
        return _rows(lambda: people.tokens())

    @views.get("/webhooks")
    @needs("api.token")
    @spec.validate(resp=answers(Rows), tags=("webhook",), operation_id="webhooks")
    def webhooks() -> Answered:
        """Addresses that are told, without their secrets."""
        return _rows(lambda: people.webhooks())

    @views.get("/webhooks/refused")
    @needs("api.token")
    @spec.validate(resp=answers(Rows), tags=("webhook",), operation_id="webhooks_refused")
    def webhooks_refused() -> Answered:
        """Events that addresses refused for good, the newest 100 first."""
        return _rows(lambda: people.dead_letters())


def line_now(web: Web) -> dict[str, Any]:
    """What the other processes last said."""
    watch, station, inspect, shift = web.watch, web.watch.station, web.watch.inspect, web.watch.shift
    state = watch.latest_state()
    return {
        "station": station.station if station else web.station,
        "inspecting": state.get("state") == "inspecting" if state else None,
        "state": station.state if station else None,
        "ready": station.ready if station else None,
        "reasons": list(station.reasons) if station else [],
        "mode": station.mode if station else None,
        "forced": list(station.forced) if station else [],
        "recipe": station.job.recipe if station else None,
        "revision": station.job.revision if station else None,
        "model": station.job.model if station else None,
        "job_number": station.job_number if station else None,
        "provider": inspect.provider if inspect else None,
        "counters": asdict(station.counters) if station else None,
        "lot": shift.lot if shift else None,
        "shift": shift.shift if shift else None,
        "cameras": {name: asdict(said) for name, said in sorted(watch.camera_states.items())},
    }


def _rows(made: Callable[[], Any]) -> Answered:
    return _history(lambda: {"rows": [_plain(row) for row in made()]})


def _plain(row: Any) -> dict[str, Any]:
    """A row as JSON knows it; secrets and their hashes stay."""
    found = dict(row) if isinstance(row, dict) else asdict(row)
    return {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in found.items()
        if name not in {"hash", "secret", "pin_hash", "password_hash", "badge_hash"}
    }


def _history(made: Callable[[], dict[str, Any] | None]) -> Answered:
    try:
        found = made()
    except BadLedger as error:
        return jsonify(error="no_history", detail=str(error)), 503
    if found is None:
        return jsonify(error="not_found", detail="there is no such part"), 404
    return jsonify(found), 200
