"""Control charts and drift: known figures, and a warning that comes before good parts are rejected."""

import math
import random

import pytest

from okng.records.figures_read import Sums
from okng.webui.control import Step, Subgroup, drift_of, p_chart
from okng.webui.oee import oee_of

# D. Montgomery, Introduction to Statistical Quality Control, table 7.4: purchase orders, variable sample size.
SIZES = (
    100,
    80,
    80,
    100,
    110,
    110,
    100,
    100,
    90,
    90,
    110,
    120,
    120,
    120,
    110,
    80,
    80,
    80,
    90,
    100,
    100,
    100,
    100,
    90,
    90,
)
BAD = (12, 8, 6, 9, 10, 12, 11, 16, 10, 6, 20, 15, 9, 8, 6, 8, 10, 7, 5, 8, 5, 8, 10, 6, 9)


def groups(bad: tuple[int, ...], sizes: tuple[int, ...]) -> list[Subgroup]:
    return [Subgroup(str(n), k, size) for n, (k, size) in enumerate(zip(bad, sizes, strict=True))]


def test_a_published_chart_with_variable_sizes() -> None:
    chart = p_chart(groups(BAD, SIZES))
    assert chart.kind == "p"
    assert chart.mean == pytest.approx(234 / 2450)  # 0.096
    assert chart.points[0].high == pytest.approx(0.184, abs=6e-4)
    assert chart.points[0].low == pytest.approx(0.007, abs=1e-3)
    assert [point.at for point in chart.points if point.out] == ["10"]  # sample 11 is the one beyond its limit


def test_large_subgroups_that_scatter_get_limits_of_their_own_scatter() -> None:
    rng = random.Random(3)
    sizes = (20_000,) * 40
    bad = tuple(round(20_000 * max(0.001, rng.gauss(0.02, 0.004))) for _ in sizes)
    chart = p_chart(groups(bad, sizes))
    assert chart.kind == "p'"
    assert chart.spread > 3
    binomial = 3 * math.sqrt(chart.mean * (1 - chart.mean) / 20_000)
    assert chart.points[0].high - chart.mean == pytest.approx(chart.spread * binomial)


def test_too_few_subgroups_have_no_alarm_and_nothing_has_no_chart() -> None:
    assert p_chart([]).points == ()
    chart = p_chart(groups((0, 50), (100, 100)))
    assert (chart.kind, [point.out for point in chart.points]) == ("", [False, False])
    assert p_chart(groups((0,) * 12, (50,) * 12)).kind == "p"


def test_eight_in_a_row_on_one_side_are_marked() -> None:
    bad = (5,) * 20 + (6,) * 10
    marked = [point.at for point in p_chart(groups(bad, (100,) * 30)).points if point.out]
    assert "27" in marked
    assert "25" not in marked


def steps(climb: float, count: int = 72, seed: int = 5) -> list[Step]:
    rng = random.Random(seed)
    return [Step(str(n), n / 6, 200, 0.42 + rng.gauss(0, 0.008) + max(0, n - 24) * climb, 0.09) for n in range(count)]


def test_a_climb_is_told_long_before_good_parts_are_rejected() -> None:
    course = steps(0.004)
    first = next(n for n in range(15, 73) if drift_of(course[:n]).warns)
    told = drift_of(course[:first])
    assert course[first - 1].mean + 3 * course[first - 1].spread < 0.85  # the limit is 1.0
    assert not told.reaching
    assert told.hours_left is not None
    assert told.hours_left > 1


def test_steady_scores_seldom_warn() -> None:
    warned = sum(drift_of(steps(0.0, seed=seed)).warns for seed in range(60))
    assert warned <= 3


def test_few_steps_or_few_parts_say_nothing() -> None:
    assert drift_of(steps(0.01, 10)).base is None
    thin = [Step(str(n), n / 6, 3, 0.9, 0.1) for n in range(50)]
    assert drift_of(thin).means == ()


def test_oee_is_the_product_of_its_parts_or_not_known() -> None:
    sums = Sums(triggered=900, ok=800, ng=60, late=20, challenge=12, bypass=8)
    told = oee_of(sums, 480, 400, 2.5)
    assert (told.availability, told.quality) == (400 / 480, 800 / 880)
    assert told.performance == pytest.approx(880 / 400 / 2.5)
    assert told.oee == pytest.approx(400 / 480 * 0.88 * 800 / 880)
    assert oee_of(sums, 480, 400, 0.0).oee is None
    assert oee_of(Sums(), 480, 0, 2.5).oee is None
    assert oee_of(Sums(), 0, 0, 2.5).availability is None
