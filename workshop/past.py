"""The parts of the ledger whose pictures were kept, with these pictures."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bus.errors import BadPicture
from ..imaging.picture import Picture
from ..models.pictures import decode
from ..records.parcel import picture_path
from ..records.read import LedgerReader, PartRow, ViewRow

_AT_ONCE = 200
_MOST_ROWS_A_PICTURE = 50
"""So many rows are looked at for each picture that is wanted: few OK parts keep theirs."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One camera's picture of a part."""

    camera: str
    picture: Picture


@dataclass(frozen=True, slots=True, eq=False)
class PastPart:
    """One part with its kept pictures."""

    seq: int
    part: int
    taken_at: str
    outcome: str
    views: tuple[Seen, ...]

    def told(self) -> dict[str, Any]:
        """As plain data, without pictures."""
        return {"seq": self.seq, "part": self.part, "taken_at": self.taken_at, "was": self.outcome}


def past_parts(store: Path, most: int, recipe: str = "") -> Iterator[PastPart]:
    """Yield the last parts with pictures, the newest first. recipe: only of products of this name. BadLedger.

    A picture that is gone or damaged is left out.
    """
    reader, before, left = LedgerReader(store), None, most * _MOST_ROWS_A_PICTURE
    found = 0
    while found < most and left > 0:
        rows = reader.rows(_AT_ONCE, before_seq=before)
        for row in rows:
            if found < most and (not recipe or row.recipe == recipe) and row.picture_kept:
                made = _with_pictures(store, row)
                if made.views:
                    found += 1
                    yield made
        if len(rows) < _AT_ONCE:
            return
        before, left = rows[-1].seq, left - len(rows)


def picture_of(store: Path, seq: int) -> PastPart:
    """One part with its pictures. ValueError: there is none such, or no picture of it was kept. BadLedger."""
    row = LedgerReader(store).row(seq)
    if row is None:
        raise ValueError(f"part {seq}: there is none such in the ledger")
    made = _with_pictures(store, row)
    if not made.views:
        raise ValueError(f"part {seq}: no picture of it was kept, or it is gone")
    return made


def _with_pictures(store: Path, row: PartRow) -> PastPart:
    views = []
    every: tuple[PartRow | ViewRow, ...] = (row, *row.views)
    for held in every:
        path = picture_path(store, held)
        if path is not None:
            with suppress(OSError, BadPicture):
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest() == held.picture_sha256:
                    views.append(Seen(held.camera, decode(data, path.name)))
    return PastPart(row.seq, row.part, row.taken_at, row.outcome, tuple(views))
