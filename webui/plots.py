"""Bars of a Pareto and of a histogram of scores: geometry and numbers, no words of a language, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..records.figures_read import Bar, ScoreBins

BARS = 8
"""Classes shown; the rest is one bar."""
HEIGHT = 100.0
"""Of the histogram's drawing, 410 wide: ten a bin. The limit lies at 200."""


@dataclass(frozen=True, slots=True)
class ParetoBar:
    """One line of the Pareto."""

    kind: str
    region: str
    parts: int
    share: float
    """Of all bad parts, 0..1."""
    running: float
    """Of all, this and the ones before."""
    width: float
    """0..100, the greatest 100."""
    rest: int
    """Above 0: so many more classes in one."""


def pareto(bars: Sequence[Bar]) -> list[ParetoBar]:
    """The most frequent first; the sum of the parts is that of all bars."""
    total = sum(bar.parts for bar in bars)
    shown = [(bar.kind, bar.region, bar.parts, 0) for bar in bars[:BARS]]
    if len(bars) > BARS:
        shown.append(("", "", sum(bar.parts for bar in bars[BARS:]), len(bars) - BARS))
    made, seen = [], 0
    most = max((parts for _, _, parts, _ in shown), default=1)
    for kind, region, parts, rest in shown:
        seen += parts
        made.append(ParetoBar(kind, region, parts, parts / total, seen / total, round(100 * parts / most, 1), rest))
    return made


@dataclass(frozen=True, slots=True)
class Histogram:
    """SVG paths of two stacked rows of bars. Heights go by the square root, so that a few bad parts are seen."""

    ok: str
    ng: str
    parts: int
    near: int
    """Good parts within a tenth of the limit, counted from below."""


def histogram(bins: ScoreBins) -> Histogram:
    """Good parts upward from the base, bad ones on top of them."""
    totals = [a + b for a, b in zip(bins.ok, bins.ng, strict=True)]
    most = max(totals, default=0) ** 0.5 or 1.0
    ok, ng = [], []
    for n, (good, bad) in enumerate(zip(bins.ok, bins.ng, strict=True)):
        middle = HEIGHT - HEIGHT * (good**0.5) / most
        top = HEIGHT - HEIGHT * ((good + bad) ** 0.5) / most
        if good:
            ok.append(f"M{n * 10 + 1} {HEIGHT:g}V{middle:.1f}h8V{HEIGHT:g}z")
        if bad:
            ng.append(f"M{n * 10 + 1} {middle:.1f}V{top:.1f}h8V{middle:.1f}z")
    return Histogram("".join(ok), "".join(ng), sum(totals), sum(bins.ok[18:20]))
