"""The box's own ledger as a source: parts whose picture was kept, by `records.read`.

What people said of a part at the screens comes first, and is marked `operator` (`said.py`). A verdict is what a model
said, not what is true: such labels are marked `verdict`, and `check` says how many there are. UNJUDGED parts that
nobody labelled have no label and are left aside, counted.
"""

from collections import Counter
from pathlib import Path

from ...records.read import MOST_ROWS, LedgerReader, PartRow
from .dataset import GOOD, PartId
from .intake import Claim, Reading
from .said import Said, found_by, said_of, worst_kind

_LOT_CODES = frozenset({"lot", "batch", "charge"})
NOTHING = Said()
_UNJUDGED = "parts were UNJUDGED: no label, left aside"
_UNKEPT = "parts have no kept picture"
_ELSEWHERE = "NG parts were judged on another camera's picture: left aside"
_UNSURE = "parts nobody could tell: labelled unsure, left aside"
_ESCAPED = "parts were found defective downstream, but nobody labelled them: left aside"
_ASIDE = (_UNJUDGED, _UNKEPT, _ELSEWHERE, _UNSURE, _ESCAPED)
"""In the order they are told."""


def read_ledger(store: Path, *, recipe: str = "", since: str = "", camera: str = "") -> Reading:
    """Read what the ledger of a store says, oldest first.

    recipe: only its parts; empty: all. since: only parts taken then or later, UTC as the ledger has it; empty: all.
    camera: only its pictures; empty: those the verdict was given on.
    A part is its serial number, else its number in the ledger; a lot is what a code called lot says, else the day.
    BadLedger: it cannot be read.
    """
    reader = LedgerReader(store)
    who = reader.identity()
    reading = Reading(f"ledger {store} of box {who.box}")
    before: int | None = None
    aside = Counter[str]()
    while rows := reader.rows(MOST_ROWS, before_seq=before):
        before = rows[-1].seq
        said = said_of(store, (row.seq for row in rows))
        for row in rows:
            if (recipe and row.recipe != recipe) or row.taken_at < since:
                continue
            seen, people = camera or row.camera, said.get(row.seq, NOTHING)
            picture, digest = _pictures(row).get(seen, (None, None))
            why = _aside(row, people, seen)
            if why or picture is None:
                aside[why or _UNKEPT] += 1
            else:
                reading.claims.append(
                    _claim(store, PartId(who.box, who.lineage, row.seq), row, people, seen, (picture, digest))
                )
    reading.claims.reverse()
    reading.notes += [f"{aside[why]} {why}" for why in _ASIDE if aside[why]]
    by_model = sum(claim.said_by == "verdict" for claim in reading.claims)
    if by_model:
        reading.notes.append(f"{by_model} labels are verdicts of a model: let a person look first")
    return reading


def _pictures(row: PartRow) -> dict[str, tuple[str | None, str | None]]:
    """Kept picture and its sha256, by camera."""
    views = {row.camera: (row.picture if row.picture_kept else None, row.picture_sha256)}
    return views | {one.camera: (one.picture if one.picture_kept else None, one.picture_sha256) for one in row.views}


def _aside(row: PartRow, said: Said, camera: str) -> str:
    """Why a part is left aside; empty: it is not."""
    if said.unsure:
        return _UNSURE if said.label else _ESCAPED
    if not said.told and row.outcome == "UNJUDGED":
        return _UNJUDGED
    if camera == row.camera or said.good:
        return ""
    # Where on the part a defect lies is known of the deciding picture, or of the one it was drawn on.
    drawn = said.drawing is not None and said.drawing.body["camera"] == camera
    defective = said.told or row.outcome == "NG"
    return _ELSEWHERE if defective and not drawn else ""


def _claim(store: Path, known: PartId, row: PartRow, said: Said, camera: str, picture: tuple[str, str | None]) -> Claim:
    ok = row.outcome == "OK"
    lot = next((code.text for code in row.codes if code.name.lower() in _LOT_CODES and code.text), "")
    by_model = GOOD if ok else worst_kind(row)
    return Claim(
        picture=store / picture[0],
        name=picture[0],
        label=said.kind(row) if said.told else by_model,
        part=row.serial or str(known),
        lot=lot or row.taken_at[:10],
        said_by="operator" if said.told else "verdict",
        draw=said.draw(row, camera) if said.told else None if ok else found_by(row),
        sha256=picture[1] or "",
        serial=row.serial or None,
        seen=known,
    )
