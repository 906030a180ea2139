"""Whether this worker can do its work: `/healthz` for a balancer or systemd."""

import sqlalchemy as sa
from flask import Blueprint, Response

from .access import open_to_all
from .database import reading
from .service import Service


def health_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("health", __name__)

    @views.get("/healthz")
    @open_to_all
    def healthz() -> Response:
        """200 while the database answers; else 503 by the answers' own way."""
        with reading(service.engine) as db:
            db.execute(sa.select(1))
        return Response("ok\n", 200, mimetype="text/plain")

    return views
