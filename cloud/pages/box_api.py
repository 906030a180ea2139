"""What a box asks of the review: people's word on the parts where its challenger disagreed with its champion."""

from flask import Blueprint, Response, jsonify, request

from ..access import box, for_boxes
from ..database import reading
from ..review import confirmed_after
from ..search_terms import number_of
from ..service import Service
from ..spec import BY_BOX, answers
from .asked_shapes import ConfirmedQuery
from .fleet_api import worded
from .part_shapes import ConfirmedAfter


def box_api(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("box_api", __name__, url_prefix="/v1")
    spec = service.spec

    @views.get("/confirmed")
    @for_boxes
    @spec.validate(query=ConfirmedQuery, resp=answers(ConfirmedAfter), tags=("box",), security=BY_BOX)
    @worded
    def confirmed() -> Response:
        """What people found to be true of this box's disagreements, 200 at most, in the order it was found.

        `unsure` takes an earlier word back.
        """
        after = number_of(request.args, "after", 0, 0, 2**62)
        with reading(service.engine) as db:
            rows = confirmed_after(db, box() or "", after)
        told = [
            {"n": one.n, "epoch": one.epoch, "part_seq": one.part_seq, "bundle": one.bundle, "truth": one.truth}
            for one in rows
        ]
        return jsonify(confirmed=told, next=rows[-1].n if rows else after)

    return views
