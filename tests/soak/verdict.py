"""What a soak came to: what grew, by how much, and what it may."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .slopes import PER_PARTS, pooled
from .vitals import Sample, Vital

MB = 1 << 20
LONG = 10_000
"""Parts of a run whose latency says something."""
WARM_UP_SAMPLES = 1
"""The first is left out: caches fill, and a process loads on first use what it then keeps."""
SIMULATED = "simulated"
"""Begins the names of world and PLC: they end with the last part, so the last samples may be without them."""
FEWEST = 3
"""Samples of a segment that tell a slope."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may grow over a whole run, as its Theil-Sen slope says."""

    rss: float = 8 * MB
    """Of one process."""
    fds: float = 0.5
    threads: float = 0.5
    shared: float = 1 * MB
    """Rings are made once."""
    wal: int = 64 * MB
    """Never larger than this at a sample."""
    latency_p50_ms: float = 5.0

    @classmethod
    def of(cls, parts: int) -> "Limits":
        """For a run of so many parts.

        In a minute the machine's other work moves the latency more than ours does, and what is opened once and kept is
        opened then.
        """
        return cls() if parts >= LONG else cls(fds=3.0, threads=2.0, latency_p50_ms=100.0)


@dataclass(frozen=True, slots=True)
class Growth:
    """One figure of one process, or of the box."""

    of: str
    figure: str
    first: float
    last: float
    per_100k: float
    """Slope per 100,000 parts."""
    over_run: float
    """What that slope comes to over the samples."""
    limit: float

    @property
    def holds(self) -> bool:
        """It does not grow by more than it may."""
        return self.over_run <= self.limit


@dataclass(slots=True)
class Verdict:
    """All of it."""

    growths: list[Growth]
    objections: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Nothing grows, nothing is out of balance."""
        return not self.objections and all(one.holds for one in self.growths)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "holds": self.holds,
            "objections": self.objections,
            "growth": [
                {
                    "of": one.of,
                    "figure": one.figure,
                    "first": one.first,
                    "last": one.last,
                    "per_100000_parts": round(one.per_100k, 3),
                    "over_run": round(one.over_run, 3),
                    "limit": one.limit,
                    "holds": one.holds,
                }
                for one in self.growths
            ],
        }


FIGURES: tuple[tuple[str, Callable[[Vital], float]], ...] = (
    ("rss", lambda vital: vital.rss),
    ("pss", lambda vital: vital.pss),
    ("fds", lambda vital: vital.fds),
    ("threads", lambda vital: vital.threads),
)


def verdict(samples: Sequence[Sample], limits: Limits) -> Verdict:
    """Judge the samples of one segment; those of the warm-up are left out."""
    return over_all([samples], limits)


def over_all(segments: Sequence[Sequence[Sample]], limits: Limits) -> Verdict:
    """Judge several segments together: processes by pairs of samples within one, the line's latency by all of them.

    A segment with too few samples says nothing of growth.
    """
    told = Verdict([])
    seen = [one[WARM_UP_SAMPLES:] for one in segments if len(one) >= WARM_UP_SAMPLES + FEWEST]
    if not seen:
        most = max((len(one) for one in segments), default=0)
        told.objections.append(f"{most} samples: expected at least {WARM_UP_SAMPLES + FEWEST}")
        return told
    for name in sorted({name for one in seen for sample in one for name in sample.processes}):
        if not all(_lived(name, one) for one in segments):
            told.objections.append(f"{name} did not live through the run")
            continue
        for figure, of in FIGURES:
            limit = {"rss": limits.rss, "pss": limits.rss, "fds": limits.fds, "threads": limits.threads}[figure]
            stretches = [
                [(one.parts, of(one.processes[name])) for one in each if name in one.processes] for each in seen
            ]
            told.growths.append(_grown(name, figure, stretches, limit))
    told.growths.append(
        _grown("box", "shared", [[(one.parts, one.shared) for one in each] for each in seen], limits.shared)
    )
    latency = [(one.parts, one.latency_p50_ms) for each in seen for one in each]
    told.growths.append(_grown("line", "latency p50 ms", [latency], limits.latency_p50_ms))
    if (most_wal := max(one.wal for each in segments for one in each)) > limits.wal:
        told.objections.append(f"WAL of {most_wal / MB:.1f} MB: expected at most {limits.wal / MB:.0f}")
    return told


def _lived(name: str, samples: Sequence[Sample]) -> bool:
    """There in all samples of a segment, and never started again."""
    while name.startswith(SIMULATED) and samples and name not in samples[-1].processes:
        samples = samples[:-1]
    lives = [one.processes[name].pid if name in one.processes else 0 for one in samples]
    return 0 not in lives and len(set(lives)) <= 1


def _grown(of: str, figure: str, stretches: Sequence[Sequence[tuple[float, float]]], limit: float) -> Growth:
    columns = [([at for at, _ in one], [value for _, value in one]) for one in stretches]
    per_100k = pooled(columns)
    parts = sum(one[-1] - one[0] for one, _ in columns)
    return Growth(of, figure, stretches[0][0][1], stretches[-1][-1][1], per_100k, per_100k * parts / PER_PARTS, limit)
