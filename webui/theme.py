"""Light or night, and how many pixels a millimetre of this screen has: both as the browser, or the ledger, has them."""

from datetime import datetime

from flask import Flask, Response, abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from ..bus.errors import BadLedger
from .access import open_to_all
from .options import WebOptions
from .sign_in import keep_choice, own_path
from .web import Web

COOKIE = "okng-theme"
THEMES = ("light", "night", "auto")
MM = "screen.mm"
"""Name of the setting in the ledger: pixels in a millimetre of the panel, in place of `[web] mm`."""
MM_RANGE = (2.0, 20.0)


def theme_of(options: WebOptions) -> dict[str, object]:
    """What is chosen, and which of the two it is now."""
    chosen = request.cookies.get(COOKIE, "")
    chosen = chosen if chosen in THEMES else options.theme
    now = chosen if chosen != "auto" else ("night" if is_night(options, datetime.now().hour) else "light")
    return {"chosen": chosen, "now": now, "from": options.night_from_h, "to": options.night_to_h}


def is_night(options: WebOptions, hour: int) -> bool:
    """True between the two hours, across midnight too."""
    start, end = options.night_from_h, options.night_to_h
    return start <= hour < end if start <= end else hour >= start or hour < end


def mm_of(web: Web) -> float:
    """Pixels in a millimetre."""
    try:
        setting = web.people.settings().get(MM)
    except BadLedger:
        return web.options.mm
    try:
        mm = float(setting.body) if setting is not None else web.options.mm
    except (TypeError, ValueError):
        return web.options.mm
    return mm if MM_RANGE[0] <= mm <= MM_RANGE[1] else web.options.mm


def add_theme(app: Flask, web: Web) -> None:
    """Serve the size and take the choice."""

    @app.get("/theme.css")
    @open_to_all
    def theme() -> Response:
        return Response(f":root {{ --mm: {mm_of(web):g}px; }}\n", mimetype="text/css")

    @app.post("/theme")
    @open_to_all
    def theme_choice() -> AnyResponse:
        chosen = request.form.get("theme", "")
        if chosen not in THEMES:
            abort(400)
        answer = redirect(own_path(request.form.get("next", "/")), 303)
        keep_choice(answer, COOKIE, chosen)
        return answer
