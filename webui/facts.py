"""The figures of one period, gathered once: what Trends draws and what the report prints are the same sums."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..records.figures_read import FiguresReader, Judged, Latency, Point, ScoreBins, Sums, Version
from .agreement import Share
from .control import Chart, Drift, Step, Subgroup, drift_of, p_chart
from .downtime import uptime_of
from .oee import Oee, oee_of
from .period import Period
from .plots import Histogram, ParetoBar, histogram, pareto

ENOUGH = 300
"""Parts of a recipe's revision from which the drift of its scores is told rather than that of a newer one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it."""

    period: Period
    sums: Sums
    oee: Oee
    series: tuple[Point, ...]
    pareto: tuple[ParetoBar, ...]
    scores: ScoreBins
    histogram: Histogram
    latency: tuple[Latency, ...]
    """By hour (ten minutes in a short period); the whole of it is `timing`."""
    timing: Latency | None
    chart: Chart
    drift: Drift
    drift_of: Version | None
    """Recipe and revision whose good parts the drift is told of: the one that judged last."""
    judged: Judged
    versions: tuple[Version, ...]

    @property
    def false_rejects(self) -> Share:
        """Of the rejects a person called real or false: how many were false."""
        return Share(self.judged.false, self.judged.false + self.judged.real)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Rejects of production by why: they and what is apart from production are all that did not pass."""
        sums = self.sums
        return [
            ("ng", sums.ng),
            ("late", sums.late),
            ("lost", sums.lost),
            ("missed", sums.missed),
            ("fault", sums.fault),
            ("group", sums.grouped),
        ]


def facts_of(reader: FiguresReader, period: Period, ideal_per_min: float) -> Facts:
    """Gather. BadLedger."""
    span = period.span
    sums = reader.sums(span)
    series = reader.series(span, period.step_min)
    latency = reader.latency(span, 10 if period.minutes <= 120 else 60)
    versions = reader.versions(span)
    newest = _newest(versions)
    scores = reader.scores(span)
    return Facts(
        period=period,
        sums=sums,
        oee=oee_of(
            sums,
            period.minutes,
            reader.active_minutes(span),
            ideal_per_min,
            uptime_of(reader, span) if span.lot is None else None,
        ),
        series=tuple(series),
        pareto=tuple(pareto(reader.pareto(span))),
        scores=scores,
        histogram=histogram(scores),
        latency=tuple(latency[:-1]),
        timing=latency[-1] if latency else None,
        chart=p_chart(_subgroups(series)),
        drift=drift_of(_steps(reader, period, newest)),
        drift_of=newest,
        judged=reader.judged(span),
        versions=tuple(versions),
    )


def _newest(versions: Sequence[Version]) -> Version | None:
    """What judged last, of what judged enough parts to tell a drift from, else of all."""
    judging = [version for version in versions if version.revision]
    many = [version for version in judging if version.parts >= ENOUGH]
    return max(many or judging, key=lambda version: version.last, default=None)


def _subgroups(series: Sequence[Point]) -> list[Subgroup]:
    """Bad among judged parts, by step. Parts without a verdict say nothing of the process."""
    return [Subgroup(point.at, point.sums.ng, point.sums.ok + point.sums.ng) for point in series]


def _steps(reader: FiguresReader, period: Period, version: Version | None) -> list[Step]:
    if version is None:
        return []
    span = replace(period.span, recipe=version.recipe, revision=version.revision)
    points = reader.series(span, 10 if period.minutes <= 24 * 60 + 10 else 60)
    begin = _hours(points[0].at) if points else 0.0
    return [
        Step(point.at, _hours(point.at) - begin, point.sums.scored, mean, point.sums.score_spread or 0.0)
        for point in points
        if (mean := point.sums.score_mean) is not None
    ]


def _hours(minute: str) -> float:
    return datetime.fromisoformat(minute + "Z").timestamp() / 3600
