"""The threshold: a promise on good parts, from held-out scores, never their maximum.

With goods enough (overkill 1 %: 99) it is the conformal quantile: the k-th smallest of n held-out scores,
k = ceil((n + 1)(1 - overkill)). A new good from the same line is above it with a chance of (n + 1 - k) / (n + 1),
whatever the scores' distribution; that chance itself, over teachings, is Beta(n + 1 - k, k), which gives the interval
(V. Vovk, arXiv:1209.2673).

With fewer it is a tail estimate. A score is the maximum over many cells, so a Gumbel law is fitted (extreme-value
theory) by L-moments (J. Hosking, JRSS B 52 (1990) 105), to the scores' square roots: fitted to the scores themselves
too many goods lay above the limit, fitted to their logarithms hardly a defect did. Measured on three products, 12 to 70
goods taught and 1 % asked for: 0.0 to 1.6 % of goods never taught lay above it. The limit is the prediction bound for
one more good: fitted location and scale are pivotal, so how far it must lie beyond them is found by simulating samples
of that very size. The interval is then what n goods prove by themselves (Clopper-Pearson), wide on purpose.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..models.figures import beta_quantile, clopper_pearson

CONFIDENCE = 0.95
_EULER = 0.5772156649015329
_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold and what it promises. Shares are 0..1."""

    value: float
    """A score above it is not OK."""
    method: str
    """For people."""
    overkill: float
    """Share of new goods expected above it."""
    low: float
    """95 % interval of that share."""
    high: float
    goods: int
    """Held-out scores it rests on."""
    escape: float | None = None
    """Share of defective parts expected at or below it; None: none was there to tell."""
    escape_low: float | None = None
    """95 % interval of that share."""
    escape_high: float | None = None
    defects: int = 0
    """Scores of defective parts it rests on."""
    classes: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Class of defect: how many would escape, of how many."""
    target: str = ""
    """What was asked for, for people."""
    claims: tuple[str, ...] = ()
    """What may be claimed of it and what not yet, for people."""

    def promised(self) -> dict[str, Any]:
        """Return what stands in a manifest as `threshold`."""
        return {
            "value": self.value,
            "method": self.method,
            "overkill_percent": 100.0 * self.overkill,
            "overkill_low_percent": 100.0 * self.low,
            "overkill_high_percent": 100.0 * self.high,
            "goods": self.goods,
            "target": self.target,
            "escape_percent": _percent(self.escape),
            "escape_low_percent": _percent(self.escape_low),
            "escape_high_percent": _percent(self.escape_high),
            "defects": self.defects,
        }

    def told(self) -> dict[str, Any]:
        """Return what stands in a report as `threshold`, as far as goods alone tell it."""
        return {
            "value": self.value,
            "method": self.method,
            "overkill": self.overkill,
            "low": self.low,
            "high": self.high,
            "goods": self.goods,
            "target": self.target,
            "claims": list(self.claims),
        }


def choose_threshold(scores: npt.NDArray[np.float64], overkill: float) -> Limit:
    """Return the threshold for held-out scores of goods. overkill: target share, 0 < overkill < 1.

    ValueError: fewer than three scores, or one that is not finite.
    """
    if len(scores) < 3 or not np.isfinite(scores).all():
        raise ValueError(f"{len(scores)} held-out scores: expected three or more, all finite")
    ordered = np.sort(scores)
    goods = len(ordered)
    place = math.ceil((goods + 1) * (1.0 - overkill) - 1e-9)
    if place <= goods:
        above = goods + 1 - place
        tail = (1.0 - CONFIDENCE) / 2.0
        return Limit(
            value=float(ordered[place - 1]),
            method=f"conformal quantile: score {place} of {goods} held-out goods in rising order",
            overkill=above / (goods + 1),
            low=beta_quantile(tail, above, place),
            high=beta_quantile(1.0 - tail, above, place),
            goods=goods,
        )
    value = _tail_bound(ordered, overkill)
    low, high = clopper_pearson(int((ordered > value).sum()), goods, CONFIDENCE)
    return Limit(
        value=value,
        method=f"extreme-value tail (Gumbel of root scores) beyond {goods} held-out goods, too few for a quantile",
        overkill=overkill,
        low=low,
        high=high,
        goods=goods,
    )


def _tail_bound(ordered: npt.NDArray[np.float64], overkill: float) -> float:
    """Score that one more good exceeds with a chance of overkill, if the roots of the scores are Gumbel."""
    shift = max(0.0, -float(ordered[0]))  # a good can lie below the mean everywhere; roots want 0 or more
    location, scale = _gumbel(np.sqrt(ordered + shift)[None, :])
    rng = np.random.default_rng(20_240_117)  # its own fixed seed: the same goods give the same bound
    places, scales = _gumbel(np.sort(rng.gumbel(size=(_DRAWS, len(ordered))), axis=1))
    beyond = (rng.gumbel(size=_DRAWS) - places) / scales
    reach = max(0.0, float(np.quantile(beyond, 1.0 - overkill)))
    # Equal scores (copies of one picture) have no scale; some room is needed for any new good to be OK.
    spread = max(float(scale[0]), 0.01 * abs(float(location[0])))
    return float((location[0] + spread * reach) ** 2 - shift)


def _gumbel(
    ordered: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Location and scale by L-moments of samples `(samples, n)`, each in rising order."""
    count = ordered.shape[1]
    weights = np.arange(count) / (count - 1)
    mean = ordered.mean(axis=1)
    scale = (2.0 * (ordered * weights).mean(axis=1) - mean) / math.log(2.0)
    return mean - _EULER * scale, scale


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share
