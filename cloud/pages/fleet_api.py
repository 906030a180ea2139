"""Boxes, yield, drift and deeds as JSON: the same functions as the pages'."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, abort, jsonify, request

from ...bus.errors import Refused
from .. import drift, standing, yields
from ..access import needs
from ..answers import problem
from ..database import reading, writing
from ..rollouts import unlock
from ..search_terms import BadTerms, number_of, terms_of
from ..service import Service
from ..spec import Problem, answers, described
from ..tables import Box, Cursor, Deed
from ..tables_rollout import Climb
from .asked import asker, one_of
from .asked_shapes import BoxesQuery, DeedsQuery, DriftQuery, YieldQuery
from .box_page import history, processes_of
from .deeds import found
from .fleet_shapes import BoxPage, Deeds, Drift, OneBox, Unlock, Unlocked, Yields

View = Callable[..., Any]


def worded(view: View) -> View:
    """Answer 400 to an address that makes no sense and 422 to what is refused, in the API's own shape."""

    @wraps(view)
    def guarded(*given: Any, **named: Any) -> Any:
        try:
            return view(*given, **named)
        except BadTerms as error:
            return problem(400, str(error))
        except Refused as error:
            return problem(422, str(error))

    return guarded


def body_of() -> dict[str, Any]:
    """The JSON object of the request; anything else is 400."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        abort(400, "body: expected a JSON object")
    return body


def word_of(body: dict[str, Any], name: str, default: str = "") -> str:
    """A text of the body; another kind is 400."""
    said = body.get(name, default)
    if not isinstance(said, str) or len(said) > 1000 or "\0" in said:
        abort(400, f"{name}: expected a text of at most 1000 characters")
    return said


def fleet_api(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("fleet_api", __name__, url_prefix="/v1")
    spec = service.spec

    @views.get("/boxes")
    @needs("look")
    @described(spec, answers(BoxPage), ("boxes",), BoxesQuery)
    @worded
    def boxes() -> Response:
        """Boxes page by page, the worst first, and how many there are of each level. Right: `look`."""
        given = {name: request.args.get(name, "").strip()[:100] for name in ("q", "line", "site")}
        level = one_of(request.args, "level", (*standing.LEVELS, "trouble"), "")
        sort = one_of(request.args, "sort", standing.SORTS, "worst")
        page = number_of(request.args, "page", 1, 1, 100_000)
        limit = number_of(request.args, "limit", standing.PER_PAGE, 1, 1000)
        retired = request.args.get("retired") == "1"
        with reading(service.engine) as db:
            seen = standing.fleet(db, given["q"], given["line"], given["site"], level, retired, sort, page, limit)
        return jsonify(
            boxes=[one.told() for one in seen.boxes],
            total=seen.total,
            by_level=seen.by_level,
            owed=seen.owed,
            page=page,
        )

    @views.get("/boxes/<name>")
    @needs("look")
    @spec.validate(resp=answers(OneBox), tags=("boxes",))
    def box(name: str) -> Response:
        """One box with its processes, its ladder and its streams. Right: `look`."""
        with reading(service.engine) as db:
            line, row = standing.one_box(db, name), db.get(Box, name)
            if line is None or row is None:
                abort(404, f"box {name[:60]!r}: there is none")
            climbs = list(db.scalars(sa.select(Climb).where(Climb.box == name).order_by(Climb.since.desc()).limit(50)))
            cursors = list(db.scalars(sa.select(Cursor).where(Cursor.box == name).limit(200)))
            steps = history(db, name)
        return jsonify(
            **line.told(),
            enrolled_at=row.enrolled_at.isoformat(),
            certificate={"sha256": row.cert_sha256, "ends_at": row.cert_ends_at.isoformat()},
            processes=processes_of(row.state),
            ladder=[
                {
                    "recipe": one.recipe,
                    "bundle": one.bundle,
                    "rung": one.rung,
                    "since": one.since.isoformat(),
                    "reason": one.reason,
                    "figures": one.figures,
                    "unlocked_by": one.unlocked_by,
                }
                for one in climbs
            ],
            steps=[one | {"at": one["at"].isoformat()} for one in steps],
            streams=[
                {"stream": one.stream, "epoch": one.epoch, "acked": one.acked, "halted": one.halted} for one in cursors
            ],
        )

    @views.post("/boxes/<name>/unlock")
    @needs("rollout.open")
    @spec.validate(json=Unlock, resp=answers(Unlocked, HTTP_422=Problem), tags=("boxes",))
    @worded
    def unlocked(name: str) -> Response:
        """Let a box try a bundle again that it refused or rolled back. Right: `rollout.open`."""
        body = body_of()
        with writing(service.engine) as db:
            unlock(db, asker().who, name, word_of(body, "recipe"), word_of(body, "bundle"), word_of(body, "reason"))
        return jsonify(unlocked=True)

    @views.get("/yield")
    @needs("look")
    @described(spec, answers(Yields), ("figures",), YieldQuery)
    @worded
    def counted() -> Response:
        """Good, rejected and unjudged parts, with the bounds of the reject share. Right: `look`."""
        terms, by = terms_of(request.args), request.args.get("by", "recipe")
        if by not in yields.BY:
            raise BadTerms(f"by = {by[:40]!r}: expected one of {', '.join(yields.BY)}")
        with reading(service.engine) as db:
            rows = yields.by(db, terms, by)
        return jsonify(
            since=terms.since.isoformat(), until=terms.until.isoformat(), by=by, rows=[one.told() for one in rows]
        )

    @views.get("/drift")
    @needs("look")
    @described(spec, answers(Drift), ("figures",), DriftQuery)
    @worded
    def drifted() -> Response:
        """The course of one figure at every camera, held against the other boxes. Right: `look`."""
        terms, figure = terms_of(request.args, span="7d"), request.args.get("figure", "score")
        if figure not in drift.FIGURES:
            raise BadTerms(f"figure = {figure[:40]!r}: expected one of {', '.join(drift.FIGURES)}")
        with reading(service.engine) as db:
            courses = drift.courses(db, terms, figure)
        return jsonify(figure=figure, boxes=[one.told() for one in courses])

    @views.get("/deeds")
    @needs("audit")
    @described(spec, answers(Deeds), ("deeds",), DeedsQuery)
    @worded
    def deeds() -> Response:
        """Who did what, newest first. Right: `audit`."""
        limit = number_of(request.args, "limit", 100, 1, 1000)
        before = number_of(request.args, "before", 0, 1, 2**53)
        with reading(service.engine) as db:
            rows = found(db, request.args.get("q", "").strip()[:100], before, limit)
        more = rows[limit - 1].id if len(rows) > limit else None
        return jsonify(deeds=[_deed(one) for one in rows[:limit]], before=more)

    return views


def _deed(one: Deed) -> dict[str, Any]:
    own = {name: getattr(one, name) for name in ("id", "who", "what", "subject", "detail", "before", "sha256")}
    return own | {"at": one.at.isoformat()}
