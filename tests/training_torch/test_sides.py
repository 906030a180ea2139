"""Sides hold whole parts, keep what the source decided where it can be kept, and never hold one picture twice."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from okng.bus.errors import BadData
from okng.models.pictures import encode_png
from okng.training.data.dataset import Dataset
from okng.training.data.sources import SourceOptions, open_dataset
from okng.training.supervised.sides import sided

NAMES = SourceOptions(part_from="p([0-9]+)v")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 parts, each seen twice: a quarter scratched, a quarter stained, half good; no sides."""
    root = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(0)
    for part in range(40):
        label = ("scratch", "good", "stain", "good")[part % 4]
        (root / label).mkdir(exist_ok=True)
        for view in range(2):
            picture = rng.integers(0, 256, (32, 32), np.uint8)
            (root / label / f"p{part}v{view}.png").write_bytes(encode_png(picture))
    return root


def with_sides(dataset: Dataset, *sides: str) -> Dataset:
    """Parts to these sides in turn."""
    return dataset.with_samples(
        replace(one, split=sides[int(one.part or 0) % len(sides)])  # type: ignore[arg-type]
        for one in dataset.samples
    )


def test_pictures_without_sides_are_split_by_part_and_the_seed_decides(folder: Path) -> None:
    whole = open_dataset(folder, NAMES)
    found, again, other = (sided(whole, 0.2, 0.2, seed) for seed in (1, 1, 2))
    for part in {sample.part for sample in found.samples}:
        assert len({sample.split for sample in found.samples if sample.part == part}) == 1
    for label in ("good", "scratch", "stain"):
        assert {side for name, side in found.count() if name == label} == {"train", "val", "test"}
    assert found == again
    assert found.samples != other.samples
    assert any("no sides: the pictures are split by part, 40 groups" in note for note in found.notes)


def test_what_the_source_decided_stays_where_it_can(folder: Path) -> None:
    whole = open_dataset(folder, NAMES)
    given = with_sides(whole, "train", "train", "val", "test", "train")
    assert sided(given, 0.2, 0.2, 0) is given
    two = with_sides(whole, "train", "train", "test")
    found = sided(two, 0.2, 0.2, 0)
    assert {one.name for one in found.of("test")} == {one.name for one in two.of("test")}
    assert 8 <= len(found.of("val")) <= 18
    assert any("the source's test pictures stay" in note for note in found.notes)


def test_a_source_without_defects_to_train_on_is_split_anew_and_it_is_said(folder: Path) -> None:
    whole = open_dataset(folder, NAMES)
    mvtec = whole.with_samples(replace(one, split="train" if one.ok else "test") for one in whole.samples)
    found = sided(mvtec, 0.2, 0.2, 0)
    assert any("split anew" in note for note in found.notes)
    assert {("stain", "train"), ("stain", "val"), ("stain", "test")} <= set(found.count())


def test_one_picture_on_two_sides_is_refused_with_both_names(folder: Path, tmp_path: Path) -> None:
    whole = with_sides(open_dataset(folder, NAMES), "train", "train", "val", "test", "train")
    one = whole.of("train")[0]
    copy = replace(one, name="copy.png", split="test", part="copy")
    with pytest.raises(BadData, match=rf"different sides of the split:\n.*{one.name}"):
        sided(whole.with_samples([*whole.samples, copy]), 0.2, 0.2, 0)
