"""Rescued rows go into the fresh ledger, a few at a time, between the rows of the line: under their own numbers.

Each row is put in under what it is known by, so doing a step twice changes nothing: after a kill the work goes on at
the last noted place. Runs of io come in as older than all that the ledger knows by itself.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import apsw

from ..bus.errors import OkngError
from .bookkeeping import rows
from .ledger import Ledger
from .outgoing import DROPPED, RECORDS, line_told, send
from .rows import as_json, unpack_json
from .salvage_shapes import RESCUED, Shape, shapes
from .seal import Seal
from .seal_content import HEALTH, PART, START, TRIGGER, VIEW, Kind, linked, part_content

_WITH_PARTS = frozenset(("view", "image_health"))
"""Taken over together with their part."""
_OPEN = 256
"""Triggers so near to the end of a run that lived on may still get their record."""
_SLACK = 64
"""Parts at the end of a ledger whose links may have been lost unseen."""
ROWS = 8
"""Of one transaction: some ms at most, for a row of the line may come meanwhile."""


class StagedLost(OkngError):
    """What was read of the damaged file cannot be read any more. Read it again: nothing is wrong with the ledger."""


@dataclass(slots=True)
class Place:
    """How far the taking over has come: written down, so that a restart goes on there."""

    lineage: int
    """Of the ledger that takes the rows; another one means to begin again."""
    table: int = 0
    """In RESCUED."""
    after: int = -(1 << 62)
    """Row of the staged table that came last."""
    taken: Counter[str] = field(default_factory=Counter)
    """In the ledger now, by table."""
    refused: Counter[str] = field(default_factory=Counter)
    """Rows that the ledger cannot take: what they refer to is lost, or their number is another row's by now."""
    altered: int = 0
    """Parts that are not what was sealed: left out."""
    proven: int = 0
    """Parts that their seal proves to be just what was written."""
    most: int = 0
    """Number of the last of these."""
    apart: bool = False
    """Its parts were found to bear other numbers than the ledger's own."""


class Taking:
    """Takes one staged file over. The ledger's thread."""

    def __init__(self, ledger: Ledger, staged: Path, name: str, place: Place, rows_a_turn: int = ROWS) -> None:
        """name: of the damaged file. rows_a_turn: of one transaction.

        StagedLost, ValueError: the staged file does not read.
        """
        self._ledger, self._name, self.place, self._rows = ledger, name, place, rows_a_turn
        try:
            self._db = apsw.Connection(str(staged), flags=apsw.SQLITE_OPEN_READONLY)
        except apsw.Error as error:
            raise StagedLost(f"{staged}: {error}") from error
        self._shapes = shapes()
        ((body,),) = self._staged("select body from found")
        self.found: dict[str, Any] = unpack_json(str(body))
        self.meta = next(iter(self._staged("select box, lineage from meta")), ("", 0))
        self._live, self._highest = "", 0
        lost = self.found["links_lost"]
        self._lost = None if lost is None else int(lost)
        self.jumps = [int(one) for one in self.found["jumps"]]
        """Numbers above which the parts of a later file begin."""
        self.missing = int(self.found["missing"])
        """Parts that were there and were not found."""

    @property
    def parts(self) -> int:
        """Parts to take over."""
        return int(self.found["rows"].get("part", 0))

    @property
    def old_lineage(self) -> int:
        """Of the damaged ledger; 0: it did not say."""
        return int(self.meta[1])

    def turn(self) -> bool:
        """Take the next few rows over, in one transaction. True: there are none left.

        LedgerStuck, LedgerDamaged, StagedLost.
        """
        while self.place.table < len(RESCUED):
            table = RESCUED[self.place.table]
            shape = self._shapes.get(table)
            batch = self._batch(table) if shape is not None and table not in _WITH_PARTS else []
            if shape is None or not batch:
                self.place.table, self.place.after = self.place.table + 1, -(1 << 62)
                continue
            before = replace(self.place, taken=self.place.taken.copy(), refused=self.place.refused.copy())
            try:
                with self._ledger.transaction() as db:
                    self._take(db, shape, [dict(zip(("", *shape.names), row, strict=True)) for row in batch])
            except BaseException:
                for one in fields(Place):
                    setattr(self.place, one.name, getattr(before, one.name))
                raise
            self.place.after = batch[-1][0]
            return False
        return True

    def finish(self, db: apsw.Connection) -> None:
        """The runs of parts, made from the rescued ones, before those of the line. Inside the last transaction."""
        self._send_again(db)
        if not rows(db, "select 1 from pragma_table_list where name = 'run'"):
            return
        found = self._staged("select * from run order by rowid")
        (first,) = rows(db, "select min(coalesce(min(n), 1), 1) from run")[0]
        for place, row in enumerate(found):
            number = int(first) - len(found) + place
            db.execute(f"insert into run values (?, {', '.join('?' * len(row))})", (number, *row))

    def _send_again(self, db: apsw.Connection) -> None:
        """Rescued parts whose event was lost, though their ledger sent events, get a new one."""
        if not self._staged("select 1 from sqlite_schema where name = 'outgoing'"):
            return
        ((first,),) = self._staged("select min(ref) from outgoing where stream = 'records' and ref > 0")
        ((last,),) = self._staged("select coalesce(max(seq), 0) from part")
        lost = (
            "select seq from part p where seq between ? and ? and not exists"
            " (select 1 from outgoing o where o.stream = 'records' and o.ref = p.seq)"
        )
        for (seq,) in rows(db, lost, (first, last)) if first is not None else []:
            send(db, RECORDS, "part", seq)

    def stands_apart(self) -> bool:
        """The ledger's own parts all bear higher numbers than those to be taken over, or it has none yet."""
        (highest,) = self._staged("select coalesce(max(seq), 0) from part")[0]
        with self._ledger.transaction() as db:
            made = rows(
                db,
                "select json_extract(body, '$.object.parts_above') from audit"
                " where json_extract(body, '$.what') = 'ledger made' order by n limit 1",
            )
            above = made[0][0] if made else None
            return (above is not None and int(highest) <= int(above)) or not rows(db, "select 1 from part limit 1")

    def trail(self) -> list[tuple[int, str, str]]:
        """The old audit trail as far as it was found, in order: number, body, hash."""
        return [(int(n), str(body), str(link)) for n, body, link in self._staged("select * from audit order by n")]

    def close(self) -> None:
        """Let go. Never raises."""
        self._db.close()

    def _staged(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query of the staged file.

        StagedLost: an error of SQLite would condemn the ledger in whose transaction this is asked.
        """
        try:
            return rows(self._db, sql, values)
        except (apsw.Error, UnicodeDecodeError) as error:
            raise StagedLost(f"what was read of {self._name} cannot be read any more: {error}") from error

    def _batch(self, table: str) -> list[tuple[Any, ...]]:
        most = -1 if table == "epoch" else self._rows
        sql = f'select rowid, * from "{table}" where rowid > ? order by rowid limit ?'
        return self._staged(sql, (self.place.after, most))

    def _take(self, db: apsw.Connection, shape: Shape, batch: Sequence[dict[str, Any]]) -> None:
        table = shape.table
        if table == "epoch":
            self._epochs(db, batch)
            return
        seal = Seal(db)
        for row in batch:
            del row[""]
            done, was = True, int(row.get("epoch", 0))
            if "epoch" in row:
                row["epoch"] = self._epoch(db, was)
            match table:
                case "part":
                    done = self._part(db, seal, shape, row, was)
                case "trigger":
                    done = self._trigger(db, seal, shape, row, was)
                case "outbox":
                    row["stream"] = f"{row['stream'].partition('@')[0]}@{self._lineage_of(row['stream'])}"
                    done = self._put(db, shape, row)
                case "outgoing":
                    done = self._put(db, shape, self._written_out(row))
                case "floor":
                    # Never an older one: what was trusted before the damage counts, and what has been since.
                    db.execute(
                        "insert into floor values (:channel, :seq, :at) on conflict (channel) do update"
                        " set seq = max(seq, excluded.seq)",
                        row,
                    )
                case "journal" | "signature":
                    done = self._put(db, shape, row)
                    if done and db.changes():
                        seal.row(Kind.JOURNAL if table == "journal" else Kind.SIGNATURE, int(row["n"]))
                case "counter_snapshot":
                    self._counters(db, seal, row)
                case "pepper" | "role" | "person":
                    done = self._people(db, shape, row)
                case _:
                    done = self._put(db, shape, row)
            (self.place.taken if done else self.place.refused)[table] += 1
        seal.close()

    def _put(self, db: apsw.Connection, shape: Shape, row: Mapping[str, Any]) -> bool:
        """Insert one row unless it is there. False: what it refers to is not there, or its key is another row's."""
        names = ", ".join(f'"{name}"' for name in row)
        try:
            db.execute(
                f'insert into "{shape.table}" ({names}) values ({", ".join("?" * len(row))}) on conflict do nothing',
                tuple(row.values()),
            )
        except apsw.ConstraintError:
            return False
        if db.changes():
            return True
        where = " and ".join(f'"{name}" is ?' for name in shape.key)
        return bool(rows(db, f'select 1 from "{shape.table}" where {where}', [row[name] for name in shape.key]))

    def _lineage_of(self, stream: str) -> int:
        """An event keeps the lineage it was numbered under, also when it is rescued a second time."""
        _, _, older = stream.partition("@")
        return int(older) if older.isdigit() else self.old_lineage

    def _written_out(self, row: dict[str, Any]) -> dict[str, Any]:
        """An event of the old trail, whose lines are not taken over, says itself what stood there."""
        if row["kind"] not in ("audit", "ladder") or row["body"] is not None:
            return row
        found = self._staged("select n, body, hash from audit where n = ?", (row["ref"],))
        if not found:
            return {**row, "kind": DROPPED}
        line = dict(zip(("n", "body", "hash"), found[0], strict=True))
        return {**row, "body": as_json(line_told(line, row["stream"])[1])}

    # ---- runs of io

    def _epochs(self, db: apsw.Connection, batch: Sequence[dict[str, Any]]) -> None:
        """All at once, newest first, each below all others: io's present run stays the newest."""
        known = {str(name) for (name,) in rows(db, "select name from epoch")}
        (first,) = rows(db, "select min(coalesce(min(n), 1), 1) from epoch")[0]
        ordered = sorted(batch, key=lambda row: int(row["n"]), reverse=True)
        for row in ordered:
            if row["name"] not in known:
                first = int(first) - 1
                # The newest may be io's present run, which has only said nothing since.
                closed = row["closed"] if not known and row is ordered[0] else 1
                db.execute("insert into epoch values (?, ?, ?, ?)", (first, row["name"], row["first_at"], closed))
            self.place.taken["epoch"] += 1

    def _epoch(self, db: apsw.Connection, was: int) -> int:
        found = self._staged("select name from epoch where n = ?", (was,))
        name = str(found[0][0]) if found else f"lost {was} of {self._name}"
        known = rows(db, "select n from epoch where name = ?", (name,))
        if known:
            return int(known[0][0])
        db.execute("insert into epoch select min(coalesce(min(n), 1), 1) - 1, ?, '', 1 from epoch", (name,))
        return db.last_insert_rowid()

    # ---- parts and triggers

    def _part(self, db: apsw.Connection, seal: Seal, shape: Shape, row: dict[str, Any], was: int) -> bool:
        """One part with its views and figures, sealed anew."""
        seq = int(row["seq"])
        tables = {table: self._shapes[table] for table in ("view", "image_health") if table in self._shapes}
        beside = {table: self._of_part(one, seq) for table, one in tables.items()}
        views, figures = beside.get("view", []), beside.get("image_health", [])
        own = {**row, "epoch": was}
        content = part_content(
            [own[name] for name in PART],
            [[one[name] for name in VIEW] for one in views],
            [[one[name] for name in HEALTH] for one in figures],
        )
        proof = self._proof(Kind.PART, seq, 0, content)
        if proof is False or (proof is None and self._is_beyond(seq)):
            self.place.altered += 1
            return False
        if rows(db, "select 1 from part where epoch = ? and number = ?", (row["epoch"], row["number"])):
            self._counted(views, figures)
            return True
        recovered = row["recovered"]
        if rows(db, "select 1 from part where seq = ?", (seq,)):
            return False
        # The triggers that draw runs of parts go by the end of the ledger: they leave recovered rows alone.
        self._put(db, shape, {**row, "recovered": 1})
        if not recovered:
            db.execute("update part set recovered = 0 where seq = ?", (seq,))
        for table, found in beside.items():
            for one in found:
                self._put(db, tables[table], one)
        self._counted(views, figures)
        seal.part(
            rows(db, f"select {', '.join(PART)} from part where seq = ?", (seq,))[0],
            rows(db, f"select {', '.join(VIEW)} from view where seq = ?", (seq,)),
            rows(db, f"select {', '.join(HEALTH)} from image_health where seq = ?", (seq,)),
        )
        if proof:
            self.place.proven, self.place.most = self.place.proven + 1, seq
        return True

    def _counted(self, views: Sequence[object], figures: Sequence[object]) -> None:
        self.place.taken["view"] += len(views)
        self.place.taken["image_health"] += len(figures)

    def _of_part(self, shape: Shape, seq: int) -> list[dict[str, Any]]:
        found = self._staged(f"select * from {shape.table} where seq = ?", (seq,))
        return [dict(zip(shape.names, row, strict=True)) for row in found]

    def _is_beyond(self, seq: int) -> bool:
        """No part can have had that number: the row is whole, its number is not. Parts are taken in their order."""
        if self._lost is None or not self.place.proven:
            return False
        reach = self.place.most + self._lost + _SLACK
        return seq > reach and not any(self.place.most <= jump <= seq for jump in self.jumps)

    def _proof(self, kind: Kind, a: int, b: int, content: object) -> bool | None:
        """True: the old seal says it is just this; False: it says it is not; None: the seal of this row is lost."""
        sql = "select n, hash from seal where kind = ? and a = ? and b = ? order by n desc limit 1"
        found = self._staged(sql, (int(kind), a, b))
        if not found:
            return None
        number, sealed = int(found[0][0]), bytes(found[0][1])
        before = self._staged("select hash from seal where n = ?", (number - 1,))
        if not before and number > 1:
            return None
        return linked(bytes(before[0][0]) if before else START, int(kind), a, b, content) == sealed

    def _trigger(self, db: apsw.Connection, seal: Seal, shape: Shape, row: dict[str, Any], was: int) -> bool:
        """A trigger; one of a run that lives on whose record is lost goes too: it would be closed as left open."""
        content = [{**row, "epoch": was}[name] for name in TRIGGER]
        if self._proof(Kind.TRIGGER, was, int(row["number"]), content) is False:
            return False
        if self._lives(db, int(row["epoch"])) and int(row["number"]) + _OPEN < self._top(was):
            sql = "select 1 from part where epoch = ? and part = ? and triggered_ns = ?"
            if not rows(db, sql, (row["epoch"], row["part"], row["at_ns"])):
                return False
        done = self._put(db, shape, row)
        if done and db.changes():
            seal.add(Kind.TRIGGER, int(row["epoch"]), int(row["number"]), [row[name] for name in TRIGGER])
        return done

    def _lives(self, db: apsw.Connection, epoch: int) -> bool:
        return not rows(db, "select closed from epoch where n = ? and closed", (epoch,))

    def _top(self, was: int) -> int:
        """Highest number of an entry of a run in the damaged file."""
        if self._live != str(was):
            self._live = str(was)
            sql = "select max((select coalesce(max(number), 0) from part where epoch = ?),"
            sql += " (select coalesce(max(number), 0) from trigger where epoch = ?))"
            self._highest = int(self._staged(sql, (was, was))[0][0])
        return self._highest

    def _counters(self, db: apsw.Connection, seal: Seal, row: dict[str, Any]) -> None:
        changed = ", ".join(f"{name} = excluded.{name}" for name in row if name != "epoch")
        db.execute(
            f"insert into counter_snapshot ({', '.join(row)}) values ({', '.join('?' * len(row))})"
            f" on conflict (epoch) do update set {changed} where excluded.number > number",
            tuple(row.values()),
        )
        if db.changes() and row["last"]:
            seal.row(Kind.COUNTERS, int(row["epoch"]))

    # ---- people

    def _people(self, db: apsw.Connection, shape: Shape, row: dict[str, Any]) -> bool:
        """Roles and secret as they were, while nobody has been entered anew; else people come in beside those."""
        sql = "select 1 from audit where json_extract(body, '$.what') in ('user created', 'first administrator made')"
        own = bool(rows(db, sql + " limit 1"))
        match shape.table:
            case "role" if not own:
                db.execute("insert or ignore into role values (:name, :rights)", row)
                db.execute("update role set rights = :rights where name = :name", row)
                return True
            case "pepper":
                if not own:
                    db.execute("update pepper set secret = :secret", row)
                return True
            case "person" if own:
                row["badge_hash"] = None  # it is under the secret of the damaged ledger
        return self._put(db, shape, row)
