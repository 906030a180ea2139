"""Boxes of detectors, from hand-made outputs: where they lie in the picture, which are left out, what is no output."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from okng.models import adapter_torchvision, adapter_yolo
from okng.models.box import Box
from okng.models.manifest import Output
from okng.models.reading import LEFT_OUT, MOST_SPOTS, Array, Reader, Unsound

REGION = Box(100, 50, 200, 100)
"""Of the picture; the model sees it as 64 wide and 32 high, so a pixel of its input is 3.125 of the picture's."""


def reader(adapter: str, limits: Sequence[float] = (0.5, 0.25), **output: Any) -> Reader:
    names = {"predictions": "p"} if adapter == "yolo" else {"boxes": "b", "labels": "l", "scores": "s"}
    made = Output(adapter=adapter, rows=4, columns=8, classes=("scratch", "dent"), **{**names, **output})  # type: ignore[arg-type]
    return Reader(made, 64, 32, REGION, np.array(limits), np.zeros(2))


def v8(*rows: Sequence[float]) -> list[Array]:
    """cx, cy, w, h, scratch, dent of each box -> [1, 6, N]."""
    return [np.array(rows, np.float32).reshape(-1, 6).T[None]]


def v5(*rows: Sequence[float]) -> list[Array]:
    """cx, cy, w, h, any, scratch, dent of each box -> [1, N, 7]."""
    return [np.array(rows, np.float32).reshape(1, -1, 7)]


def tv(*rows: Sequence[float]) -> list[Array]:
    """x0, y0, x1, y1, label, score of each box."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return [table[:, :4], table[:, 4].astype(np.int64), table[:, 5]]


@pytest.mark.parametrize("layout", ["v8", "v5"])
def test_a_yolo_box_lies_where_the_region_was_stretched_from(layout: str) -> None:
    box = (32, 16, 16, 8)
    outputs = v8((*box, 0.9, 0.05)) if layout == "v8" else v5((*box, 0.9, 1.0, 0.05))
    found = adapter_yolo.read(outputs, reader("yolo", layout=layout))
    assert found.score == pytest.approx(0.9 / 0.5)
    scratch, dent = found.spots
    assert (scratch.kind, scratch.box, scratch.limit) == ("scratch", Box(175, 87, 50, 26), 0.5)
    assert scratch.score == pytest.approx(0.9)
    assert (dent.kind, dent.ratio < 1) == ("dent", True)  # the worst of each class is listed below its limit too
    # 24..40 of 64 px are columns 3 and 4 of 8; 12..20 of 32 px are rows 1 and 2 of 4.
    assert np.argwhere(found.heat > 0).tolist() == [[1, 3], [1, 4], [2, 3], [2, 4]]
    assert found.heat.max() == pytest.approx(found.score)


def test_v5_weighs_a_class_by_the_confidence_that_there_is_anything() -> None:
    found = adapter_yolo.read(v5((32, 16, 8, 8, 0.5, 0.8, 0.0)), reader("yolo", layout="v5"))
    assert found.score == pytest.approx(0.4 / 0.5)


def test_a_confidence_right_at_its_limit_is_judged_alike_by_score_and_by_spot() -> None:
    found = adapter_yolo.read(v8((32, 16, 8, 8, 0.3, 0.0)), reader("yolo", (0.3, 0.5)))
    assert found.score == found.spots[0].ratio


def test_the_worse_class_by_its_own_limit_decides() -> None:
    found = adapter_yolo.read(v8((10, 10, 4, 4, 0.6, 0.0), (40, 20, 4, 4, 0.0, 0.4)), reader("yolo"))
    assert found.score == pytest.approx(0.4 / 0.25)
    assert [spot.kind for spot in found.spots] == ["dent", "scratch"]


def test_of_overlapping_boxes_of_one_class_the_best_stays_and_another_class_is_no_rival() -> None:
    same = ((32, 16, 16, 8, 0.7, 0.0), (33, 16, 16, 8, 0.9, 0.0), (32, 16, 16, 8, 0.0, 0.8), (12, 16, 16, 8, 0.6, 0.0))
    found = adapter_yolo.read(v8(*same), reader("yolo"))
    assert sorted((s.kind, round(s.score, 2)) for s in found.spots) == [
        ("dent", 0.8),
        ("scratch", 0.6),
        ("scratch", 0.9),
    ]


@pytest.mark.parametrize("overlap", [0.3, 0.5, 0.7])
def test_overlaps_are_left_out_as_counted_one_by_one(overlap: float) -> None:
    rng = np.random.default_rng(3)
    low = rng.uniform(0, 40, (80, 2))
    corners = np.concatenate([low, low + rng.uniform(2, 25, (80, 2))], axis=1)
    kinds = rng.integers(0, 3, 80)
    kept: list[int] = []
    for at in range(80):
        if all(kinds[at] != kinds[other] or iou(corners[at], corners[other]) <= overlap for other in kept):
            kept.append(at)
    assert adapter_yolo.kept_of(corners, kinds, overlap) == kept
    assert 10 < len(kept) < 80


def iou(a: Array, b: Array) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0.0) * max(h, 0.0)
    return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))


def test_torchvision_labels_begin_at_1_and_corners_are_clipped_to_the_region() -> None:
    found = adapter_torchvision.read(
        tv((-9, -9, 8, 8, 2, 0.5), (60, 30, 99, 99, 1, 0.4)), reader("torchvision_detection")
    )
    assert [(s.kind, s.box) for s in found.spots] == [("dent", Box(100, 50, 25, 25)), ("scratch", Box(287, 143, 13, 7))]
    assert found.score == pytest.approx(2.0)


@pytest.mark.parametrize("beside", [(-50, -50, -10, -10), (90, 90, 120, 120)])
def test_a_box_beside_the_picture_is_not_dropped(beside: tuple[float, ...]) -> None:
    found = adapter_torchvision.read(tv((*beside, 1, 0.9)), reader("torchvision_detection"))
    (spot,) = found.spots
    assert found.score == pytest.approx(1.8)
    assert (spot.box.w, spot.box.h) == (1, 1)
    assert spot.box.x in (REGION.x, REGION.x + REGION.w - 1)
    assert (found.heat > 0).sum() == 1


def test_labels_of_no_interest_are_passed_over_where_the_manifest_numbers_its_classes() -> None:
    outputs = tv((0, 0, 9, 9, 17, 0.9), (0, 0, 9, 9, 62, 0.3), (5, 5, 9, 9, 3, 0.4))
    found = adapter_torchvision.read(outputs, reader("torchvision_detection", numbers=(62, 3)))
    assert [(s.kind, round(s.score, 2)) for s in found.spots] == [("dent", 0.4), ("scratch", 0.3)]
    with pytest.raises(Unsound, match=r"label 17: expected 1\.\.2"):
        adapter_torchvision.read(outputs, reader("torchvision_detection"))


@pytest.mark.parametrize("adapter", ["yolo", "torchvision_detection"])
def test_nothing_found_is_sound_and_scores_0(adapter: str) -> None:
    read = adapter_yolo.read if adapter == "yolo" else adapter_torchvision.read
    found = read(v8() if adapter == "yolo" else tv(), reader(adapter))
    assert (found.score, found.spots, found.measures) == (0.0, (), ())
    assert not found.heat.any()
    assert found.heat.shape == (4, 8)


@pytest.mark.parametrize("adapter", ["yolo", "torchvision_detection"])
def test_absurdly_many_boxes_are_bounded_and_the_rest_is_said(adapter: str) -> None:
    count = 20_000
    rng = np.random.default_rng(1)
    where, sure = rng.uniform(0, 30, (count, 2)), rng.uniform(0.6, 0.99, (count, 1))
    if adapter == "yolo":
        rows = np.concatenate([where, np.full((count, 2), 0.1), sure, 0 * sure], axis=1)
        found = adapter_yolo.read(v8(*rows), reader("yolo"))
    else:
        rows = np.concatenate([where, where + 1, np.ones((count, 1)), sure], axis=1)
        found = adapter_torchvision.read(tv(*rows), reader("torchvision_detection"))
    assert len(found.spots) == MOST_SPOTS
    (said,) = found.measures
    assert said.name == LEFT_OUT
    assert said.value >= count - 300 and said.value <= count - MOST_SPOTS  # noqa: PT018
    assert found.score == pytest.approx(found.spots[0].ratio) == pytest.approx(sure.max() / 0.5, rel=1e-6)


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        (v8((32, 16, 8, 8, np.nan, 0.1)), "NaN"),
        (v8((np.inf, 16, 8, 8, 0.9, 0.1)), "NaN or infinite"),
        (v8((32, 16, 8, 8, 4.2, -3.0)), "expected 0..1"),  # logits: somebody forgot the sigmoid
        ([np.zeros((1, 5, 10), np.float32)], "room for 2 classes"),
        ([np.zeros((2, 6, 10), np.float32)], "one picture"),
        ([np.zeros((6, 10), np.float32)], "3 axes"),
        ([np.zeros((1, 6, 3), np.str_)], "expected numbers"),
        ([], "missing"),
    ],
)
def test_what_is_no_yolo_output_is_unsound(outputs: list[Array], told: str) -> None:
    with pytest.raises(Unsound, match=told):
        adapter_yolo.read(outputs, reader("yolo"))


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        (tv((0, 0, 9, 9, 1, np.nan)), "NaN"),
        (tv((0, 0, 9, np.inf, 1, 0.9)), "NaN or infinite"),
        (tv((0, 0, 9, 9, 1, 9.0)), "expected 0..1"),
        (tv((0, 0, 9, 9, 0, 0.9)), "label 0"),
        ([np.zeros((2, 4)), np.ones(2, np.int64), np.zeros(3)], "do not belong together"),
        ([np.zeros((2, 5)), np.ones(2, np.int64), np.zeros(2)], "do not belong together"),
        ([np.zeros((2, 4)), np.ones((2, 1), np.int64), np.zeros(2)], "1 axes"),
    ],
)
def test_what_is_no_torchvision_output_is_unsound(outputs: list[Array], told: str) -> None:
    with pytest.raises(Unsound, match=told):
        adapter_torchvision.read(outputs, reader("torchvision_detection"))
