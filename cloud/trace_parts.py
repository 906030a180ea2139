"""Where a part has been, over all boxes; and what the rejects of a search have in common, ranked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .causes import Cause, Tally, ranked
from .search_terms import BadTerms, Terms, begins
from .tables import Box, Part
from .tables_rollout import Hourly
from .yields import health_of

MOST = 200
FACTORS = ("recipe", "model", "lot", "shift", "tool", "camera", "health", "box", "line", "hour")
"""What is held against the rejects; `health`: what the pictures' health said; `hour`: of the day, UTC."""
MOST_LEVELS = 5000
MOST_REJECTS = 200_000
"""Rejects of one kind that are looked at one by one."""


def find(session: Session, text: str, what: str = "serial", limit: int = MOST) -> list[tuple[Part, Box]]:
    """Every record of a serial number or of a lot in order of time; with `*` at its end, of all that begin so.

    what: serial, lot, or part: `<box>/<epoch>/<number>`. BadTerms.
    """
    text = text.strip()
    if not text or len(text) > 200 or "\0" in text:
        raise BadTerms(f"{what}: expected 1 to 200 characters")
    asked = sa.select(Part, Box).join(Box, Box.id == Part.box).order_by(Part.taken_at, Part.box, Part.seq).limit(limit)
    if what == "part":
        return [(part, box) for part, box in session.execute(asked.where(*_one_part(text)))]
    if what not in ("serial", "lot"):
        raise BadTerms(f"what = {what[:20]!r}: expected serial, lot or part")
    column = getattr(Part, what)
    if text.endswith("*") and len(text) > 1:
        # So many that begin so, in the order of the index, and only these by time: there may be a million of them.
        fits = begins(column, text[:-1], session.get_bind().dialect.name)
        some = sa.select(Part.box, Part.epoch, Part.seq).where(fits).limit(limit).subquery()
        same = (Part.box == some.c.box, Part.epoch == some.c.epoch, Part.seq == some.c.seq)
        asked = asked.join(some, sa.and_(*same))
    else:
        asked = asked.where(column == text)
    return [(part, box) for part, box in session.execute(asked)]


def _one_part(text: str) -> list[Any]:
    try:
        box, epoch, seq = text.split("/")
        return [Part.box == box, Part.epoch == int(epoch), Part.seq == int(seq)]
    except ValueError:
        raise BadTerms(f"part = {text[:60]!r}: expected <box>/<epoch>/<number>") from None


@dataclass(frozen=True, slots=True)
class Causes:
    """What stands beside the rejects of a search."""

    causes: list[Cause]
    parts: int
    """Judged ones of the search."""
    rejects: int
    tested: int
    """Levels that were tested at once."""
    cut: bool
    """There are more levels or rejects than were looked at."""

    def told(self, names: Mapping[str, str], limit: int = 100) -> dict[str, Any]:
        """As the API says it; names: of boxes."""
        return {
            "parts": self.parts,
            "rejects": self.rejects,
            "tested": self.tested,
            "cut": self.cut,
            "note": "what is found together is not a proof that one causes the other",
            "causes": [
                {
                    "factor": one.factor,
                    "level": one.level,
                    "label": names.get(one.level, one.level) if one.factor == "box" else one.level,
                    "parts": one.tally.parts,
                    "rejects": one.tally.rejects,
                    "rest_parts": one.rest.parts,
                    "rest_rejects": one.rest.rejects,
                    "lift": _finite(one.lift),
                    "low": _finite(one.low),
                    "high": _finite(one.high),
                    "p": one.p,
                    "q": one.q,
                    "tested": one.tested,
                    "conspicuous": one.conspicuous,
                }
                for one in self.causes[:limit]
            ],
        }


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def causes(session: Session, terms: Terms, kind: str = "") -> Causes:
    """Hold every level of every factor against the rest of the search.

    kind: only rejects with a defect of that class count as rejects; the others are left out of both sides.
    """
    judged, ng = Hourly.good + Hourly.rejects, Hourly.rejects
    wanted = _rejects_of_kind(session, terms, kind) if kind else None
    factors: dict[str, dict[str, Tally]] = {}
    cut = wanted is not None and wanted[1]
    counted = _counted(session, terms, judged, ng)
    for factor in FACTORS:
        if wanted is not None and factor == "tool":
            continue  # a part's row does not hold it
        levels = counted[factor]
        cut = cut or len(levels) >= MOST_LEVELS
        if wanted is None:
            factors[factor] = {level: Tally(parts, rejects) for level, (parts, rejects) in levels.items()}
        else:
            mine = wanted[0][factor]
            factors[factor] = {
                level: Tally(max(parts - rejects + mine[level], mine[level]), mine[level])
                for level, (parts, rejects) in levels.items()
            }
    found = ranked({factor: levels for factor, levels in factors.items() if len(levels) > 1})
    everything = factors["recipe"].values()
    return Causes(
        found,
        sum(one.parts for one in everything),
        sum(one.rejects for one in everything),
        sum(one.tested for one in found),
        cut,
    )


_HOUR = "extract(hour from hourly.hour at time zone 'UTC')"


def _counted(session: Session, terms: Terms, judged: Any, ng: Any) -> dict[str, dict[str, tuple[int, int]]]:
    """(judged, rejects) of every level of every factor; PostgreSQL counts them all in one pass."""
    if session.get_bind().dialect.name != "postgresql":
        return {factor: _levels(session, terms, factor, judged, ng) for factor in FACTORS}
    columns: list[Any] = [
        sa.literal_column(_HOUR) if factor == "hour" else Box.line if factor == "line" else getattr(Hourly, factor)
        for factor in FACTORS
    ]
    asked = (
        sa.select(sa.func.grouping(*columns), *columns, sa.func.sum(judged), sa.func.sum(ng))
        .join(Box, Box.id == Hourly.box)
        .where(*terms.hourly())
        .group_by(sa.func.grouping_sets(*(sa.tuple_(column) for column in columns)))
    )
    found: dict[str, dict[str, tuple[int, int]]] = {factor: {} for factor in FACTORS}
    everything = (1 << len(FACTORS)) - 1
    for mask, *levels, parts, rejects in session.execute(asked):
        at = len(FACTORS) - (everything ^ int(mask)).bit_length()  # the bit of a column that is grouped by is 0
        factor, level = FACTORS[at], levels[at]
        if parts:
            name = f"{int(level):02}:00" if factor == "hour" else str(level)
            found[factor][name] = (int(parts), int(rejects))
    return {
        factor: dict(sorted(levels.items(), key=lambda one: -one[1][0])[:MOST_LEVELS])
        for factor, levels in found.items()
    }


def _levels(session: Session, terms: Terms, factor: str, judged: Any, ng: Any) -> dict[str, tuple[int, int]]:
    column: Any = Hourly.hour if factor == "hour" else Box.line if factor == "line" else getattr(Hourly, factor)
    asked = sa.select(column, sa.func.sum(judged), sa.func.sum(ng)).where(*terms.hourly()).group_by(column)
    if factor == "line" or terms.line:
        asked = asked.join(Box, Box.id == Hourly.box)
    if factor != "hour":
        asked = asked.order_by(sa.func.sum(judged).desc()).limit(MOST_LEVELS)
    found: dict[str, tuple[int, int]] = {}
    for level, parts, rejects in session.execute(asked):
        name = f"{level:%H}:00" if factor == "hour" else str(level)
        have = found.get(name, (0, 0))
        if parts:
            found[name] = (have[0] + int(parts), have[1] + int(rejects))
    return found


def _rejects_of_kind(session: Session, terms: Terms, kind: str) -> tuple[dict[str, Counter[str]], bool]:
    """Rejects by factor and level that have a defect of that class; and whether some were left out."""
    asked = sa.select(
        Part.recipe,
        Part.model,
        Part.lot,
        Part.shift,
        Part.camera,
        Part.image,
        Part.box,
        Part.taken_at,
        Part.defects,
        Box.line,
    ).join(Box, Box.id == Part.box)
    whole = terms.with_(since=terms.since.replace(minute=0, second=0, microsecond=0))  # as the counts have it
    asked = asked.where(*whole.parts(), sa.text("outcome = 'NG'")).limit(MOST_REJECTS)
    found: dict[str, Counter[str]] = {factor: Counter() for factor in FACTORS}
    n = 0
    for row in session.execute(asked.execution_options(yield_per=2000)):
        n += 1
        if not any(isinstance(one, dict) and one.get("kind") == kind for one in row.defects or ()):
            continue
        for factor in ("recipe", "model", "lot", "shift", "camera", "box", "line"):
            found[factor][getattr(row, factor)] += 1
        found["health"][health_of(row.image)] += 1
        found["hour"][f"{row.taken_at:%H}:00"] += 1
    return found, n >= MOST_REJECTS
