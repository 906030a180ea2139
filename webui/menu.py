"""The keys at the lower edge, and the menu behind ≡: every other screen by whose work it is, one's own first."""

from flask import Blueprint, render_template

from .access import may, open_to_all, person
from .screens import GROUPS, SCREENS, Screen

ORDER = ("operator", "lead", "administrator", "engineer")
"""The long row last: two rows hold them all, and a glove never has to scroll."""


KEYS: tuple[Screen, ...] = tuple(screen for screen in SCREENS if screen.nav)
"""The screens that have a key everywhere."""


def menu_views() -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("menu", __name__)

    @views.get("/menu")
    @open_to_all
    def page() -> str:
        # Signing in and out has its own keys at the head of the menu; what has a key below needs no second one.
        there = [one for one in SCREENS if not one.nav and one.id != "access"]
        someone = person()
        own = someone.role if someone else ""
        groups = [
            (GROUPS[group], [(screen, may(screen.right)) for screen in there if screen.group == group])
            for group in sorted(ORDER, key=lambda group: group != own)
        ]
        return render_template("menu.html", groups=[(title, screens) for title, screens in groups if screens])

    return views
