"""Links go whose rows retention has deleted, so that the seal does not outgrow the ledger.

Of each run of them one link stays to say which went and what the last one's hash was: the chain still holds across it.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import apsw

from .bookkeeping import rows
from .rows import as_json, unpack_json
from .seal import Seal
from .seal_content import Kind
from .seal_retired import Retired

PAGE = 2000
"""Links looked at in one go; about 10 ms."""
TOLD = 100
"""Links of retention that are read in one go."""
LEAST = 200
"""Shorter runs stay: each costs a link of its own."""


class Pruner:
    """Goes along the seal from its beginning, and again when more was deleted."""

    def __init__(self) -> None:
        self._at, self._told, self._read = 0, 0, 0
        self._retired = Retired()

    def step(self, db: apsw.Connection) -> int:
        """Look at the next links; return how many went. Inside a transaction."""
        newest = rows(db, f"select coalesce(max(n), 0) from seal where kind = {Kind.RETIRED} and body is not null")
        told = int(newest[0][0])
        if told > self._read:
            self._learn(db)
            return 0
        if told == self._told and self._at == 0:
            return 0
        if self._at == 0:
            self._told = told
        page = rows(
            db,
            "select n, kind, a, b, hash from seal where n > ? and n < ? order by n limit ?",
            (self._at, self._told, PAGE),
        )
        if not page:
            self._at = 0
            return 0
        self._at = int(page[-1][0])
        return sum(_prune(db, run) for run in _runs(page, _gone(db, self._retired, page)) if len(run) >= LEAST)

    def _learn(self, db: apsw.Connection) -> None:
        """Read the next links that say what went."""
        sql = f"select n, a, b, body from seal where n > ? and kind = {Kind.RETIRED} and body is not null order by n"
        for n, a, b, body in rows(db, f"{sql} limit {TOLD}", (self._read,)):
            # A text that okng did not write explains nothing; whoever verifies names it.
            with suppress(ValueError, KeyError, TypeError):
                self._retired.add(a, b, unpack_json(body))
            self._read = int(n)


def _gone(db: apsw.Connection, retired: Retired, page: Sequence[tuple[Any, ...]]) -> set[int]:
    """Links of parts and triggers that are not there, and whose going retention told of."""
    seqs = as_json([a for _, kind, a, _, _ in page if kind == Kind.PART])
    here = {row[0] for row in rows(db, "select seq from part where seq in (select value from json_each(?))", (seqs,))}
    keys = as_json([[a, b] for _, kind, a, b, _ in page if kind == Kind.TRIGGER])
    there = set(
        rows(
            db,
            "select t.epoch, t.number from json_each(?) j join trigger t on t.epoch = json_extract(j.value, '$[0]')"
            " and t.number = json_extract(j.value, '$[1]')",
            (keys,),
        )
    )

    def goes(kind: int, a: int, b: int) -> bool:
        if kind == Kind.PART:
            return a not in here and retired.has_part(a)
        return kind == Kind.TRIGGER and (a, b) not in there and retired.has_trigger(a, b)

    return {n for n, kind, a, b, _ in page if goes(kind, a, b)}


def _runs(page: Sequence[tuple[Any, ...]], gone: set[int]) -> list[list[tuple[Any, ...]]]:
    """Links in a row, without a gap, that go."""
    found: list[list[tuple[Any, ...]]] = []
    before = None
    for link in page:
        if link[0] in gone:
            if before is not None and link[0] == before + 1:
                found[-1].append(link)
            else:
                found.append([link])
            before = link[0]
        else:
            before = None
    return found


def _prune(db: apsw.Connection, run: Sequence[tuple[Any, ...]]) -> int:
    first, last = int(run[0][0]), int(run[-1][0])
    seal = Seal(db)
    seal.tell(Kind.PRUNED, first, last, {"hash": bytes(run[-1][4]).hex()})
    seal.close()
    db.execute("insert into seal_floor values (?)", (last,))
    db.execute("delete from seal where n between ? and ?", (first, last))
    db.execute("delete from seal_floor")
    return last - first + 1
