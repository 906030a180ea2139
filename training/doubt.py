"""Goods that are perhaps none: they stand out by more than chance allows, and raise the threshold defects must pass.

Judged by scores each good got while the model did not know it. A score is a maximum, so a Gumbel law is fitted, to the
quartiles, which a quarter of defects among the goods cannot bend. Scores' own tails are a little heavier, so that about
one clean set in six has a good named as well. On rendered plates 5 % of defects among the goods raise the threshold so
far that three in four defects escape: a person is told and asked to look, nothing is left out by itself.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .threshold import choose_threshold

NAMED = 5
CHANCE = 0.02
"""That one of the goods stands out so far though all are alike, if the law holds."""
FEWEST = 20
"""With fewer the quartiles say too little."""
_LOWER, _MIDDLE, _UPPER = (-math.log(-math.log(share)) for share in (0.25, 0.5, 0.75))


def doubt(names: Sequence[str], held_out: npt.NDArray[np.float64], overkill: float) -> str:
    """Return what is to be doubted, for people; empty: nothing. held_out: scores of the goods `(goods,)`.

    overkill: share that may be rejected, as the threshold was put.
    """
    places = outstanding(held_out)
    rest = np.delete(held_out, places)
    if not len(places) or len(rest) < 3:
        return ""
    before, after = (choose_threshold(scores, overkill).value for scores in (held_out, rest))
    named = ", ".join(names[place] for place in places[:NAMED]) + (", ..." if len(places) > NAMED else "")
    return (
        f"{len(places)} of {len(names)} goods stand out by more than chance: {named}; with them the goods' threshold "
        f"is {before:.3g}, without them {after:.3g}; if they are no good parts, take them out and teach anew"
    )


def outstanding(held_out: npt.NDArray[np.float64]) -> list[int]:
    """Return places of goods that stand out by more than chance, the worst first."""
    if len(held_out) < FEWEST:
        return []
    low, middle, high = np.quantile(held_out, (0.25, 0.5, 0.75))
    scale = (high - low) / (_UPPER - _LOWER)
    if scale <= 1e-3 * abs(middle):
        return []  # copies of few pictures: whatever differs would stand out
    limit = middle + scale * (math.log(len(held_out) / CHANCE) - _MIDDLE)
    return [int(place) for place in np.argsort(-held_out, kind="stable") if held_out[place] > limit]
