"""One box: how it is, how far its streams and its models are, and what may be done with it."""

from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from ...bus.errors import Refused
from .. import streams
from ..access import needs
from ..database import reading, writing
from ..enrolment import retire
from ..rollouts import unlock
from ..service import Service
from ..standing import LEVELS, one_box
from ..tables import Box, Cursor, Event
from ..tables_rollout import Climb
from .asked import asker

MOST_STEPS = 100


def box_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("box", __name__)

    @views.get("/boxes/<box>")
    @needs("look")
    def page(box: str) -> str:
        return shown(box)

    def shown(box: str, trouble: str = "") -> str:
        with reading(service.engine) as db:
            line, found = one_box(db, box), db.get(Box, box)
            if line is None or found is None:
                abort(404, f"box {box[:60]!r}: there is none")
            climbs = list(db.scalars(sa.select(Climb).where(Climb.box == box).order_by(Climb.since.desc()).limit(50)))
            asked = sa.select(Cursor).where(Cursor.box == box).order_by(Cursor.stream, Cursor.epoch.desc()).limit(100)
            cursors = list(db.scalars(asked))
            steps = history(db, box)
        return render_template(
            "box.html",
            box=found,
            line=line,
            level_now=LEVELS[line.level],
            processes=processes_of(found.state),
            climbs=climbs,
            cursors=cursors,
            steps=steps,
            trouble=trouble,
        )

    @views.post("/boxes/<box>/retire")
    @needs("box.revoke")
    def revoke(box: str) -> AnyResponse | tuple[str, int]:
        if request.form.get("again", "").strip() != box:
            return shown(box, f"the number that was typed is not {box}"), 422
        retire(service, asker().who, box)
        return redirect(url_for("box.page", box=box), 303)

    @views.post("/boxes/<box>/resume")
    @needs("stream.resume")
    def resume(box: str) -> AnyResponse:
        stream, epoch = request.form.get("stream", ""), request.form.get("epoch", "")
        if not epoch.isascii() or not epoch.isdigit() or len(epoch) > 18:
            abort(400, f"epoch = {epoch[:20]!r}: expected a whole number")
        streams.resume(service.engine, asker().who, box, stream, int(epoch))
        return redirect(url_for("box.page", box=box), 303)

    @views.post("/boxes/<box>/unlock")
    @needs("rollout.open")
    def unlocked(box: str) -> AnyResponse | tuple[str, int]:
        recipe, bundle, reason = (request.form.get(name, "") for name in ("recipe", "bundle", "reason"))
        try:
            with writing(service.engine) as db:
                unlock(db, asker().who, box, recipe, bundle, reason)
        except Refused as error:
            return shown(box, str(error)), 422
        return redirect(url_for("box.page", box=box), 303)

    return views


def history(session: Session, box: str) -> list[dict[str, Any]]:
    """The newest steps of a box's ladder: at, recipe, bundle, before, to, reason."""
    asked = sa.select(Event.at, Event.body).where(
        *(Event.box == box, Event.stream == "ladder", Event.kind == "ladder"),
        Event.body["to"].as_string().is_not(None),  # it tells of differing parts too
    )
    rows = session.execute(asked.order_by(Event.epoch.desc(), Event.seq.desc()).limit(MOST_STEPS))
    return [
        {"at": at, "before": str(body.get("from") or "")}
        | {name: str(body.get(name) or "") for name in ("recipe", "bundle", "to", "reason")}
        for at, body in rows
    ]


def processes_of(state: dict[str, Any]) -> list[dict[str, str]]:
    """What a box tells of its processes; whatever it says, texts come out."""
    told = state.get("health")
    rows = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return [{name: str(one.get(name) or "")[:200] for name in ("process", "state", "detail")} for one in rows[:50]]
