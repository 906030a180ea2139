"""Drift as one job sees it: each region of each camera, and the picture's own word first."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from okng.inspect.drift_watch import DriftWatch
from okng.inspect.sections import Region
from okng.models.box import Box
from okng.models.findings import Findings


def bundle(**report: Any) -> Any:
    output = SimpleNamespace(adapter="anomaly", features=None)
    return SimpleNamespace(report=report, manifest=SimpleNamespace(output=output))


def view(camera: str, regions: list[Region], causes: tuple[str, ...] | None) -> Any:
    watch = None if causes is None else SimpleNamespace(causes=causes)
    return SimpleNamespace(camera=camera, regions=regions, watch=watch)


GOODS = [float(score) for score in np.random.default_rng(0).gumbel(4.0, 1.0, 200)]
CAP, RIM = Region(name="cap"), Region(name="rim", threshold=9.0)


def show(drift: DriftWatch, camera: str, region: Region, up: float) -> None:
    rng = np.random.default_rng(1)
    for score in rng.gumbel(4.0, 1.0, 300) + up:
        heat = np.array([[score]], np.float32)
        drift.look(camera, region, Findings(Box(0, 0, 8, 8), float(score), heat, "m", 1), 30.0)


@pytest.mark.parametrize(("causes", "said"), [((), True), (None, True), (("lamp",), False), (("product",), True)])
def test_a_model_that_drifts_is_named_unless_the_picture_did(causes: tuple[str, ...] | None, said: bool) -> None:
    drift = DriftWatch([view("top", [CAP], causes)], lambda region: bundle(held_out_scores=GOODS))
    show(drift, "top", CAP, 0.0)
    assert not drift.alarms
    show(drift, "top", CAP, 2.0)
    assert bool(drift.alarms) is said
    for alarm in drift.alarms:
        assert alarm.startswith("top: model: scores of good parts have risen in region cap")


def test_cameras_are_told_apart() -> None:
    views = [view("top", [CAP], ()), view("side", [CAP], ())]
    drift = DriftWatch(views, lambda region: bundle(held_out_scores=GOODS))
    show(drift, "side", CAP, 2.0)
    assert [alarm.split(":")[0] for alarm in drift.alarms] == ["side"]


@pytest.mark.parametrize("report", [{}, {"held_out_scores": "many"}, {"held_out_scores": [1.0] * 5}])
def test_without_goods_to_compare_with_nothing_is_watched(report: dict[str, Any]) -> None:
    drift = DriftWatch([view("top", [CAP], ())], lambda region: bundle(**report))
    show(drift, "top", CAP, 9.0)
    assert not drift.alarms


def test_a_region_with_a_threshold_of_its_own_is_not_compared_with_the_goods() -> None:
    drift = DriftWatch([view("top", [RIM], ())], lambda region: bundle(held_out_scores=GOODS))
    show(drift, "top", RIM, 3.0)
    assert not drift.alarms
