"""Three accounts of a million parts held against each other: the world's, the PLC's and the ledger's.

Line by line, with a few bytes kept of each part. Shares no code with what wrote them; only the part's number, the
encoder count at the eye, what was ordered and where the part went are looked at.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Tally:
    """What they come to."""

    parts: int = 0
    """The PLC gave so many numbers."""
    triggered: int = 0
    """Of them, the box was asked about."""
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
    wrapped: bool = False
    """The numbers went past 2**32 - 1 to 1."""

    @property
    def objections(self) -> list[str]:
        """Empty: the accounts agree."""
        names = ("escapes", "no_disposition", "two_dispositions", "unknown")
        return [f"{name.replace('_', ' ')}: {count}" for name in names if (count := getattr(self, name))]


@dataclass(slots=True)
class _Accounts:
    numbers: dict[int, int] = field(default_factory=dict)
    """Number by the encoder count at the eye."""
    asked: set[int] = field(default_factory=set)
    rows: dict[int, str] = field(default_factory=dict)


def tallied(line_log: Path, store: Path) -> Tally:
    """Hold the logs of the line against the ledger."""
    told, accounts, before = Tally(), _Accounts(), 0
    for line in _lines(line_log / "plc.jsonl"):
        number = int(str(line["part"]))
        told.parts += 1
        accounts.numbers[int(str(line["eye"]))] = number
        if line["trigger"] in ("accepted", "missed"):
            accounts.asked.add(number)
        told.wrapped |= before > number and before - number > 2**31
        before = number
    told.triggered = len(accounts.asked)
    with contextlib.closing(sqlite3.connect(f"file:{store}/ledger.db?mode=ro", uri=True)) as db:
        for part, action in db.execute("select part, action from part"):
            told.two_dispositions += part in accounts.rows
            accounts.rows[part] = action
    known = set(accounts.numbers.values())
    told.unknown = sum(part not in known for part in accounts.rows)
    told.no_disposition = sum(number not in accounts.rows for number in accounts.asked)
    for line in _lines(line_log / "world.jsonl"):
        _end(line, told, accounts)
    return told


def _end(line: dict[str, object], told: Tally, accounts: _Accounts) -> None:
    number = accounts.numbers.get(int(str(line["eye"])))
    said = accounts.rows.get(number) if number is not None else None
    good = line["label"] == "good"
    if line["end"] == "outfeed":
        told.passed += 1
        told.escapes += said != "PASS"
        told.defective_passed += said == "PASS" and not good
    elif line["end"] == "bin":
        told.hit += 1
        told.good_rejected += good


def _lines(file: Path) -> Iterator[dict[str, object]]:
    with file.open(encoding="utf-8") as lines:
        for text in lines:
            line = json.loads(text)
            if line["kind"] == "part":
                yield line
