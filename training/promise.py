"""The operating point as a promise: escape <= x and overkill <= y, or the least cost, and what may be claimed of it.

Two kinds of statement, never mixed up. An *estimate* is what is expected of the next part. A *claim* holds with 95 %
confidence whatever the scores' distribution: the j-th smallest of k defect scores as threshold lets at most x escape
when P(Beta(j, k + 1 - j) <= x) >= 0.95, and alike for goods from above (S. Wilks, Annals of Mathematical Statistics 12
(1941) 91). Where parts are too few to claim what was asked for, the estimate rules, and how many more parts the claim
needs is said.

Escape goes before overkill: where both cannot be had, good parts are lost, not defects let through.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..models.figures import at_least, beta_quantile, clopper_pearson, parts_needed
from .threshold import CONFIDENCE, Limit, choose_threshold

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Targets:
    """What is wanted. Shares are 0..1."""

    overkill: float = 0.01
    escape: float | None = None
    """None: overkill alone sets the threshold, and escape is only measured."""
    costs: "Costs | None" = None
    """With it the other two only serve to say what can be claimed."""

    def __post_init__(self) -> None:
        for name, share in (("overkill", self.overkill), ("escape", self.escape)):
            if share is not None and not 0.0 < share < 1.0:
                raise ValueError(f"{name} {share}: expected a share above 0 and below 1")

    @property
    def words(self) -> str:
        """For people."""
        if self.costs is not None:
            return self.costs.words
        asked = f"overkill <= {100 * self.overkill:g} %"
        return asked if self.escape is None else f"escape <= {100 * self.escape:g} %, {asked}"


@dataclass(frozen=True, slots=True)
class Costs:
    """What a mistake costs, in any one unit."""

    escape: float
    """A defective part let through."""
    overkill: float
    """A good part rejected."""
    defective: float
    """Share of parts that are defective, 0..1."""

    def __post_init__(self) -> None:
        if not (self.escape > 0.0 and self.overkill > 0.0 and 0.0 < self.defective < 1.0):
            raise ValueError(f"costs {self}: expected costs above 0 and a share of defective parts above 0, below 1")

    @property
    def words(self) -> str:
        """For people."""
        return (
            f"least cost: an escape {self.escape:g}, an overkill {self.overkill:g}, "
            f"{100 * self.defective:g} % of the parts defective"
        )


def promise(goods: Scores, targets: Targets, defects: Mapping[str, Scores] | None = None) -> Limit:
    """Return the operating point for held-out scores, what is expected of it and what may be claimed.

    defects: scores of defective parts by class, none of which the model was taught from.
    ValueError: fewer than three goods, a score that is not finite, or costs or an escape target without defects.
    """
    by_class = {kind: scores for kind, scores in (defects or {}).items() if len(scores)}
    bad = np.sort(np.concatenate(list(by_class.values()))) if by_class else np.empty(0)
    if not np.isfinite(bad).all():
        raise ValueError("a defect's score is not finite: such a part is unjudged, leave it out and count it")
    limit = choose_threshold(goods, targets.overkill)
    if not len(bad):
        if targets.escape is not None or targets.costs is not None:
            raise ValueError("escapes and costs: expected scores of defective parts")
        return replace(limit, target=targets.words, claims=(_claim_of_goods(np.sort(goods), limit.value, targets),))
    ordered = np.sort(goods)
    if targets.costs is not None:
        limit = _cheapest(ordered, bad, targets.costs)
    elif targets.escape is not None:
        limit = _both(limit, ordered, bad, targets.overkill, targets.escape)
    return _with_escapes(limit, ordered, bad, by_class, targets)


def still_needed(events: int, n: int, rate: float) -> int:
    """Return how many more parts without an event make the claim "at most that rate" (95 %, one-sided); 0: it stands.

    ValueError: as `parts_needed`.
    """
    least = parts_needed(rate, CONFIDENCE)
    low, high = n, max(n, least)
    while _above(events, high, rate):
        low, high = high, 2 * high
    if not _above(events, low, rate):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        if _above(events, middle, rate):
            low = middle
        else:
            high = middle
    return high - n


def _above(events: int, n: int, rate: float) -> bool:
    """Whether so many events in n still allow a rate above this one, at 95 %."""
    return n == 0 or 1.0 - at_least(events + 1, n, rate) > 1.0 - CONFIDENCE


def _claimed_escape(bad: Scores, escape: float) -> tuple[float, bool]:
    """Highest threshold whose escapes are claimed to be at most that share; False: only estimated to be."""
    place = 0
    while place < len(bad) and at_least(place + 1, len(bad), escape) >= CONFIDENCE:
        place += 1
    if place:
        return float(np.nextafter(bad[place - 1], -np.inf)), True
    allowed = math.floor(escape * len(bad))
    return float(np.nextafter(bad[allowed], -np.inf)), False


def _both(limit: Limit, goods: Scores, bad: Scores, overkill: float, escape: float) -> Limit:
    """The threshold between what goods need and what defects allow; where there is no between, what defects allow."""
    most, claimed = _claimed_escape(bad, escape)
    said = f"escape <= {100 * escape:g} % is {'claimed' if claimed else 'the estimate'} up to {most:.4g}"
    if limit.value <= most:
        value = (limit.value + most) / 2.0
        method = f"between {limit.value:.4g}, where overkill is {100 * overkill:g} %, and {most:.4g}: {said}"
    else:
        value = most
        method = f"{said}; overkill <= {100 * overkill:g} % would need {limit.value:.4g}: both cannot be had"
    return _at(value, goods, method)


def _cheapest(goods: Scores, bad: Scores, costs: Costs) -> Limit:
    """The threshold of least expected cost, rates drawn towards a half by half a part each."""
    places = np.unique(np.concatenate([goods, np.nextafter(bad, -np.inf), [np.nextafter(goods[0], -np.inf)]]))
    escapes = (np.searchsorted(bad, places, side="right") + 0.5) / (len(bad) + 1.0)
    overkills = (len(goods) - np.searchsorted(goods, places, side="right") + 0.5) / (len(goods) + 1.0)
    paid = costs.defective * costs.escape * escapes + (1.0 - costs.defective) * costs.overkill * overkills
    least = np.flatnonzero(paid <= paid.min() * (1.0 + 1e-12))
    value = float(places[least[len(least) // 2]])
    return _at(value, goods, f"least expected cost, {paid.min():.4g} a part")


def _at(value: float, goods: Scores, method: str) -> Limit:
    """What goods say of a threshold that was not chosen by their own quantile."""
    above = int((goods > value).sum())
    low, high = clopper_pearson(above, len(goods), CONFIDENCE)
    share = (above + 0.5) / (len(goods) + 1.0)
    return Limit(value, method, min(max(share, low), high), low, high, len(goods))


def _with_escapes(limit: Limit, goods: Scores, bad: Scores, by_class: Mapping[str, Scores], targets: Targets) -> Limit:
    """The limit with what the defects say of it."""
    missed = int((bad <= limit.value).sum())
    low, high = clopper_pearson(missed, len(bad), CONFIDENCE)
    classes = {kind: (int((scores <= limit.value).sum()), len(scores)) for kind, scores in sorted(by_class.items())}
    claims = [_claim_of_goods(goods, limit.value, targets)]
    if targets.escape is not None:
        claims.append(_claim("escape", missed, len(bad), targets.escape, "defects"))
    return replace(
        limit,
        escape=(missed + 0.5) / (len(bad) + 1.0) if missed else missed / len(bad),
        escape_low=low,
        escape_high=high,
        defects=len(bad),
        classes=classes,
        target=targets.words,
        claims=tuple(claims),
    )


def _claim_of_goods(goods: Scores, value: float, targets: Targets) -> str:
    return _claim("overkill", int((goods > value).sum()), len(goods), targets.overkill, "goods")


def _claim(what: str, events: int, n: int, rate: float, parts: str) -> str:
    """Whether a rate can be claimed, for people."""
    asked = f"{what} <= {100 * rate:g} %"
    more = still_needed(events, n, rate)
    counted = f"{events} of {n} {parts}"
    if not more:
        return f"{asked} may be claimed at 95 %: {counted}"
    least = beta_quantile(1.0 - CONFIDENCE, events, n - events + 1) if events else 0.0
    if least > rate:
        return f"{asked} does not hold at 95 %: {counted}, so at least {100 * least:.2g} %"
    bound = 1.0 if events >= n else beta_quantile(CONFIDENCE, events + 1, n - events)
    fate = "rejected" if parts == "goods" else "let through"
    return (
        f"{asked} cannot be claimed yet at 95 % ({counted}: at most {100 * bound:.2g} %); "
        f"{more} more {parts}, none of them {fate}, would do"
    )
