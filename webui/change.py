"""Change-over (10): from one product to the next in six steps, the old one in force until the last; the lot, too."""

from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.shift import ChangeOver
from .access import needs, open_to_all
from .asking import ask
from .products import Difference, Product, differences
from .shift_words import PHASES, detail_words
from .told import Told
from .web import Web
from .words import N_, reason_words

STEPS = {1: N_("Pick"), 2: N_("Compare"), 3: N_("Lot"), 4: N_("Apply"), 5: N_("Test"), 6: N_("Release")}
FACTS = {
    "deadline": N_("Deadline of the verdict"),
    "model": N_("Model of region"),
    "threshold": N_("Threshold of region"),
    "limit": N_("Limit of class"),
    "place": N_("Place of region"),
    "tool": N_("Tool"),
    "code": N_("Code read"),
    "size": N_("Picture of camera"),
    "exposure": N_("Exposure of camera"),
    "gain": N_("Gain of camera"),
    "delay": N_("Trigger delay of camera"),
    "gate": N_("Distance to the ejector"),
    "speed": N_("Highest belt speed"),
    "margin": N_("Margin before the ejector"),
}
"""What a product sets, by the kind of a fact."""
DEFAULTS = {"threshold": N_("the model's own"), "place": N_("whole picture")}
"""What an empty value means."""
MAKING_READY = "is being made ready"


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of the comparison, in words."""

    what: str
    old: str
    new: str
    changed: bool


def change_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("change", __name__, url_prefix="/change-over")
    answers = Told()

    @views.get("/")
    @open_to_all
    def page() -> str:
        shift, station = web.watch.shift, web.watch.station
        change = shift.change if shift else ChangeOver()
        products = web.products()
        known = {product.number: product for product in products}
        active = station.job_number if station else 0
        old, new = known.get(change.from_number or active), known.get(change.to_number)
        return render_template(
            "change/part.html" if "part" in request.args else "change/page.html",
            kept=shift is not None,
            change=change,
            steps=[(number, gettext(title)) for number, title in STEPS.items()],
            step=change.step or 1,
            products=products,
            active=active,
            job=station.job if station else None,
            old=old,
            new=new,
            to_number=change.to_number,
            compared=_compared(old, new) if new and change.step == 2 else [],
            detail=_detail(change.detail),
            saying_of=lambda sentence: detail_words(sentence, gettext),
            making_ready=MAKING_READY in change.detail,
            lot=shift.lot if shift else "",
            lot_since=shift.lot_since if shift else "",
            test=gettext(PHASES.get(shift.challenge.phase, "")) if shift and shift.challenge.phase in PHASES else "",
            said=answers.here(),
            here=url_for("change.page"),
        )

    @views.post("/begin")
    @needs("recipe.change")
    def begin() -> Response:
        code, number = request.form.get("code", "").strip()[:200], request.form.get("number", type=int)
        if not code and number is None:
            abort(400)
        return answers.back(ask(web, "change.begin", {"code": code} if code else {"number": number}), "change.page")

    @views.post("/step")
    @needs("recipe.change")
    def step() -> Response:
        at = request.form.get("step", type=int)
        if at not in STEPS:
            abort(400)
        body: dict[str, object] = {"step": at}
        if at == 3:
            body["lot"] = _lot()
        return answers.back(ask(web, "change.step", body), "change.page")

    @views.post("/abort")
    @needs("recipe.change")
    def stop() -> Response:
        return answers.back(ask(web, "change.abort"), "change.page")

    @views.get("/lot")
    @needs("lot.set")
    def lot() -> str:
        shift = web.watch.shift
        return render_template(
            "change/lot.html",
            lot=shift.lot if shift else "",
            lot_since=shift.lot_since if shift else "",
            kept=shift is not None,
            said=answers.here(),
        )

    @views.post("/lot")
    @needs("lot.set")
    def set_lot() -> Response:
        shift = web.watch.shift
        about = {"old": shift.lot if shift else "", "new": _lot()}
        answer = ask(web, "lot.set", {"lot": _lot()}, about=about)
        return answers.back(answer, "change.page" if answer.done else "change.lot")

    return views


def _lot() -> str:
    return request.form.get("lot", "").replace(chr(29), "").strip()[:100]


def _detail(detail: str) -> str:
    known = detail_words(detail, gettext)
    return known if known != detail else reason_words(detail, gettext)


def _compared(old: Product | None, new: Product) -> list[Compared]:
    return [_line(one) for one in differences(old, new)]


def _line(one: Difference) -> Compared:
    title = gettext(FACTS[one.kind]) if one.kind in FACTS else one.kind
    return Compared(f"{title} {one.of}".strip(), _value(one, one.old), _value(one, one.new), one.changed)


def _value(one: Difference, value: str) -> str:
    if value:
        return value
    return gettext(DEFAULTS[one.kind]) if one.kind in DEFAULTS else "–"
