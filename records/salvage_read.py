"""The rows of a damaged ledger, read page by page into a file beside it: a process of its own, nice, never in a hurry.

    python -m okng.records.salvage_read DAMAGED WAL RESCUED

Writes a line `read PERCENT` now and then. RESCUED appears whole or not at all, so a kill costs the time alone.
Rows are found by the trees of the file as far as these are whole; a page that no tree leads to any more gives its rows
to the table whose columns they fit.
"""

import os
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from .durable import sync_folder
from .rows import as_json
from .salvage_lost import jumps, links_lost, parts_missing
from .salvage_pages import INTERIOR_INDEX, INTERIOR_TABLE, LEAF_INDEX, LEAF_TABLE, Pages, Value
from .salvage_shapes import Shape, shapes
from .schema_keep import RUNS

BATCH = 2000
AGAIN = 75
"""Exit code: the disk did not let it; try again later."""
_NOBODYS, _FREE, _SCHEMA = range(3)
_MOST_NAMES = 1 << 16


@dataclass(slots=True)
class Found:
    """What came to light, by table."""

    rows: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    """Rows that were there, but do not hold together."""
    pages: Counter[str] = field(default_factory=Counter)
    """`read`, `torn` (a tree leads there, but it is no page), `strayed` (no tree leads there), `unreadable`."""


class Reader:
    """Reads one damaged file."""

    def __init__(self, pages: Pages, known: dict[str, Shape]) -> None:
        self._pages, self._shapes = pages, known
        self.found = Found()
        # Two bytes and one byte a page: a ledger has millions.
        self._names = ["?", "free", "sqlite_schema"]
        self._owner = array("H", bytes(2 * (pages.count + 1)))
        self._kinds = bytearray(pages.count + 1)

    def rows(self) -> Iterator[tuple[str, list[Value] | int]]:
        """Yield (table, row), first those that trees lead to; and now and then (empty, percent)."""
        roots = self._survey()
        for name, root in roots[: _MOST_NAMES - 8]:
            self._claim(name, root)
        for number in self._pages.free():
            if number <= self._pages.count and self._owner[number] == _NOBODYS:
                self._owner[number] = _FREE
        total = max(1, 2 * self._pages.count)
        for turn, strayed in enumerate((False, True)):
            for number in range(1, self._pages.count + 1):
                if number % 1000 == 0:
                    yield "", 100 * (turn * self._pages.count + number) // total
                owner = self._owner[number]
                if (owner == _NOBODYS) is strayed and owner != _FREE:
                    yield from self._page(number, owner)

    def _survey(self) -> list[tuple[str, int]]:
        """Look at every page; return name and root of all trees."""
        roots: dict[int, str] = {}
        for number in range(1, self._pages.count + 1):
            page = self._pages.page(number)
            kind = self._pages.kind(number, page)
            self._kinds[number] = kind
            if kind == LEAF_TABLE:
                roots.update((root, name) for name, root in self._catalogue(number, page))
        self.found.pages["unreadable"] = self._pages.unreadable
        return [(name, root) for root, name in roots.items()]

    def _catalogue(self, number: int, page: bytes) -> Iterator[tuple[str, int]]:
        """Rows of sqlite_schema that a page holds: recognised by what they say, wherever they lie."""
        for cell in self._pages.rows(number, page):
            if cell is None:
                continue
            if len(cell.values) != 5 or cell.values[0] not in ("table", "index", "trigger", "view"):
                return
            kind, name, _, root, _ = cell.values
            self._owner[number] = _SCHEMA
            if kind in ("table", "index") and isinstance(root, int) and 1 < root <= self._pages.count:
                yield str(name), root

    def _claim(self, name: str, root: int) -> None:
        """Say of every page that the tree leads to whose it is."""
        waiting = array("L", [root])
        mine = len(self._names)
        self._names.append(name)
        while waiting:
            number = waiting.pop()
            if not 1 <= number <= self._pages.count or self._owner[number] != _NOBODYS:
                continue
            kind = self._kinds[number]
            self._owner[number] = mine
            if not kind:
                self.found.pages["torn"] += 1
            elif kind in (INTERIOR_INDEX, INTERIOR_TABLE):
                waiting.extend(self._pages.children(number, self._pages.page(number)))

    def _page(self, number: int, owner: int) -> Iterator[tuple[str, list[Value]]]:
        kind = self._kinds[number]
        if kind not in (LEAF_TABLE, LEAF_INDEX, INTERIOR_INDEX):
            return
        if owner == _NOBODYS:
            self.found.pages["strayed"] += 1
            yield from self._strayed(number, by_rowid=kind == LEAF_TABLE)
            return
        name = self._names[owner]
        shape = self._shapes.get(name)
        if shape is None or shape.by_rowid != (kind == LEAF_TABLE):
            return
        self.found.pages["read"] += 1
        for cell in self._pages.rows(number, self._pages.page(number)):
            row = shape.row(cell.rowid, cell.values) if cell is not None else None
            if row is None:
                self.found.broken[name] += 1
            else:
                self.found.rows[name] += 1
                yield name, row

    def _strayed(self, number: int, *, by_rowid: bool) -> Iterator[tuple[str, list[Value]]]:
        """Rows of a page that no tree leads to: of the one table that they all fit, with just as many columns."""
        cells = [cell for cell in self._pages.rows(number, self._pages.page(number)) if cell is not None]
        if not cells:
            return
        fitting: list[tuple[int, str, list[list[Value]]]] = []
        for name, shape in self._shapes.items():
            if shape.by_rowid is not by_rowid or len(cells[0].values) > len(shape.columns):
                continue
            made = [row for cell in cells if (row := shape.row(cell.rowid, cell.values)) is not None]
            if 2 * len(made) > len(cells):
                fitting.append((len(shape.columns) - len(cells[0].values), name, made))
        fitting.sort(key=lambda one: one[0])
        if not fitting or (len(fitting) > 1 and fitting[0][0] == fitting[1][0]):
            return
        _, name, made = fitting[0]
        self.found.broken[name] += len(cells) - len(made)
        for row in made:
            self.found.rows[name] += 1
            yield name, row


def read(damaged: Path, wal: Path | None, rescued: Path) -> None:
    """Read all there is of a damaged file into `rescued`. OSError, apsw.Error."""
    waiting = rescued.with_name(rescued.name + ".part")
    for left in (waiting, waiting.with_name(waiting.name + "-journal")):
        left.unlink(missing_ok=True)
    known = shapes()
    pages = Pages(damaged, wal)
    db = apsw.Connection(str(waiting))
    try:
        db.execute("pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -20000")
        for shape in known.values():
            db.execute(f'create table "{shape.table}" ({", ".join(_columns(shape))}, primary key ({_key(shape)}))')
        reader = Reader(pages, known)
        _fill(db, reader, known)
        db.execute(
            "create table run (recipe, revision, model, lot, first_seq, last_seq, first_at, last_at, ok, ng,"
            " unjudged, bare)"
        )
        db.execute(RUNS)
        db.execute("create index part_number on part (epoch, number)")
        if "seal" in known:
            db.execute("create index seal_of on seal (kind, a, b)")
        lost = {"links_lost": links_lost(db), "jumps": jumps(db), "missing": parts_missing(db)}
        body = {**lost, "rows": reader.found.rows, "broken": reader.found.broken, "pages": reader.found.pages}
        db.execute("create table found (body text)")
        db.execute("insert into found values (?)", (as_json(body),))
    finally:
        db.close()
        pages.close()
    handle = os.open(waiting, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    waiting.rename(rescued)
    sync_folder(rescued.parent)


def _columns(shape: Shape) -> list[str]:
    return [f'"{one.name}" {one.kind}' for one in shape.columns]


def _key(shape: Shape) -> str:
    return ", ".join(shape.key) if shape.key else shape.columns[0].name


def _fill(db: apsw.Connection, reader: Reader, known: dict[str, Shape]) -> None:
    inserts = {
        name: f'insert or ignore into "{name}" values ({", ".join("?" * len(shape.columns))})'
        for name, shape in known.items()
    }
    parent, pending = os.getppid(), 0
    db.execute("begin")
    for table, row in reader.rows():
        if isinstance(row, int):
            sys.stdout.write(f"read {row}\n")
            sys.stdout.flush()
            if os.getppid() != parent:
                raise OSError("records has ended; it begins anew after its next start")
            time.sleep(0.002)
            continue
        db.execute(inserts[table], row)
        if (pending := pending + 1) % BATCH == 0:
            db.execute("commit")
            db.execute("begin")
    db.execute("commit")


def main(arguments: list[str]) -> int:
    """As a process. Exit code 75: the disk did not let it, 1: it cannot be done; it says why."""
    damaged, wal, rescued = map(Path, arguments)
    os.nice(max(0, 19 - os.nice(0)))
    try:
        read(damaged, wal if wal.exists() else None, rescued)
    except (OSError, apsw.FullError) as error:
        sys.stdout.write(f"failed {error}\n")
        return AGAIN
    except apsw.Error as error:
        sys.stdout.write(f"failed {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
