"""Three accounts of a segment's parts held against each other: the world's, the PLC's and the ledger's.

Shares no code with what wrote them; only the part's number, the encoder count at the eye, what was ordered and where
the part went are looked at. They are joined on the disk: a million parts take no more memory than a thousand.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_TABLES = """
create table plc (eye integer primary key, part integer not null, asked integer not null);
create table world (eye integer primary key, good integer not null, went text not null, seen integer not null);
create table row (part integer not null, action text not null, verdict text);
"""
_AFTER = """
create index plc_part on plc (part);
create index row_part on row (part);
create view fate as
    select w.good, w.went, (select group_concat(r.action) from row r join plc p on p.part = r.part where p.eye = w.eye)
    as said from world w;
"""
_QUESTIONS = {
    "parts": "select count(*) from plc",
    "rendered": "select count(*) from world where seen > 0",
    "triggered": "select total(asked) from plc",
    "judged": "select count(*) from row where verdict in ('OK', 'NG')",
    "passed": "select count(*) from world where went = 'outfeed'",
    "hit": "select count(*) from world where went = 'bin'",
    "escapes": "select count(*) from fate where went = 'outfeed' and coalesce(said, '') != 'PASS'",
    "defective_passed": "select count(*) from fate where went = 'outfeed' and said = 'PASS' and not good",
    "good_rejected": "select total(good) from world where went = 'bin'",
    "no_disposition": "select count(*) from plc where asked and part not in (select part from row)",
    "two_dispositions": "select count(*) - count(distinct part) from row",
    "unknown": "select count(*) from row where part not in (select part from plc)",
    "unnumbered": "select count(*) from world where eye not in (select eye from plc)",
}


@dataclass(slots=True)
class Tally:
    """What they come to."""

    parts: int = 0
    """The PLC gave so many numbers."""
    rendered: int = 0
    """The camera exposed so many."""
    triggered: int = 0
    """The box was asked about so many."""
    judged: int = 0
    """The model said OK or NG of so many, and the ledger has it."""
    passed: int = 0
    """Went on down the belt."""
    hit: int = 0
    escapes: int = 0
    """Went on without a PASS in the ledger."""
    defective_passed: int = 0
    """Of those that went on with a PASS: the label says defective. The model's word, not the box's fault."""
    good_rejected: int = 0
    no_disposition: int = 0
    """The box took the trigger, and the ledger has no row of it."""
    two_dispositions: int = 0
    unknown: int = 0
    """Rows of numbers that the PLC never gave."""
    unnumbered: int = 0
    """Parts that passed the eye, and the PLC knows nothing of them."""
    wrapped: bool = False
    """The numbers went past 2**32 - 1 to 1."""

    @property
    def objections(self) -> list[str]:
        """Empty: the accounts agree."""
        names = ("escapes", "no_disposition", "two_dispositions", "unknown", "unnumbered")
        return [f"{name.replace('_', ' ')}: {count}" for name in names if (count := getattr(self, name))]


def tallied(line_log: Path, store: Path, first_epoch: int = 0) -> Tally:
    """Hold the logs of the line against the ledger's rows of the runs of io from that one on."""
    file = line_log / "tally.db"
    file.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.executescript(f"pragma journal_mode = off; pragma synchronous = off; {_TABLES}")
        db.executemany("insert into plc values (?, ?, ?)", _plc(line_log))
        db.executemany("insert into world values (?, ?, ?, ?)", _world(line_log))
        with contextlib.closing(sqlite3.connect(f"file:{store}/ledger.db?mode=ro", uri=True)) as ledger:
            asked = "select part, action, verdict from part where epoch >= ?"
            db.executemany("insert into row values (?, ?, ?)", ledger.execute(asked, (first_epoch,)))
        db.executescript(_AFTER)
        told = Tally()
        for name, sql in _QUESTIONS.items():
            setattr(told, name, int(db.execute(sql).fetchone()[0]))
        numbers = (number for (number,) in db.execute("select part from plc order by eye"))
        told.wrapped = any(before - after > 2**31 for before, after in pairwise(numbers))
    file.unlink()
    return told


def _plc(line_log: Path) -> Iterator[tuple[int, int, bool]]:
    for line in _lines(line_log / "plc.jsonl"):
        yield int(str(line["eye"])), int(str(line["part"])), line["trigger"] in ("accepted", "missed")


def _world(line_log: Path) -> Iterator[tuple[int, bool, str, int]]:
    for line in _lines(line_log / "world.jsonl"):
        yield int(str(line["eye"])), line["label"] == "good", str(line["end"]), int(str(line["exposures"]))


def _lines(file: Path) -> Iterator[dict[str, object]]:
    with file.open(encoding="utf-8") as lines:
        for text in lines:
            line = json.loads(text)
            if line["kind"] == "part":
                yield line
