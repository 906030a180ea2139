"""The signed plans as JSON: the same functions as the page's."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request

from .. import rollouts
from ..access import needs, require
from ..database import reading, writing
from ..rollout_shadow import shadow_of
from ..rollout_state import RolloutState, ring_row, state_of, states
from ..service import Service
from ..spec import Problem, answers, described
from ..tables_rollout import LineRings
from .asked import asker, lines
from .asked_shapes import RolloutsQuery
from .fleet_api import body_of, word_of, worded
from .rollout_shapes import GoOn, NewRings, Plan, PlanChange, Plans, RingsOfLine, Stop, Turned
from .rollouts import acts, must_sign, signed

FAILS: dict[str, Any] = {
    "HTTP_409": (Problem, "This service holds no keys of the channel."),
    "HTTP_422": (Problem, "It makes no sense where the plan stands, or a reason lacks."),
}
WHAT = {"what": "open, pause, halt, resume, automatic, by_hand", "role": "champion, challenger"}


def rollout_api(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("rollout_api", __name__, url_prefix="/v1")
    spec = service.spec

    @views.get("/rollouts")
    @needs("look")
    @described(spec, answers(Plans), ("rollouts",), RolloutsQuery)
    def plans() -> Response:
        """The signed plans with their rings, and how each bundle does beside the champion. Right: `look`."""
        with reading(service.engine) as db:
            found = states(db, request.args.get("line", ""), request.args.get("over") == "1")
            told = [_told(at) | {"beside": shadow_of(db, at).told()} for at in found]
        return jsonify(rollouts=told)

    @views.post("/rollouts/halt")
    @needs("rollout.halt")
    @spec.validate(json=Stop, resp=answers(Turned, **FAILS), tags=("rollouts",))
    def halt() -> Response:
        """The red button: no box of any line goes further. Right: `rollout.halt`. The body may be empty."""
        must_sign(service)
        reason = word_of(body_of(), "reason") if request.data else ""
        with writing(service.engine) as db:
            for line in lines(db):
                ring_row(db, line)
            changed = rollouts.halt_all(db, asker().who, reason)
        signed(service, changed)
        return jsonify(lines=changed)

    @views.post("/rollouts/resume")
    @needs("rollout.open")
    @spec.validate(json=GoOn, resp=answers(Turned, **FAILS), tags=("rollouts",))
    @worded
    def resume() -> Response:
        """Take the red button back, with a reason. Right: `rollout.open`."""
        must_sign(service)
        reason = word_of(body_of(), "reason")
        with writing(service.engine) as db:
            changed = rollouts.resume_all(db, asker().who, reason)
        signed(service, changed)
        return jsonify(lines=changed)

    @views.post("/rollouts/<line>/<recipe>/<role>/<int:seq>/<what>")
    @needs("look")
    @spec.validate(json=PlanChange, resp=answers(Plan, **FAILS), tags=("rollouts",), path_parameter_descriptions=WHAT)
    @worded
    def change(line: str, recipe: str, role: str, seq: int, what: str) -> Response:
        """Change one plan. Right: `rollout.halt` to halt, `rollout.open` for all else. The body may be empty.

        open: a ring, before its turn with a reason. automatic: the next ring opens by itself; by_hand: it does not.
        """
        require("rollout.halt" if what == "halt" else "rollout.open")
        must_sign(service)
        body = body_of() if request.data else {}
        act = acts(word_of(body, "ring"), word_of(body, "reason")).get(what)
        if act is None:
            abort(404, f"{what[:20]!r}: expected one of {', '.join(acts('', ''))}")
        with writing(service.engine) as db:
            act(db, asker().who, state_of(db, line, recipe, role, seq))
        signed(service, [line])
        with reading(service.engine) as db:
            return jsonify(_told(next(at for at in states(db, line, True) if _key(at) == (recipe, role, seq))))

    @views.get("/lines/<path:line>/rings")
    @needs("look")
    @spec.validate(resp=answers(RingsOfLine), tags=("rollouts",))
    def rings(line: str) -> Response:
        """Which boxes of a line are in which ring. Right: `look`."""
        return told_rings(line)

    def told_rings(line: str) -> Response:
        with reading(service.engine) as db:
            row = db.get(LineRings, line)
        if row is None:
            return jsonify(line=line, members={}, halted=False, reason="", signed=True)
        return jsonify(
            line=line, members=row.members, halted=row.halted, reason=row.reason, signed=row.signed >= row.wanted
        )

    @views.put("/lines/<path:line>/rings")
    @needs("rollout.open")
    @spec.validate(json=NewRings, resp=answers(RingsOfLine, **FAILS), tags=("rollouts",))
    @worded
    def set_rings(line: str) -> Response:
        """Say which boxes of a line are in which ring: the whole list. Right: `rollout.open`."""
        must_sign(service)
        members = body_of().get("members")
        if not isinstance(members, dict) or not all(
            isinstance(boxes, list) and all(isinstance(box, str) for box in boxes) for boxes in members.values()
        ):
            abort(400, "members: expected {ring: [box, …]}")
        with writing(service.engine) as db:
            rollouts.set_members(db, asker().who, line, members)
        signed(service, [line])
        return told_rings(line)

    return views


def _key(at: RolloutState) -> tuple[str, str, int]:
    return at.rollout.recipe, at.rollout.role, at.rollout.seq


def _told(at: RolloutState) -> dict[str, Any]:
    one = at.rollout
    names = ("line", "recipe", "role", "seq", "bundle", "signed_at", "approved_by", "state", "automatic", "why")
    return {name: getattr(one, name) for name in names} | {
        "changed_by": one.changed_by,
        "changed_at": one.changed_at.isoformat(),
        "line_halted": at.line_halted,
        "signed": at.is_signed,
        "trouble": at.trouble,
        "next_ring": at.next_ring.name if at.next_ring else None,
        "rings": [
            {
                "ring": ring.name,
                "open": ring.is_open,
                "through": ring.is_through,
                "boxes": [{"box": box, "rung": rung, "reason": reason} for box, _, rung, reason, _ in ring.boxes],
                "by_rung": {rung or "NOTHING_TOLD": n for rung, n in ring.by_rung.items()},
                "errors": ring.errors,
                "error_pct": ring.error_pct,
                "max_error_pct": ring.max_error_pct,
                "shadow_parts": ring.shadow_parts,
                "canary_parts": ring.canary_parts,
            }
            for ring in at.rings
        ],
    }
