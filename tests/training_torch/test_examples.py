"""Pictures are cut as the line cuts; truth is cut along; what an epoch draws depends on seed and epoch alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make test-train")
pytestmark = [pytest.mark.train, pytest.mark.timeout(300)]

from okng.bus.errors import BadData
from okng.models.box import Box
from okng.models.crop import crop_and_resize
from okng.training.data.dataset import Dataset
from okng.training.supervised.examples import Examples, Known, cut_mask, drawn
from okng.training.supervised.material import material_of
from okng.training.supervised.options import options_of


def rectangle(side: int, box: Box) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[box.y : box.y + box.h, box.x : box.x + box.w] = True
    return mask


def examples(known: list[Known], *, region: Box | None = None, spill: Path | None = None) -> Examples:
    return Examples(iter(known), len(known), 64, 1, region=region, masks=True, spill=spill)


def known(box: Box, side: int = 128) -> Known:
    picture = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    return Known("a.png", picture, 1, [(0, rectangle(side, box))], [(0, box)])


def test_the_cut_is_the_lines_own_and_truth_is_cut_along() -> None:
    region = Box(32, 16, 64, 96)
    found = examples([known(Box(40, 64, 16, 24))], region=region)
    np.testing.assert_array_equal(found.pictures, crop_and_resize(known(region).picture, region, 64))
    boxes, kinds = found.boxes(0)
    np.testing.assert_allclose(boxes, [[8.0, 32.0, 24.0, 48.0]])
    assert kinds.tolist() == [0]
    rows, columns = np.nonzero(found.masks([0])[0])
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (8, 23, 32, 47)


def test_a_defect_outside_the_region_is_none() -> None:
    found = examples([known(Box(100, 100, 20, 20))], region=Box(0, 0, 64, 64))
    assert found.labels.tolist() == [0]


@pytest.mark.parametrize("wide", [1, 2, 5])
def test_a_hair_does_not_vanish_when_the_picture_shrinks(wide: int) -> None:
    mask = rectangle(1024, Box(300, 100, wide, 700))
    found = cut_mask([(1, mask)], Box(0, 0, 1024, 1024), 64)
    assert set(np.unique(found)) == {0, 2}
    assert (found == 2).any(axis=1).sum() >= 43


def test_many_pictures_lie_in_a_file_and_are_the_same(tmp_path: Path) -> None:
    near, far = examples([known(Box(4, 4, 9, 9))]), examples([known(Box(4, 4, 9, 9))], spill=tmp_path)
    assert isinstance(far.pictures, np.memmap)
    assert near.digest == far.digest
    assert list(tmp_path.iterdir()) == []


def test_rare_labels_come_oftener_and_an_epoch_draws_the_same_again() -> None:
    labels = np.repeat([0, 1], [900, 100])
    order = drawn(labels, 16, 3, 5)
    assert order.shape == (63, 16)
    share = float((labels[order] == 1).mean())
    assert 0.22 < share < 0.28  # roots: 10 of 10 + 30
    np.testing.assert_array_equal(order, drawn(labels, 16, 3, 5))
    assert (order != drawn(labels, 16, 3, 6)).any()
    counts = np.bincount(order.ravel(), minlength=1000)
    assert counts[:900].min() >= 0
    assert counts[900:].min() >= 2  # systematic: none of the rare ones is left out by chance


def test_what_a_task_lacks_is_refused_by_name(plates: Dataset, tmp_path: Path) -> None:
    bare = plates.with_samples(
        one if one.ok or one.split != "train" else replace(one, annotations=()) for one in plates.samples
    )
    options = options_of(task="segmentation", size_px=96)
    with pytest.raises(BadData, match=r"40 defective pictures have no mask: .*train/scratch/0001\.png"):
        material_of(bare, options, tmp_path, lambda share: None)
    assert material_of(bare, options_of(task="classification", size_px=96), tmp_path, lambda share: None).channels == 1
    no_goods = plates.with_samples(one for one in plates.samples if not (one.ok and one.split == "val"))
    with pytest.raises(BadData, match="no good part to validate by"):
        material_of(no_goods, options, tmp_path, lambda share: None)
    no_stains = plates.with_samples(one for one in plates.samples if one.label != "stain" or one.split != "val")
    with pytest.raises(BadData, match="no picture to validate by shows stain"):
        material_of(no_stains, options, tmp_path, lambda share: None)
