"""The seal: rows that never change are chained in the order they are committed, inside their own transaction.

hash n = SHA-256(hash n-1 || what link n seals), hash 0 = 32 zero bytes. A row that is changed, removed, put in or moved
breaks the chain at its own link. That the whole of it was made anew only a signed head that is kept elsewhere can show
(`seal_heads.py`). Who verifies is `seal_verify.py`.
"""

from collections.abc import Sequence
from typing import Any, cast

import apsw

from ..bus.clock import utc_now
from .rows import as_json
from .seal_content import (
    COUNTERS,
    HEALTH,
    JOURNAL,
    PART,
    SIGNATURE,
    START,
    TRIGGER,
    VIEW,
    Kind,
    block_hash,
    linked,
    part_content,
)

KEYED: dict[Kind, tuple[str, tuple[str, ...], str]] = {
    Kind.TRIGGER: ("trigger", TRIGGER, "epoch = ? and number = ?"),
    Kind.COUNTERS: ("counter_snapshot", COUNTERS, "epoch = ? and ? = 0"),
    Kind.JOURNAL: ("journal", JOURNAL, "n = ? and ? = 0"),
    Kind.SIGNATURE: ("signature", SIGNATURE, "n = ? and ? = 0"),
}
_AMONG = "seq in (select value from json_each(?))"
BLOCK = 500
"""Older parts that go under one hash: a change among them is found to within so many."""


class Seal:
    """The end of the chain, inside one transaction. `close` writes what was added."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._made: list[tuple[int, int, int, int, bytes, str | None]] = []
        found = _rows(db, "select n, hash from seal order by n desc limit 1")
        self.n, self.hash = (int(found[0][0]), bytes(found[0][1])) if found else (0, START)

    def part(self, row: Sequence[Any], views: Sequence[Sequence[Any]], health: Sequence[Sequence[Any]]) -> None:
        """Seal a part. row, views, health: the columns of `seal_content`, as the file has them."""
        self.add(Kind.PART, int(row[0]), 0, part_content(row, views, health))

    def row(self, kind: Kind, a: int, b: int = 0) -> None:
        """Seal a row that was just written, by its key."""
        table, columns, where = KEYED[kind]
        found = _rows(self._db, f"select {', '.join(columns)} from {table} where {where}", (a, b))
        self.add(kind, a, b, list(found[0]))

    def tell(self, kind: Kind, a: int, b: int, body: dict[str, object]) -> None:
        """Add a link that seals no row and says what happened."""
        text = as_json({"at": utc_now(), **body})
        self.add(kind, a, b, text, text)

    def add(self, kind: Kind, a: int, b: int, content: object, body: str | None = None) -> None:
        """Add a link."""
        self.n += 1
        self.hash = linked(self.hash, kind, a, b, content)
        self._made.append((self.n, int(kind), a, b, self.hash, body))

    def close(self) -> None:
        """Write the links. apsw.Error."""
        made, self._made = self._made, []
        self._db.executemany("insert into seal values (?, ?, ?, ?, ?, ?)", cast(Any, made))


def seal_row(db: apsw.Connection, kind: Kind, a: int, b: int = 0) -> None:
    """Seal one row that was just written."""
    seal = Seal(db)
    seal.row(kind, a, b)
    seal.close()


def seal_lineage(db: apsw.Connection) -> None:
    """Note which lineage goes on from here, and at the very beginning what was there unsealed. Inside a transaction."""
    ((lineage,),) = _rows(db, "select lineage from meta")
    newest = _rows(db, f"select a from seal where kind = {Kind.LINEAGE} and body is not null order by n desc limit 1")
    if newest and newest[0][0] == lineage:
        return
    # How far the trail of the lineage before had come: its first line of the new one says which it is.
    sql = "select n, hash from audit where json_extract(body, '$.what') not like 'ledger %' order by n desc limit 1"
    ((trail_n, trail_hash),) = _rows(db, sql) or [(0, "")]
    body: dict[str, object] = {"trail": {"n": trail_n, "hash": trail_hash}}
    if not newest:
        ((part,),) = _rows(db, "select coalesce(max(seq), 0) from part")
        ((journal,),) = _rows(db, "select coalesce(max(n), 0) from journal")
        # By number and not by time: what a clock said that ran ahead tells nothing of what came first.
        triggers = {
            str(epoch): top for epoch, top in _rows(db, "select epoch, max(number) from trigger group by epoch")
        }
        ended = [epoch for (epoch,) in _rows(db, "select epoch from counter_snapshot where last = 1 order by epoch")]
        body["unsealed"] = {"part": part, "journal": journal, "trigger": triggers, "counters": ended}
    seal = Seal(db)
    seal.tell(Kind.LINEAGE, int(lineage), 0, body)
    seal.close()


def seal_older(db: apsw.Connection) -> int:
    """Put the next block of parts from before the seal under one hash; return how many, 0: none is left.

    Inside a transaction; about 25 ms.
    """
    found = _rows(
        db,
        "select json_extract(body, '$.unsealed.part') from seal"
        f" where kind = {Kind.LINEAGE} and body is not null order by n limit 1",
    )
    last = int(found[0][0] or 0) if found else 0
    done = _rows(db, f"select max(b) from seal where kind = {Kind.OLDER} and body is not null")[0][0] or 0
    if done >= last:
        return 0
    contents = parts_in(db, done + 1, last, BLOCK)
    if not contents:
        return 0
    seqs = list(contents)
    seal = Seal(db)
    seal.tell(Kind.OLDER, done + 1, seqs[-1], {"rows": len(seqs), "sha256": block_hash(contents.values())})
    seal.close()
    return len(seqs)


def parts_in(db: apsw.Connection, first: int, last: int, most: int = -1) -> dict[int, list[Any]]:
    """What is sealed of the parts first..last, by seq and in its order. most: of the first so many."""
    rows = _rows(
        db, f"select {', '.join(PART)} from part where seq between ? and ? order by seq limit ?", (first, last, most)
    )
    return _with_views(db, rows) if rows else {}


def parts_among(db: apsw.Connection, seqs: Sequence[int]) -> dict[int, list[Any]]:
    """What is sealed of those of these parts that are there."""
    found = _rows(db, f"select {', '.join(PART)} from part where {_AMONG}", (as_json(list(seqs)),)) if seqs else []
    return _with_views(db, found) if found else {}


def _with_views(db: apsw.Connection, rows: Sequence[tuple[Any, ...]]) -> dict[int, list[Any]]:
    """What is sealed of some parts, in their order. rows: their columns."""
    span = (as_json([row[0] for row in rows]),)
    views: dict[int, list[tuple[Any, ...]]] = {}
    health: dict[int, list[tuple[Any, ...]]] = {}
    for held, table, columns in ((views, "view", VIEW), (health, "image_health", HEALTH)):
        for seq, *rest in _rows(db, f"select seq, {', '.join(columns)} from {table} where {_AMONG}", span):
            held.setdefault(seq, []).append(tuple(rest))
    return {row[0]: part_content(row, views.get(row[0], ()), health.get(row[0], ())) for row in rows}


def _rows(db: apsw.Connection, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    return cast(list[tuple[Any, ...]], db.execute(sql, cast(Any, values)).fetchall())
