"""The box's own settings, and its screen: how large a millimetre is, and whether it is night."""

import difflib
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.asks import Answer
from .access import needs
from .asking import ask
from .refusals import refusal
from .theme import MM, MM_RANGE, mm_of
from .web import Web

Answered = str | Response | tuple[str, int]
CARD_MM = (85.60, 53.98)
"""A bank card, ISO/IEC 7810 ID-1."""
SECRET = ("password", "secret", "token", "pin")
MOST_TEXT = 1 << 20
MOST_LINES = 40
"""Changed lines that the audit trail is told."""


def add_box(views: Blueprint, web: Web) -> None:
    """Add the views."""
    _settings(views, web)
    _display(views, web)


def _settings(views: Blueprint, web: Web) -> None:
    @views.get("/settings")
    @needs("settings.edit")
    def settings() -> Answered:
        return _settings_page(web)

    @views.post("/settings")
    @needs("settings.edit")
    def change_settings() -> Answered:
        """Change single values: those that are not what they were when the page was made."""
        form, changes = request.form, []
        for place in form.getlist("place"):
            section, _, key = place.rpartition("|")
            old, new, kind = form.get(f"old:{place}", ""), form.get(f"new:{place}", ""), form.get(f"kind:{place}", "")
            if old == new:
                continue
            try:
                changes.append({"section": section, "key": key, "value": _value(kind, new)})
            except ValueError:
                wrong = gettext("%(place)s = %(value)s: expected a number.", place=f"[{section}] {key}", value=new)
                return _settings_page(web, wrong=wrong)
        if not changes:
            return redirect(url_for("admin.settings"), 303)
        about = {"changes": [{**one, "value": _shown(one)} for one in changes]}
        return _change(web, {"changes": changes, "sha256": form.get("sha256", "")}, about)

    @views.post("/settings/text")
    @needs("settings.edit")
    def write_settings() -> Answered:
        """Change the whole text."""
        text = request.form.get("text", "").replace("\r\n", "\n")[:MOST_TEXT]
        known = ask(web, "settings.read", {})
        about = (
            {"changes": lines_changed(str(known.body.get("text", "")), text)} if known.done else {"letters": len(text)}
        )
        return _change(web, {"text": text, "sha256": request.form.get("sha256", "")}, about, text)


def lines_changed(old: str, new: str) -> list[str]:
    """What a new text takes away (`-`) and adds (`+`), without secrets, for the audit trail."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    found = [line for line in lines if line[0] in "+-" and line[1:].strip() and not line.startswith(("+++", "---"))]
    shown = [line.partition("=")[0] + "= …" if any(word in line for word in SECRET) else line[:200] for line in found]
    return shown[:MOST_LINES] + ([f"… {len(shown) - MOST_LINES}"] if len(shown) > MOST_LINES else [])


def _change(web: Web, body: dict[str, Any], about: dict[str, Any], text: str | None = None) -> Answered:
    answer = ask(web, "settings.change", body, reason=request.form.get("reason", "")[:500], about=about)
    if not answer.done:
        return _settings_page(web, refused=answer, text=text)
    restart = ",".join(map(str, answer.body.get("restart", ())))
    return redirect(url_for("admin.settings", saved=1, restart=restart), 303)


def _settings_page(
    web: Web, *, wrong: str = "", refused: Answer | None = None, text: str | None = None
) -> tuple[str, int]:
    known = ask(web, "settings.read", {})
    errors = [
        (".".join(map(str, one.get("loc", ()))), str(one.get("msg", "")))
        for one in (refused.body.get("errors", []) if refused else [])
    ]
    if refused is not None and not errors:  # told by field, it need not be told twice
        wrong = refusal(refused.detail)
    made = render_template(
        "admin/settings.html",
        known=known.body if known.done else None,
        unknown=refusal(known.detail),
        sections=sections_of(known.body.get("values", {})) if known.done else [],
        text=text if text is not None else known.body.get("text", ""),
        whole="whole" in request.args or text is not None,
        wrong=wrong,
        errors=errors,
        saved="saved" in request.args,
        restart=[name for name in request.args.get("restart", "").split(",") if name],
    )
    return made, 409 if wrong or refused is not None else 200


def sections_of(values: dict[str, Any], name: str = "") -> list[tuple[str, list[tuple[str, str, str]]]]:
    """(section, (key, kind, value) of each single value), those inside it after it. Lists are for the whole text."""
    here = [
        (key, _kind(value), "true" if value is True else "false" if value is False else str(value))
        for key, value in values.items()
        if isinstance(value, bool | int | float | str) and not any(word in key for word in SECRET)
    ]
    found = [(name, here)] if here else []
    for key, value in values.items():
        if isinstance(value, dict):
            found += sections_of(value, f"{name}.{key}" if name else key)
    return found


def _kind(value: object) -> str:
    return type(value).__name__


def _value(kind: str, text: str) -> bool | int | float | str:
    match kind:
        case "bool":
            return text == "true"
        case "int":
            return int(text)
        case "float":
            return float(text)
    return text


def _shown(change: dict[str, Any]) -> Any:
    return "…" if any(word in str(change["key"]) for word in SECRET) else change["value"]


def _display(views: Blueprint, web: Web) -> None:
    @views.get("/display")
    @needs("settings.edit")
    def display() -> Answered:
        return _display_page(web)

    @views.post("/display")
    @needs("settings.edit")
    def calibrate() -> Answered:
        mm = request.form.get("mm", type=float)
        if mm is None or not MM_RANGE[0] <= mm <= MM_RANGE[1]:
            least, most = MM_RANGE
            wrong = gettext("Pixels in a millimetre: expected %(least)g to %(most)g.", least=least, most=most)
            return _display_page(web, wrong)
        answer = ask(web, "setting.set", {"name": MM, "body": round(mm, 3)})
        return (
            redirect(url_for("admin.display", saved=1), 303)
            if answer.done
            else _display_page(web, refusal(answer.detail))
        )


def _display_page(web: Web, wrong: str = "") -> tuple[str, int]:
    made = render_template(
        "admin/display.html", mm=mm_of(web), card=CARD_MM, span=MM_RANGE, wrong=wrong, saved="saved" in request.args
    )
    return made, 409 if wrong else 200
