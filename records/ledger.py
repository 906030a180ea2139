"""The ledger's one writer: SQLite in WAL with synchronous=FULL, rows and outbox in one transaction.

What `store` returned from is on disk. An entry is known by its epoch and number: a resend changes nothing.
"""

import ctypes
import fcntl
import logging
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from ..bus.clock import utc_now, utc_stamp
from ..bus.entries import CountersEntry, RecordEntry, TriggerEntry
from ..bus.errors import BadLedger, Lost
from ..bus.part import Disposition, Trigger
from . import schema
from .audit import Deed
from .bookkeeping import Ripe as Ripe
from .bookkeeping import audit, insert_part, put_counters, put_part, put_trigger, reached_event, rows
from .durable import make_folder
from .furnish import furnish
from .ground import LOCK, Ground, same_store
from .leaving import Leaving
from .lineage import Lineage, read_lineage, write_lineage
from .migrate import commit_large, copy_before, migrate, prune
from .outgoing import begin, want
from .rows import recovered_columns
from .seal import Seal, seal_lineage
from .soundness import DAMAGED, Watch, damage
from .succession import begin_above, go_above
from .uplink_note import Taken, beside, taken

log = logging.getLogger(__name__)
FLOOR = (3, 51, 3)
"""Older SQLite may corrupt a WAL with two connections (the WAL-reset race, sqlite.org/wal.html)."""
_BUSY_MS = 5000
CHECK_S, CHECK_AGAIN_S = 2.0, 10.0
"""The file is looked at so long before the line may begin; and after SQLite called it damaged while it was written."""
_STUCK = (
    apsw.FullError,
    apsw.IOError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.PermissionsError,
)


class LedgerStuck(Lost):
    """The disk is full or fails: nothing of the batch is stored. Keep it, open afresh, try again."""


class LedgerDamaged(Lost):
    """The file is damaged: nothing of the batch is stored. Open afresh, which puts it aside, and try again."""


def check_sqlite(version: str | None = None) -> None:
    """Raise BadLedger unless the SQLite inside apsw is new enough."""
    found = version or apsw.sqlite_lib_version()
    if tuple(int(step) for step in found.split(".")[:3]) < FLOOR:
        raise BadLedger(f"SQLite {found}: expected {'.'.join(map(str, FLOOR))} or newer (older ones lose commits)")


class Ledger:
    """The open ledger of one store. One thread of one process; a second writer is refused."""

    def __init__(
        self,
        store: Path,
        vfs: str | None = None,
        serial_span_h: int = 720,
        alive: Callable[[], None] = lambda: None,
        leaving: Leaving | None = None,
    ) -> None:
        """Open, check and bring up to date, with a copy first; put a damaged file aside and start a fresh one.

        serial_span_h: as in the options. vfs: another SQLite VFS, for fault injection. alive: called now and then while
        a large file is looked at, copied or brought up to date. leaving: what may leave the box from now on; None:
        as it was before, for whoever only mends something. BadLedger: of a newer version, or another writer has
        it. LedgerStuck: the disk does not let us.
        """
        check_sqlite()
        self._store, self._vfs, self._serial_span_h = store, vfs, serial_span_h
        self._alive, self._leaving = alive, leaving
        self._db: apsw.Connection | None = None
        self._watch: Watch | None = None
        self._condemned = self._suspect = ""
        self._doubted = False
        self._lock = -1
        self._known: Lineage | None = None
        self.ground = Ground(store)
        try:
            make_folder(store)
            self._hold()
        except OSError as error:
            raise LedgerStuck(f"{store}: {error}") from error
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self._store / schema.FILE

    def reopen(self) -> None:
        """Drop the connection, whose file descriptor may no longer be trusted after an error, and open afresh.

        LedgerStuck, BadLedger as at first; LedgerStuck also where the folder is not on the disk of this ledger now.
        """
        self._drop()
        if self.ground.gone() or self._lock < 0:
            self._come_back()
        self._open()

    def look(self) -> None:
        """See whether the folder is still on the disk of this ledger. LedgerStuck: it is not."""
        if gone := self.ground.gone():
            raise LedgerStuck(gone)

    def _come_back(self) -> None:
        """Take the lock again where the folder is another one now, if the ledger in it is this one. LedgerStuck."""
        handle, self._lock = self._lock, -1
        if handle >= 0:
            os.close(handle)  # nothing of ours keeps the disk busy that somebody takes away
        if self._known is not None and (other := same_store(self._store, self._known)):
            raise LedgerStuck(other)
        try:
            self._hold()
        except OSError as error:
            raise LedgerStuck(f"{self._store}: {error}") from error

    def _hold(self) -> None:
        self._lock = _locked(self._store)
        self.ground.stand(self._lock)

    def store(self, batch: Sequence[Ripe]) -> None:
        """Write all entries in one transaction. When this returns they are on disk; when it raises none is.

        LedgerStuck, LedgerDamaged.
        """
        with self.transaction() as db:
            stored_at, seal = utc_now(), Seal(db)
            for ripe in batch:
                epoch = self._epoch(db, ripe.entry.epoch, stored_at)
                match ripe.entry:
                    case TriggerEntry():
                        put_trigger(db, seal, epoch, ripe.entry, stored_at)
                    case RecordEntry():
                        put_part(db, seal, epoch, ripe, ripe.entry, self._serial_span_h, stored_at, self._leaving)
                    case CountersEntry():
                        put_counters(db, seal, epoch, ripe.entry)
            seal.close()

    def abandoned(self) -> list[str]:
        """Names of epochs that died with parts open: not the newest, not ended by last counters, not yet closed."""
        with self._reading() as db:
            found = rows(
                db,
                "select name from epoch where closed = 0 and n < (select max(n) from epoch) and n not in"
                " (select epoch from counter_snapshot where last = 1) order by n",
            )
        return [str(name) for (name,) in found]

    def recover(self, epoch: str, shown: Callable[[Trigger], Disposition | None] = lambda _: None) -> list[int]:
        """Close what that epoch left open as UNJUDGED / REJECT / fault, unconfirmed; return the parts.

        shown: the OK that io had shown to the PLC before it died; such a part is closed as OK / PASS, unconfirmed.
        Only for an abandoned epoch none of whose entries is under way any more. LedgerStuck, LedgerDamaged.
        """
        with self.transaction() as db:
            stored_at = utc_now()
            n, seal = self._epoch(db, epoch, stored_at), Seal(db)
            left = rows(
                db,
                "select t.number, t.part, t.station, t.at_ns, t.encoder, t.deadline_ns, t.recipe, t.missed, t.stored_at"
                " from trigger t left join part p on p.epoch = t.epoch and p.part = t.part"
                " and p.triggered_ns = t.at_ns where t.epoch = ? and p.seq is null order by t.number",
                (n,),
            )
            for number, part, station, at_ns, encoder, deadline_ns, recipe, missed, taken_at in left:
                trigger = Trigger(part, station, at_ns, encoder, deadline_ns, recipe, bool(missed))
                columns = recovered_columns(trigger, number, taken_at, stored_at, shown(trigger))
                insert_part(db, seal, n, epoch, columns, leaving=self._leaving)
            seal.close()
            db.execute("update epoch set closed = 1 where n = ?", (n,))
            if left:
                parts = [row[1] for row in left]
                audit(db, Deed("recovered", {"epoch": epoch, "parts": parts}))
        return [row[1] for row in left]

    def rest(self) -> None:
        """Fold the WAL back while nothing is to do. Never raises: a reader in the way only puts it off."""
        with suppress(apsw.Error):
            if self._db is not None:
                self._db.set_busy_timeout(0)
                self._db.execute("pragma wal_checkpoint(truncate)").fetchall()
                self._db.set_busy_timeout(_BUSY_MS)

    def close(self) -> None:
        """Let go of file and lock. Never raises; a second call does nothing."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
        self._drop()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _drop(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            _let_go(db)

    def _open(self) -> None:
        lineage = read_lineage(self._store)
        if lineage is not None and self._known is not None and lineage.box == self._known.box:
            lineage = max(lineage, self._known, key=lambda one: (one.lineage, one.reached))
        try:
            if not self.path.exists():
                # A WAL left beside a new file would be replayed into it.
                self._put_aside()
            damaged = self._damaged()
            if damaged:
                log.error("%s is damaged (%s): put aside, a fresh ledger is begun", self.path, damaged)
                self._put_aside()
            self._db = self._opened(lineage, after_damage=bool(damaged))
        except _STUCK as error:
            raise LedgerStuck(f"{self.path}: {error}") from error
        except OSError as error:
            raise LedgerStuck(f"{self.path}: {error}") from error
        except DAMAGED as error:
            raise LedgerStuck(f"{self.path}: damaged again while being opened: {error}") from error

    def _put_aside(self) -> None:
        """Put the file aside; what is said of it, or found yet, says nothing of the one that comes. OSError."""
        _put_aside(self._store)
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.break_off()
        self._condemned = self._suspect = ""
        self._doubted = False

    def _damaged(self) -> str:
        """What is wrong with the file; empty: nothing, or it is too large to know yet and `look_on` will tell."""
        if self._condemned:
            why, self._condemned = self._condemned, ""
            return why
        limit_s = CHECK_AGAIN_S if self._suspect else CHECK_S
        why, whole = damage(self.path, lambda: _connect(self.path, self._vfs), limit_s, self._alive)
        if self._suspect and not why and (self._doubted or not whole):
            why = self._suspect  # refused twice running although it looks sound, or too large to look at all of it now
        self._doubted = bool(self._suspect)
        if not why and not whole and self._watch is None:
            self._watch = Watch(self.path)
        return why

    def look_on(self) -> str:
        """What the check that goes on behind found wrong: the next `reopen` puts the file aside. Empty: nothing."""
        if self._watch is None or (found := self._watch.found()) is None:
            return ""
        self._watch = None
        self._condemned = found
        return found

    def _opened(self, lineage: Lineage | None, *, after_damage: bool) -> apsw.Connection:
        db = _connect(self.path, self._vfs)
        try:
            version = _number(db, "pragma user_version")
            if version > schema.VERSION:
                raise BadLedger(f"{self.path}: of version {version}, this okng knows up to {schema.VERSION}")
            older = 0 < version < schema.VERSION
            copy = copy_before(self.path, version, self._alive) if older else None
            db.execute("begin immediate")
            with _ended(db, self._alive if older else None):
                migrate(db, version, self._alive)
                furnish(db)
                db.execute(f"pragma user_version = {schema.VERSION}")
                self._name(db, lineage, after_damage=after_damage)
                if copy is not None:
                    audit(db, Deed("ledger migrated", {"from": version, "to": schema.VERSION, "copy": copy.name}))
            if older:
                with suppress(OSError):
                    prune(self.path)
        except BaseException:
            _let_go(db)
            raise
        return db

    def _name(self, db: apsw.Connection, lineage: Lineage | None, *, after_damage: bool) -> None:
        """Give a new or restored file the next lineage, so that no outbox number is ever used for two things."""
        known, sent = rows(db, "select box, lineage from meta"), taken(beside(self._store))
        reached = reached_event(db)
        if not known:
            box = lineage.box if lineage else secrets.token_hex(6)
            number = max(lineage.lineage if lineage else 0, sent.newest_epoch) + 1
            db.execute("insert into meta values (?, ?, ?, ?)", (box, number, utc_now(), after_damage))
            self._begin(db, number)
            about: dict[str, object] = {"box": box, "lineage": number, "after_damage": after_damage}
            if lineage is not None:
                about["parts_above"] = begin_above(db, lineage)
            audit(db, Deed("ledger made", about))
        else:
            box, number = str(known[0][0]), int(known[0][1])
            older = lineage is not None and (number, reached) < (lineage.lineage, lineage.reached)
            if older or _beyond(db, sent):
                number = max(number, lineage.lineage if lineage else 0, sent.newest_epoch) + 1
                db.execute("update meta set lineage = ?", (number,))
                self._begin(db, number)
                reached = reached_event(db)
                go_above(db, max(lineage.seq if lineage else 0, _newest(db)))
                audit(db, Deed("ledger restored", {"box": box, "lineage": number}))
                log.warning("%s is an older copy: its outbox goes on under lineage %d", self.path, number)
            self._begin(db, number)
        seal_lineage(db)
        # Beside the file first: a cut in between leaves a gap in the lineages, never one used twice.
        self._note(Lineage(str(box), number, reached, _newest(db)))

    def _begin(self, db: apsw.Connection, lineage: int) -> None:
        begin(db, lineage)
        if self._leaving is not None:
            want(db, wanted=self._leaving.records)

    def _note(self, lineage: Lineage) -> None:
        write_lineage(self._store, lineage)
        self._known = lineage

    def mark(self) -> None:
        """Note beside the file how far the outbox has come: a file that stands lower later is a restored one.

        LedgerStuck.
        """
        with self._reading() as db:
            self.look()
            box, number = rows(db, "select box, lineage from meta")[0]
            try:
                self._note(Lineage(str(box), int(number), reached_event(db), _newest(db)))
            except OSError as error:
                raise LedgerStuck(f"{self._store}: {error}") from error

    def _epoch(self, db: apsw.Connection, name: str, stored_at: str) -> int:
        if found := rows(db, "select n from epoch where name = ?", (name,)):
            return int(found[0][0])
        db.execute("insert into epoch (name, first_at) values (?, ?)", (name, stored_at))
        return db.last_insert_rowid()

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """Do all of it or, when anything is raised, none. LedgerStuck, LedgerDamaged."""
        with self._reading() as db:
            self.look()
            db.execute("begin immediate")
            with _ended(db):
                yield db
            self._suspect, self._doubted = "", False

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        if self._db is None:
            raise LedgerStuck(f"{self.path}: not open")
        try:
            yield self._db
        except _STUCK as error:
            raise LedgerStuck(f"{self.path}: {error}") from error
        except DAMAGED as error:
            self._suspect = f"{error}"
            raise LedgerDamaged(f"{self.path}: {error}") from error


@contextmanager
def _ended(db: apsw.Connection, alive: Callable[[], None] | None = None) -> Iterator[None]:
    """Commit, or roll back whatever went wrong. alive: of a large commit; called now and then."""
    try:
        yield
        if alive is None:
            db.execute("commit")
        else:
            commit_large(db, alive)
    except BaseException:
        with suppress(apsw.Error):  # SQLite rolls back by itself after some errors
            db.execute("rollback")
        raise


def _beyond(db: apsw.Connection, sent: Taken) -> bool:
    """The fleet service has more of a stream than this file ever numbered: it is an older copy."""
    known = rows(db, "select stream, epoch, next from sending")
    return any(sent.acked(stream, epoch) >= following for stream, epoch, following in known)


def _newest(db: apsw.Connection) -> int:
    """The greatest number a part has had; 0: none."""
    found = rows(db, "select seq from sqlite_sequence where name = 'part'")
    return int(found[0][0]) if found else 0


def _number(db: apsw.Connection, sql: str) -> int:
    return int(rows(db, sql)[0][0])


def _connect(path: Path, vfs: str | None) -> apsw.Connection:
    db = apsw.Connection(str(path), vfs=vfs)
    try:
        # Readers of another user cannot make -wal and -shm themselves: leave them there when this connection closes.
        keep = ctypes.c_int(1)
        db.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(keep))
        db.set_busy_timeout(_BUSY_MS)
        for pragma in (
            "journal_mode = wal",
            "synchronous = full",
            "foreign_keys = on",
            "wal_autocheckpoint = 1000",
            "journal_size_limit = 67108864",
        ):
            db.execute("pragma " + pragma).fetchall()
    except BaseException:
        _let_go(db)
        raise
    return db


def _let_go(db: apsw.Connection) -> None:
    with suppress(apsw.Error):
        db.close()


def _put_aside(store: Path) -> None:
    """Rename file, -wal and -shm together to `*.corrupt-<UTC>`. OSError.

    The file goes first: stopped in between, the next start finds no file and puts the leftovers aside too.
    """
    stamp = utc_stamp()
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            (store / (schema.FILE + ending)).rename(store / f"{schema.FILE}{ending}.corrupt-{stamp}")


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Keep every writer out for a while. BadLedger: one is at work. OSError."""
    handle = _locked(store)
    try:
        yield
    finally:
        os.close(handle)


def _locked(store: Path) -> int:
    """Hold the store for this writer; the kernel lets go of it when the process dies."""
    handle = os.open(store / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            raise BadLedger(f"{store}: another okng is writing this ledger") from error
        raise
    return handle
