"""Control charts over the sums: whether the share of bad parts is steady, and the scores of good parts climb.

Pure. Sources: D. Montgomery, Introduction to Statistical Quality Control, ch. 7 (p chart with variable n) and 9 (EWMA);
D. Laney, Quality Engineering 14 (2002) 531 (p' chart); S. W. Roberts, Technometrics 1 (1959) 239 (EWMA).
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

ENOUGH = 8
"""Subgroups from which limits are told at all."""
RUN = 8
"""Subgroups in a row on one side of the mean that say it has moved."""
_D2 = 1.128
"""Mean moving range of two in standard deviations."""
WEIGHT = 0.2
"""Of the newest mean in the EWMA."""
BASE = 12
"""Steps that the drift is told against at least: the first third, or so many."""
LEAST_PARTS = 20
"""A step with fewer good parts is left out of the drift."""
_FLOOR = 0.004
"""Smallest scatter of the means, share of the limit: steadier than this no camera is."""


@dataclass(frozen=True, slots=True)
class Subgroup:
    """Bad parts among judged ones."""

    at: str
    bad: int
    parts: int


@dataclass(frozen=True, slots=True)
class Marked:
    """One subgroup on the chart. Shares, 0..1."""

    at: str
    share: float
    low: float
    high: float
    parts: int
    out: bool
    """Beyond its limits, or the end of a run of eight on one side."""


@dataclass(frozen=True, slots=True)
class Chart:
    """p chart."""

    kind: str
    """`p`, or `p'` (Laney) where the subgroups scatter more than chance does; empty: too few subgroups for limits."""
    mean: float
    spread: float
    """Scatter of the subgroups in units of chance; 1 for a p chart."""
    points: tuple[Marked, ...]


def p_chart(groups: Sequence[Subgroup]) -> Chart:
    """Three-sigma limits of each subgroup by its own size."""
    used = [group for group in groups if group.parts > 0]
    total, bad = sum(group.parts for group in used), sum(group.bad for group in used)
    if not total:
        return Chart("", 0.0, 1.0, ())
    mean = bad / total
    sigmas = [math.sqrt(mean * (1 - mean) / group.parts) for group in used]
    known = len(used) >= ENOUGH
    spread, kind = 1.0, "p" if known else ""
    if known and mean * (1 - mean) > 0:
        scores = [(group.bad / group.parts - mean) / sigma for group, sigma in zip(used, sigmas, strict=True)]
        freedom = len(scores) - 1
        # More than two standard errors of the variance above chance: the binomial limits would cry wolf.
        if sum(z * z for z in scores) / freedom > 1 + 2 * math.sqrt(2 / freedom):
            moved = [abs(b - a) for a, b in pairwise(scores)]
            found = statistics.fmean(moved) / _D2
            # A step that stands for itself scatters more than chance, its neighbours do not: the p chart is right then.
            spread, kind = (found, "p'") if found > 1.05 else (1.0, "p")
    points, side, run = [], 0, 0
    for group, sigma in zip(used, sigmas, strict=True):
        share = group.bad / group.parts
        low, high = max(0.0, mean - 3 * spread * sigma), min(1.0, mean + 3 * spread * sigma)
        here = (share > mean) - (share < mean)
        run, side = (run + 1 if here and here == side else abs(here)), here
        out = known and (not low <= share <= high or run >= RUN)
        points.append(Marked(group.at, share, low, high, group.parts, out))
    return Chart(kind, mean, spread, tuple(points))


@dataclass(frozen=True, slots=True)
class Step:
    """Good parts of one step: how their scores lie to the limit (1.0: at it)."""

    at: str
    hours: float
    """Since the first step."""
    parts: int
    mean: float
    spread: float
    """Standard deviation among the parts."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether the scores of good parts climb."""

    at: tuple[str, ...]
    means: tuple[float, ...]
    ewma: tuple[float | None, ...]
    """None within the base."""
    base: float | None
    """Mean of the first steps; None: too few steps to say."""
    limit: float | None
    """The EWMA above this: they have climbed."""
    climbing: bool
    reaching: bool
    """The upper edge of the good parts (mean and three standard deviations) is at the limit already."""
    hours_left: float | None
    """At this pace the upper edge is at the limit in so many hours; None: it does not climb."""

    @property
    def warns(self) -> bool:
        """Said before good parts are rejected."""
        return self.climbing


def drift_of(steps: Sequence[Step]) -> Drift:
    """EWMA of the means against those of the first third; it warns while good parts are still well below the limit."""
    used = [step for step in steps if step.parts >= LEAST_PARTS]
    at, means = tuple(step.at for step in used), tuple(step.mean for step in used)
    base = max(BASE, len(used) // 3)
    if len(used) < base + 3:
        return Drift(at, means, (None,) * len(used), None, None, climbing=False, reaching=False, hours_left=None)
    middle = statistics.fmean(means[:base])
    scatter = max(_FLOOR, statistics.stdev(means[:base]))
    limit = middle + 3 * scatter * math.sqrt(WEIGHT / (2 - WEIGHT))
    smooth: list[float | None] = [None] * base
    now = middle
    for mean in means[base:]:
        now = WEIGHT * mean + (1 - WEIGHT) * now
        smooth.append(now)
    newest = used[-1]
    edge = newest.mean + 3 * newest.spread
    pace = _slope([step.hours for step in used[base:]], means[base:])
    climbing = now > limit
    left = max(0.0, (1 - edge) / pace) if climbing and pace > 0 else None
    return Drift(at, means, tuple(smooth), middle, limit, climbing, reaching=edge >= 1, hours_left=left)


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Of the least-squares line."""
    middle, level = statistics.fmean(x), statistics.fmean(y)
    across = sum((one - middle) ** 2 for one in x)
    return sum((a - middle) * (b - level) for a, b in zip(x, y, strict=True)) / across if across else 0.0
