"""The Regions screen: where on the picture is looked, what is ignored there, and which score is too much.

It draws on a recipe, or on a draft of a product that is being taught (`?draft=ID`). Nothing is worked out here: the
workshop judges what was drawn on the last pictures, and writes it. Coordinates are whole pixels of the picture.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for

from ..bus.asks import Answer
from ..bus.errors import BadLedger
from ..records.read import PartRow, ViewRow
from .access import needs
from .answered import answer_words, answered, script_words, sent
from .asking import ask
from .run import picture_urls, thumbs_of
from .web import Web
from .words import N_

LAST = 20
"""Pictures that a drawing is judged on."""
LOOKED_BACK = 200
"""Newest parts among which kept pictures are looked for."""
EDIT, TEACH = "recipe.edit", "model.teach"


def region_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("regions", __name__, url_prefix="/regions")

    @views.get("/")
    @_editor
    def page() -> str:
        draft, job = request.args.get("draft", ""), request.args.get("job", type=int)
        read = _read_draft(web, draft) if draft else _read_recipe(web, job)
        camera = request.args.get("camera", "")
        cameras = list(read["sizes"]) or list(web.cameras)
        if camera not in cameras:
            camera = cameras[0] if cameras else ""
        shown = {**read, "camera": camera, "pictures": _pictures(web, camera), "words": _words(), "last": LAST}
        shown["urls"] = {name: url_for(f"regions.{name}") for name in ("judge", "judged", "save")}
        shown["live"] = url_for("closeup.picture", camera=camera or "none")
        return render_template("regions/page.html", shown=shown, camera=camera, cameras=cameras, draft=draft, read=read)

    @views.post("/judge")
    @needs(EDIT)
    def judge() -> Response:
        asked = sent()
        recipe, job, refusal = _drawn(web, asked)
        if recipe is None:
            return refusal
        return answered(ask(web, "recipe.judge", {"job": job, "recipe": recipe}))

    @views.get("/judged.json")
    @needs(EDIT)
    def judged() -> Response:
        answer = ask(web, "work.status", {"work": request.args.get("work", "")})
        return answered(answer, thumbs=_thumbs(web, answer.body))

    @views.post("/save")
    @_editor
    def save() -> Response:
        asked = sent()
        draft = request.args.get("draft", "")
        if draft:
            body = {"draft": draft, "revision": asked.get("base"), "regions": asked.get("regions")}
            return answered(ask(web, "draft.change", body), href=url_for("regions.page", draft=draft))
        recipe, job, refusal = _drawn(web, asked)
        if recipe is None:
            return refusal
        body = {"job": job, "recipe": recipe, "base": asked.get("base")}
        about = {"job": job, "old": asked.get("old"), "new": recipe["regions"]}
        answer = ask(web, "recipe.save", body, reason=str(asked.get("reason", ""))[:500], about=about)
        return answered(answer, href=url_for("change.page"))

    return views


def _drawn(web: Web, asked: dict[str, Any]) -> tuple[dict[str, Any] | None, int | None, Response]:
    """The recipe with the regions that were drawn; None: not to be had, and the answer that says so."""
    read = ask(web, "recipe.read", {} if asked.get("job") is None else {"job": asked.get("job")})
    revision, regions = read.body.get("revision"), asked.get("regions")
    if not read.done:
        return None, None, answered(read)
    if revision != asked.get("base"):
        return None, None, answered(Answer("", False, "this recipe was changed meanwhile"), conflict=revision)
    if not isinstance(regions, list) or not all(isinstance(one, dict) for one in regions):
        return None, None, answered(Answer("", False, "regions: expected a list"))
    kept = [{key: value for key, value in one.items() if value not in (None, [], {})} for one in regions]
    return {**read.body["recipe"], "regions": kept}, read.body.get("job"), Response()


def _editor(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let in who edits recipes, and to a draft who teaches."""
    to_recipe, to_draft = needs(EDIT)(view), needs(TEACH)(view)

    @wraps(view)
    def guarded() -> Any:
        return to_draft() if request.args.get("draft") else to_recipe()

    guarded.needs = EDIT  # type: ignore[attr-defined]  # read by the test that walks all routes
    return guarded


def _read_recipe(web: Web, job: int | None) -> dict[str, Any]:
    """The recipe as the workshop reads it; what stays empty where it does not answer is said in `trouble`."""
    answer = ask(web, "recipe.read", {} if job is None else {"job": job})
    body, recipe = answer.body, answer.body.get("whole") or {}
    return {
        "job": body.get("job", job),
        "base": body.get("revision", ""),
        "name": recipe.get("name", ""),
        "regions": recipe.get("regions") or [],
        "sizes": _sizes(web, recipe),
        "draft": "",
        "trouble": "" if answer.done else answer_words(answer.detail),
    }


def _sizes(web: Web, recipe: dict[str, Any]) -> dict[str, list[int]]:
    """Width and height of the developed picture of each camera."""
    found = {}
    for camera in web.cameras:
        section = (recipe.get("cameras") or {}).get(camera) or recipe.get("camera")
        if section:
            crop = (section.get("develop") or {}).get("crop", "full")
            found[camera] = [section["width"], section["height"]] if crop == "full" else list(crop[2:])
    return found


def _read_draft(web: Web, draft: str) -> dict[str, Any]:
    answer = ask(web, "draft.read", {"draft": draft})
    body = answer.body.get("draft") or {}
    if not answer.done and "there is none such" in answer.detail:
        abort(404)
    return {
        "job": None,
        "base": body.get("revision", 0),
        "name": body.get("name", ""),
        "regions": body.get("regions") or [],
        "sizes": body.get("cameras") or {},
        "draft": draft,
        "trouble": "" if answer.done else answer_words(answer.detail),
    }


def _pictures(web: Web, camera: str) -> list[dict[str, Any]]:
    """The newest kept pictures of a camera: sequence, address, outcome."""
    try:
        rows = web.history.rows(limit=LOOKED_BACK)
    except BadLedger:
        return []
    found: list[dict[str, Any]] = []
    for row in rows:
        views: tuple[PartRow | ViewRow, ...] = (row, *row.views)
        for held in views:
            urls = picture_urls(row.seq, held)
            if held.camera == camera and urls["picture_url"] and len(found) < LAST:
                found.append({"seq": row.seq, "part": row.part, "outcome": row.outcome, **urls})
    return found


def _thumbs(web: Web, body: dict[str, Any]) -> dict[str, str]:
    """Small pictures of the parts that were judged."""
    result = body.get("result")
    parts = result.get("parts", []) if isinstance(result, dict) else []
    return thumbs_of(web.history, (part.get("seq") for part in parts))


def _words() -> dict[str, str]:
    """What the script says."""
    words = {
        "ignore": N_("Ignored"),
        "within": N_("Only within"),
        "full": N_("whole picture"),
        "judging": N_("Judging the last pictures …"),
        "none": N_("No kept pictures of this product to judge."),
        "changed": N_("%(count)s of %(all)s verdicts change"),
        "saved": N_("Saved as revision %(revision)s. In force after a change-over to job %(job)s."),
        "kept": N_("Saved in the draft."),
        "conflict": N_("Somebody else saved this recipe meanwhile (%(revision)s). Nothing was written. Load it again."),
        "unsaved": N_("Not saved"),
        "clean": N_("As saved"),
        "nolive": N_("No picture of this camera yet"),
        "before": N_("so far"),
        "after": N_("drawn"),
        "size": N_("%(w)s × %(h)s px"),
    }
    return script_words(words)
