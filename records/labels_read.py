"""What waits to be confirmed, what the second persons said, and how often the box was wrong. Read-only."""

import json
from dataclasses import dataclass
from pathlib import Path

from .gallery_read import SLACK
from .read import Ask, LedgerReader, PartRow, part_rows

SAMPLE = "((l.seq * 2654435761) >> 16) % 10 = 0"
"""One labelled part in ten is shown to a second person: by its number, so that nobody chooses which."""
MOST = 2000
"""Rejects of one span that are counted and queued."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The parts a person has before them."""

    rows: list[tuple[PartRow, bool]]
    """The oldest first; True: it has a label already, this person is the second."""
    total: int
    """Rejects of the span with a picture."""
    done: int
    """Of these labelled."""


@dataclass(frozen=True, slots=True)
class Last:
    """The last thing a person said, for taking it back."""

    n: int
    seq: int
    part: int
    truth: str
    kind: str


@dataclass(frozen=True, slots=True)
class Rates:
    """Labels of a span."""

    since: str
    labelled: int
    """Rejects somebody gave a label, `unsure` among them."""
    good: int
    """False rejects."""
    defect: int
    twice: int
    """Labelled by two persons, both sure."""
    agree: int


class LabelsReader:
    """Asks the ledger of one store. May be shared by threads."""

    def __init__(self, store: Path) -> None:
        """Nothing is opened yet."""
        self._reader = LedgerReader(store)

    def waiting(self, who: str, since: str, limit: int, skip: tuple[int, ...] = ()) -> Waiting:
        """What that person has to look at. skip: parts that are on the screen already. BadLedger."""
        with self._reader.asking() as ask:
            low = _first(ask, since)
            if low is None:
                return Waiting([], 0, 0)
            (count,) = ask(
                "select count(*) as total, coalesce(sum(labelled), 0) as done from (select exists (select 1 from label"
                " l where l.seq = p.seq and l.undone_at is null and not l.second) as labelled"
                f" from part p {_REJECTED} order by p.seq desc limit {MOST})",
                [low, since],
            )
            left = _seqs(
                ask,
                f"select p.seq as seq from part p {_REJECTED} and p.seq not in (select value from json_each(?)) and not"
                " exists (select 1 from label l where l.seq = p.seq and l.undone_at is null and not l.second)"
                f" order by p.seq limit {limit}",
                [low, since, json.dumps(skip)],
            )
            twice = _seqs(
                ask,
                "select distinct l.seq as seq from label l where l.at >= ? and l.undone_at is null and not l.second"
                f" and {SAMPLE} and l.seq not in (select value from json_each(?))"
                " and not exists (select 1 from label o where o.seq = l.seq and o.undone_at is null"
                " and (o.who = ? or o.second))"
                " and exists (select 1 from part p where p.seq = l.seq and p.picture_kept)"
                f" order by l.seq limit {limit}",
                [since, json.dumps(skip), who],
            )
            # Mixed by number, so that a second look is not told by its place.
            rows = part_rows(ask, sorted((*left, *twice))[:limit])
            return Waiting([(row, row.seq in twice) for row in rows], int(count["total"]), int(count["done"]))

    def last(self, who: str, since: str) -> Last | None:
        """The last label of a person that still stands; None: none since then. BadLedger."""
        with self._reader.asking() as ask:
            found = ask.first(
                "select l.n, l.seq, p.part, l.truth, l.kind from label l join part p on p.seq = l.seq"
                " where l.who = ? and l.at >= ? and l.undone_at is null order by l.n desc limit 1",
                [who, since],
            )
            return None if found is None else Last(**found)

    def kinds(self, most: int = 12) -> list[str]:
        """Classes that people have given, the most frequent of the last 2000 labels first. BadLedger."""
        with self._reader.asking() as ask:
            return [
                str(row["kind"])
                for row in ask(
                    "select kind, count(*) as many from (select kind from label order by n desc limit 2000)"
                    f" where kind != '' group by kind order by many desc, kind limit {most}"
                )
            ]

    def rates(self, since: str) -> Rates:
        """How the labels given since then turned out. The newest of each part counts. BadLedger."""
        with self._reader.asking() as ask:
            (found,) = ask(
                "with newest as (select max(n) as n from label where at >= ? and undone_at is null"
                " group by seq, second),"
                " first as (select l.* from newest join label l on l.n = newest.n where not l.second),"
                " twin as (select l.* from newest join label l on l.n = newest.n where l.second)"
                " select count(*) as labelled, coalesce(sum(first.truth = 'good'), 0) as good,"
                " coalesce(sum(first.truth = 'defect'), 0) as defect,"
                " coalesce(sum(twin.truth != 'unsure' and first.truth != 'unsure'), 0) as twice,"
                " coalesce(sum(twin.truth != 'unsure' and first.truth = twin.truth), 0) as agree"
                " from first left join twin on twin.seq = first.seq",
                [since],
            )
            return Rates(since, **{name: int(value) for name, value in found.items()})


_REJECTED = (
    "indexed by part_rejected where p.action = 'REJECT' and p.seq >= ? and p.taken_at >= ?"
    " and p.why = 'ng' and p.picture_kept"
)


def _first(ask: Ask, since: str) -> int | None:
    found = ask.first("select seq from part where taken_at >= ? order by taken_at limit 1", [since])
    return None if found is None else int(found["seq"]) - SLACK


def _seqs(ask: Ask, sql: str, values: list[object]) -> list[int]:
    return [int(row["seq"]) for row in ask(sql, values)]
