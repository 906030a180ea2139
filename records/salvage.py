"""The rescue of damaged ledgers that were put aside: read by a process of its own, taken over between the line's rows.

For each file `ledger.db.corrupt-UTC` there is a report beside it, `….salvage.json`, which also says how far the work
has come: after a kill it goes on there. The damaged file itself stays where it is.
"""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..bus.clock import MS, SECOND, now_ns, utc_now
from . import schema
from .audit import Deed, audit_problems
from .bookkeeping import audit, rows
from .durable import sync_folder, write_synced
from .ledger import Ledger, LedgerStuck
from .rows import sha256
from .salvage_read import AGAIN
from .salvage_take import ROWS, Place, StagedLost, Taking

log = logging.getLogger(__name__)
_PUT_ASIDE = re.compile(rf"{re.escape(schema.FILE)}\.corrupt-[0-9TZ]+")
_LOOK_NS = 5 * SECOND
_NOTE_NS = 2 * SECOND
_HOLD_NS = 60 * SECOND
"""After the disk refused something."""
_AGAIN_NS = 600 * SECOND
"""After there was no room for it."""
_IDLE_NS, _BUSY_NS, _PAUSE_NS = 10 * MS, 3 * MS, 50 * MS
"""Taken of one turn of the loop while the line is still; while it runs, and between two such turns."""
ROWS_ALONE = 500
"""Of one transaction while no line is there to wait for it."""
_TOLD_H = 24
"""A rescue that has ended is told of for so long."""


def report_of(damaged: Path) -> Path:
    """Where the report on a damaged file lies."""
    return damaged.with_name(damaged.name + ".salvage.json")


def put_aside(store: Path) -> list[Path]:
    """Damaged ledgers of a store, oldest first."""
    return sorted(one for one in store.glob(f"{schema.FILE}.corrupt-*") if _PUT_ASIDE.fullmatch(one.name))


def unfinished(store: Path) -> list[Path]:
    """Those that nothing has come of yet."""
    return [one for one in put_aside(store) if _noted(one).get("state") not in ("done", "failed")]


def newest_told(store: Path) -> str:
    """What came of the newest rescue, for people; empty: there was none lately."""
    for one in reversed(put_aside(store)):
        noted = _noted(one)
        since = (datetime.now(UTC) - timedelta(hours=_TOLD_H)).isoformat()
        if noted.get("state") in ("done", "failed") and str(noted.get("ended", "")) > since:
            return str(noted.get("text", ""))
    return ""


def unsettled(store: Path) -> list[str]:
    """What is not whole again of the damaged ledgers of a store, for people."""
    found = []
    for one in put_aside(store):
        noted = _noted(one)
        lost = {name: table["lost"] for name, table in noted.get("tables", {}).items() if table["lost"]}
        if noted.get("state") != "done":
            found.append(f"{one.name} is put aside; its rescue: {noted.get('state') or 'not begun'}")
        elif lost:
            found.append(f"{one.name} is put aside; lost: {', '.join(f'{n} of {name}' for name, n in lost.items())}")
    return found


@dataclass(slots=True)
class _Work:
    """One file under way."""

    damaged: Path
    begun: str
    place: Place
    child: subprocess.Popen[bytes] | None = None
    said: bytes = b""
    taking: Taking | None = None
    noted_ns: int = 0
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def staged(self) -> Path:
        return self.damaged.with_name(self.damaged.name + ".rescued.db")


class Salvage:
    """Rescues one file after the other. The ledger's thread; `turn` takes some ms at most."""

    def __init__(self, ledger: Ledger, store: Path, rows_a_turn: int = ROWS) -> None:
        """rows_a_turn: taken over in one transaction."""
        self._ledger, self._store, self._rows = ledger, store, rows_a_turn
        self._work: _Work | None = None
        self._look_ns = self._pause_ns = self._hold_ns = 0
        self.text = newest_told(store)
        """How it stands or what came of it, for people; empty: there was none."""
        self.waits = ""
        """Why it is put off; empty: it is not."""

    @property
    def busy(self) -> bool:
        """True while a file is being rescued."""
        return self._work is not None

    @property
    def taking(self) -> bool:
        """True while rows are being taken over."""
        return self._work is not None and self._work.child is None

    @property
    def reading(self) -> bool:
        """True while the other process reads."""
        return self._work is not None and self._work.child is not None

    def turn(self, *, idle: bool, wanted: Callable[[], bool] = lambda: False) -> None:
        """Go on for a moment. LedgerStuck, LedgerDamaged: another time.

        idle: the line has nothing for us just now. wanted: asked after each few rows; True: now it has.
        """
        now = now_ns()
        if now < self._hold_ns:
            return
        self.waits = ""
        try:
            self._turn(now, wanted, idle=idle)
        except OSError as error:
            # The rows of the line need no new file and may well go on: the ledger is not called stuck for this.
            self._put_off(f"the rescue of a damaged ledger waits: {error}", _HOLD_NS)
        except LedgerStuck as error:
            self._put_off(f"the rescue of a damaged ledger waits: {error}", _HOLD_NS)
            raise

    def _put_off(self, why: str, by_ns: int) -> None:
        self._hold_ns, self.text, self.waits = now_ns() + by_ns, why, why
        log.warning("%s", why)

    def _turn(self, now: int, wanted: Callable[[], bool], *, idle: bool) -> None:
        if self._work is None:
            if now >= self._look_ns:
                self._look_ns = now + _LOOK_NS
                self._begin()
        elif self._work.child is not None:
            if now >= self._pause_ns:
                self._pause_ns = now + _PAUSE_NS
                self._listen(self._work)
        elif idle or now >= self._pause_ns:
            self._pause_ns = now + _PAUSE_NS
            work = self._work
            try:
                self._take(work, now + (_IDLE_NS if idle else _BUSY_NS), wanted)
            except StagedLost as error:
                self._read_again(work, error)

    def close(self) -> None:
        """Break off; the next start goes on. Never raises."""
        work, self._work = self._work, None
        if work is None:
            return
        if work.child is not None:
            with suppress(OSError):
                work.child.kill()
                work.child.wait(2)
            if work.child.stdout is not None:
                work.child.stdout.close()
        if work.taking is not None:
            with suppress(OSError):
                self._note(work, "taking")
            work.taking.close()

    # ---- reading

    def _begin(self) -> None:
        waiting = unfinished(self._store)
        if not waiting:
            return
        damaged = waiting[0]
        noted = _noted(damaged)
        work = _Work(damaged, str(noted.get("begun") or utc_now()), _place(noted.get("place")))
        size = damaged.stat().st_size
        if work.staged.exists():
            self._work = work
            self._open(work)
            return
        if shutil.disk_usage(self._store).free < 1.5 * size + (64 << 20):
            need = int(1.5 * size + (64 << 20)) >> 20
            self._put_off(f"{damaged.name} waits for room on the disk: {need} MB are needed to rescue it", _AGAIN_NS)
            return
        wal = damaged.with_name(damaged.name.replace(schema.FILE, f"{schema.FILE}-wal", 1))
        if not noted:
            with self._ledger.transaction() as db:
                audit(db, Deed("ledger salvage begun", {"file": damaged.name, "bytes": size}))
        self._note(work, "reading")
        command = [sys.executable, "-m", f"{__package__}.salvage_read", str(damaged), str(wal), str(work.staged)]
        work.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert work.child.stdout is not None
        os.set_blocking(work.child.stdout.fileno(), False)
        self._work = work
        self.text = f"{damaged.name} is being read"

    def _listen(self, work: _Work) -> None:
        child = work.child
        assert child is not None
        assert child.stdout is not None
        ended = child.poll() is not None
        while piece := child.stdout.read(4096):
            work.said += piece
        *lines, work.said = work.said.split(b"\n")
        for line in lines:
            word, _, rest = line.decode("utf-8", "replace").partition(" ")
            if word == "read":
                self.text = f"{work.damaged.name} is being read: {rest} %"
            elif word == "failed":
                work.more["error"] = rest
        if not ended:
            return
        child.stdout.close()
        work.child = None
        why = str(work.more.pop("error", "") or f"the reader ended with {child.returncode}")
        if child.returncode == AGAIN or child.returncode < 0:
            # A stop of the box or a lack of memory kills the reader: that says nothing of the file.
            # What it had read so far goes, so that rows and pictures have the room.
            with suppress(OSError):
                work.staged.with_name(work.staged.name + ".part").unlink(missing_ok=True)
            self._work = None
            self._put_off(f"{work.damaged.name} could not be read yet: {why}", _AGAIN_NS)
        elif child.returncode:
            self._fail(work, why)
        else:
            self._open(work)

    def _fail(self, work: _Work, why: str) -> None:
        log.error("%s cannot be rescued: %s", work.damaged, why)
        with self._ledger.transaction() as db:
            audit(db, Deed("ledger salvage failed", {"file": work.damaged.name, "error": why}))
        self._end(work, "failed", f"{work.damaged.name} could not be rescued: {why}")

    # ---- taking over

    def _open(self, work: _Work) -> None:
        lineage = self._lineage()
        if work.place.lineage != lineage:
            work.place = Place(lineage)
        try:
            work.taking = Taking(self._ledger, work.staged, work.damaged.name, work.place, self._rows)
            place = work.place
            if not (place.apart or place.table or place.taken or work.taking.stands_apart()):
                work.taking.close()
                work.taking = None
                self._fail(work, "its parts bear numbers that this ledger has given to others; take a new store for it")
            place.apart = True
        except (StagedLost, ValueError) as error:
            self._read_again(work, error)

    def _read_again(self, work: _Work, why: Exception) -> None:
        """From the beginning: rows that are in the ledger by now stay there, and are counted anew. OSError."""
        log.warning("%s is read again: %s", work.damaged, why)
        if work.taking is not None:
            work.taking.close()
            work.taking = None
        work.place = Place(work.place.lineage, apart=work.place.apart)
        self._note(work, "reading")
        work.staged.unlink(missing_ok=True)
        self._work = None

    def _take(self, work: _Work, until_ns: int, wanted: Callable[[], bool]) -> None:
        taking = work.taking
        if taking is None:
            self._work = None
            return
        if work.place.lineage != self._lineage():
            taking.close()
            self._open(work)
            return
        while True:
            if taking.turn():
                self._finish(work, taking)
                return
            now = now_ns()
            if now >= work.noted_ns:
                work.noted_ns = now + _NOTE_NS
                self._note(work, "taking")
                taken = work.place.taken["part"]
                self.text = f"{work.damaged.name} is being rescued: {taken} of {taking.parts} parts"
            if now >= until_ns or wanted():
                return

    def _finish(self, work: _Work, taking: Taking) -> None:
        body = self._told(work, taking)
        parts = body["tables"].get("part", {"found": 0, "rescued": 0, "lost": 0})
        text = f"{work.damaged.name}: {parts['rescued']} parts rescued, {parts['lost']} lost"
        with self._ledger.transaction() as db:
            # A kill between this commit and the note on disk comes by here again, and so does who asks for it twice.
            sql = (
                "select 1 from audit where json_extract(body, '$.what') = 'ledger salvaged'"
                " and json_extract(body, '$.object.file') = ? limit 1"
            )
            if not rows(db, sql, (work.damaged.name,)):
                taking.finish(db)
                audit(db, Deed("ledger salvaged", {"file": work.damaged.name, **body}))
        work.more.update(body)
        taking.close()
        self._end(work, "done", text)

    def _told(self, work: _Work, taking: Taking) -> dict[str, Any]:
        """What was found, rescued and lost by table, and the old trail, which goes into a file beside."""
        found, broken, place = taking.found["rows"], taking.found["broken"], taking.place
        tables: dict[str, dict[str, int]] = {}
        for table in sorted({*found, *broken} & {*place.taken, *place.refused, *broken}):
            lost = broken.get(table, 0) + place.refused[table]
            if table == "part":
                lost = max(lost, taking.missing + place.refused[table])
            tables[table] = {"found": found.get(table, 0), "rescued": place.taken[table], "lost": lost}
        trail = taking.trail()
        data = b"".join(json.dumps([*one], ensure_ascii=False).encode() + b"\n" for one in trail)
        file = work.damaged.with_name(work.damaged.name + ".audit.jsonl")
        write_synced(file, data)
        problems = audit_problems(trail)
        head = {"n": trail[-1][0], "hash": trail[-1][2]} if trail else {}
        old = {"file": file.name, "sha256": sha256(data), "entries": len(trail), "problems": problems, "head": head}
        proven = {"parts_proven": place.proven, "parts_altered": place.altered}
        return {"tables": tables, "pages": taking.found["pages"], **proven, "jumps": taking.jumps, "trail": old}

    def _end(self, work: _Work, state: str, text: str) -> None:
        work.more.update(ended=utc_now(), text=text)
        self._note(work, state)
        with suppress(OSError):
            work.staged.unlink(missing_ok=True)
        self._work = None
        self._look_ns = 0
        log.warning("%s", text)
        self.text = text

    # ---- notes

    def _lineage(self) -> int:
        with self._ledger.transaction() as db:
            return int(rows(db, "select lineage from meta")[0][0])

    def _note(self, work: _Work, state: str) -> None:
        """Write down how far it has come. OSError."""
        place = {one.name: getattr(work.place, one.name) for one in fields(work.place)}
        body = {"state": state, "file": work.damaged.name, "begun": work.begun, "place": place, **work.more}
        report = report_of(work.damaged)
        waiting = report.with_name(report.name + ".tmp")
        write_synced(waiting, json.dumps(body, indent=1, ensure_ascii=False).encode())
        waiting.rename(report)
        sync_folder(report.parent)


def salvage_now(store: Path, file: Path | None = None, *, again: bool = False) -> list[dict[str, Any]]:
    """Rescue what waits to the end, while records is stopped; return the reports.

    BadLedger: records runs. LedgerStuck: the disk does not let it; what was done stays done.

    file: a damaged ledger from elsewhere, copied beside first. again: also files whose rescue has ended.
    """
    ledger = Ledger(store)
    try:
        if file is not None and file.parent.resolve() != store.resolve():
            stamp = utc_now().replace("-", "").replace(":", "").replace(".", "")
            target = store / f"{schema.FILE}.corrupt-{stamp}"
            shutil.copyfile(file, target)
            with suppress(FileNotFoundError):
                shutil.copyfile(file.with_name(file.name + "-wal"), store / f"{schema.FILE}-wal.corrupt-{stamp}")
        elif again:
            for one in put_aside(store) if file is None else [file]:
                report_of(one).unlink(missing_ok=True)
        wanted = unfinished(store)
        work = Salvage(ledger, store, ROWS_ALONE)
        try:
            while unfinished(store):
                work.turn(idle=True)
                if work.waits:
                    raise LedgerStuck(work.waits)
                if work.reading:
                    time.sleep(0.02)
        finally:
            work.close()
        return [_noted(one) for one in wanted]
    finally:
        ledger.close()


def _noted(damaged: Path) -> dict[str, Any]:
    try:
        found = json.loads(report_of(damaged).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _place(noted: object) -> Place:
    if not isinstance(noted, dict):
        return Place(0)
    try:
        made = Place(**noted)
        made.taken, made.refused = Counter(made.taken), Counter(made.refused)
    except TypeError:
        return Place(0)
    return made
