"""What every request has to get past: where it comes from, the CSRF token, how many came before it.

From elsewhere than the box itself nothing is shown to nobody, and nobody signs in without TLS. Programs that bear a
token send no cookie, so nothing can be forged in their name: they carry no CSRF token.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, abort, g, redirect, render_template, request, url_for
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response

from .access import person
from .options import WebOptions
from .session import Sessions, at_panel

FILES = frozenset(("static_file", "theme", "favicon", "healthz"))
"""Endpoints that tell nothing of the line, whoever asks, with or without TLS."""
OPEN_ANYWHERE = FILES | {"access.page", "access.sign_in", "access.badge", "access.who", "language", "theme_choice"}
"""Endpoints that also somebody elsewhere reaches who is not signed in. Those of the API look after themselves."""
OPEN_TO_PROGRAMS = frozenset(("api.document", "api.about"))
"""Of the API: what anybody may read from anywhere. How the line does is no more to be seen there than on a page."""
MOST_OF_NOBODY, MOST_SENT = 64 << 10, 40 << 20
"""Bytes of a request, by who is not signed in and by who is: labels that come back in a file are the largest."""
SIGNING_IN = (
    *("access.sign_in", "access.code", "access.badge", "access.first", "access.own_secret"),
    *("access.second_confirm", "access.second_codes", "access.second_off"),
)
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


def guard(app: Flask, options: WebOptions, sessions: Sessions) -> None:
    """Put the guard before all views. Call it when all blueprints are registered."""
    # Checked below, where requests that bear a token are let by.
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf = CSRFProtect(app)
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://", headers_enabled=True)
    views: dict[str, Callable[..., Any]] = app.view_functions
    for endpoint in SIGNING_IN:
        views[endpoint] = limiter.limit(f"{options.sign_ins_a_minute}/minute")(views[endpoint])
    for endpoint in [name for name in views if name.startswith("api.")]:
        views[endpoint] = limiter.limit(f"{options.api_a_minute}/minute")(views[endpoint])

    @app.before_request
    def look() -> Response | tuple[str, int] | None:
        # Before anything is read of it: a form is parsed for its token, and its files go to the disk.
        request.max_content_length = MOST_OF_NOBODY if person() is None else MOST_SENT
        if not at_panel(request):
            refusal = _from_elsewhere(options)
            if refusal is not None:
                return refusal
        if g.get("by_token") or request.method in SAFE or _has_nothing_to_forge():
            return None
        csrf.protect()
        # Whatever is changed was touched by a person.
        if person() is not None:
            sessions.touch()
        return None


def _from_elsewhere(options: WebOptions) -> Response | tuple[str, int] | None:
    endpoint = request.endpoint or ""
    # A token that is wrong opens nothing: it is nobody, who comes from elsewhere like anybody else.
    by_token = g.get("by_token") and person() is not None
    if g.get("by_token") and not request.is_secure and not options.plain_http:
        abort(403, "tokens are taken over https only; this one went in the clear: withdraw it ([web] plain_http)")
    if endpoint.startswith("api."):
        if not (by_token or options.remote_look or endpoint in OPEN_TO_PROGRAMS) and person() is None:
            abort(401)
        return None
    if by_token or endpoint in FILES:
        return None
    signing_in = endpoint.startswith("access.")
    if signing_in and not request.is_secure:
        return render_template("access/plain.html"), 403
    if endpoint in OPEN_ANYWHERE or signing_in or options.remote_look or person() is not None:
        return None
    if not request.is_secure:
        return render_template("access/plain.html"), 403
    if request.method == "GET" and request.headers.get("X-Piece") is None and request.accept_mimetypes.accept_html:
        return redirect(url_for("access.page", next=request.full_path.rstrip("?")))
    return render_template("error.html", code=401), 401


def _has_nothing_to_forge() -> bool:
    """A program that asks without a token and without a session is nobody: the view says 401, which it understands."""
    return (request.endpoint or "").startswith("api.") and person() is None
