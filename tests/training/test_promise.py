"""The operating point and what it promises, against distributions whose truth is known."""

import math

import numpy as np
import pytest

from okng.models.figures import parts_needed
from okng.training.promise import Costs, Targets, promise, still_needed

DRAWS = 1000


def _normal_above(value: float, mean: float) -> float:
    return 0.5 * math.erfc((value - mean) / math.sqrt(2.0))


@pytest.mark.parametrize("goods", [25, 120, 700])
def test_the_overkill_bound_holds(goods: int) -> None:
    """Over 1,000 draws the true overkill is within the promised upper bound at least 95 % of the time."""
    held = 0
    for draw in range(DRAWS if goods > 99 else 150):  # few goods: the tail fit simulates, and costs more
        scores = np.random.default_rng([draw, goods]).normal(5.0, 1.0, goods)
        limit = promise(scores, Targets(overkill=0.01))
        held += _normal_above(limit.value, 5.0) <= limit.high
    assert held >= 0.95 * (DRAWS if goods > 99 else 150)


@pytest.mark.parametrize(("defects", "escape"), [(60, 0.05), (400, 0.02), (1000, 0.01)])
def test_a_claimed_escape_holds(defects: int, escape: float) -> None:
    """The same of escapes, wherever the claim is made; with enough defects it is made nearly always."""
    claimed = held = 0
    for draw in range(DRAWS):
        rng = np.random.default_rng([draw, defects])
        limit = promise(rng.normal(5.0, 1.0, 150), Targets(0.01, escape), {"crack": rng.normal(8.0, 1.0, defects)})
        if any("escape" in claim and "may be claimed" in claim for claim in limit.claims):
            claimed += 1
            held += 1.0 - _normal_above(limit.value, 8.0) <= escape
    assert claimed > 0.8 * DRAWS
    assert held >= 0.95 * claimed


def test_the_interval_of_escapes_holds() -> None:
    held = 0
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        limit = promise(rng.normal(5.0, 1.0, 200), Targets(0.02), {"crack": rng.normal(8.5, 1.0, 80)})
        assert limit.escape_low is not None
        assert limit.escape_high is not None
        held += limit.escape_low <= 1.0 - _normal_above(limit.value, 8.5) <= limit.escape_high
    assert held >= 0.95 * DRAWS


def test_escape_goes_before_overkill() -> None:
    rng = np.random.default_rng(0)
    goods, bad = rng.normal(5.0, 1.0, 300), rng.normal(6.0, 1.0, 300)
    limit = promise(goods, Targets(0.01, 0.02), {"crack": bad})
    assert (bad <= limit.value).mean() <= 0.02
    assert limit.overkill > 0.3
    assert "both cannot be had" in limit.method
    assert any("overkill" in claim and "does not hold" in claim for claim in limit.claims)


def test_between_goods_and_defects_there_is_room_on_both_sides() -> None:
    rng = np.random.default_rng(1)
    goods, bad = rng.normal(5.0, 0.5, 700), rng.normal(20.0, 0.5, 400)
    limit = promise(goods, Targets(0.01, 0.01), {"crack": bad})
    assert goods.max() < limit.value < bad.min()
    assert len(limit.claims) == 2
    assert all("may be claimed" in claim for claim in limit.claims)


def test_too_few_defects_are_said_to_be_too_few() -> None:
    rng = np.random.default_rng(2)
    limit = promise(rng.normal(5.0, 1.0, 200), Targets(0.01, 0.01), {"crack": rng.normal(20.0, 1.0, 20)})
    assert "estimate" in limit.method
    (claim,) = [each for each in limit.claims if each.startswith("escape")]
    assert f"{parts_needed(0.01) - 20} more defects" in claim


def test_classes_are_counted_apart() -> None:
    goods = np.linspace(0.0, 1.0, 200)
    limit = promise(goods, Targets(0.05), {"crack": np.array([5.0, 6.0, 0.1]), "pit": np.array([7.0, 0.2, 0.3])})
    assert limit.classes == {"crack": (1, 3), "pit": (2, 3)}
    assert limit.defects == 6
    assert limit.escape_low is not None
    assert limit.escape_low < 0.5 < (limit.escape_high or 0.0)


def test_costs_weigh_a_miss_against_a_reject() -> None:
    rng = np.random.default_rng(3)
    goods, bad = rng.normal(5.0, 1.0, 400), {"crack": rng.normal(7.0, 1.0, 400)}
    dear = promise(goods, Targets(costs=Costs(1000.0, 1.0, 0.02)), bad)
    cheap = promise(goods, Targets(costs=Costs(2.0, 1.0, 0.02)), bad)
    assert dear.value < cheap.value
    # Of two normals one apart the cheapest place is known: where the densities' ratio is that of the costs.
    expected = 6.0 + math.log(0.98 * 1.0 / (0.02 * 1000.0)) / 2.0
    assert dear.value == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(("events", "n", "rate"), [(0, 0, 0.01), (0, 100, 0.01), (3, 100, 0.01), (1, 598, 0.005)])
def test_parts_still_needed_are_the_fewest(events: int, n: int, rate: float) -> None:
    def upper(count: int) -> float:
        from okng.models.figures import beta_quantile

        return beta_quantile(0.95, events + 1, count - events)

    more = still_needed(events, n, rate)
    assert upper(n + more) <= rate + 1e-9
    assert more == 0 or upper(n + more - 1) > rate
    if events == 0:
        assert n + more == parts_needed(rate)


def test_a_claim_that_stands_needs_nothing() -> None:
    assert still_needed(0, 299, 0.01) == 0
    assert still_needed(0, 298, 0.01) == 1


def test_a_claim_that_is_refuted_asks_for_no_further_parts() -> None:
    many = np.concatenate([np.zeros(2), np.ones(58)])
    (claim,) = promise(many, Targets(0.05, None, Costs(1000.0, 1.0, 0.5)), {"scratch": np.full(5, 0.5)}).claims
    assert claim == "overkill <= 5 % does not hold at 95 %: 58 of 60 goods, so at least 90 %"


def test_what_cannot_be_promised_is_refused() -> None:
    goods = np.arange(100.0)
    with pytest.raises(ValueError, match="expected scores of defective parts"):
        promise(goods, Targets(0.01, 0.01))
    with pytest.raises(ValueError, match="unjudged"):
        promise(goods, Targets(0.01), {"crack": np.array([math.inf])})
    with pytest.raises(ValueError, match="share above 0"):
        Targets(0.0)
    with pytest.raises(ValueError, match="costs above 0"):
        Costs(0.0, 1.0, 0.1)
