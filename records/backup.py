"""A copy of the ledger while it is written: `backup.make`. Pictures are not in it.

A thread of its own copies one state of the file page by page, checks the copy, syncs it and gives it its name: what
bears the name is whole. The trail says when it was begun and what came of it.
"""

import logging
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from ..bus.asks import Ask
from ..bus.clock import utc_stamp
from ..bus.errors import Refused
from .audit import Deed
from .bookkeeping import audit
from .clerk import allowed, answered, keep_answer
from .copies import copy_ledger, finished, ledger_bytes
from .copy_names import FOLDER
from .durable import make_folder
from .ledger import Ledger
from .schema import FILE

log = logging.getLogger(__name__)
_SOON_S = 0.1
"""A small copy is waited for; of a large one the trail tells."""


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a copy."""

    file: str
    """Relative to the store."""
    who: str
    bytes: int = 0
    sha256: str = ""
    error: str = ""
    """Why there is none; empty: there is."""


class Backups:
    """Makes one copy at a time. The ledger's thread asks, another one copies."""

    def __init__(self, ledger: Ledger, store: Path) -> None:
        self._ledger, self._store = ledger, store
        self._thread: threading.Thread | None = None
        self._made: Made | None = None
        self._stop = threading.Event()

    def make(self, ask: Ask) -> dict[str, Any]:
        """Begin a copy. Answers its name, and whether it is finished already. Refused."""
        with self._ledger.transaction() as db:
            if (kept := answered(db, ask)) is not None:
                return kept
            allowed(db, ask)
            if self._thread is not None:
                raise Refused("a backup is being made already")
            size = ledger_bytes(self._store)
            free = shutil.disk_usage(self._store).free
            if free < 1.1 * size:
                raise Refused(f"backup: needs {size >> 20} MB, {free >> 20} MB are free in {self._store}")
            name = f"{FOLDER}/ledger-{utc_stamp()}.db"
            audit(db, Deed("backup begun", {"file": name}, ask.who, ask.reason))
            keep_answer(db, ask, done=True, body={"file": name, "finished": False})
        self._stop.clear()
        self._thread = threading.Thread(target=self._copy, args=(name, ask.who), name="backup", daemon=True)
        self._thread.start()
        self._thread.join(_SOON_S)
        return {"file": name, "finished": bool(self._made and not self._made.error)}

    def settle(self) -> None:
        """Write into the trail what came of a copy that is finished. LedgerStuck, LedgerDamaged: another time."""
        if self._thread is None or self._thread.is_alive() or (made := self._made) is None:
            return
        what = "backup failed" if made.error else "backup made"
        about: dict[str, object] = {"file": made.file}
        about |= {"error": made.error} if made.error else {"bytes": made.bytes, "sha256": made.sha256}
        with self._ledger.transaction() as db:
            audit(db, Deed(what, about, made.who))
        self._thread = self._made = None

    def close(self) -> None:
        """Break off. Never raises."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2)

    def _copy(self, name: str, who: str) -> None:
        target = self._store / name
        try:
            make_folder(target.parent)
            for left in target.parent.glob("*.part*"):
                left.unlink()
            waiting = target.with_name(target.name + ".part")
            copy_ledger(self._store / FILE, waiting, self._stop.is_set)
            size, digest = finished(waiting, target)
            self._made = Made(name, who, size, digest)
        except Exception as error:  # outermost frame of the thread: it is told, and another one may be asked for
            log.warning("no backup: %s", error, exc_info=not isinstance(error, OSError | apsw.Error | Refused))
            self._made = Made(name, who, error=str(error) or type(error).__name__)
