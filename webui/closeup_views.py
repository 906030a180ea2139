"""What browsers ask of the close-up: `/closeup/CAMERA.jpg`, `/closeup/CAMERA.json`."""

import threading
from dataclasses import asdict

from flask import Blueprint, Response, abort, jsonify, request

from ..bus.clock import MS, now_ns
from ..imaging.picture import Box
from ..imaging.sharpness import SMALLEST_PX
from .access import needs_one_of
from .web import Web

_who_sets_up = needs_one_of("camera.set", "recipe.edit", "model.teach")
"""Who sets cameras, draws regions or teaches: a full picture costs the watcher more than others need."""
WAIT_S = 2.0
WAITING = 4
"""Requests that may wait at once: each holds a thread."""


def closeup_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("closeup", __name__, url_prefix="/closeup")
    waits = threading.BoundedSemaphore(WAITING)
    closeup = web.watch.closeup

    @views.get("/<camera>.jpg")
    @_who_sets_up
    def picture(camera: str) -> Response:
        if camera not in web.cameras:
            abort(404)
        closeup.look(camera, _box(), reset="reset" in request.args)
        if not waits.acquire(blocking=False):
            return Response(status=204, headers={"Retry-After": "1"})
        try:
            close = closeup.newer(camera, request.args.get("after", default=0, type=int), WAIT_S)
        finally:
            waits.release()
        if close is None:
            return Response(status=204)
        marks = {"X-Number": str(close.number), "X-Part": str(close.part), "X-Size": f"{close.width},{close.height}"}
        marks["X-Age-Ms"] = str(max(0, (now_ns() - close.at_ns) // MS))
        return Response(close.jpeg, mimetype="image/jpeg", headers=marks)

    @views.get("/<camera>.json")
    @_who_sets_up
    def measured(camera: str) -> Response:
        if camera not in web.cameras:
            abort(404)
        closeup.look(camera, _box(), reset="reset" in request.args)
        close = closeup.newer(camera, 0, 0.0)
        if close is None:
            return jsonify(None)
        return jsonify({name: value for name, value in asdict(close).items() if name != "jpeg"})

    return views


def _box() -> Box | None:
    """The place that is measured, `x,y,w,h`; None: the whole picture."""
    parts = request.args.get("box", "").split(",")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) < 7 for part in parts):
        return None
    x, y, w, h = (int(part) for part in parts)
    return (x, y, w, h) if min(w, h) >= SMALLEST_PX else None
