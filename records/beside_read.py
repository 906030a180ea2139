"""What people said of parts that two models saw: for the rules that take a model back. Read-only."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .read import LedgerReader

MOST = 5000


@dataclass(frozen=True, slots=True)
class Judged:
    """One part of those asked for."""

    part: int
    at_ns: int
    """Moment of its trigger."""
    seq: int
    taken_at: str
    picture_kept: bool
    truth: str
    """`good`, `defect`, `unsure`; empty: nobody has said."""


class BesideReader:
    """Asks the ledger of one store. May be shared by threads."""

    def __init__(self, store: Path) -> None:
        """Nothing is opened yet."""
        self._reader = LedgerReader(store)

    def judged(self, parts: Sequence[tuple[int, int]]) -> list[Judged]:
        """What is known of parts by number and moment of the trigger; those that are not stored are left out.

        The newest label that stands counts; what a second person said is none. BadLedger.
        """
        sql = (
            "select p.part, p.triggered_ns, p.seq, p.taken_at, p.picture_kept, coalesce((select l.truth from label l"
            " where l.seq = p.seq and l.undone_at is null and not l.second order by l.n desc limit 1), '') as truth"
            " from part p join json_each(?) j on p.part = json_extract(j.value, '$[0]')"
            " and p.triggered_ns = json_extract(j.value, '$[1]') order by p.seq"
        )
        with self._reader.asking() as ask:
            return [
                Judged(
                    row["part"],
                    row["triggered_ns"],
                    row["seq"],
                    row["taken_at"],
                    bool(row["picture_kept"]),
                    row["truth"],
                )
                for row in ask(sql, [json.dumps([list(one) for one in parts[-MOST:]])])
            ]

    def reviewed(self, model: str, since: str, limit: int = MOST) -> list[bool]:
        """Rejects of a model that people are sure of, the oldest first: True, it was good.

        since: only parts taken from then on, UTC. BadLedger.
        """
        with self._reader.asking() as ask:
            return [
                row["truth"] == "good"
                for row in ask(
                    "select l.truth from label l join part p on p.seq = l.seq where p.model = ? and p.taken_at >= ?"
                    " and p.outcome = 'NG' and l.truth != 'unsure' and l.undone_at is null and not l.second"
                    " and l.n = (select max(o.n) from label o where o.seq = l.seq and o.undone_at is null"
                    " and not o.second) order by p.seq desc limit ?",
                    [model, since, limit],
                )
            ][::-1]

    def rejects(self, model: str, limit: int = 20_000) -> tuple[int, int]:
        """Of the newest parts, up to limit, those that a model judged, and of these the NG ones. BadLedger."""
        with self._reader.asking() as ask:
            row = ask.first(
                "select count(*) as parts, coalesce(sum(outcome = 'NG'), 0) as ng from (select outcome, model from part"
                " order by seq desc limit ?) where model = ? and outcome in ('OK', 'NG')",
                [limit, model],
            )
        return (0, 0) if row is None else (int(row["parts"]), int(row["ng"]))
