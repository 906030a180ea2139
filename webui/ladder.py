"""The Ladder page: how far each model has climbed on this box, what it waits for, and what a person may do about it.

Nothing is owned here: the process sync climbs, and takes what is asked here as it takes it from anybody.
"""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.asks import Answer
from .access import needs
from .asking import ask, is_silent
from .ladder_words import CLIMB, OUTCOMES, TRUTHS, ladder_words, rung_word
from .run import thumbs_of
from .web import Web

RIGHT = "model.activate"
SHOWN = 60
"""Differing parts that are shown at once."""
DEEDS = ("unlock", "waive", "seen", "back")


def ladder_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("ladder", __name__, url_prefix="/ladder")

    @views.get("/")
    @needs(RIGHT)
    def page() -> str:
        return render_template("ladder/page.html", wrong=request.args.get("wrong", ""), **_standing(web))

    @views.get("/standing")
    @needs(RIGHT)
    def standing() -> str:
        return render_template("ladder/standing.html", **_standing(web))

    @views.get("/<recipe>/<bundle>")
    @needs(RIGHT)
    def differing(recipe: str, bundle: str) -> str:
        answer = ask(web, "ladder.show", {"recipe": recipe, "bundle": bundle})
        parts = answer.body.get("differing", [])[:SHOWN]
        thumbs = thumbs_of(web.history, (one["seq"] for one in parts if one["seq"]))
        return render_template(
            "ladder/differing.html",
            wrong=request.args.get("wrong", "") or ("" if answer.done else ladder_words(answer.detail)),
            recipe=recipe,
            bundle=bundle,
            parts=[_part(one, thumbs) for one in parts],
            beside=answer.body.get("beside", {}),
            bound=_percent(answer.body.get("bound")),
            checked=answer.body.get("checked", 0),
        )

    @views.post("/<recipe>/<bundle>/<deed>")
    @needs(RIGHT)
    def do(recipe: str, bundle: str, deed: str) -> Response:
        if deed not in DEEDS:
            return redirect(url_for(".page"), 303)
        return _back(ask(web, f"ladder.{deed}", {"recipe": recipe, "bundle": bundle}, reason=_reason()))

    @views.post("/stop")
    @needs(RIGHT)
    def stop() -> Response:
        return _back(ask(web, "ladder.stop", {"on": request.form.get("on") == "yes"}, reason=_reason()))

    return views


def _reason() -> str:
    return request.form.get("reason", "").strip()[:500]


def _back(answer: Answer) -> Response:
    place = url_for("ladder.page") if answer.done else url_for("ladder.page", wrong=ladder_words(answer.detail))
    return redirect(place, 303)


def _standing(web: Web) -> dict[str, Any]:
    """What the page shows now."""
    answer = ask(web, "ladder.show")
    if not answer.done:
        return {"known": False, "trouble": "" if is_silent(answer) else ladder_words(answer.detail)}
    said = answer.body
    return {
        "known": True,
        "trouble": "",
        "stopped": said["stopped"],
        "advice": [ladder_words(one) for one in said["advice"]],
        "channel": ladder_words(said["why"] or "what was signed has run out") if said["why"] or said["expired"] else "",
        "unsent": said["unsent"],
        "climb": [(rung, rung_word(rung)) for rung in CLIMB],
        "recipes": [_recipe(one) for one in said["recipes"]],
    }


def _recipe(one: dict[str, Any]) -> dict[str, Any]:
    bundles = [_bundle(each, one) for each in one["bundles"]]
    climbing = [each for each in bundles if each["rung"] in CLIMB[:-1]]
    return {
        "name": one["recipe"],
        "job": one["job"],
        "trouble": ladder_words(one["trouble"]) if one["trouble"] else "",
        "waits": ladder_words(one["waits"]) if one["waits"] else "",
        "way_back": one["way_back"],
        "champion": next((each for each in bundles if each["rung"] == "CHAMPION"), None),
        "climber": next(iter(climbing), None),
        "others": [each for each in bundles if each["rung"] not in CLIMB] + climbing[1:],
    }


def _bundle(one: dict[str, Any], recipe: dict[str, Any]) -> dict[str, Any]:
    needs_: dict[str, Any] = next((each for each in recipe["offers"] if each["bundle"] == one["bundle"]), {})
    most = {"SHADOW": needs_.get("shadow_parts"), "CANARY": needs_.get("canary_parts")}.get(one["rung"])
    return {
        **one,
        "stands": rung_word(one["rung"]),
        "at": CLIMB.index(one["rung"]) if one["rung"] in CLIMB else -1,
        "why": ladder_words(one["reason"]) if one["reason"] else "",
        "most": most,
        "shown": f"{one['name']} {one['version']}".strip(),
    }


def _percent(share: Any) -> str:
    """A share as a percentage that people read; empty: there is none."""
    if not isinstance(share, float):
        return ""
    return f"{100 * share:.0f}" if share >= 0.1 else f"{100 * share:.2g}"


def _part(one: dict[str, Any], thumbs: dict[str, str]) -> dict[str, Any]:
    fleet = one.get("fleet", "")
    return {
        **one,
        "now": gettext(OUTCOMES.get(one["champion"], one["champion"])),
        "then": gettext(OUTCOMES.get(one["challenger"], one["challenger"])),
        "said": gettext(TRUTHS[one["truth"]]) if one["truth"] in TRUTHS else "",
        "fleet_said": gettext(TRUTHS[fleet]) if fleet in TRUTHS else "",
        "thumb": thumbs.get(str(one["seq"]), ""),
    }
