"""Charts of good parts: quiet while nothing moves, and telling lamp, product and model apart when something does."""

import math
import tracemalloc

import numpy as np
import pytest

from okng.models.box import Box
from okng.models.feature_chart import FeatureChart
from okng.models.findings import Findings
from okng.models.model_watch import ModelWatch
from okng.models.score_chart import ScoreChart

KINDS = 40


def goods(count: int = 200, seed: int = 0) -> list[float]:
    return [float(score) for score in np.random.default_rng(seed).gumbel(4.0, 1.0, count)]


def watch(count: int = 200) -> ModelWatch:
    rng = np.random.default_rng(1)
    shown = rng.normal(2.0, 0.5, (count, KINDS))
    return ModelWatch("cap", ScoreChart(goods(count)), FeatureChart(shown.mean(0), shown.std(0), count))


def run(watch: ModelWatch, parts: int, *, up: float = 0.0, other: float = 0.0, seed: int = 7) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(parts):
        score = float(rng.gumbel(4.0, 1.0)) + up
        features = rng.normal(2.0 + 0.5 * other, 0.5, KINDS).astype(np.float32)
        heat = np.array([[score]], np.float32)
        watch.look(Findings(Box(0, 0, 8, 8), score, heat, "m", 1, features=features), 30.0)


@pytest.mark.parametrize("count", [25, 200, 2000])
def test_nothing_is_said_while_nothing_moves(count: int) -> None:
    for seed in range(5):
        quiet = watch(count)
        for _ in range(40):
            run(quiet, 100, seed=seed)
            seed += 100
            assert quiet.alarm((), watched=True) == ""


@pytest.mark.parametrize("count", [12, 20, 40])
def test_features_that_move_together_are_no_drift_however_few_the_goods(count: int) -> None:
    """A hundred features of a dozen directions, as the means of real pictures are."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        mixing = rng.normal(size=(12, 100))
        shown = rng.normal(size=(count, 12)) @ mixing
        chart = FeatureChart(shown.mean(0), shown.std(0), count)
        for part in rng.normal(size=(1500, 12)) @ mixing:
            assert not chart.add(part.astype(np.float32)), f"seed {seed}"


def test_new_goods_may_score_a_little_lower_than_few_goods_did() -> None:
    """Each of few goods was scored by a model that knew fewer: that the one that runs knows more is no fall."""
    rng = np.random.default_rng(3)
    few, many = ScoreChart(goods(95)), ScoreChart(goods(400))
    lower = [float(rng.gumbel(4.0, 1.0)) - 0.9 for _ in range(1500)]
    assert not any([few.add(score) for score in lower])
    assert any([many.add(score) for score in lower])
    assert any([few.add(score + 0.9 + 1.6) for score in lower])
    fallen = ScoreChart(goods(95))
    assert any([fallen.add(score - 1.2) for score in lower])


def test_parts_that_look_different_are_the_product() -> None:
    drifting = watch()
    run(drifting, 300, other=0.8)
    said = drifting.alarm((), watched=True)
    assert said.startswith("product: good parts look different to the model in region cap")
    assert "lamp" not in said
    assert "check the lamp first" in drifting.alarm((), watched=False)


def test_scores_that_rise_while_parts_look_the_same_are_the_model() -> None:
    drifting = watch()
    run(drifting, 300, up=1.5)
    assert drifting.alarm((), watched=True).startswith("model: scores of good parts have risen in region cap")
    fallen = watch()
    run(fallen, 300, up=-1.5)
    assert "have fallen" in fallen.alarm((), watched=True)


@pytest.mark.parametrize("cause", ["lamp", "lens", "camera moved"])
def test_the_picture_comes_first(cause: str) -> None:
    drifting = watch()
    run(drifting, 300, up=1.5, other=0.8)
    assert drifting.alarm((cause,), watched=True) == ""
    assert drifting.alarm(("product",), watched=True)


def test_an_alarm_falls_when_all_is_as_before() -> None:
    drifting = watch()
    run(drifting, 300, other=0.8)
    assert drifting.alarm((), watched=True)
    run(drifting, 600)
    assert drifting.alarm((), watched=True) == ""


def test_defects_and_unsound_findings_are_no_drift() -> None:
    calm = watch()
    run(calm, 200)
    heat = np.array([[50.0]], np.float32)
    for score, trouble in ((50.0, ""), (math.inf, "NaN")):
        for _ in range(300):
            calm.look(Findings(Box(0, 0, 8, 8), score, heat, "m", 1, trouble), 30.0)
    assert calm.scores.parts == 200
    assert calm.alarm((), watched=True) == ""


def test_memory_does_not_grow() -> None:
    steady = watch()
    run(steady, 200)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    run(steady, 2000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000


def test_what_there_is_nothing_to_compare_with_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 20 or more"):
        ScoreChart([1.0] * 19)
    with pytest.raises(ValueError, match="one size"):
        FeatureChart([1.0, 2.0], [1.0], 10)
    with pytest.raises(ValueError, match="expected"):
        watch().features.add(np.zeros(3, np.float32))  # type: ignore[union-attr]
