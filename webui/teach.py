"""The Teach screen: from parts beside the line to a product, in seven steps, with gloves and without a keyboard.

All of it lies in the workshop: whoever comes back, after a coffee or after a restart, goes on where it was.
"""

from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from ..bus.asks import Answer
from ..bus.errors import BadLedger
from .access import needs
from .answered import answered, sent
from .asking import ask
from .run import picture_urls
from .teach_figures import histogram
from .teach_words import FLAGS, TILES, phase_words, workshop_words
from .web import Web
from .words import N_

TEACH = "model.teach"
STEPS = (
    ("places", N_("Places")),
    ("pictures", N_("Pictures")),
    ("teach", N_("Teach")),
    ("scores", N_("Scores")),
    ("promise", N_("Promise")),
    ("challenge", N_("Test parts")),
    ("release", N_("Release")),
)
SHARES = (0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""What may be promised, %."""
SHOOT_MS, RELEASE_MS = 4000, 4000
LOOKED_BACK, PAST = 200, 30
"""Newest parts among which kept pictures are looked for, and how many of these are offered."""


def teach_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("teach", __name__, url_prefix="/teach")

    @views.get("/")
    @needs(TEACH)
    def page() -> str:
        answer = ask(web, "draft.list")
        return render_template("teach/list.html", drafts=answer.body.get("drafts", []), trouble=_trouble(answer))

    @views.get("/new")
    @needs(TEACH)
    def new() -> str:
        return _naming()

    @views.post("/new")
    @needs(TEACH)
    def begin() -> AnyResponse | str:
        name = request.form.get("name", "")[:48].lower()
        base = request.form.get("base", type=int)
        answer = ask(web, "draft.new", {"name": name, **({} if base is None else {"base": base})})
        if not answer.done:
            return _naming(name, workshop_words(answer.detail))
        return redirect(url_for("teach.draft", draft=answer.body["draft"]), 303)

    def _naming(name: str = "", trouble: str = "") -> str:
        products = [one for one in web.products() if not one.trouble]
        return render_template("teach/new.html", tiles=TILES, name=name, trouble=trouble, products=products)

    @views.get("/<draft>")
    @needs(TEACH)
    def draft(draft: str) -> str:
        read = _read(web, draft)
        names = [code for code, _ in STEPS]
        step = request.args.get("step", "") or _where(read)
        if step not in names:
            abort(404)
        place = names.index(step)
        return render_template(
            f"teach/{step}.html",
            read=read,
            draft=read["draft"],
            id=draft,
            steps=[(code, title, at < place, at == place) for at, (code, title) in enumerate(STEPS)],
            before=names[place - 1] if place else "",
            after=names[place + 1] if place + 1 < len(names) else "",
            step=step,
            flags={code: gettext(text) for code, text in FLAGS.items()},
            failed=workshop_words(read["work"]["detail"]) if read["work"] else "",
            **_shown(web, step, read),
        )

    @views.get("/<draft>/shot/<shot>.jpg")
    @needs(TEACH)
    def shot(draft: str, shot: str) -> Response:
        answer = ask(web, "draft.read", {"draft": draft, "shot": shot, "small": "full" not in request.args})
        return _data(answer)

    @views.get("/<draft>/file/<path:name>")
    @needs(TEACH)
    def file(draft: str, name: str) -> Response:
        return _data(ask(web, "draft.read", {"draft": draft, "file": name}))

    @views.post("/<draft>/shoot")
    @needs(TEACH)
    def shoot(draft: str) -> Response:
        asked = sent()
        role = asked.get("role")
        if role not in ("good", "defect", "challenge"):
            abort(400)
        body: dict[str, Any] = {"draft": draft, "role": role}
        if isinstance(asked.get("seq"), int):
            body["seq"] = asked["seq"]
        return _told(ask(web, "draft.shoot", body, id=_id(asked), timeout_ms=SHOOT_MS))

    @views.post("/<draft>/drop")
    @needs(TEACH)
    def drop(draft: str) -> Response:
        asked = sent()
        body = {"draft": draft, **({"shot": str(asked["shot"])} if "shot" in asked else {})}
        return _told(ask(web, "draft.drop", body, id=_id(asked)))

    @views.post("/<draft>/relabel")
    @needs(TEACH)
    def relabel(draft: str) -> Response:
        asked = sent()
        body = {"draft": draft, "shot": str(asked.get("shot", "")), "role": str(asked.get("role", ""))}
        return _told(ask(web, "draft.change", body, id=_id(asked)))

    @views.post("/<draft>/work")
    @needs(TEACH)
    def begin_work(draft: str) -> Response:
        asked = sent()
        name = {"teach": "draft.teach", "try": "draft.try", "release": "draft.release"}.get(str(asked.get("what")))
        if name is None:
            abort(400)
        body: dict[str, Any] = {"draft": draft}
        if name == "draft.release" and asked.get("despite") is True:
            body["despite"] = True
        return _told(ask(web, name, body, id=_id(asked), timeout_ms=RELEASE_MS))

    @views.post("/<draft>/limit")
    @needs(TEACH)
    def limit(draft: str) -> Response:
        asked = sent()
        body: dict[str, Any] = {"draft": draft, "keep": asked.get("keep") is True}
        for key in ("overkill_percent", "escape_percent"):
            if key in asked:
                body[key] = asked[key]
        answer = ask(web, "draft.limit", body)
        return _told(answer, words=_promised(answer.body) if answer.done else {})

    @views.get("/work.json")
    @needs(TEACH)
    def work() -> Response:
        answer = ask(web, "work.status", {"work": request.args.get("work", "")})
        told = answer.body.get("work", {})
        state = told.get("state", "")
        words = workshop_words(told.get("detail", "")) if state == "failed" else phase_words(told.get("detail", ""))
        return _told(answer, words=words)

    @views.post("/work")
    @needs(TEACH)
    def abort_work() -> Response:
        asked = sent()
        return _told(ask(web, "work.status", {"work": str(asked.get("work", "")), "abort": True}))

    return views


def _read(web: Web, draft: str) -> dict[str, Any]:
    answer = ask(web, "draft.read", {"draft": draft})
    if not answer.done and "there is none such" in answer.detail:
        abort(404)
    if not answer.done:
        abort(503)
    return answer.body


def _where(read: dict[str, Any]) -> str:
    """The step a person goes on with."""
    draft = read["draft"]
    if draft["released"]:
        return "release"
    work = read["work"]
    if work and work["what"] == "teach" and work["state"] in ("waiting", "running"):
        return "teach"
    if draft["taught"] and not read["stale"]:
        return "scores"
    return "pictures" if draft["shots"] else "places"


def _shown(web: Web, step: str, read: dict[str, Any]) -> dict[str, Any]:
    """What the page of one step takes besides the draft."""
    draft, taught = read["draft"], read["draft"]["taught"]
    roles: dict[str, list[dict[str, Any]]] = {"good": [], "defect": [], "challenge": []}
    for shot in draft["shots"]:
        roles[shot["role"]].append(shot)
    shown: dict[str, Any] = {"roles": roles, "cameras": list(draft["cameras"]), "camera": next(iter(draft["cameras"]))}
    if step == "pictures":
        shown["past"] = _past(web)
    if step == "scores":
        shown["charts"] = {
            name: histogram(
                [each["score"] for each in one["goods"]], [each["score"] for each in one["defects"]], one["threshold"]
            )
            for name, one in taught.items()
        }
    if step == "promise" and taught:
        answer = ask(web, "draft.limit", {"draft": draft["id"]})
        shown["limits"], shown["promised"] = answer.body, _promised(answer.body) if answer.done else {}
        shown["trouble"], shown["shares"] = _trouble(answer), SHARES
    if step in ("challenge", "release"):
        said = {one["shot"]: one for one in draft["tried"]}
        shown["tried"] = [(shot, said.get(shot["id"])) for shot in roles["challenge"]]
        shown["open"] = sum(one is None or one["outcome"] == "OK" for _, one in shown["tried"])
    return shown


def _past(web: Web) -> list[tuple[int, str, str]]:
    """The newest parts whose picture was kept: number in the ledger, small picture, outcome."""
    try:
        rows = web.history.rows(limit=LOOKED_BACK)
    except BadLedger:
        return []
    found = [(row.seq, picture_urls(row.seq, row)["thumb_url"], row.outcome) for row in rows]
    return [(seq, url, outcome) for seq, url, outcome in found if url][:PAST]


def _promised(limits: dict[str, Any]) -> dict[str, str]:
    """What the wish comes to, in sentences: an estimate and what may be claimed, never mixed up."""
    words = {}
    for name, more in (("overkill", N_("%(n)s more good parts")), ("escape", N_("%(n)s more defective parts"))):
        rate = limits[name]
        if not rate["n"]:
            words[name], words[f"{name}_claim"] = gettext("not known: no such part was taken"), ""
            continue
        words[name] = gettext(
            "%(events)s of %(n)s: %(percent)s %% (95 %%: %(low)s … %(high)s %%)",
            events=rate["events"],
            n=rate["n"],
            percent=_short(rate["percent"]),
            low=_short(rate["low"]),
            high=_short(rate["high"]),
        )
        words[f"{name}_claim"] = _claim(rate, more)
    return words


def _claim(rate: dict[str, Any], more: str) -> str:
    if rate["asked"] is None:
        return ""
    if rate["holds"] is True:
        return str(gettext("May be claimed with 95 % confidence."))
    if rate["holds"] is False:
        return str(gettext("Does not hold: too many were seen."))
    needed = gettext(more, n=rate["more"])
    found = gettext(
        "To claim it: %(more)s, none of them wrong. Now at most %(bound)s %%.", more=needed, bound=_short(rate["bound"])
    )
    return str(found)


def _short(percent: float) -> str:
    return f"{percent:.1f}" if percent >= 1 or percent == 0 else f"{percent:.2f}"


def _trouble(answer: Answer) -> str:
    return "" if answer.done else workshop_words(answer.detail)


def _told(answer: Answer, **more: Any) -> Response:
    """The answer for the script."""
    return answered(answer, workshop_words, **more)


def _data(answer: Answer) -> Response:
    """A file of the workshop. What lies under a digest never changes; a report brings its own policy."""
    if not answer.done:
        abort(404)
    made = Response(answer.body["data"], mimetype=answer.body["kind"])
    made.headers["Cache-Control"] = "private, max-age=86400"
    if "policy" in answer.body:
        made.headers["Content-Security-Policy"] = answer.body["policy"]
    return made


def _id(asked: dict[str, Any]) -> str:
    given = str(asked.get("id", ""))
    return given if len(given) == 32 and given.isalnum() else ""
