"""Classifiers, segmentations and anomaly models, from hand-made outputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from okng.models import adapter_anomaly, adapter_classification, adapter_segmentation
from okng.models.box import Box
from okng.models.manifest import Output
from okng.models.reading import LEFT_OUT, MOST_SPOTS, Array, Reader, Unsound

REGION = Box(10, 20, 160, 80)
"""8 rows and 16 columns of cells of 10x10 px."""


def reader(
    adapter: str, limits: Sequence[float] = (0.5, 0.5), areas: Sequence[float] = (0, 0), **output: Any
) -> Reader:
    made = Output(adapter=adapter, logits="l", rows=8, columns=16, **{"classes": ("scratch", "dent"), **output})  # type: ignore[arg-type]
    return Reader(made, 64, 32, REGION, np.array(limits, float), np.array(areas, float))


def logits_of(*shares: float) -> list[Array]:
    return [np.log(np.array([shares], np.float32))]


def test_a_classifiers_score_is_the_worst_share_of_a_limit() -> None:
    found = adapter_classification.read(logits_of(0.6, 0.3, 0.1), reader("classification", (0.5, 0.05)))
    assert found.score == pytest.approx(0.1 / 0.05)
    assert [(s.kind, s.box, round(s.score, 3)) for s in found.spots] == [
        ("dent", REGION, 0.1),
        ("scratch", REGION, 0.3),
    ]
    assert found.heat.shape == (8, 16)
    assert (found.heat == np.float32(found.score)).all()


def test_channels_that_are_no_defect_count_in_the_softmax_only() -> None:
    found = adapter_classification.read(logits_of(0.1, 0.2, 0.3, 0.4), reader("classification", numbers=(3, 0)))
    assert [(s.kind, round(s.score, 3)) for s in found.spots] == [("scratch", 0.4), ("dent", 0.1)]


@pytest.mark.parametrize(
    ("activation", "values", "scores"),
    [
        ("sigmoid", (0, 0, 2), (0.5, 1 / (1 + np.exp(-2)))),
        ("sigmoid", (0, -800, 800), (0.0, 1.0)),
        ("softmax", (900, 900, -900), (0.5, 0.0)),
        ("none", (9, 0.25, 0.75), (0.25, 0.75)),
    ],
)
def test_activations(activation: str, values: tuple[float, ...], scores: tuple[float, ...]) -> None:
    found = adapter_classification.read(
        [np.array([values], np.float32)], reader("classification", activation=activation)
    )
    assert found.score == pytest.approx(max(scores) / 0.5)
    assert {s.kind: s.score for s in found.spots} == pytest.approx(
        {name: share for name, share in zip(("scratch", "dent"), scores, strict=True) if share}
    )


@pytest.mark.parametrize(
    ("outputs", "told", "more"),
    [
        ([np.array([[0, np.nan, 0]], np.float32)], "NaN", {}),
        ([np.array([[0, np.inf, 0]], np.float32)], "NaN or infinite", {}),
        ([np.zeros((1, 2), np.float32)], "has 2 channels: the classes need 3", {}),
        ([np.zeros((2, 3), np.float32)], "one row", {}),
        ([np.zeros((1, 3, 1, 1), np.float32)], "2 axes", {}),
        ([np.array([[0, 3, 0]], np.float32)], "expected 0..1", {"activation": "none"}),
    ],
)
def test_what_is_no_classifiers_output_is_unsound(outputs: list[Array], told: str, more: dict[str, Any]) -> None:
    with pytest.raises(Unsound, match=told):
        adapter_classification.read(outputs, reader("classification", **more))


def shares_of(kind: int, share: Array) -> list[Array]:
    """Logits [1, 3, 8, 16] of which one class has these shares, the background the rest."""
    shares = np.full((3, 8, 16), 1e-6)
    shares[kind], shares[0] = share, 1 - share - 1e-6
    return [np.log(shares / shares.sum(axis=0))[None].astype(np.float32)]


def two_places() -> Array:
    """A place of 2x3 cells at 0.8 with 0.6 around, and a single cell at 0.95."""
    share = np.full((8, 16), 0.001)
    share[1:5, 2:7], share[2:4, 3:6], share[6, 12] = 0.6, 0.8, 0.95
    return share


def test_places_of_a_segmentation_are_boxes_in_the_picture() -> None:
    found = adapter_segmentation.read(shares_of(1, two_places()), reader("segmentation"))
    assert found.score == pytest.approx(0.95 / 0.5, rel=1e-4)
    assert [(s.kind, s.box, round(s.score, 2)) for s in found.spots] == [
        ("scratch", Box(130, 80, 10, 10), 0.95),
        ("scratch", Box(30, 30, 50, 40), 0.8),
    ]
    assert found.heat == pytest.approx(two_places() / 0.5, abs=1e-4)


def test_an_area_that_is_asked_for_leaves_single_cells_out() -> None:
    for area_px, score in ((600, 0.8), (601, 0.6), (2000, 0.6), (2001, 0.001)):
        found = adapter_segmentation.read(shares_of(1, two_places()), reader("segmentation", areas=(area_px, 0)))
        assert found.score == pytest.approx(score / 0.5, rel=1e-2), area_px
        assert found.heat.max() == pytest.approx(found.score, rel=1e-6)
        above = [(s.box, round(s.score, 2)) for s in found.spots if s.ratio > 1]
        assert above == ([(Box(30, 30, 50, 40), round(score, 2))] if score > 0.5 else [])
        assert found.heat[6, 12] <= 1.0  # above the limit, but too small: drawn as being at the limit at most


def test_an_area_larger_than_the_region_is_never_reached() -> None:
    found = adapter_segmentation.read(shares_of(1, np.full((8, 16), 0.9)), reader("segmentation", areas=(1e6, 0)))
    assert [found.score, found.heat.max()] == pytest.approx([0.0, 0.0], abs=1e-4)
    assert [s for s in found.spots if s.ratio > 1] == []


def test_the_level_of_an_area_is_what_trying_every_level_gives() -> None:
    import cv2

    rng = np.random.default_rng(5)
    for cells in (1, 2, 5, 20, 100):
        share = cv2.GaussianBlur(rng.uniform(0, 1, (12, 14)), (3, 3), 0).astype(np.float64)
        best = 0.0
        for at in np.unique(share):
            _, _, stats, _ = cv2.connectedComponentsWithStats((share >= at).astype(np.uint8), connectivity=8)
            if stats[1:, cv2.CC_STAT_AREA].max() >= cells:
                best = max(best, float(at))
        assert adapter_segmentation.level(share, cells) == best


def test_below_its_limit_the_worst_place_of_a_class_is_listed_still() -> None:
    found = adapter_segmentation.read(shares_of(2, two_places() / 4), reader("segmentation"))
    (spot,) = found.spots
    assert (spot.kind, spot.box) == ("dent", Box(130, 80, 10, 10))
    assert spot.ratio == pytest.approx(found.score) == pytest.approx(0.95 / 4 / 0.5, rel=1e-3)


def test_an_empty_segmentation_scores_next_to_nothing_and_is_sound() -> None:
    found = adapter_segmentation.read(shares_of(1, np.full((8, 16), 1e-6)), reader("segmentation"))
    assert found.score < 1e-4
    assert found.spots == ()


def test_absurdly_many_places_are_bounded_and_the_rest_is_said() -> None:
    share = np.full((64, 64), 0.001)
    share[::2, ::2] = 0.9  # 1024 single cells
    shares = np.stack([1 - share, share, np.full_like(share, 1e-9)])
    asked = reader("segmentation")
    output = asked.output.model_copy(update={"rows": 64, "columns": 64})
    found = adapter_segmentation.read(
        [np.log(shares)[None].astype(np.float32)], Reader(output, 64, 64, REGION, asked.limits, asked.areas_px)
    )
    assert len(found.spots) == MOST_SPOTS
    assert [(m.name, m.value) for m in found.measures] == [(LEFT_OUT, 1024 - MOST_SPOTS)]


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        ([np.full((1, 3, 8, 16), np.nan, np.float32)], "NaN"),
        ([np.zeros((1, 2, 8, 16), np.float32)], "has 2 channels: the classes need 3"),
        ([np.zeros((1, 3, 4, 16), np.float32)], r"expected \[1, C, 8, 16\]"),
        ([np.zeros((2, 3, 8, 16), np.float32)], r"expected \[1, C, 8, 16\]"),
    ],
)
def test_what_is_no_segmentation_is_unsound(outputs: list[Array], told: str) -> None:
    with pytest.raises(Unsound, match=told):
        adapter_segmentation.read(outputs, reader("segmentation"))


def anomaly(score: float, heat: Array) -> list[Array]:
    return [np.array([score], np.float32), heat[None].astype(np.float32)]


def test_an_anomaly_model_is_read_as_it_is_and_only_its_constant_map_is_unsound() -> None:
    output = Output(score="s", heat="h", rows=2, columns=3)
    asked = Reader(output, 64, 32, REGION, np.zeros(0), np.zeros(0))
    heat = np.arange(6).reshape(2, 3)
    found = adapter_anomaly.read(anomaly(7.5, heat), asked)
    assert (found.score, found.spots) == (7.5, ())
    assert (found.heat == heat).all()
    for outputs, told in (
        (anomaly(7.5, np.ones((2, 3))), "constant"),
        (anomaly(np.nan, heat), "NaN"),
        (anomaly(1.0, heat * 1e6), "out of range"),
        (anomaly(1.0, heat.T), "not as the manifest says"),
    ):
        with pytest.raises(Unsound, match=told):
            adapter_anomaly.read(outputs, asked)


def test_a_clipped_map_is_sound_at_its_ends_and_nowhere_else() -> None:
    output = Output(score="s", heat="h", rows=2, columns=3, clipped=(0.0, 1.0))
    asked = Reader(output, 64, 32, REGION, np.zeros(0), np.zeros(0))
    for level in (0.0, 1.0):
        assert adapter_anomaly.read(anomaly(level, np.full((2, 3), level)), asked).score == level
    with pytest.raises(Unsound, match="constant"):
        adapter_anomaly.read(anomaly(0.5, np.full((2, 3), 0.5)), asked)
