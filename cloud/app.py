"""The application of the fleet service, made by `make_app` from what it is given: nothing global, no state."""

import hmac
from datetime import timedelta
from pathlib import Path

from flask import Flask, Response, request
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.engine import Engine

from .access import FOR_BOXES, LOOK, person
from .answers import add_answers
from .authority import load_authority
from .blobs import BlobStore
from .blueprints import BLUEPRINTS, MOUNTED
from .service import Service
from .settings import FleetSettings, session_key

HERE = Path(__file__).parent
MOST_SENT = 2 << 20
"""Bytes of a request, where a view does not say otherwise."""
MOST_OF_NOBODY = 64 << 10
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:{store}; object-src 'none'; base-uri 'none'; "
    "form-action 'self'{issuer}; frame-ancestors 'none'"
)


def make_app(settings: FleetSettings, engine: Engine, blobs: BlobStore) -> Flask:
    """Make the application. The tables have to be brought up (`database.bring_up`). BadSettings: a key's file."""
    app = Flask("okng.cloud", root_path=str(HERE), static_folder=None)
    app.jinja_env.globals.setdefault("_", lambda text, **named: text % named if named else text)
    key = session_key(settings)
    encrypted = settings.service.url.startswith("https://")
    app.config.update(
        SECRET_KEY=hmac.digest(key, b"cookies", "sha256"),
        SESSION_COOKIE_NAME="__Host-okng-fleet" if encrypted else "okng-fleet",
        SESSION_COOKIE_SECURE=encrypted,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # the provider's answer comes from elsewhere
        SESSION_COOKIE_PATH="/",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.people.hours),
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=MOST_SENT,
        MAX_FORM_MEMORY_SIZE=MOST_OF_NOBODY,
        MAX_FORM_PARTS=200,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=encrypted,
    )
    service = Service(settings, engine, blobs, load_authority(settings), key)
    app.extensions["okng-fleet"] = service
    csrf = CSRFProtect(app)
    add_answers(app)
    for make in BLUEPRINTS:
        app.register_blueprint(make(service))
    for mount in MOUNTED:
        mount(app, service)
    for endpoint, view in app.view_functions.items():
        if not hasattr(view, "needs"):
            raise TypeError(f"view {endpoint}: expected needs(right), for_boxes or open_to_all on it")

    @app.before_request
    def look() -> None:
        view = app.view_functions.get(request.endpoint or "")
        if request.method in SAFE or view is None:
            return
        # A box and a program with a token send no cookie that a foreign page could make them send.
        if getattr(view, "own_check", False) or getattr(view, "needs", LOOK) == FOR_BOXES:
            return
        if request.headers.get("Authorization"):
            return
        if person() is None:
            request.max_content_length = MOST_OF_NOBODY
            if getattr(view, "needs", LOOK) != LOOK or not getattr(view, "forgeable", False):
                return  # the view says 401, or changes nothing in anybody's name
        # `forgeable`: a view that does something in somebody's name though nobody is signed in yet
        csrf.protect()

    @app.after_request
    def headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", app.extensions["okng-policy"])
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        if encrypted:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    app.extensions["okng-policy"] = _policy(settings)
    return app


def _policy(settings: FleetSettings) -> str:
    """Pictures come from the store, and the sign-in's form ends at the provider."""
    options = settings.blobs
    store = options.public_endpoint or options.endpoint
    if options.kind == "s3" and not store:
        store = f"https://{options.bucket}.s3.{options.region}.amazonaws.com"
    issuer = settings.people.issuer
    origin = "/".join(issuer.split("/")[:3]) if issuer else ""
    return POLICY.format(store=f" {store}" if store else "", issuer=f" {origin}" if origin else "")
