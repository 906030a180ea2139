"""Copies of the ledger onto a second medium, every hour or so: made, verified, named, and old ones pruned.

`[records] backup_to` names a folder of the medium. One that is not there is never made: it would lie on the first disk,
under the empty place where the medium is mounted.
"""

import logging
import os
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw

from ..bus.clock import SECOND, now_ns, utc_stamp, utc_text
from ..bus.errors import BadLedger, Refused
from .audit import Deed
from .backup import Made
from .bookkeeping import audit
from .copies import copy_ledger, finished, ledger_bytes
from .copy_names import copies, made_at
from .ledger import Ledger
from .options import RecordsOptions
from .restore import looked_at

log = logging.getLogger(__name__)
_HOUR_NS = 3600 * SECOND
_AGAIN_NS = 600 * SECOND
"""After one that failed."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What came of one."""

    made: Made
    pruned: tuple[str, ...] = ()


class Hourly:
    """Makes them in a thread of its own. The ledger's thread asks `turn` now and then; it never waits here."""

    def __init__(self, ledger: Ledger, options: RecordsOptions) -> None:
        self._ledger, self._options, self._store = ledger, options, options.store
        self._thread: threading.Thread | None = None
        self._came: Copied | None = None
        self._stop = threading.Event()
        self._told = ""
        self.trouble = ""
        """Why the last one failed, for people; empty: it did not."""
        self._due_ns = now_ns() + (_first_ns(options) if options.backup_to else 0)

    def turn(self) -> None:
        """Begin one that is due; write into the trail what came of one that is finished. LedgerStuck, LedgerDamaged."""
        folder = self._options.backup_to
        if folder is None:
            return
        if self._thread is not None:
            if not self._thread.is_alive() and self._came is not None:
                self._settle(self._came)
            return
        if now_ns() >= self._due_ns:
            name = f"ledger-{utc_stamp()}.db"
            self._thread = threading.Thread(target=self._copy, args=(folder, name), name="hourly", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Break off. Never raises."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2)

    def _settle(self, came: Copied) -> None:
        made = came.made
        if made.error:
            # The same reason again is not told again: a medium that is away for a month is one line.
            if made.error != self._told:
                with self._ledger.transaction() as db:
                    audit(db, Deed("backup failed", {"file": made.file, "error": made.error}, made.who))
            self._told = self.trouble = made.error
            self._due_ns = now_ns() + _AGAIN_NS
        else:
            about: dict[str, object] = {"file": made.file, "bytes": made.bytes, "sha256": made.sha256}
            about |= {"pruned": [*came.pruned]} if came.pruned else {}
            with self._ledger.transaction() as db:
                audit(db, Deed("backup made", about, made.who))
            self._told = self.trouble = ""
            self._due_ns = now_ns() + self._options.backup_every_h * _HOUR_NS
        self._thread = self._came = None

    def _copy(self, folder: Path, name: str) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        target = folder / name
        try:
            if not folder.is_dir():
                raise Refused(f"{folder} is not there: is its medium mounted?")
            same = folder.stat().st_dev == self._store.stat().st_dev
            if same and not self._options.backup_on_same_disk:
                raise Refused(f"{folder} is on the disk of the ledger itself: is its medium mounted?")
            self._room(folder)
            for left in folder.glob("ledger-*.db.part*"):
                left.unlink()
            waiting = target.with_name(name + ".part")
            copy_ledger(self._ledger.path, waiting, self._stop.is_set)
            _from_the_medium(waiting)
            looked_at(waiting)
            size, digest = finished(waiting, target)
            self._came = Copied(Made(str(target), "records", size, digest), tuple(self._prune(folder, target)))
        except Exception as error:  # outermost frame of the thread: it is told, and another one is due
            why = str(error) or type(error).__name__
            known = isinstance(error, OSError | apsw.Error | Refused | BadLedger)
            log.warning("no backup in %s: %s", folder, why, exc_info=not known)
            self._came = Copied(Made(str(target), "records", error=why))

    def _room(self, folder: Path) -> None:
        """Refused: it would not fit. Where the oldest copy may go for it, it goes first: another is always left."""
        while True:
            free, size = shutil.disk_usage(folder).free, ledger_bytes(self._store)
            if free >= 1.1 * size:
                return
            kept = copies(folder)
            if len(kept) < 2:
                raise Refused(f"needs {size >> 20} MB, {free >> 20} MB are free in {folder}")
            kept[0].unlink()

    def _prune(self, folder: Path, made: Path) -> list[str]:
        """Delete the oldest beyond those that are kept; only after a new one was verified, and never that one."""
        gone = [one for one in copies(folder) if one != made]
        del gone[max(0, len(gone) + 1 - self._options.backups_kept) :]
        for one in gone:
            one.unlink()
        return [one.name for one in gone]


def _first_ns(options: RecordsOptions) -> int:
    """How long until the first one is due, by the newest there is: a restart begins no new hour."""
    folder = options.backup_to
    try:
        kept = copies(folder) if folder is not None else []
    except OSError:
        kept = []
    if not kept:
        return 0
    made = made_at(kept[-1])
    age_s = (datetime.now(UTC) - made).total_seconds()
    log.info("the newest backup in %s is of %s", folder, utc_text(made))
    whole = options.backup_every_h * _HOUR_NS
    # A clock that was set back does not put it off for longer than one whole period.
    return max(0, min(whole, whole - int(age_s * SECOND)))


def _from_the_medium(file: Path) -> None:
    """Sync a file and drop it from memory: what is read next comes from the medium. OSError."""
    handle = os.open(file, os.O_RDWR)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)
