"""The limit of a draft: what is wished for, what it comes to, and how many more parts a claim of it takes.

Of the numbers on the screen some are estimates, others claims that hold with 95 % (`training.promise`): both are told,
and never mixed up. Where a draft has several regions each gets its share of the overkill, for they reject side by side.
"""

from typing import Any

import numpy as np

from ..models.figures import beta_quantile, clopper_pearson
from ..training.promise import Targets, promise, still_needed
from ..training.threshold import CONFIDENCE
from .draft import Draft, TaughtRegion


def limits_of(draft: Draft, wish: dict[str, Any], region: str = "", threshold: float | None = None) -> dict[str, Any]:
    """What the wish comes to.

    wish: `overkill_percent` and `escape_percent` (None: not asked). region, threshold: a person puts this one by hand.
    ValueError: not taught yet, no such region, or escapes asked for without defects.
    """
    if not draft.taught:
        raise ValueError("this draft is not taught yet")
    if threshold is not None and not region:
        if len(draft.taught) > 1:
            raise ValueError("region: expected the name of the region whose threshold it is")
        region = next(iter(draft.taught))
    if region and region not in draft.taught:
        raise ValueError(f"region = {region!r}: expected one of {', '.join(draft.taught)}")
    overkill, escape = wish["overkill_percent"] / 100.0, wish["escape_percent"]
    share = overkill / len(draft.taught)
    found, told = {}, {}
    for name, one in draft.taught.items():
        goods, bad = _scores(one)
        value, method = one.threshold, "kept"
        if threshold is not None and name == region:
            value, method = threshold, "by hand"
        elif threshold is None and region in ("", name):
            asked = escape / 100.0 if escape is not None and len(bad) else None
            if escape is not None and not any(each.defects for each in draft.taught.values()):
                raise ValueError("escapes cannot be told without defects: take pictures of defective parts")
            limit = promise(goods, Targets(share, asked), {"defect": bad} if len(bad) else {})
            value, method = limit.value, limit.method
        found[name] = value
        told[name] = {
            "threshold": value,
            "own": one.own_threshold,
            "method": method,
            "overkill": rate(int((goods > value).sum()), len(goods), None),
            "escape": rate(int((bad <= value).sum()), len(bad), None),
        }
    rejected, goods_seen = _by_picture(draft, found, "goods")
    caught, bad_seen = _by_picture(draft, found, "defects")
    return {
        "wish": {"overkill_percent": wish["overkill_percent"], "escape_percent": escape},
        "regions": told,
        "overkill": rate(rejected, goods_seen, overkill),
        "escape": rate(bad_seen - caught, bad_seen, None if escape is None else escape / 100.0),
    }


def rate(events: int, n: int, asked: float | None) -> dict[str, Any]:
    """A rate with its 95 % interval, and what may be claimed of it. asked: the share wished for; None: none was.

    `more`: parts without an event that would do; 0: it may be claimed now; None: it does not hold, whatever comes.
    """
    low, high = clopper_pearson(events, n, CONFIDENCE) if n else (0.0, 1.0)
    told: dict[str, Any] = {
        "events": events,
        "n": n,
        "percent": 100.0 * events / n if n else None,
        "low": 100.0 * low,
        "high": 100.0 * high,
        "bound": 100.0 * (1.0 if events >= n else beta_quantile(CONFIDENCE, events + 1, n - events)),
        "asked": None if asked is None else 100.0 * asked,
        "more": None,
        "holds": None,
    }
    if asked is not None:
        more = still_needed(events, n, asked)
        least = beta_quantile(1.0 - CONFIDENCE, events, n - events + 1) if events and more else 0.0
        refuted = least > asked
        told |= {"more": None if refuted else more, "holds": False if refuted else more == 0 or None}
    return told


def _scores(one: TaughtRegion) -> tuple[Any, Any]:
    return (
        np.array([each.score for each in one.goods], np.float64),
        np.array([each.score for each in one.defects], np.float64),
    )


def _by_picture(draft: Draft, limits: dict[str, float], kind: str) -> tuple[int, int]:
    """Pictures that any region calls NG, and all that were scored."""
    scored: dict[str, bool] = {}
    for name, one in draft.taught.items():
        for each in one.goods if kind == "goods" else one.defects:
            scored[each.shot] = scored.get(each.shot, False) or each.score > limits[name]
    return sum(scored.values()), len(scored)
