"""Runs of the challenge test as the journal tells them: for the history, and for the sheet that is signed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..records.people_read import JournalRow, PeopleReader

STREAM = "challenge"
ENDS = ("passed", "failed", "aborted")
TOLD = (*ENDS, "signed", "hold released")
LOOKED = 400
"""Lines of the journal one question looks at."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One test part that went through."""

    sample: str
    part: int
    expected: str
    verdict: str
    score: float
    threshold: float
    confirmed: bool | None
    at: str
    problem: str
    """Why it did not come off (English); empty: it did."""
    confirmed_by: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One run that came to an end."""

    line: int
    """Number of its end in the journal: its address."""
    number: int
    recipe: str
    occasion: str
    event: str
    """One of `ENDS`."""
    at: str
    who: str
    passes: tuple[Pass, ...] = ()
    started: str = ""
    names: dict[str, str] = field(default_factory=dict)
    """Of the test parts, by id."""
    why: str = ""
    hold: dict[str, Any] = field(default_factory=dict)
    signed_by: str = ""
    signed_at: str = ""
    signed_reason: str = ""
    released_by: str = ""
    released_at: str = ""
    released_reason: str = ""


def events(people: PeopleReader, before: int | None, limit: int) -> tuple[list[JournalRow], int | None]:
    """What is worth a line of the history, newest first, and where to go on; None: there is no more. BadLedger."""
    found = people.journal(STREAM, before=before, limit=LOOKED)
    told = [row for row in found if row.event in TOLD]
    if len(told) > limit:
        return told[:limit], told[limit - 1].n
    return told, found[-1].n if len(found) == LOOKED else None


def run_of(people: PeopleReader, line: int) -> Run | None:
    """The run that ended by that line of the journal; None: no run did. BadLedger."""
    until = people.journal(STREAM, before=line + 1, limit=LOOKED)
    if not until or until[0].n != line or until[0].event not in ENDS:
        return None
    end, number = until[0], until[0].body.get("run")
    start = next((row for row in until if row.event == "started" and row.body.get("run") == number), None)
    later = people.journal(STREAM, after=line, limit=LOOKED)
    signed = next((row for row in later if row.event == "signed" and row.body.get("run") == number), None)
    released = _release(later) if end.event == "failed" else None
    body = end.body
    parts = start.body.get("parts", []) if start else []
    return Run(
        line=line,
        number=int(number or 0),
        recipe=str(body.get("recipe", "")),
        occasion=str(body.get("occasion", start.body.get("occasion", "") if start else "")),
        event=end.event,
        at=end.at,
        who=(start.who if start else "") or end.who,
        passes=tuple(_pass(one) for one in body.get("results", []) if isinstance(one, dict)),
        started=start.at if start else "",
        names={str(id): str(name) for id, name, *_ in parts},  # noqa: A001
        why=str(body.get("why", "")),
        hold=body.get("hold") or {},
        signed_by=signed.who if signed else "",
        signed_at=signed.at if signed else "",
        signed_reason=str(signed.body.get("reason", "")) if signed else "",
        released_by=released.who if released else "",
        released_at=released.at if released else "",
        released_reason=str(released.body.get("reason", "")) if released else "",
    )


def _release(later: Sequence[JournalRow]) -> JournalRow | None:
    """The release that ended the hold of a failed run: the first one after it."""
    return next((row for row in later if row.event == "hold released"), None)


def _pass(one: dict[str, Any]) -> Pass:
    return Pass(
        sample=str(one.get("sample", "")),
        part=int(one.get("part", 0)),
        expected=str(one.get("expected", "")),
        verdict=str(one.get("verdict", "")),
        score=float(one.get("score") or 0.0),
        threshold=float(one.get("threshold") or 0.0),
        confirmed=one.get("confirmed"),
        at=str(one.get("at", "")),
        problem=str(one.get("problem", "")),
        confirmed_by=str(one.get("confirmed_by", "")),
    )
