"""What a soak came to: what grew, by how much, and what it may."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .slopes import growth, slope
from .vitals import Sample, Vital

MB = 1 << 20
LONG = 10_000
"""Parts of a run whose latency says something."""
WARM_UP_SAMPLES = 1
"""The first is left out: caches fill, and a process loads on first use what it then keeps."""


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
    """Judge the samples of one run; those of the warm-up are left out."""
    told = Verdict([])
    seen = samples[WARM_UP_SAMPLES:]
    if len(seen) < 3:
        told.objections.append(f"{len(samples)} samples: expected at least {WARM_UP_SAMPLES + 3}")
        return told
    parts = [float(one.parts) for one in seen]
    names = sorted({name for one in seen for name in one.processes})
    for name in names:
        lives = {one.processes[name].pid for one in samples if name in one.processes}
        if len(lives) > 1 or any(name not in one.processes for one in seen):
            told.objections.append(f"{name} did not live through the run")
            continue
        for figure, of in FIGURES:
            limit = {"rss": limits.rss, "pss": limits.rss, "fds": limits.fds, "threads": limits.threads}[figure]
            told.growths.append(_grown(name, figure, parts, [of(one.processes[name]) for one in seen], limit))
    told.growths.append(_grown("box", "shared", parts, [one.shared for one in seen], limits.shared))
    told.growths.append(
        _grown("line", "latency p50 ms", parts, [one.latency_p50_ms for one in seen], limits.latency_p50_ms)
    )
    if (most := max(one.wal for one in samples)) > limits.wal:
        told.objections.append(f"WAL of {most / MB:.1f} MB: expected at most {limits.wal / MB:.0f}")
    return told


def _grown(of: str, figure: str, parts: list[float], values: list[float], limit: float) -> Growth:
    return Growth(of, figure, values[0], values[-1], slope(parts, values), growth(parts, values), limit)
