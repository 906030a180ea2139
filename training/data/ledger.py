"""The box's own ledger as a source: parts whose picture was kept, by `records.read`.

A verdict is what a model said, not what is true: such labels are marked `verdict`, and `check` says how many there are.
UNJUDGED parts have no label and are left aside, counted.
"""

from pathlib import Path

from ...models.box import Box
from ...records.read import MOST_ROWS, LedgerReader, PartRow
from .dataset import GOOD, Annotation
from .intake import Claim, Draw, Reading

_LOT_CODES = frozenset({"lot", "batch", "charge"})


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
    unjudged = unkept = elsewhere = 0
    while rows := reader.rows(MOST_ROWS, before_seq=before):
        before = rows[-1].seq
        for row in rows:
            if (recipe and row.recipe != recipe) or row.taken_at < since:
                continue
            views = {row.camera: (row.picture if row.picture_kept else None, row.picture_sha256)}
            views |= {one.camera: (one.picture if one.picture_kept else None, one.picture_sha256) for one in row.views}
            seen = camera or row.camera
            picture, digest = views.get(seen, (None, None))
            if row.outcome == "UNJUDGED":
                unjudged += 1
            elif picture is None:
                unkept += 1
            elif row.outcome == "NG" and seen != row.camera:
                elsewhere += 1
            else:
                reading.claims.append(_claim(store, f"{who.box}-{who.lineage}", row, picture, digest))
    reading.claims.reverse()
    if unjudged:
        reading.notes.append(f"{unjudged} parts were UNJUDGED: no label, left aside")
    if unkept:
        reading.notes.append(f"{unkept} parts have no kept picture")
    if elsewhere:
        reading.notes.append(f"{elsewhere} NG parts were judged on another camera's picture: left aside")
    if reading.claims:
        reading.notes.append(f"{len(reading.claims)} labels are verdicts of a model: let a person look first")
    return reading


def _claim(store: Path, box: str, row: PartRow, picture: str, digest: str | None) -> Claim:
    ok = row.outcome == "OK"
    worst = max(row.defects, key=lambda one: one.score, default=None)
    lot = next((code.text for code in row.codes if code.name.lower() in _LOT_CODES and code.text), "")
    return Claim(
        picture=store / picture,
        name=picture,
        label=GOOD if ok else worst.kind if worst is not None else "anomaly",
        part=row.serial or f"{box}-{row.seq}",
        lot=lot or row.taken_at[:10],
        said_by="verdict",
        draw=None if ok else _drawing(row),
        sha256=digest or "",
    )


def _drawing(row: PartRow) -> Draw:
    def draw(width: int, height: int) -> list[Annotation]:
        found: list[Annotation] = []
        # A picture that was rectified or made smaller after the verdict no longer fits what was found on it.
        for one in row.defects if (row.width, row.height) == (width, height) else ():
            left, top = max(one.x, 0), max(one.y, 0)
            right, bottom = min(one.x + one.w, width), min(one.y + one.h, height)
            if right > left and bottom > top:
                found.append(Annotation(one.kind, Box(left, top, right - left, bottom - top)))
        return found

    return draw
