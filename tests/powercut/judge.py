"""What the disk still says after a cut, asked by a judge that shares no code with what it judges.

It reads a copy of the files with Python's own sqlite3: opening the ledger itself would repair it first.
"""

import contextlib
import hashlib
import json
import shutil
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from .line import Said

OutboxKey = tuple[int, str, int]
"""(lineage, stream, number)."""


@dataclass(slots=True)
class Finding:
    """What one cut came to."""

    acknowledged: int = 0
    """Entries and deeds that the world had been told were kept."""
    lost: list[str] = field(default_factory=list)
    """Of them, those that are gone."""
    corrupt: list[str] = field(default_factory=list)
    """What is damaged in the ledger, the chain, the outbox or the note beside it."""
    pictures_missing: int = 0
    """Rows that name a picture which is not there."""
    pictures_wrong: int = 0
    """Rows whose picture is not the one they say."""
    pictures: int = 0
    """Rows with their picture, whole."""
    litter: int = 0
    """Files that no row names: half-written, or whole without a row."""

    @property
    def sound(self) -> bool:
        """Nothing is wrong."""
        return not (self.lost or self.corrupt or self.pictures_missing or self.pictures_wrong)


class Judge:
    """Looks at one store after each cut, and remembers what it saw before."""

    def __init__(self, store: Path, scratch: Path) -> None:
        self._store, self._scratch = store, scratch
        self._outbox: dict[OutboxKey, str] = {}
        self._box = ""
        self._lineage = 0
        self._seen = 0
        """Rows up to this one have been looked at before."""

    def look_ahead(self) -> None:
        """While records runs: remember every outbox number that a reader could see, and may have sent, by now."""
        with contextlib.closing(sqlite3.connect(f"file:{self._store}/ledger.db?mode=ro", uri=True)) as db:
            db.execute("begin")
            self._remember(db)
            self._streams(db)

    def judge(self, said: Said) -> Finding:
        """Look at what the cut left; records must not run."""
        found = Finding(acknowledged=len(said.entries) + len(said.deeds))
        found.corrupt += [f"put aside: {file.name}" for file in self._store.glob("*.corrupt-*")]
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        for name in ("ledger.db", "ledger.db-wal"):
            if (self._store / name).exists():
                shutil.copyfile(self._store / name, self._scratch / name)
        if not (self._scratch / "ledger.db").exists():
            # Cut before the first file was made.
            found.lost += [f"entry {key}" for key in said.entries]
            return found
        try:
            with contextlib.closing(sqlite3.connect(self._scratch / "ledger.db")) as db:
                self._look(db, said, found)
        except sqlite3.DatabaseError as error:
            found.corrupt.append(f"ledger: {error}")
        return found

    def _look(self, db: sqlite3.Connection, said: Said, found: Finding) -> None:
        (whole,) = db.execute("pragma integrity_check").fetchone()
        if whole != "ok":
            found.corrupt.append(f"ledger: {whole}")
        if not db.execute("select count(*) from sqlite_master where name = 'part'").fetchone()[0]:
            found.lost += [f"entry {key}" for key in said.entries]
            return
        names = {n: str(name) for n, name in db.execute("select n, name from epoch")}
        there = {(names[epoch], number) for epoch, number in db.execute("select epoch, number from trigger")}
        there |= {(names[epoch], number) for epoch, number in db.execute("select epoch, number from part")}
        found.lost += [f"entry {key}" for key in sorted(said.entries - there)]
        self._pictures(db, found)
        self._chain(db, said, found)
        if conflicts := self._remember(db):
            found.corrupt += conflicts
        found.corrupt += self._streams(db)
        self._note(db, found)

    def _pictures(self, db: sqlite3.Connection, found: Finding) -> None:
        named = set()
        asked = db.execute("select seq, part, picture, picture_sha256 from part where picture_kept = 1 order by seq")
        for seq, part, picture, digest in asked.fetchall():
            named.add(str(picture))
            if seq <= self._seen:
                continue
            try:
                data = (self._store / picture).read_bytes()
            except FileNotFoundError:
                found.pictures_missing += 1
                continue
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
            told = int.from_bytes(decoded.tobytes()[:4], "little") if decoded is not None else None
            right = hashlib.sha256(data).hexdigest() == digest and told == part
            found.pictures += right
            found.pictures_wrong += not right
        (self._seen,) = db.execute("select coalesce(max(seq), 0) from part").fetchone()
        files = [file for file in (self._store / "pictures").rglob("*") if file.is_file()]
        found.litter = sum(str(file.relative_to(self._store)) not in named for file in files)

    def _chain(self, db: sqlite3.Connection, said: Said, found: Finding) -> None:
        before, told = bytes(32), set()
        for at, (n, body, digest) in enumerate(db.execute("select n, body, hash from audit order by n"), 1):
            now = hashlib.sha256(before + body.encode())
            if n != at or now.hexdigest() != digest:
                found.corrupt.append(f"audit: broken at {at}")
                break
            before = now.digest()
            told.add(json.loads(body)["what"])
        found.lost += [f"audit: {deed}" for deed in sorted(said.deeds - told)]

    def _remember(self, db: sqlite3.Connection) -> list[str]:
        """Hold the outbox against all that was seen of it before; return where a number stands for two things."""
        known = db.execute("select box, lineage from meta").fetchone()
        if known is None:
            return []
        lineage, problems = int(known[1]), []
        nexts = dict(db.execute("select stream, next from counter").fetchall())
        for stream, number, body, digest in db.execute("select stream, seq, body, sha256 from outbox"):
            if hashlib.sha256(body).hexdigest() != digest:
                problems.append(f"outbox {stream} {number}: its body is not what its hash says")
            if number >= nexts.get(stream, 0):
                problems.append(f"outbox {stream} {number}: the next number is {nexts.get(stream)}")
            if self._outbox.setdefault((lineage, stream, number), digest) != digest:
                problems.append(f"outbox {stream} {number}: used for two things in lineage {lineage}")
        held = {(lineage, stream, number) for stream, number in db.execute("select stream, seq from outbox").fetchall()}
        gone = [
            key for key in self._outbox if key[0] == lineage and not key[1].startswith("fleet ") and key not in held
        ]
        problems += [f"outbox {stream} {number}: was seen before the cut and is gone" for _, stream, number in gone]
        return problems

    def _streams(self, db: sqlite3.Connection) -> list[str]:
        """What leaves for the fleet: no number is missing or stands for two things, and nothing is without one."""
        problems = []
        for stream, epoch, following in db.execute("select stream, epoch, next from sending").fetchall():
            asked = (
                "select seq, kind, ref, coalesce(body, '') from outgoing where stream = ? and epoch = ? order by seq"
            )
            events = db.execute(asked, (stream, epoch)).fetchall()
            if [event[0] for event in events] != list(range(1, following)):
                problems.append(f"stream {stream}: {len(events)} events, the next number is {following}")
            for number, *what in events:
                said = hashlib.sha256(repr(what).encode()).hexdigest()
                if self._outbox.setdefault((epoch, f"fleet {stream}", number), said) != said:
                    problems.append(f"stream {stream} {number}: used for two things in epoch {epoch}")
            gone = [key for key in self._outbox if key[:2] == (epoch, f"fleet {stream}") and key[2] >= following]
            problems += [f"stream {stream} {number}: was seen before the cut and is gone" for _, _, number in gone]
        for what, table, key in (("records", "part", "seq"), ("audit", "audit", "n")):
            sql = (
                f"select {key} from {table} where (select wanted from sending where stream = ?1)"
                " except select ref from outgoing where stream = ?1"
            )
            problems += [f"{table} {number} has no event" for (number,) in db.execute(sql, (what,)).fetchall()]
        return problems

    def _note(self, db: sqlite3.Connection, found: Finding) -> None:
        box, lineage = db.execute("select box, lineage from meta").fetchone() or ("", 0)
        if self._box and (box, lineage) != (self._box, self._lineage):
            found.corrupt.append(f"box {self._box} lineage {self._lineage} became {box} lineage {lineage}")
        self._box, self._lineage = str(box), int(lineage)
        note = self._store / "lineage.json"
        try:
            json.loads(note.read_bytes())
        except FileNotFoundError:
            pass
        except ValueError:
            found.corrupt.append("lineage.json is half")
