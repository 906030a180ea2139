"""A copy takes the ledger's place again, while records is stopped: `okng ledger restore`.

What stood there is put aside, never deleted. The restored file goes on under the next lineage, so no outbox number is
ever used for two things, and its trail says that it was restored.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from ..bus.clock import utc_stamp
from ..bus.errors import BadLedger
from . import schema
from .audit import audit_problems
from .bookkeeping import rows
from .durable import make_folder, sync_folder
from .ledger import locked
from .lineage import Lineage, read_lineage, write_lineage

_BEYOND = 2**62
"""Said to have been reached: the file stands below it, so it is known for a restored one."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What took the place of what."""

    parts: int
    newest: str
    """UTC of its newest part; empty: it has none."""
    aside: Path | None
    """Where the file before lies now; None: there was none."""


def restore(store: Path, copy: Path) -> Restored:
    """Put a copy in the ledger's place. BadLedger: records runs, or the copy is none. OSError: the disk."""
    box, lineage, parts, newest = looked_at(copy)
    make_folder(store)
    with locked(store):
        waiting = store / (schema.FILE + ".restoring")
        shutil.copyfile(copy, waiting)
        looked_at(waiting)
        before = read_lineage(store)
        reached = max(lineage, before.lineage if before else 0)
        write_lineage(store, Lineage(box, reached, _BEYOND, before.seq if before else 0))
        aside = None
        stamp = utc_stamp()
        for ending in ("-shm", "-wal", ""):
            file = store / (schema.FILE + ending)
            if file.exists():
                aside = store / f"{file.name}.replaced-{stamp}"
                file.rename(aside)
        with waiting.open("rb+") as handle:
            os.fsync(handle.fileno())
        waiting.rename(store / schema.FILE)
        sync_folder(store)
    return Restored(parts, newest, aside)


def looked_at(copy: Path) -> tuple[str, int, int, str]:
    """Box, lineage, parts and time of the newest part of a copy. BadLedger: it is not whole, or no ledger of ours."""
    if not copy.is_file():
        raise BadLedger(f"{copy}: there is no such file")
    db: apsw.Connection | None = None
    try:
        db = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)
        version = int(rows(db, "pragma user_version")[0][0])
        if not 1 <= version <= schema.VERSION:
            raise BadLedger(f"{copy}: of version {version}, this okng knows 1..{schema.VERSION}")
        damage = str(rows(db, "pragma quick_check(1)")[0][0])
        problems = [] if damage == "ok" else [damage]
        problems += audit_problems(rows(db, "select n, body, hash from audit order by n"))
        if problems:
            raise BadLedger(f"{copy}: {problems[0]}")
        box, lineage = rows(db, "select box, lineage from meta")[0]
        parts, newest = rows(db, "select count(*), coalesce(max(taken_at), '') from part")[0]
        return str(box), int(lineage), int(parts), str(newest)
    except (apsw.Error, IndexError, ValueError, TypeError) as error:  # ValueError: bytes that are no text any more
        raise BadLedger(f"{copy}: no ledger of okng: {error}") from error
    finally:
        if db is not None:
            with suppress(apsw.Error):
                db.close()
