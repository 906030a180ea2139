"""Help (9): one page for each screen, in both languages, offline. `?` opens the page of the screen one was on."""

from pathlib import Path

from flask import Blueprint, abort, redirect, render_template, url_for
from flask_babel import get_locale
from werkzeug.wrappers import Response

from .access import may, open_to_all
from .screens import BY_ID, SCREENS
from .web import Web

STATIC = Path(__file__).parent / "static"
WITHOUT = ("menu", "error")
"""Pages that need no help of their own: the overview is theirs."""
PICTURES = "img/help"
"""Made of the screens themselves; where there is none yet the page stands without."""


def help_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("help", __name__)

    @views.get("/help", defaults={"screen": "help"})
    @views.get("/help/<screen>")
    @open_to_all
    def page(screen: str) -> str | Response:
        if screen in WITHOUT:
            return redirect(url_for(".page"), 303)
        if screen not in BY_ID:
            abort(404)
        language = "en" if str(get_locale()) == "en" else "zh"
        return render_template(
            f"help/{language}/{screen}.html",
            about=BY_ID[screen],
            pages=[one for one in SCREENS if one.id != "help"] if screen == "help" else [],
            open_screen=screen != "help" and may(BY_ID[screen].right),
            picture=_picture(screen, language),
        )

    return views


def _picture(screen: str, language: str) -> str:
    """Name of the screen's picture under static/; empty: there is none."""
    for name in (f"{PICTURES}/{screen}-{language}.png", f"{PICTURES}/{screen}-{language}.webp"):
        if (STATIC / name).is_file():
            return name
    return ""
