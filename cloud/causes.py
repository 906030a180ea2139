"""What stands beside the rejects more often than chance would have it: a list to look at first, never a proof.

Pure arithmetic on counts. Each level of each factor (this lot, that box, this model) is held against all other parts
that were judged by the same search: Fisher's exact test where a cell is expected below 5, else chi-square with Yates'
correction; Benjamini and Hochberg over all levels that were tested, so that a long list finds no more by chance than a
short one.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FEW = 5
"""A level with fewer parts is not tested: no number of rejects in four parts says anything."""
FALSE_SHARE = 0.05
"""Of the levels that are called conspicuous, at most this share is so by chance (expected)."""
_Z = 1.959964
"""Of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Parts of one level of a factor."""

    parts: int
    """Judged, OK or NG."""
    rejects: int
    """NG among them."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One level held against all other parts of the search."""

    factor: str
    """`recipe`, `model`, `lot`, `shift`, `tool`, `camera`, `box`, `line`, `hour`."""
    level: str
    tally: Tally
    rest: Tally
    """All other judged parts of the search."""
    lift: float
    """Share of rejects here over the share among the rest. inf: none was rejected among the rest."""
    low: float
    """Lower bound of the lift, 95 % (Katz' logarithms, half a part added to each cell)."""
    high: float
    p: float
    """Two-sided; 1.0 for a level that was not tested."""
    q: float
    """p after Benjamini and Hochberg; 1.0 for a level that was not tested."""
    tested: bool
    """False: too few parts to say anything, or nothing to compare with."""

    @property
    def conspicuous(self) -> bool:
        """More rejects than the rest, and not explained by chance or by having looked at many levels."""
        return self.tested and self.q <= FALSE_SHARE and self.lift > 1.0


def ranked(factors: Mapping[str, Mapping[str, Tally]]) -> list[Cause]:
    """Every level of every factor, the conspicuous ones first by the lower bound of their lift, the untested last.

    factors: by factor the tallies by level; each part counts in exactly one level of each factor.
    """
    found = [cause for factor, levels in factors.items() for cause in _of_factor(factor, levels)]
    tested = sorted((one for one in found if one.tested), key=lambda one: one.p)
    q = dict(zip((id(one) for one in tested), adjusted([one.p for one in tested]), strict=True))
    found = [_with_q(one, q.get(id(one), 1.0)) for one in found]
    return sorted(found, key=lambda one: (not one.conspicuous, not one.tested, -one.low, one.factor, one.level))


def _of_factor(factor: str, levels: Mapping[str, Tally]) -> Iterable[Cause]:
    parts, rejects = sum(one.parts for one in levels.values()), sum(one.rejects for one in levels.values())
    for level, one in levels.items():
        rest = Tally(parts - one.parts, rejects - one.rejects)
        tested = one.parts >= FEW and rest.parts >= FEW and rejects > 0
        lift, low, high = lift_of(one, rest)
        p = p_value(one, rest) if tested else 1.0
        yield Cause(factor, level, one, rest, lift, low, high, p, 1.0, tested)


def _with_q(one: Cause, q: float) -> Cause:
    return Cause(one.factor, one.level, one.tally, one.rest, one.lift, one.low, one.high, one.p, q, one.tested)


def lift_of(one: Tally, rest: Tally) -> tuple[float, float, float]:
    """Ratio of the two reject shares and its interval of 95 %. (nan, 0, inf) where a side has no parts."""
    if not one.parts or not rest.parts:
        return math.nan, 0.0, math.inf
    share, other = one.rejects / one.parts, rest.rejects / rest.parts
    lift = share / other if other else math.inf if share else math.nan
    a, n, c, m = one.rejects + 0.5, one.parts + 1.0, rest.rejects + 0.5, rest.parts + 1.0
    middle = math.log((a / n) / (c / m))
    spread = _Z * math.sqrt(max(0.0, 1 / a - 1 / n + 1 / c - 1 / m))
    return lift, math.exp(middle - spread), math.exp(middle + spread)


def p_value(one: Tally, rest: Tally) -> float:
    """How often chance alone parts the rejects so unevenly between the two, or more so."""
    n, rejects = one.parts + rest.parts, one.rejects + rest.rejects
    if not n or not rejects or rejects == n or not one.parts or not rest.parts:
        return 1.0
    least = min(one.parts, rest.parts) * min(rejects, n - rejects) / n
    return fisher(one, rest) if least < 5 else chi_square(one, rest)


def chi_square(one: Tally, rest: Tally) -> float:
    """Chance of the 2x2 table with Yates' correction, one degree of freedom."""
    a, b = one.rejects, one.parts - one.rejects
    c, d = rest.rejects, rest.parts - rest.rejects
    n = a + b + c + d
    apart = max(0.0, abs(a * d - b * c) - n / 2)
    return math.erfc(math.sqrt(n * apart**2 / ((a + b) * (c + d) * (a + c) * (b + d)) / 2))


def fisher(one: Tally, rest: Tally) -> float:
    """Two-sided p of Fisher's exact test: all tables with these margins that are no likelier than this one."""
    here, rejects, n = one.parts, one.rejects + rest.rejects, one.parts + rest.parts
    lowest, highest = max(0, rejects - rest.parts), min(here, rejects)

    def log_of(k: int) -> float:
        return _log_choose(rejects, k) + _log_choose(n - rejects, here - k) - _log_choose(n, here)

    seen = log_of(one.rejects) + 1e-9  # rounding may not part two equal tables
    return min(1.0, math.fsum(math.exp(each) for k in range(lowest, highest + 1) if (each := log_of(k)) <= seen))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def adjusted(p_values: list[float]) -> list[float]:
    """The q of Benjamini and Hochberg for p values in rising order."""
    out, least = [], 1.0
    for rank in range(len(p_values), 0, -1):
        least = min(least, p_values[rank - 1] * len(p_values) / rank)
        out.append(least)
    return out[::-1]


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Interval of 95 % of a share, 0..1. (0, 1) where there was nothing."""
    if not of:
        return 0.0, 1.0
    share, z2 = hits / of, _Z**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    spread = _Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return max(0.0, middle - spread), min(1.0, middle + spread)
