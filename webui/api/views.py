"""The blueprint of the API, and its document."""

import threading
from collections.abc import Callable

from flask import Blueprint, Flask, Response, current_app, jsonify

from ..access import open_to_all
from ..web import Web
from .bearer import bear
from .commands import add_commands
from .exports import add_export
from .history import add_history
from .looks import add_looks
from .slots import once
from .spec import PREFIX, VERSION, make_spec
from .stream import add_stream

STREAMS = 4
"""Programs that may follow the parts at a time, apart from the screens."""


def api_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("api", __name__, url_prefix=PREFIX)
    spec = make_spec()
    slots = threading.BoundedSemaphore(STREAMS)

    def acquire() -> Callable[[], None] | None:
        return once(slots.release) if slots.acquire(blocking=False) else None

    add_looks(views, spec, web)
    add_history(views, spec, web)
    add_commands(views, spec, web)
    add_export(views, spec, web)
    add_stream(views, web, acquire)

    @views.get("/openapi.json")
    @open_to_all
    def document() -> Response:
        spec.app = current_app
        return jsonify(spec.spec)

    @views.get("/")
    @open_to_all
    def about() -> Response:
        return jsonify(product="okng", api=VERSION, document=f"{PREFIX}/openapi.json")

    @views.record_once
    def hook(state: object) -> None:
        app: Flask = state.app  # type: ignore[attr-defined]  # flask's BlueprintSetupState
        app.before_request_funcs.setdefault(None, []).append(lambda: bear(web.people))

    return views
