"""Pixel and region figures against their definitions, done slowly."""

import itertools
import math

import cv2
import numpy as np
import pytest

from okng.bus.errors import BadPicture
from okng.models.box import Box
from okng.training.hits import Hits, by_boxes, by_heat, overlap, within
from okng.training.metrics import CURVE_POINTS, PixelTally, cut_mask, spread


def made_up(seed: int, pictures: int = 6) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """Heat of 24x32 pixels and masks with several regions, one of them touching by a corner only."""
    rng = np.random.default_rng(seed)
    heats, masks = [], []
    for at in range(pictures):
        heat = rng.normal(2.0, 1.5, (24, 32)).astype(np.float32)
        mask: np.ndarray | None = None
        if at % 3:
            mask = np.zeros((24, 32), bool)
            mask[2:6, 3:9] = True
            mask[6, 9] = True  # joined by its corner: one region with 8 neighbours
            mask[15 : 16 + at, 20:22] = True
            heat[mask] += rng.normal(2.0, 1.0, int(mask.sum())).astype(np.float32)
            heat[2, 3] = heat[15, 20] = 7.5
        heats.append(heat)
        masks.append(mask)
    return heats, masks


def slow(heats: list[np.ndarray], masks: list[np.ndarray | None], limit: float) -> tuple[float, float, float]:
    """AUPRO, pixel AUROC and pixel AP, threshold by threshold."""
    regions, good, bad = [], [], []
    for heat, mask in zip(heats, masks, strict=True):
        known = np.zeros(heat.shape, bool) if mask is None else mask
        count, labels = cv2.connectedComponents(known.astype(np.uint8), connectivity=8)
        regions += [heat[labels == label] for label in range(1, count)]
        good.append(heat[~known])
        bad.append(heat[known])
    goods, bads = np.concatenate(good), np.concatenate(bad)
    points, recalls, precisions = [(0.0, 0.0)], [0.0], []
    for threshold in sorted({*goods.tolist(), *bads.tolist()}, reverse=True):
        fpr = float((goods >= threshold).mean())
        points.append((fpr, float(np.mean([(part >= threshold).mean() for part in regions]))))
        recalls.append(float((bads >= threshold).mean()))
        found, false = (bads >= threshold).sum(), (goods >= threshold).sum()
        precisions.append(found / (found + false))
    area = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x0 >= limit:
            break
        end = min(x1, limit)
        y_end = y1 if x1 <= limit else y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
        area += (end - x0) * (y0 + y_end) / 2
    fprs = [x for x, _ in points]
    roc = sum((b - a) * (r0 + r1) / 2 for a, b, r0, r1 in zip(fprs, fprs[1:], recalls, recalls[1:], strict=False))
    ap = sum((b - a) * p for a, b, p in zip(recalls, recalls[1:], precisions, strict=False))
    return area / limit, roc, ap


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limit", [0.3, 0.05])
def test_one_pass_gives_what_the_definition_gives(seed: int, limit: float) -> None:
    heats, masks = made_up(seed)
    tally = PixelTally(threshold=4.0)
    for heat, mask in zip(heats, masks, strict=True):
        tally.add(heat, mask)
    figures = tally.figures()
    aupro, roc, ap = slow(heats, masks, limit)
    assert figures.aupro[limit] == pytest.approx(aupro, abs=2e-4)
    assert figures.auroc == pytest.approx(roc, abs=2e-4)
    assert figures.ap == pytest.approx(ap, abs=2e-4)
    assert figures.regions == 8
    assert figures.pictures == len(heats)
    assert len(figures.pro_curve) == CURVE_POINTS


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_unit_of_the_heat_does_not_matter(scale: float) -> None:
    heats, masks = made_up(9)
    tally = PixelTally(threshold=4.0 * scale)
    for heat, mask in zip(heats, masks, strict=True):
        tally.add((heat * scale).astype(np.float32), mask)
    assert tally.figures().aupro[0.3] == pytest.approx(slow(heats, masks, 0.3)[0], abs=1e-3)


def test_a_perfect_map_and_one_that_knows_nothing() -> None:
    mask = np.zeros((20, 20), bool)
    mask[4:8, 4:8] = True
    perfect, blind = PixelTally(1.0), PixelTally(1.0)
    perfect.add(np.where(mask, 2.0, 0.0).astype(np.float32), mask)
    blind.add(np.ones((20, 20), np.float32), mask)
    assert perfect.figures().aupro == {0.3: pytest.approx(1.0), 0.05: pytest.approx(1.0)}
    assert perfect.figures().ap == pytest.approx(1.0)
    assert blind.figures().auroc == pytest.approx(0.5)
    assert blind.figures().aupro[0.3] == pytest.approx(0.15)
    assert blind.figures().ap == pytest.approx(16 / 400)


def test_small_and_large_regions_count_alike() -> None:
    mask = np.zeros((40, 40), bool)
    mask[0:20, 0:20] = True
    mask[30, 30] = True
    heat = np.zeros((40, 40), np.float32)
    heat[30, 30] = 5.0
    tally = PixelTally(1.0)
    tally.add(heat, mask)
    # One of two regions is found whole before any good pixel; the other comes with all good pixels at once.
    assert tally.figures().aupro[0.05] == pytest.approx(0.5 + 0.5 * 0.05 / 2)


def test_without_defects_there_is_no_figure() -> None:
    tally = PixelTally(1.0)
    assert math.isnan(tally.figures().auroc)
    tally.add(np.zeros((4, 4), np.float32), None)
    figures = tally.figures()
    assert math.isnan(figures.aupro[0.3])
    assert figures.pro_curve == ()


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(BadPicture, match="mask of"):
        PixelTally(1.0).add(np.zeros((4, 4), np.float32), np.ones((5, 4), bool))
    with pytest.raises(BadPicture, match="not inside the mask"):
        cut_mask(np.zeros((10, 10), bool), Box(4, 4, 8, 8))


def test_heat_is_spread_as_it_is_shown() -> None:
    heat = np.array([[0.0, 4.0]], np.float32)
    assert spread(heat, 4, 2).tolist() == [[0.0, 1.0, 3.0, 4.0]] * 2
    assert cut_mask(np.eye(6, dtype=bool), Box(2, 1, 3, 2)).tolist() == [[False] * 3, [True, False, False]]


def test_places_of_a_heat_map_against_defects() -> None:
    heat, mask = np.zeros((20, 30), np.float32), np.zeros((20, 30), bool)
    mask[2:5, 2:5] = mask[10:12, 20:22] = True
    heat[4:8, 4:8] = 3.0  # touches the first defect
    heat[15:17, 3:5] = 3.0  # touches none
    assert by_heat(heat, 2.0, mask) == Hits(defects=2, found=1, false_places=1)
    assert by_heat(heat, 3.0, mask) == Hits(2, 0, 0)  # at the threshold is not above it
    assert by_heat(heat, 2.0, None) == Hits(0, 0, 2)


def test_boxes_against_defects() -> None:
    mask = np.zeros((40, 40), bool)
    mask[2:12, 2:12] = mask[20:30, 20:30] = True
    named = [Box(2, 2, 10, 12), Box(3, 3, 10, 10), Box(28, 28, 8, 8), Box(0, 30, 5, 5)]
    # The second box names a defect that is taken; the third touches one and is far from its box.
    assert by_boxes(named, mask) == Hits(defects=2, found=2, false_places=1, boxes_found=1)
    assert by_boxes(named[:2], None) == Hits(0, 0, 2, 0)
    assert by_boxes([], mask) == Hits(2, 0, 0, 0)


def test_boxes_are_cut_to_the_region() -> None:
    region = Box(10, 20, 30, 40)
    assert within(Box(0, 0, 15, 25), region) == Box(0, 0, 5, 5)
    assert within(Box(12, 22, 3, 4), region) == Box(2, 2, 3, 4)
    assert within(Box(0, 0, 10, 20), region) is None
    assert overlap(Box(0, 0, 2, 2), Box(1, 0, 2, 2)) == pytest.approx(2 / 6)
    assert overlap(Box(0, 0, 2, 2), Box(2, 2, 2, 2)) == 0.0
