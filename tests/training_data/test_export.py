"""What is written as others have it and read back says the same."""

from pathlib import Path

import numpy as np
import pytest

from okng.bus.errors import BadData
from okng.models.box import Box
from okng.training.data.dataset import Annotation, Dataset
from okng.training.data.export import export, outlines
from okng.training.data.losses import FORMATS, Format
from okng.training.data.shapes import Boxed, Mask, Polygons
from okng.training.data.sources import open_dataset
from okng.training.data.split import SplitOptions, split


def said(dataset: Dataset) -> dict[str, tuple[str, str | None, tuple[str, ...]]]:
    return {one.sha256: (one.label, one.split, one.kinds) for one in dataset.samples}


def masks(dataset: Dataset) -> dict[str, dict[str, Mask]]:
    return {one.sha256: one.masks() for one in dataset.samples}


@pytest.mark.parametrize("form", FORMATS)
def test_a_set_goes_there_and_back(mvtec: Path, tmp_path: Path, form: Format) -> None:
    before = split(open_dataset(mvtec), SplitOptions(keep="none", train=0.6, val=0.2, test=0.2)).dataset
    export(before, tmp_path / "out", form)
    after = open_dataset(tmp_path / "out")
    assert said(after) == said(before)
    for digest, drawn in masks(before).items():
        back = masks(after)[digest]
        assert set(back) == set(drawn)
        assert all((back[kind] == mask).all() for kind, mask in drawn.items())
    assert after.left_out == ()


def many(mvtec: Path) -> Dataset:
    """One picture with three defects of two classes: a polygon, a box, a mask."""
    found = open_dataset(mvtec)
    triangle = Polygons((((2.0, 2.0), (9.0, 2.0), (2.0, 9.0)),))
    marks = (
        Annotation("dent", Box(2, 2, 7, 7), triangle),
        Annotation("scratch", Box(20, 20, 5, 4)),
        Annotation("dent", Box(30, 5, 3, 3)),
    )
    first = found.samples[0]
    changed = type(first)(
        first.picture, first.sha256, 40, 30, 1, "dent", first.name, "p1", "lot1", "test", annotations=marks
    )
    return Dataset((changed, *found.samples[1:5]), "test", ("dent",))


@pytest.mark.parametrize("form", FORMATS)
def test_several_defects_on_one_picture_stay_apart(mvtec: Path, tmp_path: Path, form: Format) -> None:
    export(many(mvtec), tmp_path / "out", form)
    one = next(sample for sample in open_dataset(tmp_path / "out").samples if not sample.ok)
    assert sorted(one.boxes(), key=str) == sorted(many(mvtec).samples[0].boxes(), key=str)
    assert one.label == "dent"
    if form != "yolo":
        assert (one.part, one.lot) == ("p1", "lot1")


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_a_label_without_a_place_is_refused_where_it_would_be_lost(mvtec: Path, tmp_path: Path, form: Format) -> None:
    for path in (mvtec / "ground_truth/scratch").iterdir():
        path.unlink()
    with pytest.raises(BadData, match="2 defective pictures have nothing drawn"):
        export(open_dataset(mvtec), tmp_path / "out", form)
    assert not (tmp_path / "out").exists()
    export(open_dataset(mvtec), tmp_path / "studio", "label-studio")
    assert len(open_dataset(tmp_path / "studio").defects) == 2


def test_nothing_is_written_over_and_nothing_half_stays(mvtec: Path, tmp_path: Path) -> None:
    found = open_dataset(mvtec)
    with pytest.raises(BadData, match="is there already"):
        export(found, mvtec, "coco")
    found.samples[-1].picture.unlink()
    with pytest.raises(FileNotFoundError):
        export(found, tmp_path / "out", "yolo")
    assert [path.name for path in tmp_path.iterdir()] == ["plates"]


def test_outlines_give_the_same_pixels() -> None:
    rng = np.random.default_rng(3)
    mask = np.zeros((40, 50), bool)
    for _ in range(6):
        x, y = (int(value) for value in rng.integers(0, 30, 2))
        mask |= Boxed(Box(x, y, int(rng.integers(1, 9)), int(rng.integers(1, 9)))).mask(50, 40)
    drawn = Polygons(tuple(tuple(line) for line in outlines(mask)))
    assert (drawn.mask(50, 40) == mask).all()
