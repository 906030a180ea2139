"""Where the limit of each class is put, from validation pictures, and what that comes to on test pictures.

A part is NG when the confidence of any class is above the class's limit. Each class gets an equal share of the overkill
that is allowed, so that all of them together keep to it. Limits are chosen on the validation pictures and nowhere else;
what is promised is told from the test pictures, by which nothing was chosen, with exact intervals (Clopper-Pearson).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...models.figures import clopper_pearson, parts_needed
from .options import TrainOptions

LOWEST, HIGHEST = 0.01, 0.999
"""Limits stay within these: a confidence beyond them is not told apart reliably."""
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limit of each class, and how it was found."""

    by_class: dict[str, float]
    """Confidence, 0..1."""
    method: str
    """For people."""
    notes: tuple[str, ...]
    """What could not be kept, for people."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many, with the exact 95 % interval."""

    events: int
    n: int
    low: float
    high: float

    @property
    def percent(self) -> float:
        """Share in per cent; 0 where there is nothing to count."""
        return 100.0 * self.events / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the limits do to pictures."""

    overkill: Share
    """Good parts that are NG."""
    escape: Share
    """Defective parts that are OK."""
    by_class: dict[str, Share]
    """Escapes of each class."""


def choose_limits(
    shares: Shares, labels: npt.NDArray[np.int64], classes: Sequence[str], options: TrainOptions
) -> Limits:
    """Return the limits.

    shares: confidence of each class on each validation picture, `(pictures, classes)`. labels: 0 good, else 1 + place
    of the class. There is a good picture and one of each class.
    """
    allowed = options.overkill_percent / 100.0 / len(classes)
    by_class, notes = {}, []
    goods = np.sort(shares[labels == 0], axis=0)
    for place, name in enumerate(classes):
        # The lowest limit that leaves no more goods above it than are allowed.
        over = math.floor(allowed * len(goods) + 1e-9)
        lowest = float(goods[len(goods) - 1 - over, place]) if over < len(goods) else 0.0
        mine = np.sort(shares[labels == place + 1, place])
        if options.escape_percent is None:
            above = mine[mine > lowest]
            highest = float(above[0]) if len(above) else lowest
            missed = len(mine) - len(above)
            if missed:
                notes.append(f"{name}: {missed} of {len(mine)} validation defects stay below the limit")
        else:
            # The highest limit that lets no more defects pass than are allowed; it goes before overkill.
            under = math.floor(options.escape_percent / 100.0 * len(mine) + 1e-9)
            highest = float(mine[under]) if under < len(mine) else float(mine[-1])
            if highest <= lowest:
                lowest = 0.98 * highest
                rejected = int((goods[:, place] > lowest).sum())
                notes.append(
                    f"{name}: to keep the escapes asked for, {rejected} of {len(goods)} validation goods are NG"
                )
        by_class[name] = min(HIGHEST, max(LOWEST, _between(lowest, highest)))
        if lowest > HIGHEST:
            rejected = int((goods[:, place] > HIGHEST).sum())
            notes.append(f"{name}: {rejected} of {len(goods)} validation goods are surer than any limit, and NG")
    target = f"overkill {options.overkill_percent:g} %"
    if options.escape_percent is not None:
        target = f"escape {options.escape_percent:g} %, then {target}"
    method = f"{target}, by {len(goods)} good and {len(labels) - len(goods)} defective validation pictures"
    return Limits(by_class, method, tuple(notes))


def outcome_of(shares: Shares, labels: npt.NDArray[np.int64], classes: Sequence[str], limits: Limits) -> Outcome:
    """Return what the limits do to pictures: shares and labels as of `choose_limits`."""
    bad = ratios(shares, classes, limits) > 1.0
    escapes = {
        name: share_of(int((~bad[labels == 1 + at]).sum()), int((labels == 1 + at).sum()))
        for at, name in enumerate(classes)
    }
    good = labels == 0
    return Outcome(
        overkill=share_of(int(bad[good].sum()), int(good.sum())),
        escape=share_of(int((~bad[~good]).sum()), int((~good).sum())),
        by_class={name: share for name, share in escapes.items() if share.n},
    )


def ratios(shares: Shares, classes: Sequence[str], limits: Limits) -> Shares:
    """Return the score of each picture as the line counts it: the largest part of a limit that is used up."""
    found: Shares = (shares / np.array([limits.by_class[name] for name in classes])).max(axis=1)
    return found


def share_of(events: int, n: int) -> Share:
    """Return a share with its interval."""
    low, high = clopper_pearson(events, n)
    return Share(events, n, low, high)


def needed(percent: float | None, share: Share) -> int:
    """Return how many more parts without an event would prove at most so many per cent; 0: proven, or not asked."""
    if not percent or share.high <= percent / 100.0:
        return 0
    return max(0, parts_needed(percent / 100.0) - share.n)


def _between(low: float, high: float) -> float:
    """The middle of two confidences on the scale of log odds, where a network is about as sure at both ends."""
    odds = [
        math.log(share / (1.0 - share)) for share in (min(max(low, 1e-6), 1 - 1e-6), min(max(high, 1e-6), 1 - 1e-6))
    ]
    middle = 1.0 / (1.0 + math.exp(-sum(odds) / 2.0))
    return min(max(middle, low), high) if low <= high else middle
