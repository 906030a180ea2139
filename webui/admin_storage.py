"""Storage: what is kept of which class, how long the room lasts, what was given up, and the rules, which may be set."""

import os
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from pydantic import ValidationError
from werkzeug.wrappers import Response

from ..bus.asks import Answer
from ..bus.errors import BadLedger
from ..records.keep_read import Disk, RetentionOptions, StorageReader
from .access import may, needs
from .asking import ask
from .refusals import refusal
from .storage_words import CLASSES as WORDS
from .web import Web

Answered = str | Response | tuple[str, int]
SECTION = "records.retention"
RULES = ("high_percent", "low_percent", "hard_cap_percent", "warn_days", "stray_days", "rows_days", "papers_days")
"""Keys that are of no class."""
BACKUPS = 20


def add_storage(views: Blueprint, web: Web) -> None:
    """Add the views."""
    reader = StorageReader(web.store)

    @views.get("/storage")
    @needs("diagnostics.read")
    def storage() -> Answered:
        return _page(web, reader)

    @views.post("/storage")
    @needs("settings.edit")
    def set_storage() -> Answered:
        """Change the rules that are not what they were when the page was made."""
        form, changes = request.form, []
        for key, kind in RetentionOptions.model_fields.items():
            old, new = form.get(f"old:{key}", ""), form.get(f"new:{key}", "").strip().replace(",", ".")
            if old == new or f"new:{key}" not in form:
                continue
            try:
                value = int(new) if kind.annotation is int else float(new)
            except ValueError:
                wrong = gettext("%(place)s = %(value)s: expected a number.", place=f"[{SECTION}] {key}", value=new)
                return _page(web, reader, wrong)
            changes.append({"section": SECTION, "key": key, "value": value})
        if not changes:
            return redirect(url_for("admin.storage"), 303)
        body = {"changes": changes, "sha256": form.get("sha256", "")}
        answer = ask(web, "settings.change", body, reason=form.get("reason", "")[:500], about={"changes": changes})
        if not answer.done:
            return _page(web, reader, _why(answer))
        return redirect(url_for("admin.storage", saved=1), 303)


def _why(answer: Answer) -> str:
    """Why the settings were not taken."""
    told = [f"{one['loc'][-1]}: {one['msg']}" for one in answer.body.get("errors", []) if one.get("loc")]
    return "; ".join(told) or refusal(answer.detail)


def _page(web: Web, reader: StorageReader, wrong: str = "") -> tuple[str, int]:
    known = ask(web, "settings.read", {}) if may("settings.edit") else None
    try:
        options = _options(known.body.get("values", {})) if known is not None and known.done else reader.rules()
        disk = _disk(web)
        found = reader.storage(options, disk)
        told = web.people.audit_page(None, BACKUPS, "backup ")
        held = reader.backups()
    except (BadLedger, OSError):
        abort(503)
    made = next((row for row in told if row.what == "backup made"), None)
    failed = next((row for row in told if row.what == "backup failed" and (made is None or row.n > made.n)), None)
    page = render_template(
        "admin/storage.html",
        shelves=[(one, gettext(WORDS[one.kind])) for one in found.shelves],
        found=found,
        others=[(gettext(WORDS[kind]), gone) for kind, gone in found.others.items() if kind in WORDS],
        disk=disk,
        options=options.model_dump(),
        rules=[(key, _rule(key), getattr(options, key)) for key in RULES],
        state=web.watch.records,
        sha256=known.body.get("sha256", "") if known is not None and known.done else "",
        editable=bool(known is not None and known.done),
        backup=made,
        backups=held,
        failed=failed,
        wrong=wrong,
        saved="saved" in request.args,
    )
    return page, 409 if wrong else 200


def _options(said: Mapping[str, Any]) -> RetentionOptions:
    """The rules as the settings have them; what they do not say is as it comes."""
    try:
        return RetentionOptions.model_validate(said.get("records", {}).get("retention", {}))
    except (ValidationError, AttributeError):
        return RetentionOptions()


def _disk(web: Web) -> Disk:
    state = os.statvfs(web.store)
    return Disk(state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize)


def _rule(key: str) -> str:
    words = {
        "high_percent": gettext("make room from … % full"),
        "low_percent": gettext("down to … % full"),
        "hard_cap_percent": gettext("unsent ones too from … % full"),
        "warn_days": gettext("warn … days before"),
        "stray_days": gettext("files without a row: days"),
        "rows_days": gettext("rows of parts: days (0: for ever)"),
        "papers_days": gettext("back-ups, bundles, exports, reports: days (0: for ever)"),
    }
    return str(words[key])
