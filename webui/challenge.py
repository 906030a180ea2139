"""Challenge test (6): guides known parts through the line, shows what came of it; hold, sign-off, history, PDF."""

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask_babel import get_locale, gettext
from werkzeug.wrappers import Response as AnyResponse

from .. import __version__
from ..bus.asks import Answer, new_id
from ..bus.errors import BadLedger
from ..bus.part import Outcome
from ..bus.shift import ChallengeState, Sample
from ..records.parcel import picture_path
from ..records.read import PartRow
from .access import needs, open_to_all
from .asking import ask
from .challenge_runs import Run, events, run_of
from .papers import order_paper
from .rejects import FOREVER
from .run import picture_urls
from .samples import NAMES, as_body, free_id, photo, photo_entry
from .shift_words import OCCASIONS, PHASES, detail_words
from .told import Told, reason_given
from .web import Web

PAGE = 30
CHOICES = 24
"""Kept pictures to choose a photo from."""
SHAPES = {"failed": "octagon", "due": "triangle", "unsigned": "triangle", "passed": "check", "running": "diamond"}
ENDED = {"passed": "check", "failed": "octagon", "aborted": "dash", "signed": "person", "hold released": "lock"}


def challenge_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("challenge", __name__, url_prefix="/challenge")
    answers = Told()

    def state() -> ChallengeState | None:
        shift = web.watch.shift
        return shift.challenge if shift else None

    def must() -> ChallengeState:
        said = state()
        if said is None:
            abort(503)
        return said

    def recipe() -> str:
        station = web.watch.station
        return station.job.recipe if station else ""

    @views.get("/")
    @open_to_all
    def page() -> str:
        said = state()
        shift = web.watch.shift
        current = next((one for one in said.samples if one.id == said.current), None) if said else None
        asks_hand = said is not None and said.phase == "running" and said.detail.endswith("was it removed?")
        return render_template(
            "challenge/part.html" if "part" in request.args else "challenge/page.html",
            test=said,
            phase=gettext(PHASES[said.phase]) if said and said.phase in PHASES else "",
            phase_shape=SHAPES.get(said.phase, "dash") if said else "triangle",
            occasion=gettext(OCCASIONS[said.occasion]) if said and said.occasion in OCCASIONS else "",
            detail=detail_words(said.detail, gettext) if said else "",
            current=current,
            asks_hand=asks_hand,
            bypass=shift is not None and shift.mode.mode == "bypass",
            hold=_hold(web, said),
            reasons=_release_reasons(),
            recipe=recipe(),
            said=answers.here(),
            here=url_for("challenge.page"),
        )

    @views.post("/start")
    @needs("challenge.run")
    def start() -> AnyResponse:
        return answers.back(ask(web, "challenge.start"), "challenge.page")

    @views.post("/confirm")
    @needs("challenge.run")
    def confirm() -> AnyResponse:
        removed = request.form.get("removed")
        if removed not in ("yes", "no"):
            abort(400)
        given = {"removed": removed == "yes", "part": request.form.get("part", 0, int)}
        return answers.back(ask(web, "challenge.confirm", given), "challenge.page")

    @views.post("/abort")
    @needs("challenge.run")
    def stop() -> AnyResponse:
        return answers.back(ask(web, "challenge.abort"), "challenge.page")

    @views.post("/sign")
    @needs("challenge.sign")
    def sign() -> AnyResponse:
        given = {"run": request.form.get("run", 0, int)}
        return answers.back(ask(web, "challenge.sign", given, reason=reason_given()), "challenge.page")

    @views.post("/release")
    @needs("challenge.sign")
    def release() -> AnyResponse:
        if not reason_given():
            abort(400)
        return answers.back(ask(web, "hold.release", reason=reason_given()), "challenge.page")

    # -- history -----------------------------------------------------------------------------------------------------

    @views.get("/history")
    @open_to_all
    def history() -> str:
        try:
            rows, older = events(web.people, request.args.get("before", type=int), PAGE)
        except BadLedger:
            rows, older = None, None
        return render_template("challenge/history.html", rows=rows, older=older, shapes=ENDED, occasions=OCCASIONS)

    @views.get("/run/<int:line>")
    @open_to_all
    def run(line: int) -> str:
        found = _run(web, line)
        return render_template("challenge/run_page.html", **_sheet(web, found))

    @views.post("/run/<int:line>/paper")
    @needs("report.make")
    def paper(line: int) -> AnyResponse:
        found = _run(web, line)
        html = render_template("challenge/run.html", **_sheet(web, found), version=__version__)
        title = f"okng-test-{web.station}-{found.recipe}-{found.number}-{get_locale()}"
        return order_paper(title, html, url_for(".run", line=line))

    # -- test parts --------------------------------------------------------------------------------------------------

    @views.get("/samples")
    @needs("challenge.sign")
    def samples() -> str:
        said = state()
        return render_template(
            "challenge/samples.html",
            samples=said.samples if said else (),
            kept=said is not None,
            recipe=recipe(),
            names=[gettext(name) for name in NAMES],
            running=said is not None and said.phase == "running",
            said=answers.here(),
        )

    def set_samples(held: tuple[Sample, ...]) -> Answer:
        if not recipe():
            return Answer(new_id(), False, "the product of the line is not known")
        about = {"recipe": recipe(), "old": as_body(must().samples), "new": as_body(held)}
        return ask(web, "challenge.samples", {"recipe": recipe(), "samples": as_body(held)}, about=about)

    @views.post("/samples/add")
    @needs("challenge.sign")
    def add() -> AnyResponse:
        name = (request.form.get("other", "").strip() or request.form.get("name", "").strip())[:80]
        expected = request.form.get("expected", "NG")
        if not name or expected not in ("NG", "OK"):
            abort(400)
        held = must().samples
        return answers.back(set_samples((*held, Sample(free_id(held), name, expected, 0, 0))), "challenge.samples")

    @views.post("/samples/remove")
    @needs("challenge.sign")
    def remove() -> AnyResponse:
        id = request.form.get("id", "")  # noqa: A001 - as the field is called
        held = must().samples
        return answers.back(set_samples(tuple(one for one in held if one.id != id)), "challenge.samples")

    @views.get("/samples/photo")
    @needs("challenge.sign")
    def choose() -> str:
        id = request.args.get("id", "")  # noqa: A001
        sample = next((one for one in must().samples if one.id == id), None)
        if sample is None:
            abort(404)
        outcome = str(Outcome.NG if sample.expected == "NG" else Outcome.OK)
        try:
            rows = web.history.rows(limit=CHOICES * 2, outcome=outcome)
        except BadLedger:
            abort(503)
        kept = [(row, picture_urls(row.seq, row)) for row in rows if row.picture_kept]
        tiles = [(row, urls) for row, urls in kept if urls["thumb_url"]][:CHOICES]
        return render_template("challenge/photos.html", sample=sample, tiles=tiles, asked=outcome)

    @views.post("/samples/photo")
    @needs("challenge.sign")
    def set_photo() -> AnyResponse:
        id, seq = request.form.get("id", ""), request.form.get("seq", type=int)  # noqa: A001
        row = _row(web, seq or 0)
        path = picture_path(web.store, row) if row else None
        if row is None or path is None or not row.picture_sha256:
            abort(404)
        entry = photo_entry(path, row.picture_sha256, row.seq)
        if entry is None:
            abort(404)
        answer = ask(web, "journal.add", entry)
        if answer.done:
            sha256 = row.picture_sha256
            answer = set_samples(tuple(replace(one, picture=sha256) if one.id == id else one for one in must().samples))
        return answers.back(answer, "challenge.samples")

    @views.get("/photo/<sha256>.jpg")
    @open_to_all
    def small(sha256: str) -> Response:
        found = photo(web.people, sha256)
        if found is None:
            abort(404)
        return Response(found, mimetype="image/jpeg", headers=FOREVER)

    return views


def _release_reasons() -> list[str]:
    return [
        gettext("all parts checked by hand"),
        gettext("parts scrapped"),
        gettext("parts inspected again"),
        gettext("test part was mixed up"),
    ]


def _row(web: Web, seq: int) -> PartRow | None:
    try:
        return web.history.row(seq) if seq else None
    except BadLedger:
        return None


def _hold(web: Web, said: ChallengeState | None) -> dict[str, Any] | None:
    """The product on hold, in part numbers where the ledger knows them."""
    if said is None or not said.hold_from:
        return None
    first, last = _row(web, said.hold_first), _row(web, said.hold_last)
    count = said.hold_last - said.hold_first + 1 if said.hold_first and said.hold_last >= said.hold_first else 0
    return {
        "first": first.part if first else None,
        "last": last.part if last else None,
        "count": max(0, count),
        # Where no test has ever passed all of it is on hold, whenever the failed one began.
        "since": min(said.hold_from, first.taken_at) if first else said.hold_from,
        "until": said.hold_to,
    }


def _run(web: Web, line: int) -> Run:
    try:
        found = run_of(web.people, line)
    except BadLedger:
        abort(503)
    if found is None:
        abort(404)
    return found


def _sheet(web: Web, run: Run) -> dict[str, Any]:
    """What the page and the sheet of one run show."""
    rows = {}
    for one in run.passes[:1]:  # what model and recipe it was is told by the first part
        try:
            near = web.history.rows(limit=20, find=str(one.part))
        except BadLedger:
            near = []
        rows = {row.part: row for row in near if row.part == one.part and row.recipe == run.recipe}
    return {
        "run": run,
        "here": url_for("challenge.run", line=run.line),
        "model": next((row.model for row in rows.values()), ""),
        "revision": next((row.revision for row in rows.values()), ""),
        "station_name": web.station,
        "occasion": gettext(OCCASIONS.get(run.occasion, run.occasion)) if run.occasion else "",
        "why": detail_words(run.why, gettext),
        "problems": {one.problem: detail_words(one.problem, gettext) for one in run.passes if one.problem},
    }
