"""The sums over the parts, as readers see them: read-only, by minute, lot and recipe; no question scans the parts.

Moments are UTC as in `taken_at`. Spans go by whole minutes; the distributions of scores and latencies by ten minutes.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .read import LedgerReader, condition
from .schema_figures import COARSE_MS, FINE, SCORE_BINS

STEPS = {1: 16, 10: 15, 60: 13}
"""Minutes of a step, and letters of a moment that name it."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which parts: from since (inclusive) to until (exclusive), of a lot, of a recipe."""

    since: str
    until: str
    lot: str | None = None
    """None: of any."""
    recipe: str = ""
    """Empty: any."""
    revision: str = ""
    """Of the recipe; empty: any. Rejects by class and latencies are not kept by it."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What was counted. `triggered` = ok + ng + late + lost + missed + fault + grouped + challenge + bypass."""

    triggered: int = 0
    ok: int = 0
    ng: int = 0
    late: int = 0
    lost: int = 0
    """No picture."""
    missed: int = 0
    """They came while the line was not ready."""
    fault: int = 0
    grouped: int = 0
    """Too close to a reject."""
    challenge: int = 0
    bypass: int = 0
    ordered: int = 0
    """Rejects ordered."""
    confirmed: int = 0
    not_removed: int = 0
    """The confirm eye did not see it leave."""
    timed: int = 0
    latency_us: int = 0
    """Sum over `timed` parts, trigger to register image."""
    fastest_us: int | None = None
    slowest_us: int | None = None
    scored: int = 0
    """Good parts with a score and a limit."""
    score: int = 0
    """Sum of their scores in thousandths of the limit."""
    score_square: int = 0

    @property
    def production(self) -> int:
        """Parts that are neither test parts nor of a bypass."""
        return self.triggered - self.challenge - self.bypass

    @property
    def unjudged(self) -> int:
        """Of production: rejected without a verdict in time."""
        return self.late + self.lost + self.missed + self.fault + self.grouped

    @property
    def rejected(self) -> int:
        """Of production."""
        return self.ng + self.unjudged

    @property
    def balances(self) -> bool:
        """Every part is counted once: passed or rejected for one reason, or apart from production."""
        apart = self.rejected + self.challenge + self.bypass
        return self.triggered == self.ok + apart and self.ordered == apart

    @property
    def quality(self) -> float | None:
        """Share of the parts of production that passed; None: there was none."""
        return self.ok / self.production if self.production else None

    @property
    def mean_ms(self) -> float | None:
        """Mean latency."""
        return self.latency_us / self.timed / 1000 if self.timed else None

    @property
    def score_mean(self) -> float | None:
        """Mean score of the good parts as a share of the limit."""
        return self.score / self.scored / 1000 if self.scored else None

    @property
    def score_spread(self) -> float | None:
        """Standard deviation of the same."""
        if self.scored < 2:
            return None
        variance = (self.score_square - self.score**2 / self.scored) / (self.scored - 1)
        return math.sqrt(max(0.0, variance)) / 1000


@dataclass(frozen=True, slots=True)
class Point:
    """One step of a series."""

    at: str
    """Its first minute, UTC, for example `2026-11-23T08:10`."""
    sums: Sums


@dataclass(frozen=True, slots=True)
class Bar:
    """Bad parts of one class in one region, each part counted once by its strongest defect."""

    kind: str
    """Empty: no place was named (a measurement, a code)."""
    region: str
    parts: int


@dataclass(frozen=True, slots=True)
class Version:
    """What judged some of the parts."""

    recipe: str
    revision: str
    model: str
    parts: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class LotSpan:
    """One lot."""

    lot: str
    first: str
    last: str
    parts: int


@dataclass(frozen=True, slots=True)
class ScoreBins:
    """Parts by score as a share of the limit: 40 bins from 0 to 2, and what lies above."""

    ok: tuple[int, ...]
    ng: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """What share of the parts took at most so long, to the bin: 1 ms up to 256 ms, 16 ms above."""

    at: str
    """First ten minutes of the step; empty: all of the span."""
    parts: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Judged:
    """What persons said of the rejects of a span, by the label that counts of each part."""

    real: int
    false: int
    """Rejected, but good."""
    unsure: int
    escapes: int
    """Parts of the span, passed, in which a defect was found downstream; and reports that name no part."""
    overrides: tuple[tuple[str, int, str, str, str], ...]
    """When, part, by whom, what was said, class."""


_COLUMNS = tuple(one.name for one in fields(Sums))
_HOW = {"fastest_us": "min", "slowest_us": "max"}
_SUMMED = ", ".join(f"{_HOW.get(name, 'total')}({name}) as {name}" for name in _COLUMNS)
MOST_OVERRIDES = 500


class FiguresReader:
    """Asks the sums of one store. May be shared by threads. Every question may raise BadLedger."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self._reader = LedgerReader(store)

    def sums(self, span: Span) -> Sums:
        """All of the span in one."""
        where, values = _where(span, "minute", 16)
        with self._reader.asking() as ask:
            (row,) = ask(f"select {_SUMMED} from tally{where}", values)
        return _sums(row)

    def series(self, span: Span, step_min: int) -> list[Point]:
        """One point for each step in which there were parts, oldest first. step_min: 1, 10 or 60."""
        where, values = _where(span, "minute", 16)
        letters = STEPS[step_min]
        sql = f"select substr(minute, 1, {letters}) as step, {_SUMMED} from tally{where} group by step order by step"
        with self._reader.asking() as ask:
            return [Point(_first_minute(row.pop("step")), _sums(row)) for row in ask(sql, values)]

    def active_minutes(self, span: Span) -> int:
        """Minutes in which at least one part came."""
        where, values = _where(span, "minute", 16)
        with self._reader.asking() as ask:
            (found,) = ask(f"select count(distinct minute) as minutes from tally{where}", values)
            return int(found["minutes"])

    def pareto(self, span: Span) -> list[Bar]:
        """Bad parts by class and region, the most frequent first. Their sum is `Sums.ng`."""
        where, values = _where(span, "minute", 16)
        sql = f"select kind, region, sum(parts) as parts from tally_reject{where} group by 1, 2 order by 3 desc, 1, 2"
        with self._reader.asking() as ask:
            return [Bar(**row) for row in ask(sql, values)]

    def scores(self, span: Span) -> ScoreBins:
        """How the scores lie to their limits. The span is widened to whole ten minutes."""
        where, values = _where(span, "ten", 15)
        sql = f"select verdict, bin, sum(parts) as parts from tally_score{where} group by 1, 2"
        made = {"OK": [0] * (SCORE_BINS + 1), "NG": [0] * (SCORE_BINS + 1)}
        with self._reader.asking() as ask:
            for row in ask(sql, values):
                if row["verdict"] in made:
                    made[row["verdict"]][row["bin"]] += row["parts"]
        return ScoreBins(tuple(made["OK"]), tuple(made["NG"]))

    def latency(self, span: Span, step_min: int = 60) -> list[Latency]:
        """Median and 99th percentile for each step (10 or 60 minutes), then of all. Widened to whole ten minutes."""
        where, values = _where(span, "ten", 15)
        letters = STEPS[step_min]
        sql = (
            f"select substr(ten, 1, {letters}) as step, bin, sum(parts) as parts from tally_latency{where}"
            " group by 1, 2 order by 1, 2"
        )
        steps: dict[str, list[tuple[int, int]]] = {}
        total: dict[int, int] = {}
        with self._reader.asking() as ask:
            for row in ask(sql, values):
                steps.setdefault(row["step"], []).append((row["bin"], row["parts"]))
                total[row["bin"]] = total.get(row["bin"], 0) + row["parts"]
        made = [_latency(_first_minute(step), bins) for step, bins in steps.items()]
        return [*made, _latency("", sorted(total.items()))] if total else []

    def versions(self, span: Span) -> list[Version]:
        """Recipes, revisions and models that judged parts, in the order they came."""
        where, values = _where(span, "minute", 16)
        sql = (
            "select recipe, revision, model, sum(triggered) as parts, min(minute) as first, max(minute) as last"
            f" from tally{where} group by 1, 2, 3 order by first, recipe, revision"
        )
        with self._reader.asking() as ask:
            return [Version(**row) for row in ask(sql, values)]

    def recipes(self, span: Span) -> list[str]:
        """Names of the recipes that parts came under."""
        where, values = _where(span, "minute", 16)
        with self._reader.asking() as ask:
            return [str(row["recipe"]) for row in ask(f"select distinct recipe from tally{where} order by 1", values)]

    def lots(self, since: str, limit: int = 50) -> list[LotSpan]:
        """Lots of which parts came since then, newest first."""
        # `+` keeps SQLite off the index of lots, which would have it walk all minutes there ever were.
        sql = (
            "select lot, min(minute) as first, max(minute) as last, sum(triggered) as parts from tally"
            f" where minute >= ? and +lot != '' group by +lot order by last desc limit {limit}"
        )
        with self._reader.asking() as ask:
            return [LotSpan(**row) for row in ask(sql, [since[:16]])]

    def lot(self, name: str) -> LotSpan | None:
        """That lot, from its first part to its last; None: no part bears it."""
        counted = "min(minute) as first, max(minute) as last, total(triggered) as parts"
        sql = f"select {counted} from tally where lot = ? and lot != ''"
        with self._reader.asking() as ask:
            (row,) = ask(sql, [name])
        return LotSpan(name, row["first"], row["last"], int(row["parts"])) if row["first"] else None

    def judged(self, span: Span) -> Judged:
        """Labels and escapes of the parts of a span."""
        lot, recipe = ("" if span.lot is None else " and p.lot = :lot"), (" and p.recipe = :recipe" * bool(span.recipe))
        named = {"since": span.since, "until": span.until, "lot": span.lot, "recipe": span.recipe}
        inside = f"p.taken_at >= :since and p.taken_at < :until{lot}{recipe}"
        with self._reader.asking() as ask:
            rows = list(
                ask(
                    # `cross`: labels first, which are few, and not all parts of the span.
                    "select l.at, p.part, l.who, l.truth, l.kind from label l cross join part p on p.seq = l.seq"
                    " where l.at >= :since and l.undone_at is null and not l.second and p.action = 'REJECT'"
                    " and p.why not in ('challenge', 'bypass')"
                    " and l.n = (select max(n) from label where seq = l.seq and undone_at is null and not second)"
                    f" and {inside} order by +l.n",
                    named,
                )
            )
            (escapes,) = ask(
                'select count(*) as n from "escape" e left join part p on p.seq = e.seq where e.at >= :since and'
                f" (e.seq is null and e.at < :until or p.action = 'PASS' and {inside})",
                named,
            )
        count = {truth: sum(row["truth"] == truth for row in rows) for truth in ("defect", "good", "unsure")}
        lines = tuple((row["at"], row["part"], row["who"], row["truth"], row["kind"]) for row in rows[-MOST_OVERRIDES:])
        return Judged(count["defect"], count["good"], count["unsure"], escapes["n"], lines)

    def happened(self, stream: str, since: str, until: str, limit: int = 1000) -> list[dict[str, Any]]:
        """Events of the journal in a span, oldest first: at, key, event, who, body."""
        sql = (
            "select at, key, event, who, body from journal where stream = ? and at >= ? and at < ?"
            f" order by at, n limit {limit}"
        )
        with self._reader.asking() as ask:
            return [{**row, "body": json.loads(row["body"])} for row in ask(sql, [stream, since, until])]

    def last_before(self, stream: str, at: str) -> dict[str, Any] | None:
        """The newest event of a stream before a moment; None: there is none."""
        sql = (
            "select at, key, event, who, body from journal where stream = ? and at < ? order by at desc, n desc limit 1"
        )
        with self._reader.asking() as ask:
            found = ask.first(sql, [stream, at])
        return None if found is None else {**found, "body": json.loads(found["body"])}

    def passed(self, seqs: Sequence[int]) -> dict[int, bool]:
        """Whether each of these parts was let pass."""
        sql = "select seq, action = 'PASS' as passed from part where seq in (select value from json_each(?))"
        with self._reader.asking() as ask:
            return {row["seq"]: bool(row["passed"]) for row in ask(sql, [json.dumps(list(seqs))])}


def _where(span: Span, column: str, letters: int) -> tuple[str, list[object]]:
    """The condition over a table of sums. Both ends are cut to the column's step, `until` up."""
    terms: list[tuple[str, list[object]]] = [(f"{column} >= ?", [span.since[:letters]])]
    # A moment inside a step belongs to it: with more letters it is greater than the step's name.
    terms.append((f"{column} < ?", [span.until[:letters] if _is_whole(span.until, letters) else span.until]))
    if span.lot is not None:
        terms.append(("lot = ?", [span.lot]))
    if span.recipe:
        terms.append(("recipe = ?", [span.recipe]))
    if span.revision:
        terms.append(("revision = ?", [span.revision]))
    return condition(terms)


def _is_whole(moment: str, letters: int) -> bool:
    return not moment[letters:].strip("0:.Z")


def _first_minute(step: str) -> str:
    return step + "0000-01-01T00:00"[len(step) :]


def _sums(row: dict[str, Any]) -> Sums:
    return Sums(**{name: None if value is None else int(value) for name, value in row.items()})  # type: ignore[arg-type]


def _upper_ms(which: int) -> float:
    return float(which + 1) if which < FINE else float(FINE + (which - FINE + 1) * COARSE_MS)


def _latency(at: str, bins: Sequence[tuple[int, int]]) -> Latency:
    total = sum(parts for _, parts in bins)

    def at_most(share: float) -> float:
        seen = 0
        for which, parts in bins:
            seen += parts
            if seen >= share * total:
                return _upper_ms(which)
        return 0.0

    return Latency(at, total, at_most(0.5), at_most(0.99))
