"""The rules that take a bundle back: each fires where the table says, seldom where nothing is wrong. Fixed seeds."""

import math
import random
from statistics import quantiles

import pytest

from okng.bus.errors import Refused
from okng.fleet.rollback import (
    Crashes,
    Cusum,
    Disagreements,
    Figures,
    Overrides,
    Slowness,
    Sprt,
    Then,
    escape_bound,
    golden,
    unsound,
)

SEEDS = 1000


def p50_p95(delays: list[int]) -> tuple[float, float]:
    cuts = quantiles(delays, n=100, method="inclusive")
    return cuts[49], cuts[94]


def cusum_delay(seed: int, rate: float, figures: Figures) -> int:
    chance, rule = random.Random(seed), Cusum(0.02, figures)
    for part in range(1, 100_000):
        if rule.add(reject=chance.random() < rate):
            return part
    raise AssertionError("never seen")


@pytest.mark.parametrize(("limit", "p50", "p95"), [(8.0, 251, 601), (10.0, 312, 677), (12.0, 391, 798)])
def test_a_reject_rate_that_triples_is_seen_as_fast_as_the_table_says(limit: float, p50: int, p95: int) -> None:
    figures = Figures(cusum_limit=limit)
    found = p50_p95([cusum_delay(seed, 0.06, figures) for seed in range(SEEDS)])
    assert found[0] == pytest.approx(p50, rel=0.12)
    assert found[1] == pytest.approx(p95, rel=0.12)
    assert found[0] < 1000  # the budget of the page


def test_a_reject_rate_that_stays_is_seldom_an_alarm() -> None:
    chance, alarms = random.Random(8), 0
    rule = Cusum(0.02)
    for _ in range(1_000_000):
        if rule.add(reject=chance.random() < 0.02) is not None:
            alarms += 1
            rule = Cusum(0.02)
    assert alarms <= 5  # 0.8 are expected; six or more would come once in 5,000 runs


def test_the_steps_of_the_cusum_are_those_of_the_table() -> None:
    rule = Cusum(0.02)
    assert (round(rule.up, 3), round(rule.down, 3)) == (1.099, -0.042)
    assert rule.add(reject=False) is None
    assert rule.sum == 0.0  # never below
    found = next(found for _ in range(20) if (found := rule.add(reject=True)))
    assert (found.then, rule.rejects) == (Then.LAST_GOOD, 10)


@pytest.mark.parametrize("p0", [0.0, 0.2, 0.4, 0.9, 1.0])
def test_a_cusum_stands_every_reject_rate(p0: float) -> None:
    rule = Cusum(p0)
    assert 0 < rule.p0 < rule.p1 < 1
    assert any(rule.add(reject=True) for _ in range(2000))


def test_a_clean_line_s_first_rejects_are_no_alarm() -> None:
    rule = Cusum(0.0)
    assert [rule.add(reject=part % 5000 == 0) for part in range(1, 50_001)] == [None] * 50_000


def sprt_end(seed: int, wrong: float) -> tuple[int, bool]:
    chance, rule = random.Random(seed), Sprt()
    for part in range(1, 100_000):
        if rule.add(challenger_wrong=chance.random() < wrong):
            return part, True
        if rule.judged and rule.sum == 0.0:
            return part, False
    raise AssertionError("never decided")


def test_a_worse_challenger_is_told_within_the_parts_of_the_table() -> None:
    ends = [sprt_end(seed, 0.65) for seed in range(SEEDS)]
    p50, p95 = p50_p95([part for part, _ in ends])
    assert p50 == pytest.approx(85, rel=0.15)
    assert p95 == pytest.approx(225, rel=0.15)
    assert sum(not worse for _, worse in ends) <= 20  # 1 % are expected


def test_an_equal_challenger_is_seldom_called_worse() -> None:
    assert sum(sprt_end(seed, 0.5)[1] for seed in range(SEEDS)) <= 20  # 1 % are expected


def test_the_steps_of_the_sprt_are_those_of_the_table() -> None:
    rule = Sprt()
    assert (round(rule.wrong, 3), round(rule.right, 3), round(rule.limit, 3)) == (0.262, -0.357, 4.595)
    found = next(found for _ in range(50) if (found := rule.add(challenger_wrong=True)))
    assert (found.then, found.figures["judged"]) == (Then.PEOPLE, 18)


def test_after_not_worse_the_test_goes_on_afresh() -> None:
    rule = Sprt()
    while not (rule.judged and rule.sum == 0.0):
        assert rule.add(challenger_wrong=False) is None
    assert any(rule.add(challenger_wrong=True) for _ in range(18))


def test_disagreements_pause_at_the_part_that_is_one_too_many() -> None:
    rule = Disagreements()
    for _ in range(20):
        assert rule.add(differ=True) is None
    found = rule.add(differ=True)
    assert found is not None
    assert (found.then, found.figures) == (Then.PAUSE, {"differing": 21, "parts": 21})


def test_old_disagreements_leave_the_window() -> None:
    rule = Disagreements()
    for turn in range(10_000):
        assert rule.add(differ=turn % 50 == 0) is None  # 2 % is allowed
    assert rule.differing == 20


def test_one_slow_part_in_a_thousand_is_allowed_two_are_not() -> None:
    rule = Slowness(20.0)
    assert [rule.add(1.0) for _ in range(500)] == [None] * 500
    assert rule.add(20.1) is None
    found = rule.add(30.0)
    assert found is not None
    assert (found.then, found.figures["worst_ms"]) == (Then.LAST_GOOD, 30.0)


def test_a_slow_part_leaves_the_window_and_nan_is_slow() -> None:
    rule = Slowness(20.0)
    rule.add(25.0)
    assert all(rule.add(1.0) is None for _ in range(1000))
    assert rule.add(25.0) is None
    assert rule.add(math.nan) is not None


def test_without_a_budget_nothing_is_too_slow_but_the_plan_may_name_one() -> None:
    assert not any(Slowness(0.0).add(1e6) for _ in range(10))
    rule = Slowness(0.0, Figures(slow_ms=5.0))
    assert [bool(rule.add(6.0)) for _ in range(2)] == [False, True]


def test_two_crashes_soon_after_activation_refuse_the_bundle() -> None:
    rule = Crashes(1000.0)
    assert rule.add(1100.0) is None
    found = rule.add(1599.0)
    assert found is not None
    assert found.then is Then.REFUSED


def test_crashes_later_say_nothing_of_the_bundle() -> None:
    rule = Crashes(1000.0)
    assert rule.add(1100.0) is None
    assert [rule.add(1601.0 + turn) for turn in range(5)] == [None] * 5


def test_overrides_wait_for_a_full_window() -> None:
    rule = Overrides(0.05)
    assert [rule.add(good=turn < 21) for turn in range(199)] == [None] * 199
    found = rule.add(good=False)
    assert found is not None
    assert (found.then, found.figures["good"]) == (Then.PAUSE, 21)
    fine = Overrides(0.05)
    assert not any(fine.add(good=turn % 10 == 0) for turn in range(1000))


def test_what_speaks_at_the_first_time() -> None:
    assert unsound("NaN in the heat map").then is Then.LAST_GOOD
    assert golden("a.png: score 3").then is Then.LAST_GOOD


def test_a_plan_names_its_own_figures_within_their_ranges() -> None:
    assert Figures.of({"cusum_limit": 12.0}).cusum_limit == 12.0
    with pytest.raises(Refused, match="cusum_limits: there is no such figure"):
        Figures.of({"cusum_limits": 12.0})
    with pytest.raises(Refused, match=r"cusum_limit = 1e\+09: expected 2..50"):
        Figures.of({"cusum_limit": 1e9})
    with pytest.raises(Refused, match="sprt_p1"):
        Figures.of({"sprt_p1": math.nan})


def test_the_rule_of_three() -> None:
    assert escape_bound(200) == 0.015
    assert escape_bound(0) is None
    assert escape_bound(1) == 1.0
