"""Administration (screen 19): overview and audit trail; the tabs of people and of the box are files of their own.

Each tab has its own right, so a role that an administrator made may have one without the others.
"""

import json
import platform
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from .. import __version__
from ..bus.errors import BadLedger
from .access import may, needs
from .admin_box import add_box
from .admin_certificate import add_certificate
from .admin_people import add_people
from .admin_programs import add_programs
from .admin_seal import add_seal
from .admin_storage import add_storage
from .asking import ask
from .deeds import deed
from .refusals import refusal
from .web import Web
from .words import N_

TABS: tuple[tuple[str, str, str], ...] = (
    ("admin.page", N_("Overview"), "audit.read"),
    ("admin.users", N_("Users"), "user.edit"),
    ("admin.roles", N_("Roles"), "user.edit"),
    ("admin.settings", N_("Settings"), "settings.edit"),
    ("admin.storage", N_("Storage"), "diagnostics.read"),
    ("admin.display", N_("Display"), "settings.edit"),
    ("admin.certificate", N_("Certificate"), "settings.edit"),
    ("admin.audit", N_("Audit trail"), "audit.read"),
    ("admin.programs", N_("Programs"), "api.token"),
)
AUDIT_PAGE = 50
MOST_SHOWN = 400
"""Letters of one cell of the trail; the whole of it is under the line itself."""
BACKUPS_SHOWN = 5


def admin_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("admin", __name__, url_prefix="/admin")

    @views.app_context_processor
    def tabs() -> dict[str, Any]:
        return {"admin_tabs": lambda: [(end, title) for end, title, right in TABS if may(right)]}

    views.add_app_template_filter(deed, "deed")

    @views.app_template_filter("told")
    def told(value: object) -> str:
        return in_words(value)

    _overview(views, web)
    _audit(views, web)
    add_people(views, web)
    add_box(views, web)
    add_programs(views, web)
    add_seal(views, web)
    add_storage(views, web)
    add_certificate(views, web)
    return views


def _overview(views: Blueprint, web: Web) -> None:
    @views.get("/")
    @needs("audit.read")
    def page() -> str:
        try:
            people, (lines, head) = web.people.people(), web.people.audit_head()
            told = web.people.audit_page(None, BACKUPS_SHOWN, "backup ")
        except BadLedger:
            abort(503)
        versions = {
            "okng": __version__,
            "Python": platform.python_version(),
            "Linux": platform.release(),
        }
        station, inspect = web.watch.station, web.watch.inspect
        return render_template(
            "admin/overview.html",
            people=people,
            lines=lines,
            head=head,
            backups=[row for row in told if row.what.startswith("backup")],
            versions=versions,
            station=station,
            provider=inspect.provider if inspect else "",
            wrong=request.args.get("wrong", ""),
            begun=request.args.get("begun", ""),
        )

    @views.post("/backup")
    @needs("settings.edit")
    def backup() -> Response:
        answer = ask(web, "backup.make", {})
        if not answer.done:
            return redirect(url_for("admin.page", wrong=refusal(answer.detail)), 303)
        return redirect(url_for("admin.page", begun=str(answer.body.get("file", ""))), 303)


def _audit(views: Blueprint, web: Web) -> None:
    @views.get("/audit")
    @needs("audit.read")
    def audit() -> str:
        before, text = request.args.get("before", type=int), request.args.get("text", "")[:100]
        checked: list[str] | None = None
        try:
            found = web.people.audit_page(before, AUDIT_PAGE, text)
            if "check" in request.args:
                checked = web.people.audit_check()
            lines, head = web.people.audit_head()
        except BadLedger:
            abort(503)
        older = found[-1].n if len(found) == AUDIT_PAGE and found[-1].n > 1 else None
        return render_template(
            "admin/audit.html",
            found=found,
            text=text,
            older=older,
            before=before,
            checked=checked,
            lines=lines,
            head=head,
        )


def in_words(value: object) -> str:
    """What stands in a line of the trail, as people read it."""
    if value in (None, "", {}, []):
        return ""
    if isinstance(value, dict):
        said = "; ".join(f"{name}: {in_words(one)}" for name, one in value.items() if one not in (None, "", {}, []))
    elif isinstance(value, list | tuple):
        said = ", ".join(in_words(one) for one in value)
    else:
        said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return said if len(said) <= MOST_SHOWN else said[:MOST_SHOWN] + "…"
