"""Size and heads are chosen from goods alone, within a budget, the same way each time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from okng.bus.errors import BadSettings
from okng.models import pictures
from okng.models.bundle import open_bundle
from okng.training.choice import MIXES, SIZES_PX, USUAL, candidates, choose_mix, held_for_heads, sample
from okng.training.heads import Mix
from okng.training.layout import MOST_GAUSSIAN_BYTES, Layout
from okng.training.lesson import Grid
from okng.training.options import TeachOptions
from okng.training.spoil import MOST_SHARE, spoil
from okng.training.teach import teach

Write = Callable[..., list[Path]]


def test_sizes_keep_to_the_budget_and_to_the_region() -> None:
    wide = candidates(TeachOptions(budget_ms=25.0), 1, (1200, 1920), one_shape=True)
    assert [layout.cost_ms <= 25.0 for layout in wide] == [True] * len(wide)
    assert len(wide) == 2
    assert all(abs(each.width_px / each.height_px - 1.6) < 0.15 for each in wide)
    more = candidates(TeachOptions(budget_ms=400.0), 3, (4000, 4000), one_shape=True)
    assert [each.width_px for each in more] == list(SIZES_PX)
    small = candidates(TeachOptions(budget_ms=400.0), 1, (200, 200), one_shape=True)
    assert len(small) == 1  # more input pixels than the region has tell nothing
    assert candidates(TeachOptions(), 1, (300, 400), one_shape=False)[0].width_px == 256
    (asked,) = candidates(TeachOptions(size_px=512), 1, (300, 400), one_shape=True)
    assert (asked.width_px, asked.height_px) == (512, 512)
    (shaped,) = candidates(TeachOptions(size_px=512, shape="region"), 1, (300, 600), one_shape=True)
    assert (shaped.width_px, shaped.height_px) == (736, 352)
    with pytest.raises(BadSettings, match="budget_ms = 6: expected 16 or more"):
        candidates(TeachOptions(budget_ms=6.0), 1, (300, 400), one_shape=True)


@pytest.mark.parametrize(("size", "block"), [(256, 1), (384, 2), (512, 2), (1024, 4)])
def test_large_maps_share_covariances(size: int, block: int) -> None:
    layout = Layout(size, size, 1)
    assert layout.block in (block, max(1, block // 2))
    assert layout.cells // layout.block**2 * 40_000 <= MOST_GAUSSIAN_BYTES


@pytest.mark.parametrize("region", [(1200, 1920), (997, 1003), (1000, 1300), (400, 3000), (3000, 400)])
@pytest.mark.parametrize("step", [8, 16])
def test_a_map_of_any_shape_parts_into_blocks(region: tuple[int, int], step: int) -> None:
    """An odd number of rows would keep a covariance for each cell: 158 MB at 1008 px."""
    options = TeachOptions(budget_ms=10_000.0, shape="region").model_copy(update={"step_px": step})
    for layout in candidates(options, 1, (2 * region[0], 2 * region[1]), one_shape=True):
        assert layout.gaussian_bytes <= 1.15 * MOST_GAUSSIAN_BYTES, layout.words
        shape = layout.width_px / layout.height_px / (region[1] / region[0])
        assert 0.85 < shape < 1.2 or 1024 in (layout.width_px, layout.height_px), layout.words


def features(moving: bool, goods: int = 120, held: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Goods whose cells have a look of their own place, or the looks of all places in any order; some held; spoilt."""
    rng = np.random.default_rng(3)
    looks = rng.normal(0, 6.0, (16, 12))
    order = [rng.permutation(16) if moving else np.arange(16) for _ in range(goods)]
    shown = np.stack([looks[each] for each in order]) + rng.normal(0, 0.6, (goods, 16, 12))
    spoilt = shown[:held].copy()
    for one in spoilt:  # a cell that looks right for another place, or for none
        one[rng.integers(16)] = looks[rng.integers(16)] if not moving else rng.normal(0, 6.0, 12)
    return shown.astype(np.float32), np.arange(held), spoilt.astype(np.float32)


def test_the_gaussian_alone_is_not_chosen_where_parts_lie_anyhow() -> None:
    goods, held, spoilt = features(moving=True)
    mix, tried = choose_mix(goods, held, spoilt, Grid(4), TeachOptions(bank=256, dimensions=12))
    assert mix.memory > 0.0
    assert tried[mix] > 0.95
    assert tried[Mix(0.0, 1.0)] < tried[mix]


def test_memory_alone_is_not_chosen_where_place_matters() -> None:
    goods, held, spoilt = features(moving=False)
    mix, tried = choose_mix(goods, held, spoilt, Grid(4), TeachOptions(bank=256, dimensions=12))
    assert mix.gaussian > 0.0
    assert tried[Mix(1.0, 0.0)] < 0.8 < tried[mix]


def test_a_draw_keeps_the_usual() -> None:
    rng = np.random.default_rng(4)
    goods = rng.normal(size=(60, 16, 12)).astype(np.float32)
    spoilt = goods[:15] + rng.normal(0, 1e-3, (15, 16, 12)).astype(np.float32)
    mix, tried = choose_mix(goods, np.arange(15), spoilt, Grid(4), TeachOptions(bank=64, dimensions=12))
    assert mix == USUAL
    assert set(tried) == set(MIXES)


def test_with_few_goods_or_a_stated_head_nothing_is_held_out() -> None:
    assert len(held_for_heads(19, TeachOptions())) == 0
    assert len(held_for_heads(200, TeachOptions(heads="sum"))) == 0
    assert len(held_for_heads(100, TeachOptions())) == 25
    assert sample(30, 0).tolist() == list(range(30))
    assert len(sample(500, 0)) == 100


def test_spoilt_goods_differ_in_one_small_place() -> None:
    rng = np.random.default_rng(5)
    picture = rng.integers(90, 160, (120, 200), np.uint8)
    others = [rng.integers(90, 160, (100, 180), np.uint8)]
    changed = []
    for _ in range(60):
        spoilt = spoil(picture, others, rng)
        assert spoilt.shape == picture.shape
        assert spoilt.dtype == np.uint8
        changed.append(float((spoilt != picture).mean()))
    assert 0.0 < np.median(changed) < 3 * MOST_SHARE
    colour = rng.integers(0, 255, (64, 64, 3), np.uint8)
    assert spoil(colour, [colour], rng).shape == (64, 64, 3)


def test_a_teaching_says_what_was_tried_and_is_the_same_each_time(tmp_path: Path, write_plates: Write) -> None:
    files = write_plates(tmp_path / "goods", range(24))
    options = TeachOptions(name="plate", bank=64, dimensions=24, budget_ms=25.0, overkill_percent=5.0, threads=1)
    first, second = (teach(files, tmp_path / name, options) for name in ("a", "b"))
    told = open_bundle(first.bundle).report["choice"]
    assert told == open_bundle(second.bundle).report["choice"]
    assert set(told["auroc_of_spoilt_goods_by_heads"]) == {mix.words for mix in MIXES}
    assert told["size"] == "256x256 px, map 16x16"  # plates of 96 px hold no more
    assert first.chosen.startswith(told["size"])
    assert (first.bundle / "model.onnx").read_bytes() == (second.bundle / "model.onnx").read_bytes()
    assert pictures.read(files[0]).shape == (96, 96)
