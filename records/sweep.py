"""Files that no row names: what a kill left between a row and its file. Looked for once a day, a folder at a time.

A file whose row says that it is not kept goes at once. One of which no row knows is given `stray_days`, counted from
when this ledger was first looked after: the rescue of a damaged one, or a backup that is put back, may name it yet.
While such a rescue waits or is under way it stays however old it is. By a clock that is not believed nothing is judged.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw

from ..bus.clock import SECOND, now_ns, utc_text
from .bookkeeping import rows
from .pictures import PICTURES
from .read import Ask, LedgerReader
from .rescued import waiting
from .retention_shelf import count
from .rows import THUMB_ENDING as ENDING
from .schema_keep import THUMB

EVERY = timedelta(days=1)
YOUNG = timedelta(minutes=10)
"""A younger file may still wait for its row."""
STRAY = "stray"
_SETTLED_NS = int(YOUNG.total_seconds()) * SECOND
"""After the clock came right: what was written by the wrong one seems old, and may still wait for its row."""


class Sweep:
    """Goes round the folders of pictures. One thread."""

    def __init__(
        self,
        store: Path,
        stray_days: int,
        write: "Callable[[Callable[[apsw.Connection], Any]], Any]",
        doubt: Callable[[], str] = lambda: "",
    ) -> None:
        """doubt: why the wall clock is not believed."""
        self._store, self._stray = store, timedelta(days=stray_days)
        self._write, self._doubt = write, doubt
        self._right_ns = 0
        self._reader = LedgerReader(store)
        self._folders: Iterator[Path] | None = None
        self._begun: datetime | None = None
        self._since: str | None = None

    def step(self, now: datetime) -> bool:
        """Look through one folder; True: there are more. BadLedger. LedgerStuck, LedgerDamaged: not counted."""
        if self._doubt():
            self._right_ns = now_ns() + _SETTLED_NS
        if now_ns() < self._right_ns:
            return False
        if self._folders is None:
            if self._begun is not None and now - self._begun < EVERY:
                return False
            self._begun, self._folders = now, _folders(self._store / PICTURES)
            self._since = self._write(lambda db: _looked_after(db, utc_text(now)))
        folder = next(self._folders, None)
        if folder is None:
            self._folders = None
            return False
        self._look(folder, now)
        return True

    def _look(self, folder: Path, now: datetime) -> None:
        try:
            with os.scandir(folder) as entries:
                files = [(Path(entry.path), entry.stat()) for entry in entries if entry.is_file(follow_symlinks=False)]
        except OSError:
            return
        old = [(file, found) for file, found in files if now - _utc(found.st_mtime) > YOUNG]
        if not old:
            self._tidy(folder, files=bool(files), now=now)
            return
        with self._reader.asking() as ask:
            gone = [(file, found.st_size) for file, found in old if self._is_left(ask, file, found.st_mtime, now)]
        size = 0
        for file, length in gone:
            with suppress(OSError):
                file.unlink()
                size += length
        if gone:
            day = utc_text(now)[:10]
            self._write(lambda db: count(db, day, STRAY, len(gone), size))

    def _is_left(self, ask: Ask, file: Path, mtime: float, now: datetime) -> bool:
        """Nobody needs that file."""
        if file.name.endswith(".tmp"):
            return True
        said = _said(ask, self._store, file)
        if said is not None:
            return not said
        if waiting(self._store):
            return False
        since = max(_utc(mtime), datetime.fromisoformat(self._since) if self._since else now)
        return now - since > self._stray

    def _tidy(self, folder: Path, *, files: bool, now: datetime) -> None:
        """Remove folders of hours that hold nothing any more. New pictures never come into an old one."""
        with suppress(OSError, ValueError):
            year, month, of_month = map(int, folder.relative_to(self._store / PICTURES).parts[:3])
            day = datetime(year, month, of_month, tzinfo=UTC)
            while not files and now - day > 2 * EVERY and folder != self._store / PICTURES:
                folder.rmdir()
                folder = folder.parent


def _folders(root: Path) -> Iterator[Path]:
    """Every folder of pictures, without holding more than one listing of each level."""
    for folder, names, _ in os.walk(root, topdown=True):
        names.sort()
        if not names:
            yield Path(folder)


def _said(ask: Ask, store: Path, file: Path) -> bool | None:
    """Whether a row says that the file is kept; None: no row names it."""
    small = file.name.endswith(ENDING)
    path = file.relative_to(store).as_posix()
    part, _, rest = file.name.partition("-")
    at, _, camera = rest.partition("-")
    if not (_is_number(part) and _is_number(at)):
        return None
    camera = camera.removesuffix(ENDING) if small else camera.rpartition(".")[0]
    found = ask.first(
        "select p.seq, p.camera as main, p.picture, p.picture_kept, v.picture as other, v.picture_kept as other_kept"
        " from part p left join view v on v.seq = p.seq and v.camera = ? where p.part = ? and p.triggered_ns = ?"
        " order by p.seq desc limit 1",
        [camera, int(part), int(at)],
    )
    if found is None:
        return None
    if small:
        sql = "select 1 from picture where class = ? and seq = ? and camera in ('', ?)"
        return ask.first(sql, [THUMB, found["seq"], camera]) is not None
    if found["picture"] == path:
        return bool(found["picture_kept"])
    if found["other"] == path:
        return bool(found["other_kept"])
    return None


def _is_number(text: str) -> bool:
    """One that a row can have."""
    return text.isascii() and text.isdigit() and int(text[:20]) < 1 << 63


def _looked_after(db: apsw.Connection, at: str) -> str:
    """When this lineage of the ledger was first looked after: noted the first time."""
    ((lineage,),) = rows(db, "select lineage from meta")
    db.execute("insert or ignore into ledger_since values (?, ?)", (lineage, at))
    ((since,),) = rows(db, "select at from ledger_since where lineage = ?", (lineage,))
    return str(since)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
