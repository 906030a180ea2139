"""The rules that take a bundle off the line, with their figures. Pure: parts and labels come in, a finding comes out.

    rule           looks at                                      then
    golden         golden pictures at start, nightly             last-good; below the line REFUSED
    unsound        NaN, Inf, wrong shape, any part               last-good
    slow           p99.9 of 1,000 parts above the budget         last-good
    crash          inspect died twice in 10 min of activation    last-good, REFUSED on this box
    worse          SPRT on discordant parts that people judged   back to OFFERED, people look
    disagrees      more than 2 % of 1,000 parts                  the ring is paused
    rejects        Bernoulli CUSUM on the reject rate            last-good and advisory
    overrides      false rejects of 200 reviewed, 2 x before     the ring is paused

The figures are starting values; the signed plan may hold others for its recipe.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from ..bus.errors import Refused


class Then(StrEnum):
    """What follows from a rule."""

    PAUSE = "pause"
    """It stays where it is and does not go on until a person has looked."""
    PEOPLE = "people"
    """Back to OFFERED; a person has to look."""
    LAST_GOOD = "last-good"
    REFUSED = "refused"
    """Last-good, and the bundle is refused on this box."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule has spoken."""

    rule: str
    then: Then
    detail: str
    """For people, with its figures."""
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """Thresholds of one recipe's rules."""

    sprt_p1: float = 0.65
    """Share of discordant parts on which the challenger is the one confirmed wrong, from which on it is worse."""
    sprt_error: float = 0.01
    """Both errors of the test."""
    disagree_parts: float = 1000
    disagree_pct: float = 2.0
    cusum_factor: float = 3.0
    """The reject rate that must not go unseen, as a multiple of the champion's."""
    cusum_limit: float = 10.0
    slow_parts: float = 1000
    slow_quantile: float = 0.999
    slow_ms: float = 0.0
    """0: the inference budget of the bundle, else of the recipe."""
    crash_times: float = 2
    crash_minutes: float = 10.0
    overrides_reviewed: float = 200
    overrides_factor: float = 2.0
    shadow_ng: float = 200
    shadow_days: float = 7.0
    stop_takes_champion: float = 0.0
    """1: the red button of the fleet takes a champion of this plan back to last-good too."""

    @classmethod
    def of(cls, rules: Mapping[str, float]) -> "Figures":
        """The figures of a signed plan. Refused: one is unknown or out of its range."""
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(rules) - known):
            raise Refused(f"rules: {unknown[0]}: there is no such figure; expected {', '.join(sorted(known))}")
        made = cls(**{name: float(value) for name, value in rules.items()})
        for name, (low, high) in _RANGES.items():
            value = getattr(made, name)
            if not low <= value <= high:
                raise Refused(f"rules: {name} = {value:g}: expected {low:g}..{high:g}")
        return made


_RANGES = {
    "sprt_p1": (0.55, 0.95),
    "sprt_error": (0.0001, 0.1),
    "disagree_parts": (100, 100_000),
    "disagree_pct": (0.0, 100.0),
    "cusum_factor": (1.2, 100.0),
    "cusum_limit": (2.0, 50.0),
    "slow_parts": (100, 100_000),
    "slow_quantile": (0.5, 0.9999),
    "slow_ms": (0.0, 60_000.0),
    "crash_times": (1, 100),
    "crash_minutes": (1.0, 1440.0),
    "overrides_reviewed": (20, 100_000),
    "overrides_factor": (1.0, 100.0),
    "shadow_ng": (0, 1_000_000),
    "shadow_days": (0.0, 365.0),
    "stop_takes_champion": (0.0, 1.0),
}


class Sprt:
    """Wald's test on parts where the two differ and a person has said who was right."""

    def __init__(self, figures: Figures = Figures()) -> None:
        self.wrong = math.log(figures.sprt_p1 / 0.5)
        """Added where the challenger was wrong: 0.262 at 0.65."""
        self.right = math.log((1 - figures.sprt_p1) / 0.5)
        """Added where the champion was wrong: -0.357 at 0.65."""
        self.limit = math.log((1 - figures.sprt_error) / figures.sprt_error)
        self.sum, self.judged, self.mistaken = 0.0, 0, 0

    def add(self, *, challenger_wrong: bool) -> Finding | None:
        """One more discordant part that was judged. A finding: the challenger is worse."""
        self.judged += 1
        self.mistaken += challenger_wrong
        self.sum += self.wrong if challenger_wrong else self.right
        if self.sum >= self.limit:
            told = {"judged": self.judged, "challenger_wrong": self.mistaken, "sum": round(self.sum, 3)}
            detail = f"of {self.judged} differing parts that people judged it was wrong on {self.mistaken}"
            return Finding("worse", Then.PEOPLE, detail, told)
        if self.sum <= -self.limit:  # not worse so far; what comes later is looked at afresh
            self.sum = 0.0
        return None


class Disagreements:
    """How often the two differ, whoever is right."""

    def __init__(self, figures: Figures = Figures()) -> None:
        self.parts, self.pct = int(figures.disagree_parts), figures.disagree_pct
        self.last: deque[bool] = deque(maxlen=self.parts)
        self.differing = 0

    def add(self, *, differ: bool) -> Finding | None:
        """One more part. A finding as soon as the last parts hold more than their share."""
        if len(self.last) == self.parts:
            self.differing -= self.last[0]
        self.last.append(differ)
        self.differing += differ
        if self.differing * 100 <= self.pct * self.parts:
            return None
        told = {"differing": self.differing, "parts": len(self.last)}
        detail = f"differs on {self.differing} of {len(self.last)} parts, more than {self.pct:g} % of {self.parts}"
        return Finding("disagrees", Then.PAUSE, detail, told)


class Cusum:
    """Bernoulli CUSUM on rejects: whether their rate has risen to a multiple of the champion's."""

    def __init__(self, p0: float, figures: Figures = Figures(), least: float = 0.0005) -> None:
        """p0: the champion's reject rate, 0..1. least: what it is taken as at the least.

        Without that the first rejects of a line that had none would be an alarm.
        """
        self.p0 = min(max(p0, least), 0.9)
        # Beyond a third no multiple is left: then half of the way to 1.
        self.p1 = min(self.p0 * figures.cusum_factor, (1 + self.p0) / 2)
        self.up = math.log(self.p1 / self.p0)
        self.down = math.log((1 - self.p1) / (1 - self.p0))
        self.limit = figures.cusum_limit
        self.sum, self.parts, self.rejects = 0.0, 0, 0

    def add(self, *, reject: bool) -> Finding | None:
        """One more part. A finding: the rate has risen."""
        self.parts += 1
        self.rejects += reject
        self.sum = max(0.0, self.sum + (self.up if reject else self.down))
        if self.sum <= self.limit:
            return None
        told = {"rejects": self.rejects, "parts": self.parts, "p0": round(self.p0, 5), "sum": round(self.sum, 2)}
        detail = f"rejects have risen towards {self.p1 * 100:.2g} %; the champion before had {self.p0 * 100:.2g} %"
        return Finding("rejects", Then.LAST_GOOD, detail, told)


class Slowness:
    """A quantile of the time of an inference, over the last parts."""

    def __init__(self, budget_ms: float, figures: Figures = Figures()) -> None:
        """budget_ms: 0: nothing is promised, and nothing is ever too slow."""
        self.budget_ms = figures.slow_ms or budget_ms
        self.parts, self.quantile = int(figures.slow_parts), figures.slow_quantile
        self.allowed = self.parts - math.ceil(self.quantile * self.parts)
        """So many of the window may be above the budget while the quantile (nearest rank) is not."""
        self.last: deque[bool] = deque(maxlen=self.parts)
        self.over = 0
        self.worst_ms = 0.0

    def add(self, took_ms: float) -> Finding | None:
        """One more part. A finding: the quantile lies above the budget."""
        if not self.budget_ms:
            return None
        slow = not took_ms <= self.budget_ms
        self.worst_ms = max(self.worst_ms, took_ms)
        if len(self.last) == self.parts:
            self.over -= self.last[0]
        self.last.append(slow)
        self.over += slow
        if self.over <= self.allowed:
            return None
        told = {"over": self.over, "parts": len(self.last), "budget_ms": self.budget_ms, "worst_ms": self.worst_ms}
        detail = (
            f"{self.over} of the last {len(self.last)} parts took longer than {self.budget_ms:g} ms, "
            f"up to {self.worst_ms:.1f} ms: p{self.quantile * 100:g} of {self.parts} parts is over its budget"
        )
        return Finding("slow", Then.LAST_GOOD, detail, told)


class Crashes:
    """Deaths of inspect soon after a bundle took over."""

    def __init__(self, activated_s: float, figures: Figures = Figures()) -> None:
        """activated_s: on the clock that `add` goes by."""
        self.until_s = activated_s + figures.crash_minutes * 60
        self.minutes, self.most = figures.crash_minutes, int(figures.crash_times)
        self.times = 0

    def add(self, at_s: float) -> Finding | None:
        """The judge died. A finding: too often, too soon."""
        if at_s > self.until_s:
            return None
        self.times += 1
        if self.times < self.most:
            return None
        detail = f"inspect died {self.times} times within {self.minutes:g} minutes of its taking over"
        return Finding("crash", Then.REFUSED, detail, {"times": self.times})


class Overrides:
    """Share of reviewed rejects that people called good, against what it was with the champion before."""

    def __init__(self, before: float, figures: Figures = Figures()) -> None:
        """before: that share with the champion before, 0..1; taken as one in the window at the least."""
        self.parts, self.factor = int(figures.overrides_reviewed), figures.overrides_factor
        self.before = max(before, 1 / self.parts)
        self.last: deque[bool] = deque(maxlen=self.parts)
        self.good = 0

    def add(self, *, good: bool) -> Finding | None:
        """One more reject was reviewed. A finding: over a full window they are too many."""
        if len(self.last) == self.parts:
            self.good -= self.last[0]
        self.last.append(good)
        self.good += good
        if len(self.last) < self.parts or self.good <= self.factor * self.before * self.parts:
            return None
        told = {"good": self.good, "reviewed": self.parts, "before": round(self.before, 4)}
        detail = (
            f"people called {self.good} of {self.parts} reviewed rejects good, more than {self.factor:g} times the "
            f"{self.before * 100:.2g} % with the champion before"
        )
        return Finding("overrides", Then.PAUSE, detail, told)


def unsound(trouble: str) -> Finding:
    """What the model gave is NaN, infinite or of another shape, or it failed."""
    return Finding("unsound", Then.LAST_GOOD, f"its output is unsound: {trouble}", {"trouble": trouble[:200]})


def golden(trouble: str) -> Finding:
    """Its golden pictures score otherwise on this box, or in too long a time."""
    return Finding("golden", Then.LAST_GOOD, f"its golden pictures failed: {trouble}", {"trouble": trouble[:500]})


def escape_bound(checked: int) -> float | None:
    """Upper bound, 95 %, of the escape rate after no escape in so many checked NG parts (0..1); None: nothing checked.

    The rule of three: 200 checked bound it by 1.5 %.
    """
    return min(1.0, 3 / checked) if checked > 0 else None
