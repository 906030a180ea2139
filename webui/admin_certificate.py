"""The certificate of the screens: what people compare, how to have the plant's authority vouch for it, until when.

Key and certificate are the web process's own, so nobody is asked: the audit trail is written first, and without it
nothing is done.
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from ..bus.errors import BadKey
from ..identity.certificate import Certificate
from .access import needs
from .asking import note
from .chain_words import chain_words
from .refusals import refusal
from .session import home_of
from .tls import PanelTls
from .web import Web

RIGHT = "settings.edit"
MOST_CHAIN = 64 << 10
MOST_NAME = 253
Answered = str | AnyResponse | tuple[str, int]


def tls_here() -> PanelTls | None:
    """What the plant is served with; None: this server has no TLS."""
    found: PanelTls | None = current_app.extensions.get("okng-tls")
    return found


def add_certificate(views: Blueprint, web: Web) -> None:
    """Add the views."""

    @views.get("/certificate")
    @needs(RIGHT)
    def certificate() -> Answered:
        return _page(web)

    @views.get("/certificate/request.csr")
    @needs(RIGHT)
    def certificate_request() -> Response:
        try:
            made = home_of(web.options, web.store).asked() or ""
        except (OSError, BadKey):
            made = ""
        headers = {"Content-Disposition": 'attachment; filename="okng.csr"'}
        return Response(made, 200 if made else 404, headers, mimetype="application/pkcs10")

    @views.post("/certificate/request")
    @needs(RIGHT)
    def ask_certificate() -> Answered:
        name = request.form.get("name", "").strip()[:MOST_NAME]
        if name and not all(part and part.replace("-", "a").isalnum() and part.isascii() for part in name.split(".")):
            return _page(web, gettext("A host name has letters, digits, - and dots."))
        return _do(web, "certificate.request", {"name": name}, lambda: _request(web, name))

    @views.post("/certificate/install")
    @needs(RIGHT)
    def install_certificate() -> Answered:
        file = request.files.get("file")
        pem = file.read(MOST_CHAIN + 1) if file else request.form.get("chain", "").encode()[: MOST_CHAIN + 1]
        return _do(web, "certificate.install", {}, lambda: home_of(web.options, web.store).install(pem))

    @views.post("/certificate/renew")
    @needs(RIGHT)
    def renew_certificate() -> Answered:
        return _do(web, "certificate.renew", {}, lambda: home_of(web.options, web.store).renew())


def _request(web: Web, name: str) -> None:
    home_of(web.options, web.store).ask([name] if name else [])


def _do(web: Web, what: str, about: dict[str, Any], deed: Callable[[], Certificate | None]) -> Answered:
    """Write the trail, do it, write what came of it."""
    tls, home = tls_here(), home_of(web.options, web.store)
    if tls is None or tls.place != home.served:
        return _page(web, gettext("The certificate of this box is not kept here: see [web] in the settings."))
    written = note(web, f"{what} asked", about)
    if not written.done:
        return _page(web, refusal(f"not done, because the audit trail cannot be written: {written.detail}"))
    try:
        made = deed()
    except (BadKey, OSError) as error:
        note(web, f"{what} refused", {"detail": str(error)})
        return _page(web, chain_words(str(error)))
    note(web, f"{what} done", {"fingerprint": made.fingerprint, "ends": f"{made.ends:%Y-%m-%d}"} if made else {})
    tls.look_now()
    return redirect(url_for("admin.certificate", saved=1), 303)


def _page(web: Web, wrong: str = "") -> Answered:
    tls, home = tls_here(), home_of(web.options, web.store)
    ours = tls is not None and tls.place == home.served
    try:
        asked = home.asked() if ours else None
    except (OSError, BadKey) as error:
        asked, wrong = None, wrong or str(error)
    made = render_template(
        "admin/certificate.html",
        tls=tls,
        held=tls.certificate if tls else None,
        ours=ours,
        asked=asked,
        plain=web.options.plain_http,
        host=web.options.host,
        port=web.options.port,
        wrong=wrong,
        saved="saved" in request.args,
    )
    return made, 409 if wrong else 200
