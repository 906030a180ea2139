"""The agreement study: an expert says what is true, operators look again and again without seeing what was said."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from flask_babel import get_locale
from werkzeug.wrappers import Response as AnyResponse

from .. import __version__
from ..bus.clock import now_ns, utc_now
from ..bus.errors import BadLedger
from ..records.figures_read import FiguresReader
from ..records.people_read import Study, StudyAnswer
from .access import needs
from .agreement import DEFECT, GOOD, Agreement, analyse
from .answered import sent_object
from .asking import ask
from .papers import order_paper
from .run import picture_urls, told
from .study_parts import COUNTS, REPEATS, order, pick
from .web import Web

MOST_OPERATORS = 8


def study_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("study", __name__, url_prefix="/study")
    reader = FiguresReader(web.store)

    def found(number: int) -> Study:
        study = next((one for one in web.people.studies() if one.id == number), None)
        if study is None:
            abort(404)
        return study

    @views.get("/")
    @needs("study.run")
    def page() -> str:
        try:
            studies, there = web.people.studies(), True
        except BadLedger:
            studies, there = [], False
        return render_template("study/page.html", studies=studies, there=there)

    @views.get("/new")
    @needs("study.run")
    def new() -> str:
        try:
            people = [one for one in web.people.people() if not one.disabled and "part.label" in one.rights]
        except BadLedger:
            abort(503)
        return render_template("study/new.html", people=people, counts=COUNTS, repeats=REPEATS, today=utc_now()[:10])

    @views.get("/reference")
    @needs("study.run")
    def reference() -> str | AnyResponse:
        operators = [name for name in request.args.getlist("operator") if name][:MOST_OPERATORS]
        count, repeats = request.args.get("count", 30, int), request.args.get("repeats", 2, int)
        if not operators or count not in COUNTS or repeats not in REPEATS:
            return redirect(url_for("study.new"), 303)
        try:
            rows = pick(web.history, count, now_ns())
            labels = web.people.label_of([row.seq for row in rows])
        except BadLedger:
            abort(503)
        items = [
            {"seq": row.seq, "picture": picture_urls(row.seq, row)["picture_url"], "truth": _truth(labels, row.seq)}
            for row in rows
        ]
        about = {"name": request.args.get("name", "")[:64], "operators": operators, "repeats": repeats}
        return render_template("study/reference.html", items=items, about=about)

    @views.post("/begin")
    @needs("study.run")
    def begin() -> Response:
        given = sent_object()
        truths = {seq: said for seq, said in dict(given.get("reference") or {}).items() if said in (DEFECT, GOOD)}
        body = {
            "op": "new",
            "name": str(given.get("name", ""))[:64] or f"{utc_now()[:10]}",
            "operators": list(given.get("operators") or []),
            "seqs": [int(seq) for seq in truths],
            "repeats": given.get("repeats", 2),
            "reference": truths,
        }
        answer = ask(web, "study.set", body, id=str(given.get("id", "")))
        if answer.done:
            return jsonify(done=True, silent=False, detail="", url=url_for("study.one", number=answer.body["id"]))
        return told(answer)

    @views.get("/<int:number>")
    @needs("study.run")
    def one(number: int) -> str:
        try:
            return render_template("study/one.html", **_shown(found(number)))
        except BadLedger:
            abort(503)

    def _shown(study: Study) -> dict[str, Any]:
        answers = web.people.study_answers(study.id)
        total = len(study.seqs) * study.repeats
        done = {name: sum(answer.operator == name for answer in answers) for name in study.operators}
        return {
            "study": study,
            "total": total,
            "done": done,
            "told": result_of(study, answers, reader) if answers else None,
            "version": __version__,
        }

    @views.get("/<int:number>/look")
    @needs("study.run")
    def look(number: int) -> str:
        operator = request.args.get("operator", "")
        try:
            study = found(number)
            if operator not in study.operators or study.closed_at:
                abort(404)
            said = {(one.round, one.seq) for one in web.people.study_answers(number) if one.operator == operator}
            urls = {seq: _picture(web, seq) for seq in study.seqs}
        except BadLedger:
            abort(503)
        items = [
            {"seq": seq, "round": turn, "picture": urls[seq]}
            for turn in range(1, study.repeats + 1)
            for seq in order(number, operator, turn, study.seqs)
            if (turn, seq) not in said and urls[seq]  # a picture that was shed meanwhile cannot be judged
        ]
        total = len(said) + len(items)
        return render_template("study/look.html", study=study, operator=operator, items=items, total=total)

    @views.post("/<int:number>/answer")
    @needs("study.run")
    def answer(number: int) -> Response:
        given = sent_object()
        if given.get("truth") not in (DEFECT, GOOD):
            abort(400)
        took = given.get("took_ms")
        body = {
            "op": "answer",
            "id": number,
            "seq": given.get("seq"),
            "operator": str(given.get("operator", "")),
            "round": given.get("round", 1),
            "truth": given["truth"],
            "took_ms": took if isinstance(took, int) and 0 <= took < 3_600_000 else None,
        }
        return told(ask(web, "study.set", body, id=str(given.get("id", ""))))

    @views.post("/<int:number>/close")
    @needs("study.run")
    def close(number: int) -> AnyResponse:
        done = ask(web, "study.set", {"op": "close", "id": number})
        trouble = None if done.done else 1
        return redirect(url_for("study.one", number=number, trouble=trouble), 303)

    @views.post("/<int:number>/paper")
    @needs("study.run")
    def paper(number: int) -> AnyResponse:
        try:
            given = _shown(found(number))
        except BadLedger:
            abort(503)
        title = f"okng-agreement-{web.station}-{number}-{given['study'].name}-{get_locale()}"
        html = render_template("study/paper.html", facts=None, **given)
        return order_paper(title, html, url_for("study.one", number=number))

    return views


def result_of(study: Study, answers: list[StudyAnswer], reader: FiguresReader) -> Agreement:
    """What was said, against the reference and against the box. BadLedger."""
    said = {(one.operator, one.round, one.seq): one.truth for one in answers}
    box = {seq: GOOD if passed else DEFECT for seq, passed in reader.passed(study.seqs).items()}
    return analyse(said, study.reference, box)


def _truth(labels: Any, seq: int) -> str:
    label = labels.get(seq)
    return label.truth if label is not None and label.truth in (DEFECT, GOOD) else ""


def _picture(web: Web, seq: int) -> str | None:
    row = web.history.row(seq)
    return picture_urls(seq, row)["picture_url"] if row is not None else None
