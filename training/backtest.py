"""What a candidate would have said of parts that are past, beside what decides now: flips, escapes, overkill, cost.

    pictures -> judged by both, here or on many machines -> parts -> figures

Pure: no pictures, no model, no clock. A part is what its worst picture is, as on the line. Escapes and overkill are of
parts that people have spoken of; flips are of all. Whether the two err in different parts is asked by McNemar's exact
test (Q. McNemar, Psychometrika 12, 1947): only parts on which one is right and the other wrong count.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .data.dataset import GOOD
from .rates import Rate, rate_of

Called = Literal["OK", "NG", "UNJUDGED"]
_WORSE: dict[Called, int] = {"OK": 0, "UNJUDGED": 1, "NG": 2}
MOST_FLIPS = 10_000
"""Named one by one; beyond that they are only counted."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture, judged by both."""

    name: str
    sha256: str
    part: str
    """Which part it shows; pictures of one part share it."""
    label: str
    """`good`, or the class of its defect; empty: nobody has said."""
    box: str
    """Which box took it; empty: not known."""
    lot: str
    before: Called
    """By what decides now."""
    after: Called
    """By the candidate."""
    before_score: float
    """Share of its limit."""
    after_score: float
    after_ms: float
    """How long the candidate took."""
    trouble: str = ""
    """Why the picture could not be judged; empty: it was."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What a wrong word costs, in any currency, and how common defects are."""

    escape: float = 100.0
    """One defective part that passes."""
    overkill: float = 1.0
    """One good part that is rejected."""
    defect_percent: float = 1.0
    """Of the parts of the line. Labelled sets hold more: people label what was rejected."""


@dataclass(frozen=True, slots=True)
class Errors:
    """How often one of the two was wrong about parts that people have spoken of."""

    escape: Rate
    """Defective parts that would have passed."""
    overkill: Rate
    """Good parts that would not."""

    def cost(self, prices: Prices) -> tuple[float, float, float]:
        """Of 1,000 parts: expected, and both ends of the 95 % intervals. NaN where there is no such part to tell."""
        share = prices.defect_percent / 100.0

        def at(escape: float, overkill: float) -> float:
            return 1000.0 * (share * escape * prices.escape + (1.0 - share) * overkill * prices.overkill)

        return (
            at(self.escape.rate, self.overkill.rate),
            at(self.escape.low, self.overkill.low),
            at(self.escape.high, self.overkill.high),
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One part by the worst of its pictures."""

    name: str
    label: str
    box: str
    lot: str
    before: Called
    after: Called
    pictures: tuple[Seen, ...]

    @property
    def flips(self) -> bool:
        """The candidate says other than what decides now."""
        return self.before != self.after


def parts_of(seen: Iterable[Seen]) -> list[Part]:
    """Put pictures together to parts, in the order they come. A part is defective where any picture shows a defect."""
    grouped: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        grouped[one.part].append(one)
    return [_part(name, tuple(pictures)) for name, pictures in grouped.items()]


def _part(name: str, pictures: tuple[Seen, ...]) -> Part:
    labels = {one.label for one in pictures if one.label}
    defects = sorted(labels - {GOOD})
    return Part(
        name,
        defects[0] if defects else GOOD if labels else "",
        pictures[0].box,
        pictures[0].lot,
        max((one.before for one in pictures), key=_WORSE.__getitem__),
        max((one.after for one in pictures), key=_WORSE.__getitem__),
        pictures,
    )


def errors_of(parts: Sequence[Part], *, after: bool) -> Errors:
    """Count the wrong words of the candidate (after) or of what decides now."""
    goods = [part for part in parts if part.label == GOOD]
    defects = [part for part in parts if part.label not in ("", GOOD)]

    def passes(part: Part) -> bool:
        return (part.after if after else part.before) == "OK"

    return Errors(
        rate_of(sum(passes(part) for part in defects), len(defects)),
        rate_of(sum(not passes(part) for part in goods), len(goods)),
    )


def mcnemar(one: int, other: int) -> float:
    """Return the two-sided exact p that two judges err equally often. one, other: parts that it alone got wrong."""
    n, least = one + other, min(one, other)
    if n == 0:
        return 1.0
    tail: float = sum(math.comb(n, k) for k in range(least + 1)) / 2**n
    return min(1.0, 2.0 * tail)


def figures(seen: Iterable[Seen], prices: Prices) -> dict[str, Any]:
    """Return all that is told of one recipe, as plain data."""
    parts = parts_of(seen)
    told = _side(parts, prices)
    told["by_box"] = _groups(parts, prices, lambda part: part.box)
    told["by_lot"] = _groups(parts, prices, lambda part: part.lot)
    flips = sorted((part for part in parts if part.flips), key=lambda part: (part.label == "", part.after, part.name))
    told["flipped"] = [_flip(part) for part in flips[:MOST_FLIPS]]
    troubles = [one for part in parts for one in part.pictures if one.trouble]
    told["not_judged"] = [{"picture": one.name, "sha256": one.sha256, "why": one.trouble} for one in troubles]
    took = sorted(one.after_ms for part in parts for one in part.pictures if not one.trouble)
    told["ms"] = {f"p{q}": _at(took, q / 100) for q in (50, 99)} if took else {}
    return told


def _side(parts: Sequence[Part], prices: Prices) -> dict[str, Any]:
    before, after = (errors_of(parts, after=late) for late in (False, True))
    wrong = [(_is_wrong(part, part.before), _is_wrong(part, part.after)) for part in parts if part.label]
    only_before = sum(was and not now for was, now in wrong)
    only_after = sum(now and not was for was, now in wrong)
    flips: dict[str, int] = defaultdict(int)
    for part in parts:
        if part.flips:
            flips[f"{part.before} -> {part.after}"] += 1
    return {
        "parts": len(parts),
        "labelled": len(wrong),
        "flips": dict(sorted(flips.items())),
        "before": _errors(before, prices),
        "after": _errors(after, prices),
        "mended": only_before,
        "spoilt": only_after,
        "p_equal": mcnemar(only_before, only_after),
    }


def _groups(parts: Sequence[Part], prices: Prices, key: Any) -> dict[str, dict[str, Any]]:
    grouped: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        grouped[key(part)].append(part)
    if set(grouped) == {""}:
        return {}
    return {name: _side(held, prices) for name, held in sorted(grouped.items())}


def _is_wrong(part: Part, called: Called) -> bool:
    return (called == "OK") != (part.label == GOOD)


def _errors(errors: Errors, prices: Prices) -> dict[str, Any]:
    cost, low, high = errors.cost(prices)
    return {
        "escape": _rate(errors.escape),
        "overkill": _rate(errors.overkill),
        "cost_of_1000": None if math.isnan(cost) else {"expected": cost, "low": low, "high": high},
    }


def _rate(rate: Rate) -> dict[str, Any]:
    share = None if math.isnan(rate.rate) else rate.rate
    return {"events": rate.events, "n": rate.n, "rate": share, "low": rate.low, "high": rate.high}


def _flip(part: Part) -> dict[str, Any]:
    shown = max(part.pictures, key=lambda one: (one.before != one.after, one.after_score))
    return {
        "part": part.name,
        "label": part.label,
        "box": part.box,
        "lot": part.lot,
        "before": part.before,
        "after": part.after,
        "before_score": shown.before_score,
        "after_score": shown.after_score,
        "picture": shown.name,
        "sha256": shown.sha256,
    }


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def lines(told: Mapping[str, Any]) -> list[str]:
    """Return the figures of one recipe for a person at a terminal."""
    before, after = told["before"], told["after"]
    found = [
        f"{told['parts']} parts, {told['labelled']} of which people have spoken of",
        "flips: " + (", ".join(f"{name} {count}" for name, count in told["flips"].items()) or "none"),
    ]
    found += [
        f"{name}: {_words(before[name])} now, {_words(after[name])} by the candidate" for name in ("escape", "overkill")
    ]
    if before["cost_of_1000"] and after["cost_of_1000"]:
        now, then = before["cost_of_1000"], after["cost_of_1000"]
        found.append(
            f"cost of 1,000 parts: {now['expected']:.2f} ({now['low']:.2f} .. {now['high']:.2f}) now, "
            f"{then['expected']:.2f} ({then['low']:.2f} .. {then['high']:.2f}) by the candidate"
        )
    else:
        found.append("cost: no labelled good parts or no labelled defects to tell it")
    found.append(
        f"right where the other is wrong: the candidate {told['mended']} times, what decides now {told['spoilt']} times"
        f" (p {told['p_equal']:.3g} that they err equally often)"
    )
    for box, side in told["by_box"].items():
        found.append(f"box {box or 'not known'}: {side['parts']} parts, {sum(side['flips'].values())} flips")
    if told["not_judged"]:
        found.append(
            f"{len(told['not_judged'])} pictures could not be judged, the first: {told['not_judged'][0]['why']}"
        )
    return found


def _words(rate: Mapping[str, Any]) -> str:
    if rate["rate"] is None:
        return "none to tell"
    share, low, high = (100 * rate[name] for name in ("rate", "low", "high"))
    return f"{share:.2f} % ({low:.2f} .. {high:.2f} %, {rate['events']} of {rate['n']})"
