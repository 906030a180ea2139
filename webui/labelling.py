"""Drawing labels on kept pictures: brush and box by finger, in pixels of the sensor; out of the box and back again."""

from flask import Blueprint, Response, abort, jsonify, render_template, request
from flask_babel import gettext

from ..bus.errors import BadLedger
from ..records.gallery_read import GalleryReader, Wanted
from ..records.labels_read import LabelsReader
from ..records.parcel import picture_path
from .access import needs
from .answered import sent_object
from .asking import ask
from .kinds import OFFERED, offered
from .made_file import pieces_of
from .run import row_payload, told
from .spans import before_now
from .web import Web
from .words import N_

PAGE = 24
SHOWS = {"ng": N_("NG"), "drawn": N_("Drawn on"), "ok": N_("OK parts")}
FORMATS = {"label-studio": "Label Studio", "coco": "COCO", "masks": N_("Masks")}
"""As the workshop names them."""
ZIP = "labels.zip"
MOST_EXPORTED = 500
MOST_FILE = 32 << 20
GOODS_H = 30 * 24


def labelling_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("labelling", __name__, url_prefix="/labelling")
    gallery, labels = GalleryReader(web.store), LabelsReader(web.store)

    @views.get("/")
    @needs("label.draw")
    def page() -> str:
        show, before = request.args.get("show", "ng"), request.args.get("before", type=int)
        if show not in SHOWS:
            abort(404)
        try:
            if show == "drawn":
                seqs = [seq for seq in web.people.drawn() if before is None or seq < before]
                rows = [row for seq in seqs[:PAGE] if (row := web.history.row(seq)) is not None]
                more = seqs[PAGE - 1] if len(seqs) > PAGE else None
            else:
                found = gallery.page(Wanted(show), PAGE, before)
                rows, more = found.rows, found.before
            drawn = web.people.drawings([row.seq for row in rows])
            history = True
        except BadLedger:
            rows, more, drawn, history = [], None, {}, False
        return render_template(
            "labelling/page.html",
            show=show,
            shows=SHOWS,
            formats=FORMATS,
            history=history,
            more=more,
            drawn=drawn,
            tiles=[row_payload(row) for row in rows if row.picture_kept],
        )

    @views.get("/<int:seq>")
    @needs("label.draw")
    def draw(seq: int) -> str:
        try:
            row = web.history.row(seq)
            held = web.people.drawings([seq]).get(seq)
            newer, older = gallery.beside(Wanted("ng"), seq)
        except BadLedger:
            abort(503)
        if row is None:
            abort(404)
        kinds = offered(gallery, labels, gettext)
        known = [one["kind"] for part in ("masks", "boxes") for one in (held.body[part] if held else ())]
        kinds += [(kind, kind) for kind in dict.fromkeys(known) if kind not in dict(kinds)]
        return render_template(
            "labelling/draw.html",
            row=row,
            shown=row_payload(row),
            shed=picture_path(web.store, row) is None,
            body=held.body if held else None,
            who=held.who if held else "",
            kinds=kinds[: OFFERED + 4],
            newer=newer,
            older=older,
        )

    @views.post("/<int:seq>")
    @needs("label.draw")
    def save(seq: int) -> Response:
        given = sent_object()
        return told(ask(web, "drawing.set", {"seq": seq, "body": given.get("body")}, id=str(given.get("id", ""))))

    @views.post("/export")
    @needs("label.draw")
    def export() -> Response:
        form = sent_object().get("format")
        if form not in FORMATS:
            abort(400)
        try:
            drawn = web.people.drawn(MOST_EXPORTED)
            said = {one.seq: one.truth for one in web.people.labels_since(before_now(GOODS_H)) if not one.second}
        except BadLedger:
            abort(503)
        if not drawn:
            return jsonify(done=False, silent=False, detail=gettext("Nothing is drawn yet."))
        # What people called good goes along: defects alone teach nothing.
        goods = sorted(seq for seq, truth in said.items() if truth == "good" and seq not in drawn)
        body = {"format": form, "seqs": [*drawn, *goods[-MOST_EXPORTED:]]}
        return told(ask(web, "labels.export", body, timeout_ms=5000))

    @views.get("/job/<work>")
    @needs("label.draw")
    def progress(work: str) -> Response:
        return told(ask(web, "work.status", {"work": work}))

    @views.get("/job/<work>/labels.zip")
    @needs("label.draw")
    def fetch(work: str) -> Response:
        sent = Response(pieces_of(web, work, ZIP), mimetype="application/zip")
        sent.headers["Content-Disposition"] = 'attachment; filename="labels.zip"'
        return sent

    @views.post("/import")
    @needs("label.draw")
    def bring() -> Response:
        file, form = request.files.get("file"), request.form.get("format", "")
        if file is None or form not in FORMATS:
            abort(400)
        data = file.stream.read(MOST_FILE + 1)
        if len(data) > MOST_FILE:
            abort(413)
        about = {"format": form, "bytes": len(data), "file": (file.filename or "")[:200]}
        return told(ask(web, "labels.import", {"format": form, "data": data}, about=about, timeout_ms=10_000))

    @views.post("/take")
    @needs("label.draw")
    def take() -> Response:
        answer = ask(web, "work.status", {"work": str(sent_object().get("work", ""))})
        found = answer.body.get("result", {}).get("drawings") if answer.done else None
        if not isinstance(found, dict):
            return told(answer)
        taken, wrong = 0, ""
        for seq, body in list(found.items())[:MOST_EXPORTED]:
            said = ask(web, "drawing.set", {"seq": int(seq), "body": body}, reason="import")
            taken += said.done
            wrong = wrong or ("" if said.done else said.detail)
        return jsonify(done=not wrong, silent=False, detail=wrong, taken=taken, of=len(found))

    return views
