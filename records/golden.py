"""A part marked as golden by hand: no full disk takes its pictures and its row, only the rule of their class.

Who, when and why stand beside it; the trail has also what was taken back.
"""

from typing import Any

from pydantic import Field

from ..bus.errors import Refused
from .clerk import Body, Task, Turn

MOST_LETTERS = 500
_OF_STUDY = "study "
"""Begins the reason of a mark that a study made (`schema_keep`)."""


class Part(Body):
    """`golden.set`, `golden.end`. The reason is the ask's."""

    seq: int = Field(ge=1, lt=2**53)


def set_golden(turn: Turn) -> dict[str, Any]:
    """Mark a part. Refused: it is marked by hand already, or no reason was given."""
    seq, why = turn.take(Part).seq, _reason(turn)
    if not turn.rows("select 1 from part where seq = ?", seq):
        raise Refused(f"part {seq}: the ledger has none of that number")
    if (held := by_hand(turn, seq)) is not None:
        raise Refused(f"part {seq} is golden already: {held[0]}, {held[1]}")
    turn.db.execute(
        "insert into marked values (?, ?, ?, ?) on conflict (seq) do update set"
        " who = excluded.who, at = excluded.at, why = excluded.why",
        (seq, turn.ask.who, turn.at, why),
    )
    turn.audit("golden set", {"seq": seq}, new=why)
    return {}


def end_golden(turn: Turn) -> dict[str, Any]:
    """Take the mark back; what a study holds stays held. Refused: it is not marked by hand, or no reason was given."""
    seq = turn.take(Part).seq
    _reason(turn)
    if (held := by_hand(turn, seq)) is None:
        raise Refused(f"part {seq} is not marked as golden by hand")
    turn.db.execute("delete from marked where seq = ?", (seq,))
    turn.db.execute(
        "insert or ignore into marked select ?, s.who, s.at, ? || s.name from study s"
        " where exists (select 1 from json_each(s.body, '$.seqs') j where j.value = ?) order by s.at limit 1",
        (seq, _OF_STUDY, seq),
    )
    turn.audit("golden taken back", {"seq": seq}, old=held)
    return {}


def by_hand(turn: Turn, seq: int) -> list[Any] | None:
    """Who marked a part, when and why; None: nobody did, or a study holds it."""
    found = turn.rows(f"select who, at, why from marked where seq = ? and not {BY_STUDY}", seq)
    return list(found[0]) if found else None


BY_STUDY = f"why like '{_OF_STUDY}%'"
"""Of a row of `marked`: a study made it."""
TASKS: dict[str, Task] = {"golden.set": set_golden, "golden.end": end_golden}


def _reason(turn: Turn) -> str:
    why = turn.ask.reason.strip()[:MOST_LETTERS]
    if not why:
        raise Refused(f"{turn.ask.name}: expected a reason")
    # What a person writes is told from what a study wrote.
    return f"“{why}”" if why.lower().startswith(_OF_STUDY) else why
