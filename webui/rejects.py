"""The gallery of rejects and the page of one part, from the ledger and the kept pictures."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, send_file, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from ..bus.errors import BadLedger
from ..imaging.picture import Picture
from ..records.gallery_read import GalleryReader, Page
from ..records.parcel import MOST_PARTS, parcel, picked, picture_path, small_path
from ..records.read import PartRow, ViewRow
from .access import needs, open_to_all
from .answered import sent_object
from .asking import ask, note
from .choice import SCORES, TIMES, Choice, chosen, lots_of, wanted_of
from .figures import figures
from .history import History, rows_of_part
from .kinds import kind_word, place_word
from .part_way import way_of
from .pictures import kept_picture, to_overlay, to_thumb
from .run import row_payload, told
from .signing import sign_in_for
from .web import Web
from .words import place_words, reason_words

PAGE = 24
"""Parts on one page of the gallery; the next one comes as it is scrolled to."""
THUMBS = 256
MOST_LETTERS = 200
"""Of what is looked for: a code is never longer."""
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For addresses that carry the sha256 of what they give."""


def reject_views(history: History, store: Path) -> Blueprint:
    """Make the blueprint. store: folder the pictures of the ledger lie under."""
    views = Blueprint("rejects", __name__, url_prefix="/rejects")
    thumbs = _Thumbs()
    finder = GalleryReader(store)

    def web() -> Web:
        made: Web = current_app.extensions["okng-web"]
        return made

    def one(seq: int) -> PartRow:
        try:
            row = history.row(seq)
        except BadLedger:
            abort(503)
        if row is None:
            abort(404)
        return row

    def kept(seq: int, sha256: str, *, small: bool = False) -> Path:
        row = one(seq)
        all_held: tuple[PartRow | ViewRow, ...] = (row, *row.views)
        asked = [held for held in all_held if held.picture_sha256 == sha256]
        paths = [picture_path(store, held) for held in asked]
        paths += [small_path(store, held) for held in asked] if small else []
        path = next((path for path in paths if path is not None), None)
        if path is None:
            abort(404)
        return path

    def page_of(choice: Choice) -> dict[str, Any]:
        before = request.args.get("before", type=int)
        asked = _asked()
        try:
            if asked:
                rows = history.rows(limit=PAGE + 1, before_seq=before, find=asked)
                page = Page(rows[:PAGE], rows[PAGE - 1].seq if len(rows) > PAGE else None)
            else:
                page = finder.page(wanted_of(choice, web().watch, finder), PAGE, before)
            seen = web().people.label_of([row.seq for row in page.rows])
        except BadLedger:
            return {"tiles": [], "next_before": None, "history": False}
        tiles = [{**row_payload(row), "truth": seen[row.seq].truth if row.seq in seen else ""} for row in page.rows]
        return {"tiles": tiles, "next_before": page.before, "history": True}

    @views.get("/")
    @open_to_all
    def gallery() -> str:
        choice = chosen(request.args)
        if choice is None:
            abort(404)
        page = page_of(choice)
        if "fragment" in request.args:
            return render_template("rejects/tiles.html", choice=choice, asked=_asked(), **page)
        return render_template(
            "rejects/gallery.html",
            choice=choice,
            asked=_asked(),
            times=TIMES,
            scores=SCORES,
            lots=lots_of(finder),
            kinds=_kinds(finder, choice.kind),
            sign_in=sign_in_for("part.review", url_for("rejects.gallery", **choice.address())),
            **page,
        )

    @views.get("/part/<int:part>")
    @open_to_all
    def by_part(part: int) -> AnyResponse:
        try:
            found = rows_of_part(history, part)
        except BadLedger:
            found = []
        if found:
            return redirect(url_for(".detail", seq=found[0].seq), 303)
        return redirect(url_for(".gallery", find=part), 303)

    @views.get("/<int:seq>")
    @open_to_all
    def detail(seq: int) -> str:
        row = one(seq)
        choice = chosen(request.args) or Choice()
        try:
            newer, older = finder.beside(wanted_of(choice, web().watch, finder), seq)
            story = finder.story(seq)
            before = None if row.serial_before is None else history.row(row.serial_before)
        except BadLedger:
            abort(503)
        return render_template(
            "rejects/detail.html",
            row=row,
            shown=row_payload(row),
            reasons=[reason_words(reason, gettext) for reason in row.reasons],
            places=[(place, place_words(place, gettext)) for place in row.placements],
            figures=figures(row.measures, gettext),
            before=before,
            shed=row.picture is not None and picture_path(store, row) is None,
            older=older,
            newer=newer,
            choice=choice,
            story=story,
            line=way_of(story.moments, gettext) if story else None,
            kind_word=lambda kind: kind_word(kind, gettext),
            place_of=lambda place: place_word(place, gettext),
            sign_in=sign_in_for("part.review", url_for("rejects.detail", seq=seq, **choice.address())),
        )

    @views.post("/reviewed")
    @needs("part.review")
    def reviewed() -> Response:
        seqs = sent_object().get("seqs")
        if not isinstance(seqs, list) or not 0 < len(seqs) <= MOST_PARTS or not all(type(n) is int for n in seqs):
            abort(400)
        return told(ask(web(), "part.reviewed", {"seqs": seqs}))

    @views.get("/export.zip")
    @needs("part.export")
    def export() -> Response:
        seqs = list(dict.fromkeys(request.args.get("seqs", "").split(",")))
        if not 0 < len(seqs) <= MOST_PARTS or not all(seq.isdecimal() and len(seq) < 16 for seq in seqs):
            abort(400)
        try:
            rows, said = picked(store, [int(seq) for seq in seqs])
        except BadLedger:
            abort(503)
        if not rows:
            abort(404)
        # Who takes data out of the box stands in the audit trail, or nothing goes out.
        if not note(web(), "parts exported", {"seqs": [row.seq for row in rows]}).done:
            abort(503)
        name = f"okng-parts-{rows[0].seq}-{rows[-1].seq}.zip"
        sent = Response(parcel(rows, lambda held: picture_path(store, held), said), mimetype="application/zip")
        sent.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return sent

    @views.get("/<int:seq>/picture/<sha256>")
    @open_to_all
    def picture(seq: int, sha256: str) -> Response:
        answer = send_file(kept(seq, sha256), max_age=31_536_000)
        answer.headers.update(FOREVER)
        return answer

    @views.get("/<int:seq>/thumb/<sha256>.jpg")
    @open_to_all
    def thumb(seq: int, sha256: str) -> Response:
        path = kept(seq, sha256, small=True)
        small = thumbs.get(sha256, lambda: kept_picture(path))
        if small is None:
            abort(404)
        return Response(small, mimetype="image/jpeg", headers=FOREVER)

    @views.get("/<int:seq>/overlay.png")
    @open_to_all
    def overlay(seq: int) -> Response:
        row = one(seq)
        png = to_overlay(row.heat, row.width or 0, row.height or 0)
        if png is None:
            abort(404)
        return Response(png, mimetype="image/png", headers={"Cache-Control": "max-age=3600"})

    return views


def _asked() -> str:
    """What is looked for: typed, or read by a scanner that types. A scanner may send GS as the control character."""
    asked = request.args.get("find", "") or request.args.get("part", "")
    return asked.replace(chr(29), "<GS>").strip()[:MOST_LETTERS]


def _kinds(finder: GalleryReader, now: str) -> list[tuple[str, str]]:
    """Classes that are offered, with their words."""
    try:
        known = finder.kinds()
    except BadLedger:
        known = []
    return [(kind, kind_word(kind, gettext)) for kind in dict.fromkeys([*known[:8], *([now] if now else [])])]


class _Thumbs:
    """Small pictures by the sha256 of the large one. Full: the oldest goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, bytes] = OrderedDict()

    def get(self, sha256: str, read: Callable[[], Picture | None]) -> bytes | None:
        """Return the JPEG, made now if it was not held; None: the picture cannot be read."""
        with self._lock:
            held = self._held.get(sha256)
        if held is not None:
            return held
        picture = read()
        if picture is None:
            return None
        made = to_thumb(picture)
        with self._lock:
            self._held[sha256] = made
            while len(self._held) > THUMBS:
                self._held.popitem(last=False)
        return made
