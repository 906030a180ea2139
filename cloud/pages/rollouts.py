"""The signed plans: how far each has gone, and what a person opens, pauses, halts and lets go on."""

from collections.abc import Callable

import sqlalchemy as sa
from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from ...bus.errors import Refused
from .. import rollouts
from ..access import needs, require
from ..database import reading, writing
from ..review import SPRT_LIMIT, names_of
from ..rollout_shadow import shadow_of
from ..rollout_sign import rings_of, sign
from ..rollout_state import FAILED, THROUGH, RingState, RolloutState, ring_row, state_of, states
from ..service import Service
from ..tables import Box
from ..tables_rollout import LineRings
from .asked import asker, lines

Change = Callable[[Session, str, RolloutState], None]


def must_sign(service: Service) -> None:
    """Abort with 409 where this service cannot sign: what it wanted would never be told to a box."""
    if service.channel_keys is None or service.options.channel.folder is None:
        abort(409, "this service holds no keys of the channel ([channel] online_keys): rings are moved elsewhere")


def signed(service: Service, changed: list[str]) -> None:
    """Sign what was just wanted of these lines; what stands in the way is kept and shown."""
    if changed and (rings := rings_of(service)) is not None:
        for line in changed:
            sign(service.engine, rings, line)


def rollout_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("rollouts", __name__)

    @views.get("/rollouts")
    @needs("look")
    def page() -> str:
        return shown()

    def shown(trouble: str = "") -> str:
        with reading(service.engine) as db:
            plans = states(db)
            shadows = {at.rollout.bundle: shadow_of(db, at) for at in plans}
            rows = list(db.scalars(sa.select(LineRings).order_by(LineRings.line)))
            names = names_of(db, (at.rollout.changed_by for at in plans))
            known = sorted({*lines(db), *(row.line for row in rows)})
        halted = [row.line for row in rows if row.halted]
        return render_template(
            "rollouts.html",
            plans=plans,
            shadows=shadows,
            names=names,
            lines=known,
            halted=halted,
            all_halted=bool(rows) and len(halted) == len(rows),
            halted_why=next((row.reason for row in rows if row.halted), ""),
            can_sign=service.channel_keys is not None and service.options.channel.folder is not None,
            sprt_limit=SPRT_LIMIT,
            bars=bars,
            trouble=trouble,
        )

    @views.post("/rollouts/halt")
    @needs("rollout.halt")
    def all_halted() -> AnyResponse:
        must_sign(service)
        with writing(service.engine) as db:
            for line in lines(db):
                ring_row(db, line)
            changed = rollouts.halt_all(db, asker().who, request.form.get("reason", ""))
        signed(service, changed)
        return redirect(url_for("rollouts.page"), 303)

    @views.post("/rollouts/resume")
    @needs("rollout.open")
    def all_resumed() -> AnyResponse | tuple[str, int]:
        must_sign(service)
        try:
            with writing(service.engine) as db:
                changed = rollouts.resume_all(db, asker().who, request.form.get("reason", ""))
        except Refused as error:
            return shown(str(error)), 422
        signed(service, changed)
        return redirect(url_for("rollouts.page"), 303)

    @views.post("/rollouts/<line>/<recipe>/<role>/<int:seq>/<what>")
    @needs("look")
    def change(line: str, recipe: str, role: str, seq: int, what: str) -> AnyResponse | tuple[str, int]:
        form = request.form
        wanted = form.get("to", "") if what == "turn" else what
        require("rollout.halt" if wanted == "halt" else "rollout.open")
        must_sign(service)
        act = acts(form.get("ring", ""), form.get("reason", "")).get(wanted)
        if act is None:
            abort(404, f"{wanted[:20]!r}: expected one of {', '.join(acts('', ''))}")
        try:
            with writing(service.engine) as db:
                act(db, asker().who, state_of(db, line, recipe, role, seq))
        except Refused as error:
            return shown(str(error)), 422
        signed(service, [line])
        return redirect(url_for("rollouts.page", _anchor=f"{line}-{recipe}-{role}-{seq}"), 303)

    @views.get("/lines/<path:line>/rings")
    @needs("look")
    def rings(line: str) -> str:
        return ring_page(line)

    def ring_page(line: str, trouble: str = "") -> str:
        with reading(service.engine) as db:
            asked = sa.select(Box.id, Box.name).where(Box.line == line, Box.retired_at.is_(None)).order_by(Box.name)
            boxes = [(box, name) for box, name in db.execute(asked)]
            row = db.get(LineRings, line)
            members = row.members if row is not None else {}
            planned = [ring["ring"] for at in states(db, line) for ring in at.rollout.plan]
        names = list(dict.fromkeys([*planned, *members]))
        return render_template(
            "rings.html",
            line=line,
            boxes=boxes,
            rings=names,
            member={box: ring for ring, inside in members.items() for box in inside},
            trouble=trouble,
        )

    @views.post("/lines/<path:line>/rings")
    @needs("rollout.open")
    def set_rings(line: str) -> AnyResponse | tuple[str, int]:
        must_sign(service)
        members: dict[str, list[str]] = {}
        for name, ring in request.form.items():
            if name.startswith("ring-") and ring:
                members.setdefault(ring, []).append(name.removeprefix("ring-"))
        try:
            with writing(service.engine) as db:
                rollouts.set_members(db, asker().who, line, members)
        except Refused as error:
            return ring_page(line, str(error)), 422
        signed(service, [line])
        return redirect(url_for("rollouts.rings", line=line), 303)

    return views


def acts(ring: str, reason: str) -> dict[str, Change]:
    """What may be done with one plan, by its word in an address."""
    return {
        "open": lambda db, who, at: rollouts.open_next(db, who, at, ring, reason),
        "pause": lambda db, who, at: rollouts.pause(db, who, at, reason),
        "halt": lambda db, who, at: rollouts.halt(db, who, at, reason),
        "resume": lambda db, who, at: rollouts.resume(db, who, at, reason),
        "automatic": lambda db, who, at: rollouts.set_automatic(db, who, at, True),
        "by_hand": lambda db, who, at: rollouts.set_automatic(db, who, at, False),
    }


def bars(ring: RingState) -> list[tuple[str, float, float]]:
    """(look, x, width) of the boxes of a ring along a bar of 1000: champions, under way, failed, nothing told."""
    rungs = [box[2] for box in ring.boxes]
    counts = {
        "done": sum(rung in THROUGH for rung in rungs),
        "way": sum(bool(rung) and rung not in (*THROUGH, *FAILED) for rung in rungs),
        "bad": sum(rung in FAILED for rung in rungs),
        "none": sum(not rung for rung in rungs),
    }
    out, x = [], 0.0
    for look, n in counts.items():
        width = 1000.0 * n / len(rungs) if rungs else 0.0
        if n:
            out.append((look, round(x, 1), round(width, 1)))
        x += width
    return out
