"""An older ledger is brought up to date: a checked copy of it first, then all steps in one transaction.

Stopped at any instant, the file is of the old version or of the new one, never of none; the copy stays beside it as
`ledger.db.before-vN-UTC`, so an older okng can be put back with its ledger.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import apsw

from ..bus.clock import utc_stamp
from ..bus.errors import Refused
from . import schema
from .copies import copy_ledger, finished, ledger_bytes
from .durable import sync_folder

log = logging.getLogger(__name__)
KEPT = 2
"""Copies of older versions that stay."""
_STEPS = 20_000
_LONGEST_S = 1800
"""A commit that has not ended by then is a disk that hangs: the service manager may end it."""
_ROOM = 2.2
"""Of the size of the ledger, free: the copy, and what new indexes and a long WAL take on top."""


def copy_before(file: Path, version: int, alive: Callable[[], None]) -> Path:
    """Copy a ledger of that version beside itself; return the copy. OSError, apsw.Error.

    alive: called now and then. OSError too where there is no room: nothing has been changed then.
    """
    size, free = ledger_bytes(file.parent), shutil.disk_usage(file.parent).free
    if free < _ROOM * size:
        raise OSError(
            f"to bring it from version {version} to {schema.VERSION} it is copied first: that needs"
            f" {_ceil_mb(_ROOM * size)} MB, {free >> 20} MB are free in {file.parent}; nothing was changed"
        )
    for left in file.parent.glob(f"{schema.FILE}.before-v*.part*"):
        left.unlink()
    target = file.with_name(f"{schema.FILE}.before-v{version}-{utc_stamp()}")
    waiting = target.with_name(target.name + ".part")

    def moving() -> bool:
        alive()
        return False

    log.info("%s is of version %d: it is copied to %s before it is brought up to date", file, version, target.name)
    try:
        copy_ledger(file, waiting, moving, pause_s=0)
        finished(waiting, target, alive)
    except (Refused, OSError, apsw.Error) as error:
        with suppress(OSError):
            waiting.unlink()
        why = "the disk is full" if isinstance(error, apsw.FullError) else str(error)
        raise OSError(f"the copy before bringing it up to date failed: {why}; nothing was changed") from error
    return target


def migrate(db: apsw.Connection, version: int, alive: Callable[[], None]) -> None:
    """All steps from that version on. Inside a transaction. apsw.Error."""

    def moving() -> bool:
        alive()
        return False

    db.set_progress_handler(moving, _STEPS)
    try:
        for number in range(version, schema.VERSION):
            db.execute(schema.MIGRATIONS[number])
    finally:
        db.set_progress_handler(None)


def commit_large(db: apsw.Connection, alive: Callable[[], None]) -> None:
    """Commit what took minutes to write: SQLite folds gigabytes back then, without a word. apsw.Error."""
    failed: list[apsw.Error] = []

    def commit() -> None:
        try:
            db.execute("commit")
        except apsw.Error as error:
            failed.append(error)

    worker = threading.Thread(target=commit, name="commit")
    worker.start()
    begun = time.monotonic()
    while worker.is_alive():
        worker.join(0.5)
        if time.monotonic() - begun < _LONGEST_S:
            alive()
    if failed:
        raise failed[0]


def prune(file: Path) -> None:
    """Delete the copies of older versions beyond the newest. OSError."""
    kept = sorted(file.parent.glob(f"{schema.FILE}.before-v*Z"), key=lambda one: one.name.rpartition("-")[2])
    for one in kept[:-KEPT]:
        one.unlink()
    if len(kept) > KEPT:
        sync_folder(file.parent)


def _ceil_mb(size: float) -> int:
    return int(size / (1 << 20)) + 1
