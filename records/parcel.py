"""Parts as a ZIP that goes out while it is made: pictures and a table. Bounded, nothing is held in memory.

One code for the browser and for the USB stick.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .export_files import guarded
from .people_read import PeopleReader
from .read import LedgerReader, PartRow, ViewRow, part_rows
from .rows import thumb_path

MOST_PARTS = 200
MOST_BYTES = 512 << 20
"""Of pictures; what is beyond is left out and the table says so."""
HEAD = (
    *("seq", "part", "serial", "taken_at_utc", "outcome", "action", "why", "reasons", "score", "threshold", "recipe"),
    *("revision", "model", "delivery", "confirmed", "latency_ms", "label", "label_kind", "reviewed_by", "pictures"),
)
PathOf = Callable[[PartRow | ViewRow], Path | None]
Told = Callable[[PartRow], tuple[str, str, str]]
"""Label, its class, who has reviewed it."""


class _Out(io.RawIOBase):
    """Takes what the ZIP writes until it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]  # bytes or a view of them
        self._parts.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        whole, self._parts = b"".join(self._parts), []
        return whole


def parcel(rows: Sequence[PartRow], path_of: PathOf, told: Told) -> Iterator[bytes]:
    """Yield the ZIP piece by piece: `pictures/…`, then `parts.csv` (UTF-8 with a mark, for spreadsheets)."""
    out, left = _Out(), MOST_BYTES
    table = io.StringIO()
    lines = csv.writer(table)
    lines.writerow(HEAD)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as made:
        for row in rows:
            names = []
            every: tuple[PartRow | ViewRow, ...] = (row, *row.views)
            for held in every:
                path = path_of(held)
                data = _read(path, left) if path is not None else None
                if path is None or data is None:
                    names += ["left out: the parcel is full" if path is not None else ""]
                    continue
                left -= len(data)
                name = f"pictures/{row.seq}_{row.part}_{held.camera or 'camera'}{path.suffix}"
                made.writestr(name, data)
                names.append(name)
                yield out.taken()
            lines.writerow([guarded(value) for value in _line(row, told(row), names)])
        made.writestr("parts.csv", "\ufeff" + table.getvalue())
    yield out.taken()


def picked(store: Path, seqs: Sequence[int]) -> tuple[list[PartRow], Told]:
    """Those of these parts that there are, in this order, and what people said of them. BadLedger."""
    with LedgerReader(store).asking() as ask:
        found = {row.seq: row for row in part_rows(ask, seqs)}
    people = PeopleReader(store)
    said, seen = people.label_of(found), people.reviewed(found)

    def told(row: PartRow) -> tuple[str, str, str]:
        label, review = said.get(row.seq), seen.get(row.seq)
        return label.truth if label else "", label.kind if label else "", review.who if review else ""

    return [found[seq] for seq in seqs if seq in found], told


def picture_path(store: Path, row: PartRow | ViewRow) -> Path | None:
    """Where the kept picture lies; None: none was kept, it was shed, or its path leaves the store."""
    if not row.picture or not row.picture_kept or not row.picture_sha256:
        return None
    root = store.resolve()
    path = (root / row.picture).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def small_path(store: Path, row: PartRow | ViewRow) -> Path | None:
    """Where the small picture lies that is left of one given up; None: there is none."""
    if not row.small or not row.picture:
        return None
    root = store.resolve()
    path = (root / thumb_path(row.picture)).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def _read(path: Path, most: int) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= most else None
    except OSError:
        return None


def _line(row: PartRow, told: tuple[str, str, str], names: list[str]) -> list[object]:
    first = [row.seq, row.part, row.serial, row.taken_at, row.outcome, row.action, row.why, "; ".join(row.reasons)]
    made = [row.score, row.threshold, row.recipe, row.revision, row.model, row.delivery, row.confirmed, row.latency_ms]
    return [*first, *made, *told, " ".join(name for name in names if name)]
