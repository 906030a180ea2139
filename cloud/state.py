"""`POST /v1/state`: how a box is, every half minute; and what waits for it here."""

from datetime import UTC, datetime

import sqlalchemy as sa
from flask import Blueprint, Response, jsonify, request
from pydantic import Field
from spectree import SpecTree

from . import limits, ripple
from .access import box, for_boxes
from .answers import busy, problem
from .database import writing
from .said import BadSaid, cleaned, parsed
from .service import Service
from .spec import BY_BOX, Shape, answers
from .tables import Box

MOST_STATE = 256 << 10


class StateAnswer(Shape):
    """What waits for the box."""

    rings: bool = Field(description="The channel has changed since the box last told its state: look.")
    unlock: list[str] = Field(description="Digests of bundles that a person unlocked.")
    now: str = Field(description="The service's clock, UTC.")


def add_state(views: Blueprint, spec: SpecTree, service: Service) -> None:
    """Add the view."""

    @views.post("/state")
    @for_boxes
    @spec.validate(resp=answers(StateAnswer), tags=("box",), security=BY_BOX)
    def state() -> Response:
        """Say how the box is: a JSON object with at least `version`; the rest as the box's program knows it."""
        who = box() or ""
        request.max_content_length = MOST_STATE
        try:
            said = cleaned(parsed(request.get_data(cache=False), "body"))
        except BadSaid as error:
            return problem(400, str(error))
        if not isinstance(said, dict) or not isinstance(said.get("version"), str):
            return problem(400, "body: expected a JSON object with version, a text")
        now = datetime.now(UTC)
        with writing(service.engine) as db:
            if wait := limits.count(db, f"box:{who}", service.options.limits.box_requests_a_minute):
                return busy("too many requests", wait)
            db.execute(
                sa.update(Box).where(Box.id == who).values(seen_at=now, version=said["version"][:40], state=said)
            )
            answer = ripple.told(db, who, said, now)
        return jsonify({**answer, "now": now.isoformat(timespec="milliseconds").replace("+00:00", "Z")})
