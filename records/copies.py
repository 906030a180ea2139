"""A copy of the ledger, made while it is written: one state of it, page by page, checked before it gets its name."""

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import apsw

from ..bus.errors import Refused
from .durable import sync_folder
from .schema import FILE

_PAGES = 512
"""Copied between two short sleeps: rows and pictures want the disk too."""
_PIECE = 1 << 20


def ledger_bytes(store: Path) -> int:
    """Size of the ledger with its WAL. OSError."""
    found = [store / (FILE + ending) for ending in ("", "-wal")]
    return sum(one.stat().st_size for one in found if one.exists())


def finished(waiting: Path, target: Path, alive: Callable[[], object] = lambda: None) -> tuple[int, str]:
    """Give a whole copy its name, durable when this returns; return its bytes and SHA-256. OSError.

    alive: called now and then.
    """
    sha256, size = hashlib.sha256(), 0
    with waiting.open("rb") as handle:
        while piece := handle.read(_PIECE):
            sha256.update(piece)
            size += len(piece)
            alive()
        os.fsync(handle.fileno())
    digest = sha256.hexdigest()
    waiting.rename(target)
    sync_folder(target.parent)
    return size, digest


def copy_ledger(
    source: Path, target: Path, stop: Callable[[], bool] = lambda: False, *, pause_s: float = 0.001
) -> None:
    """Copy one state of a ledger that is being written, and check the copy. OSError, apsw.Error, Refused.

    stop: asked after each few pages; True breaks it off. pause_s: slept between them.
    """
    old = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        # A read transaction holds one state: without it the copy would begin anew with each row of the line.
        old.execute("begin")
        old.execute("select 1 from meta").fetchall()
        new = apsw.Connection(str(target))
        try:
            with new.backup("main", old, "main") as copy:
                while not copy.done:
                    if stop():
                        raise Refused("broken off: records is being stopped")
                    copy.step(_PAGES)
                    time.sleep(pause_s)
            new.execute("pragma journal_mode = delete").fetchall()
            new.set_progress_handler(stop, 100_000)
            found = str(new.execute("pragma quick_check(1)").fetchall()[0][0])
        finally:
            _let_go(new)
        if found != "ok":
            raise Refused(f"the copy is damaged: {found}")
    finally:
        _let_go(old)


def _let_go(db: apsw.Connection) -> None:
    with suppress(apsw.Error):  # what went wrong was said before; what did not sync is looked at by who takes the copy
        db.close()
