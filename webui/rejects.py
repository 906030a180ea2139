"""The gallery of rejects and the page of one part, from the ledger and the kept pictures."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from flask import Blueprint, Response, abort, redirect, render_template, request, send_file, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from ..bus.errors import BadLedger
from ..bus.part import Action, Outcome
from ..imaging.picture import Picture
from ..records.read import PartRow, ViewRow
from .access import open_to_all
from .figures import figures
from .history import History, rows_of_part
from .pictures import to_overlay, to_thumb
from .run import row_payload
from .words import place_words, reason_words

PAGE = 24
"""Parts on one page of the gallery; the next one comes as it is scrolled to."""
THUMBS = 256
MOST_LETTERS = 200
"""Of what is looked for: a code is never longer."""
FILTERS: dict[str, dict[str, str]] = {
    "rejects": {"action": str(Action.REJECT)},
    "ng": {"outcome": str(Outcome.NG)},
    "unjudged": {"outcome": str(Outcome.UNJUDGED)},
    "ok": {"outcome": str(Outcome.OK)},
}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For addresses that carry the sha256 of what they give."""


def reject_views(history: History, store: Path) -> Blueprint:
    """Make the blueprint. store: folder the pictures of the ledger lie under."""
    views = Blueprint("rejects", __name__, url_prefix="/rejects")
    thumbs = _Thumbs()

    def one(seq: int) -> PartRow:
        try:
            row = history.row(seq)
        except BadLedger:
            abort(503)
        if row is None:
            abort(404)
        return row

    def kept(seq: int, sha256: str) -> Path:
        row = one(seq)
        all_held: tuple[PartRow | ViewRow, ...] = (row, *row.views)
        paths = (picture_path(store, held) for held in all_held if held.picture_sha256 == sha256)
        path = next((path for path in paths if path is not None), None)
        if path is None:
            abort(404)
        return path

    @views.get("/")
    @open_to_all
    def gallery() -> str | tuple[str, int]:
        chosen = request.args.get("show", "rejects")
        if chosen not in FILTERS:
            abort(404)
        page = _page(history, chosen)
        template = "rejects/tiles.html" if "fragment" in request.args else "rejects/gallery.html"
        return render_template(template, show=chosen, asked=_asked(), **page)

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
        show = request.args.get("show", "rejects")
        wanted = FILTERS.get(show, FILTERS["rejects"])
        older = history.rows(limit=1, before_seq=seq, **wanted)
        newer = _newer(history, seq, wanted)
        return render_template(
            "rejects/detail.html",
            row=row,
            shown=row_payload(row),
            reasons=[reason_words(reason, gettext) for reason in row.reasons],
            places=[(place, place_words(place, gettext)) for place in row.placements],
            figures=figures(row.measures, gettext),
            before=_before(history, row),
            shed=row.picture is not None and picture_path(store, row) is None,
            older=older[0].seq if older else None,
            newer=newer,
            show=show,
        )

    @views.get("/<int:seq>/picture/<sha256>")
    @open_to_all
    def picture(seq: int, sha256: str) -> Response:
        answer = send_file(kept(seq, sha256), max_age=31_536_000)
        answer.headers.update(FOREVER)
        return answer

    @views.get("/<int:seq>/thumb/<sha256>.jpg")
    @open_to_all
    def thumb(seq: int, sha256: str) -> Response:
        path = kept(seq, sha256)
        small = thumbs.get(sha256, lambda: _read(path))
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


def picture_path(store: Path, row: PartRow | ViewRow) -> Path | None:
    """Where the kept picture lies; None: none was kept, it was shed, or its path leaves the store."""
    if not row.picture or not row.picture_kept or not row.picture_sha256:
        return None
    root = store.resolve()
    path = (root / row.picture).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def _asked() -> str:
    """What is looked for: typed, or read by a scanner that types. A scanner may send GS as the control character."""
    asked = request.args.get("find", "") or request.args.get("part", "")
    return asked.replace(chr(29), "<GS>").strip()[:MOST_LETTERS]


def _page(history: History, chosen: str) -> dict[str, Any]:
    before = request.args.get("before", type=int)
    asked = _asked()
    try:
        if asked:
            rows = history.rows(limit=PAGE + 1, before_seq=before, find=asked)
        else:
            rows = history.rows(limit=PAGE + 1, before_seq=before, **FILTERS[chosen])
    except BadLedger:
        return {"tiles": [], "next_before": None, "history": False}
    tiles = [row_payload(row) for row in rows[:PAGE]]
    return {"tiles": tiles, "next_before": rows[PAGE - 1].seq if len(rows) > PAGE else None, "history": True}


def _before(history: History, row: PartRow) -> PartRow | None:
    """The earlier part with the same serial number."""
    return None if row.serial_before is None else history.row(row.serial_before)


def _newer(history: History, seq: int, wanted: dict[str, str]) -> int | None:
    """The next newer part of the same kind, looked for among the rows just above this one."""
    rows = history.rows(limit=PAGE, before_seq=seq + PAGE * 4, **wanted)
    above = [row.seq for row in rows if row.seq > seq]
    return above[-1] if above else None


def _read(path: Path) -> Picture | None:
    """Decode a kept picture to RGB or grey; None: it is gone or does not decode."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    decoded = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR) if data.size else None
    if decoded is None:
        return None
    if decoded.ndim == 3:
        decoded = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return np.asarray(decoded, dtype=np.uint8)


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
