"""The keys at the lower edge, and the menu behind ≡: every screen by whose work it is."""

from flask import Blueprint, Flask, current_app, render_template

from .access import may, open_to_all
from .screens import GROUPS, SCREENS, Screen


def key_screens(app: Flask) -> list[Screen]:
    """The screens that have a key everywhere."""
    return [screen for screen in SCREENS if screen.nav and screen.endpoint in app.view_functions]


def menu_views() -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("menu", __name__)

    @views.get("/menu")
    @open_to_all
    def page() -> str:
        # Signing in and out has its own keys at the head of the menu.
        there = [one for one in SCREENS if one.endpoint in current_app.view_functions and one.id != "access"]
        groups = [
            (title, [(screen, may(screen.right)) for screen in there if screen.group == group])
            for group, title in GROUPS.items()
        ]
        return render_template("menu.html", groups=[(title, screens) for title, screens in groups if screens])

    return views
