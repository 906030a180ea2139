"""The judge alone: what findings mean."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.bus.part import Outcome
from okng.inspect.judge import Judgement, judge
from okng.inspect.recipe import Recipe
from okng.inspect.seen import Seen, heat_map, places


def recipe(*names: str) -> Recipe:
    regions = [{"name": name} for name in names or ("whole",)]
    content = {"name": "r", "deadline_ms": 100, "bundle": "b", "camera": {"width": 64, "height": 32}}
    return Recipe.model_validate({**content, "regions": regions})


def seen(score: float, *, region: str = "whole", brightness: float = 100.0, threshold: float = 4.0) -> Seen:
    heat = np.zeros((4, 8), np.float32)
    heat[1, 2] = score
    return Seen(region, (0, 0, 64, 32), score, heat, threshold, brightness)


def judged(of: Recipe, found: list[Seen]) -> Judgement:
    return judge(of.rules, of.regions, found)


def test_below_the_threshold_is_ok_without_reasons() -> None:
    made = judged(recipe(), [seen(3.9)])
    assert (made.outcome, made.reasons, made.defects) == (Outcome.OK, (), ())
    assert (made.score, made.threshold) == (3.9, 4.0)


def test_at_the_threshold_is_ok_and_just_above_is_ng() -> None:
    assert judged(recipe(), [seen(4.0)]).outcome is Outcome.OK
    assert judged(recipe(), [seen(math.nextafter(4.0, 5))]).outcome is Outcome.NG


def test_a_defect_is_boxed_in_sensor_pixels() -> None:
    (defect,) = judged(recipe(), [seen(9.0)]).defects
    assert (defect.x, defect.y, defect.w, defect.h) == (16, 8, 8, 8)
    assert defect.score == pytest.approx(9.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_unjudged(bad: float) -> None:
    made = judged(recipe(), [seen(bad)])
    assert made.outcome is Outcome.UNJUDGED
    assert made.score == 0.0


def test_a_map_with_one_nan_is_unjudged() -> None:
    one = seen(1.0)
    one.heat[0, 0] = math.nan
    assert judged(recipe(), [one]).outcome is Outcome.UNJUDGED


@pytest.mark.parametrize("brightness", [0.0, 3.9, 251.1, 255.0])
def test_a_black_or_blinded_picture_is_unjudged_and_blames_the_light(brightness: float) -> None:
    made = judged(recipe(), [seen(1.0, brightness=brightness)])
    assert made.outcome is Outcome.UNJUDGED
    assert "brightness" in made.reasons[0]


def test_a_region_without_findings_is_unjudged() -> None:
    made = judged(recipe("a", "b"), [seen(1.0, region="a")])
    assert made.outcome is Outcome.UNJUDGED
    assert made.reasons == ("no finding in region b",)


def test_a_defect_seen_wins_over_doubts() -> None:
    made = judged(recipe("a", "b"), [seen(9.0, region="a"), seen(1.0, region="b", brightness=0.0)])
    assert made.outcome is Outcome.NG
    assert len(made.reasons) == 2


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=3),
    st.floats(0, 255),
)
def test_ok_means_every_region_finite_and_at_most_its_limit(scores: list[float], light: float) -> None:
    names = [f"r{n}" for n in range(len(scores))]
    made = judged(recipe(*names), [seen(s, region=n, brightness=light) for s, n in zip(scores, names, strict=True)])
    fine = all(math.isfinite(s) and s <= 4.0 for s in scores) and 4 <= light <= 251
    assert (made.outcome is Outcome.OK) == fine
    assert math.isfinite(made.score)


def test_the_heat_map_says_128_at_the_threshold() -> None:
    one = seen(4.0)
    levels = heat_map(one).levels
    assert levels[1 * 8 + 2] == 128
    assert levels[0] == 0
    assert heat_map(seen(8.0)).levels[10] == 255


def test_small_places_are_not_drawn() -> None:
    assert places(seen(9.0), 65) == []
    assert len(places(seen(9.0), 64)) == 1
