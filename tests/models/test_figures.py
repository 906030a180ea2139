"""Figures against scipy (`beta.ppf`, 1.17) and against brute force."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.models.figures import (
    at_least,
    auroc,
    auroc_interval,
    average_precision,
    beta_quantile,
    clopper_pearson,
    parts_needed,
)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.3084971),
        (10, 10, 0.6915029, 1.0),
        (5, 10, 0.1870860, 0.8129140),
        (1, 100, 0.0002531, 0.0544594),
        (3, 120, 0.0051856, 0.0713232),
        (0, 598, 0.0, 0.0061497),
    ],
)
def test_intervals_as_scipy_has_them(k: int, n: int, low: float, high: float) -> None:
    assert clopper_pearson(k, n) == pytest.approx((low, high), abs=2e-6)


def test_nothing_seen_says_nothing() -> None:
    assert clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("k", "n", "confidence"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0), (1, 5, 0.0)])
def test_nonsense_is_refused(k: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        clopper_pearson(k, n, confidence)


@given(st.integers(0, 60), st.integers(1, 60), st.floats(0.001, 0.999))
def test_binomial_tail_as_summed(k: int, n: int, rate: float) -> None:
    summed = sum(math.comb(n, i) * rate**i * (1 - rate) ** (n - i) for i in range(k, n + 1))
    assert at_least(k, n, rate) == pytest.approx(summed, abs=1e-9)


@given(st.integers(0, 2000), st.integers(1, 2000))
def test_bounds_turn_back_into_their_tails(k: int, n: int) -> None:
    k = min(k, n)
    low, high = clopper_pearson(k, n)
    assert 0.0 <= low <= k / n <= high <= 1.0
    if k > 0:
        assert at_least(k, n, low) == pytest.approx(0.025, abs=1e-6)
    if k < n:
        assert 1.0 - at_least(k + 1, n, high) == pytest.approx(0.025, abs=1e-6)


def test_large_numbers_do_not_overflow() -> None:
    low, high = clopper_pearson(1_000, 100_000)
    assert low == pytest.approx(0.00939, abs=2e-5)
    assert high == pytest.approx(0.01064, abs=2e-5)


def test_beta_quantile_of_the_uniform_is_itself() -> None:
    assert beta_quantile(0.3, 1, 1) == pytest.approx(0.3, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40))
def test_auroc_as_counted_pair_by_pair(parts: list[tuple[int, bool]]) -> None:
    scores, labels = [float(score) for score, _ in parts], [label for _, label in parts]
    bad = [score for score, label in zip(scores, labels, strict=True) if label]
    good = [score for score, label in zip(scores, labels, strict=True) if not label]
    found = auroc(scores, labels)
    if not bad or not good:
        assert math.isnan(found)
    else:
        pairs = sum(1.0 if b > g else 0.5 if b == g else 0.0 for b in bad for g in good)
        assert found == pytest.approx(pairs / (len(bad) * len(good)))


def test_auroc_refuses_what_it_cannot_rank() -> None:
    with pytest.raises(ValueError, match="NaN"):
        auroc([1.0, math.nan], [True, False])
    with pytest.raises(ValueError, match="2 scores and 1 labels"):
        auroc([1.0, 2.0], [True])


def test_parts_needed_as_on_the_design_page() -> None:
    assert parts_needed(0.01) == 299
    assert parts_needed(0.005) == 598


def drawn(seed: int, bad: int, good: int, apart: float) -> tuple[list[float], list[bool]]:
    rng = random.Random(seed)
    scores = [rng.gauss(apart, 1.0) for _ in range(bad)] + [rng.gauss(0.0, 1.0) for _ in range(good)]
    return scores, [True] * bad + [False] * good


def test_the_interval_has_delongs_variance() -> None:
    scores, labels = drawn(1, 40, 70, 1.2)
    # With ties, and defects of two kinds, one of them not seen at all: DeLong's interval is the wider one.
    scores = [round(score + (4.0 if at % 2 else -2.0) * (at < 40), 1) for at, score in enumerate(scores)]
    wins = [[1.0 if b > g else 0.5 if b == g else 0.0 for g in scores[40:]] for b in scores[:40]]
    area = sum(map(sum, wins)) / (40 * 70)
    rows = [sum(row) / 70 for row in wins]
    columns = [sum(row[at] for row in wins) / 40 for at in range(70)]
    spread = sum((row - area) ** 2 for row in rows) / 39 / 40 + sum((c - area) ** 2 for c in columns) / 69 / 70
    reach = 1.959964 * math.sqrt(spread) / (area * (1 - area))
    low, high = auroc_interval(scores, labels)
    logit = math.log(area / (1 - area))
    assert math.log(low / (1 - low)) == pytest.approx(logit - reach, abs=1e-6)
    assert math.log(high / (1 - high)) == pytest.approx(logit + reach, abs=1e-6)


@pytest.mark.parametrize(("bad", "good", "apart"), [(40, 60, 1.5), (20, 30, 3.0), (8, 200, 2.0)])
def test_the_interval_holds_the_truth(bad: int, good: int, apart: float) -> None:
    truth = 0.5 * math.erfc(-apart / 2.0)
    held = 0
    for seed in range(300):
        low, high = auroc_interval(*drawn(seed, bad, good, apart))
        held += low <= truth <= high
    assert held >= 0.95 * 300


def test_a_perfect_ranking_is_no_certainty() -> None:
    low, high = auroc_interval([3.0, 4.0, 1.0, 2.0], [True, True, False, False])
    assert 0.2 < low < 0.75
    assert high == 1.0
    many = auroc_interval(*drawn(0, 100, 100, 40.0))
    assert many[0] > 0.96
    assert auroc_interval([1.0, 2.0, 3.0, 4.0], [True, True, False, False]) == pytest.approx((0.0, 1.0 - low))
    assert auroc_interval([1.0], [True]) == (0.0, 1.0)
    with pytest.raises(ValueError, match="confidence"):
        auroc_interval([1.0, 2.0], [True, False], 1.0)


def test_average_precision_is_the_mean_precision_at_each_defect() -> None:
    assert average_precision([4, 3, 2, 1], [True, False, True, False]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([1, 1, 1, 1], [True, False, False, False]) == pytest.approx(0.25)
    assert average_precision([2, 1], [True, False]) == 1.0
    assert math.isnan(average_precision([1.0], [False]))
    with pytest.raises(ValueError, match="NaN"):
        average_precision([math.nan, 1.0], [True, False])
    with pytest.raises(ValueError, match="labels"):
        average_precision([1.0], [True, False])
