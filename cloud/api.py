"""The blueprint of `/v1`, and its document: what boxes and programs say and ask."""

from flask import Blueprint, Response, current_app, jsonify

from .access import open_to_all
from .blob_views import add_blobs
from .channel_views import add_channel
from .enrol_views import add_enrolment
from .service import Service
from .spec import VERSION
from .state import add_state
from .stream_views import add_streams
from .token_views import add_tokens

PREFIX = "/v1"


def api_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("api", __name__, url_prefix=PREFIX)
    spec = service.spec
    add_enrolment(views, spec, service)
    add_streams(views, spec, service)
    add_blobs(views, spec, service)
    add_state(views, spec, service)
    add_channel(views, service)
    add_tokens(views, spec, service)

    @views.get("/openapi.json")
    @open_to_all
    def document() -> Response:
        spec.app = current_app
        return jsonify(spec.spec)

    @views.get("/")
    @open_to_all
    def about() -> Response:
        return jsonify(product="okng fleet", api=VERSION, document=f"{PREFIX}/openapi.json")

    return views
