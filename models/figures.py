"""Figures that are shown to people: exact intervals and ranking quality. Plain Python, no arrays.

Sources: C. Clopper, E. Pearson, Biometrika 26 (1934) 404; J. Hanley, B. McNeil, Radiology 143 (1982) 29.
"""

import math
from collections.abc import Iterable, Sequence


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a rate after k events in n trials.

    Nothing seen yet (n = 0): (0.0, 1.0). ValueError: not 0 <= k <= n, or confidence not inside 0..1.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} events in {n} trials: expected 0 <= k <= n")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence {confidence}: expected more than 0 and less than 1")
    if n == 0:
        return 0.0, 1.0
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if k == 0 else beta_quantile(tail, k, n - k + 1)
    high = 1.0 if k == n else beta_quantile(1.0 - tail, k + 1, n - k)
    return low, high


def beta_quantile(share: float, a: int, b: int) -> float:
    """Return x with P(Beta(a, b) <= x) = share, for whole a and b of 1 or more, by bisection.

    P(Beta(a, b) <= x) is the chance of a or more events in a + b - 1 trials at rate x.
    """
    if not (a >= 1 and b >= 1 and 0.0 < share < 1.0):
        raise ValueError(f"beta quantile {share} of ({a}, {b}): expected 0 < share < 1 and whole numbers from 1")
    low, high = 0.0, 1.0
    for _ in range(100):
        middle = (low + high) / 2.0
        if at_least(a, a + b - 1, middle) < share:
            low = middle
        else:
            high = middle
        if high - low < 1e-12:
            break
    return (low + high) / 2.0


def at_least(k: int, n: int, rate: float) -> float:
    """Return the chance of k or more events in n trials at that rate."""
    if k <= 0:
        return 1.0
    if rate <= 0.0:
        return 0.0
    if rate >= 1.0:
        return 1.0
    if k > n * rate:  # sum the smaller tail: fewer terms that matter, and no 1 - 1
        return min(1.0, math.fsum(_terms(range(k, n + 1), n, rate)))
    return max(0.0, 1.0 - math.fsum(_terms(range(k - 1, -1, -1), n, rate)))


def _terms(counts: Iterable[int], n: int, rate: float) -> Iterable[float]:
    """Binomial chances, outward from the largest, until they no longer count."""
    log_rate, log_rest, whole = math.log(rate), math.log1p(-rate), math.lgamma(n + 1)
    largest = 0.0
    for k in counts:
        term = math.exp(whole - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * log_rate + (n - k) * log_rest)
        largest = max(largest, term)
        yield term
        if term < largest * 1e-17:
            return


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Return the chance that a defective part scores above a good one, ties counted half.

    labels: True for defective. NaN when one of the two is missing. ValueError: different lengths, or a score is NaN.
    """
    if len(scores) != len(labels):
        raise ValueError(f"{len(scores)} scores and {len(labels)} labels")
    if any(math.isnan(score) for score in scores):
        raise ValueError("a score is NaN: such a part is unjudged, leave it out and count it")
    bad = sum(map(bool, labels))
    good = len(labels) - bad
    if not bad or not good:
        return math.nan
    order = sorted(range(len(scores)), key=scores.__getitem__)
    rank_sum, at = 0.0, 0
    while at < len(order):
        end = at
        while end < len(order) and scores[order[end]] == scores[order[at]]:
            end += 1
        middle = (at + 1 + end) / 2.0  # ranks at+1 .. end share their mean
        rank_sum += middle * sum(bool(labels[place]) for place in order[at:end])
        at = end
    return (rank_sum - bad * (bad + 1) / 2.0) / (bad * good)


def parts_needed(rate: float, confidence: float = 0.95) -> int:
    """Return how many parts without one event are needed to claim at most that rate, one-sided (1 %: 299)."""
    if not 0.0 < rate < 1.0:
        raise ValueError(f"rate {rate}: expected more than 0 and less than 1")
    return math.ceil(math.log(1.0 - confidence) / math.log1p(-rate))
