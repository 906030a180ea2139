"""The Models screen: what is on the box, what another threshold or model would have said, and putting one in place.

Nothing is worked out here: the workshop looks ahead on the last kept pictures, proves and switches.
"""

from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for

from ..bus.asks import Answer
from ..bus.errors import BadLedger
from ..records.seal_read import Signature
from .access import needs, person
from .answered import answered, sent
from .asking import ask
from .refusals import refusal
from .run import thumbs_of
from .sealed import signatures_of
from .session import at_panel
from .teach_words import phase_words, workshop_words
from .web import Web

RIGHT = "model.activate"
SHOWN = 60
"""Flips that get a small picture."""
BEGIN_MS = 4000


def model_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("models", __name__, url_prefix="/models")

    @views.get("/")
    @needs(RIGHT)
    def page() -> str:
        answer = ask(web, "model.list")
        jobs = answer.body.get("jobs", [])
        number = request.args.get("job", type=int)
        here = next((job for job in jobs if job["job"] == number), None)
        here = here or next((job for job in jobs if job.get("active")), jobs[0] if jobs else None)
        used = {region["digest"] for region in here["regions"]} if here else set()
        return render_template(
            "models/page.html",
            trouble="" if answer.done else workshop_words(answer.detail),
            models=answer.body.get("models", []),
            jobs=jobs,
            here=here,
            used=used,
            four_eyes=answer.body.get("four_eyes", False),
            signed=_signed(web),
            require_signed=answer.body.get("require_signed", False),
            people=_others(web) if answer.body.get("four_eyes") else [],
        )

    @views.get("/<digest>/report")
    @needs(RIGHT)
    def report(digest: str) -> Response:
        answer = ask(web, "model.list", {"report": digest})
        if not answer.done or "data" not in answer.body:
            abort(404)
        made = Response(answer.body["data"], mimetype="text/html")
        made.headers["Content-Security-Policy"] = answer.body["policy"]
        return made

    @views.post("/look")
    @needs(RIGHT)
    def look() -> Response:
        """Look ahead: with another threshold, another model, or two models beside one another."""
        asked = sent()
        body = _job(asked)
        if isinstance(asked.get("threshold"), int | float):
            body["threshold"] = asked["threshold"]
        elif asked.get("a") and asked.get("b"):
            return _told(ask(web, "model.compare", {**body, "a": str(asked["a"]), "b": str(asked["b"])}))
        else:
            body["bundle"] = str(asked.get("bundle", ""))
        return _told(ask(web, "model.preview", body, timeout_ms=BEGIN_MS))

    @views.post("/activate")
    @needs(RIGHT)
    def activate() -> Response:
        asked = sent()
        body = {**_job(asked), "bundle": str(asked.get("bundle", ""))}
        return _changed(web, "model.activate", body, asked)

    @views.post("/back")
    @needs(RIGHT)
    def back() -> Response:
        asked = sent()
        return _changed(web, "model.back", _job(asked), asked)

    @views.post("/threshold")
    @needs(RIGHT)
    def threshold() -> Response:
        """Write the recipe's next version with the threshold that was looked ahead with."""
        asked = sent()
        value = asked.get("threshold")
        read = ask(web, "recipe.read", {"job": asked.get("job")})
        if not read.done or not isinstance(value, int | float):
            return _told(read)
        recipe = _with_threshold(read.body, str(asked.get("region", "")), float(value))
        body = {"job": read.body["job"], "recipe": recipe, "base": read.body["revision"]}
        about = {"job": read.body["job"], "region": asked.get("region"), "new": value, "old": read.body["revision"]}
        return _told(ask(web, "recipe.save", body, reason=_reason(asked), about=about, timeout_ms=BEGIN_MS))

    @views.get("/work.json")
    @needs(RIGHT)
    def work() -> Response:
        answer = ask(web, "work.status", {"work": request.args.get("work", "")})
        told = answer.body.get("work", {})
        failed = told.get("state") == "failed"
        words = (workshop_words if failed else phase_words)(told.get("detail", ""))
        return _told(answer, words=words, thumbs=_thumbs(web, answer.body.get("result")))

    return views


def _signed(web: Web) -> dict[str, list[Signature]]:
    """Electronic signatures of models, by digest."""
    found: dict[str, list[Signature]] = {}
    for one in signatures_of(web.store, "model"):
        found.setdefault(one.digest, []).append(one)
    return found


def _job(asked: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(asked.get("job"), int):
        abort(400)
    return {"job": asked["job"], "region": str(asked.get("region", ""))}


def _changed(web: Web, name: str, body: dict[str, Any], asked: dict[str, Any]) -> Response:
    """Ask for a change of what is in use, with a second person's word where one was given."""
    given = asked.get("second")
    if isinstance(given, dict) and given.get("who"):
        second = _second(web, str(given["who"]), str(given.get("secret", "")))
        if not second.done:
            return _told(Answer(second.id, False, refusal(second.detail)))
        body["second"] = {"name": second.body["name"]}
    about = {"body": {key: value for key, value in body.items() if key != "second"}, "second": body.get("second")}
    return _told(ask(web, name, body, reason=_reason(asked), about=about, timeout_ms=BEGIN_MS))


def _second(web: Web, who: str, secret: str) -> Answer:
    """Whether another person who may do this has just given their PIN. They are not signed in by it."""
    mine = person()
    if mine is None or who == mine.name:
        return Answer("", False, "a second person has to confirm this: another one than who asks")
    body = {"who": who, "secret": secret, "kind": "pin", "address": request.remote_addr or ""}
    answer = ask(web, "account.sign_in", {**body, "panel": "panel" if at_panel(request) else False})
    if answer.done and RIGHT not in answer.body.get("rights", ()):
        found = web.people.person(str(answer.body.get("name", "")))
        if found is None or RIGHT not in found.rights:
            return Answer("", False, "a second person has to confirm this: another one than who asks")
    return answer


def _others(web: Web) -> list[Any]:
    """Persons who may be the second one."""
    mine = person()
    try:
        found = [one for one in web.people.people() if not one.disabled and RIGHT in one.rights]
        return [one for one in found if mine is None or one.name != mine.name]
    except BadLedger:
        return []


def _with_threshold(read: dict[str, Any], region: str, value: float) -> dict[str, Any]:
    recipe: dict[str, Any] = dict(read["recipe"])
    regions = recipe.get("regions") or [{"name": one["name"]} for one in read["whole"]["regions"]]
    recipe["regions"] = [
        {**one, "threshold": value} if region in ("", one.get("name", "whole")) else one for one in regions
    ]
    return recipe


def _thumbs(web: Web, result: Any) -> dict[str, str]:
    """Small pictures of the parts that would flip."""
    flips = (result.get("flips") or [])[:SHOWN] if isinstance(result, dict) else []
    return thumbs_of(web.history, (one.get("seq") for one in flips))


def _reason(asked: dict[str, Any]) -> str:
    return str(asked.get("reason", ""))[:500]


def _told(answer: Answer, **more: Any) -> Response:
    return answered(answer, workshop_words, **more, change=url_for("change.page"))
