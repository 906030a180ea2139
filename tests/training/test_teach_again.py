"""Pictures given twice, under one name, or as both kinds: none is counted twice, mistaken for another or dropped."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from okng.bus.errors import BadBundle, BadPicture, BadSettings
from okng.models import pictures
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.training import store as store_module
from okng.training.base import read_base
from okng.training.data.dataset import Sample
from okng.training.data.sources import open_dataset
from okng.training.layout import Layout
from okng.training.operating import operating_point
from okng.training.options import TeachOptions
from okng.training.promise import Targets
from okng.training.report.looks import Look
from okng.training.report.teaching import unlike_good
from okng.training.store import unpacked
from okng.training.targets import DEFECT, on_cells
from okng.training.taught_report import TeachReport
from okng.training.teach import teach

Write = Callable[..., list[Path]]


@pytest.fixture
def labelled(crosses: tuple[Path, Path]) -> list[Sample]:
    return [one for one in open_dataset(crosses[0]).samples if not one.ok]


def test_goods_of_one_name_keep_their_own_pictures(
    tmp_path: Path, write_plates: Write, quick: TeachOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_plates(tmp_path / "monday", range(12))
    second = write_plates(tmp_path / "tuesday", range(12), colour=False, side=100)
    write_plates(tmp_path / "tuesday", range(3, 4), defect="stain", side=100)  # tuesday/0003.png is no good part
    shown: list[tuple[str, np.ndarray]] = []

    def look(file: str, score: float, threshold: float, picture: np.ndarray, heat: np.ndarray) -> Look:
        shown.append((file, picture))
        return unlike_good(file, score, threshold, picture, heat)

    monkeypatch.setattr("okng.training.taught_report.unlike_good", look)
    report = teach([*first, *second], tmp_path / "out", quick)
    assert report.unlike[0].file == "tuesday/0003.png"
    assert shown[0][0] == "tuesday/0003.png"
    names = [each.file for each in report.unlike]
    assert len(set(names)) == len(names)
    for name, picture in shown:
        own = pictures.read(tmp_path / name)
        if own.shape == picture.shape:
            assert (own == picture).all()
        else:
            assert np.abs(own.mean() - picture.mean()) < 2.0


def test_a_name_that_is_no_text_can_be_taught(tmp_path: Path, write_plates: Write, quick: TeachOptions) -> None:
    files = write_plates(tmp_path / "goods", range(12))
    files[3].rename(tmp_path / "goods" / os.fsdecode(b"\xff<b>.png"))
    report = teach(tmp_path / "goods", tmp_path / "out", quick)
    assert report.goods == 12
    assert "?<b>.png" in unpacked(report.bundle, 36, 176).names


def test_a_teaching_may_be_cancelled_until_its_bundle_is_in_place(
    tmp_path: Path, write_plates: Write, quick: TeachOptions
) -> None:
    def cancel(name: str, share: float) -> None:
        if name == "bundle" and 0.0 < share < 1.0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach(write_plates(tmp_path / "g", range(10)), tmp_path / "out", quick, cancel)
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def test_copies_among_the_goods_do_not_vouch_for_each_other(
    goods: Path, tmp_path: Path, quick: TeachOptions, taught: TeachReport
) -> None:
    """Left in, each copy would be judged by a model that knows it, and the threshold would be far too low."""
    files = pictures.files_in(goods)
    for path in files:
        copy = tmp_path / "copies" / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    report = teach([*files, *pictures.files_in(tmp_path / "copies")], tmp_path / "out", quick)
    assert (report.goods, report.left_out, taught.left_out) == (40, 40, 0)
    assert report.threshold == taught.threshold


def test_labels_given_again_count_once(
    taught: TeachReport, labelled: list[Sample], tmp_path: Path, quick: TeachOptions
) -> None:
    once = teach([], tmp_path / "once", quick, defects=labelled, base=taught.bundle)
    again = teach([], tmp_path / "again", quick, defects=[*labelled, labelled[0]], base=once.bundle)
    said = [open_bundle(each.bundle).report["labels"] for each in (once, again)]
    assert said[1]["defects"] == said[0]["defects"] == {"cross": 8}
    # Twins of those left out would have told the head all about them.
    assert said[1]["auroc_left_out"] == pytest.approx(said[0]["auroc_left_out"], abs=0.03)
    assert open_bundle(again.bundle).manifest.threshold.defects == 8


def test_a_picture_is_what_it_is_called_now(
    goods: Path, taught: TeachReport, labelled: list[Sample], tmp_path: Path, quick: TeachOptions
) -> None:
    folder = tmp_path / "claimed" / "odd"
    folder.mkdir(parents=True)
    for path in pictures.files_in(goods)[:2]:
        (folder / path.name).write_bytes(path.read_bytes())
    odd = [one for one in open_dataset(tmp_path / "claimed").samples if not one.ok]
    report = teach([], tmp_path / "out", quick, defects=[*labelled, *odd], base=taught.bundle)
    assert report.goods == 38
    remembered = unpacked(report.bundle, 36, 176)
    assert remembered.defects is not None
    assert not set(remembered.digests) & set(remembered.defects.digests)
    back = teach(pictures.files_in(folder), tmp_path / "back", quick, base=report.bundle)
    assert (back.goods, back.added) == (40, 2)
    assert open_bundle(back.bundle).report["labels"]["defects"] == {"cross": 8}
    with pytest.raises(BadSettings, match=r"0000\.png: given as a good part and, as .*, as a defect"):
        teach(goods, tmp_path / "both", quick, defects=odd)
    assert not (tmp_path / "both").exists()


def test_labels_outside_the_region_are_named(
    goods: Path, labelled: list[Sample], tmp_path: Path, quick: TeachOptions
) -> None:
    """The crosses lie low on the plates: a region of the upper half shows none of them."""
    above = quick.model_copy(update={"region": Box(0, 0, 96, 48)})
    report = teach(goods, tmp_path / "out", above, defects=labelled)
    assert report.labels.startswith("8 left aside, nothing is drawn inside the region: ")
    assert len(open_bundle(report.bundle).report["labels_left_aside"]) == 8
    other = [replace(labelled[0], width=200)]
    with pytest.raises(BadPicture, match="200x96 pixels: goods have 96x96"):
        teach(goods, tmp_path / "odd", above, defects=other)


def test_defects_it_learnt_from_do_not_judge_it(
    taught: TeachReport, labelled: list[Sample], tests_folder: Path, tmp_path: Path, quick: TeachOptions
) -> None:
    report = teach([], tmp_path / "out", quick, defects=labelled, base=taught.bundle)
    fresh = [one for one in open_dataset(tests_folder).samples if one.ok]
    found = operating_point(report.bundle, [*fresh, *labelled], Targets(0.05))
    assert found.defects == 0
    assert len(found.taught) == 8


def test_more_goods_than_a_bundle_holds_are_drawn_or_refused(
    goods: Path,
    taught: TeachReport,
    tmp_path: Path,
    quick: TeachOptions,
    monkeypatch: pytest.MonkeyPatch,
    write_plates: Write,
) -> None:
    monkeypatch.setattr("okng.training.given.most_pictures", lambda cells, channels: 25)
    report = teach(goods, tmp_path / "out", quick)
    assert report.goods == 25
    with pytest.raises(BadSettings, match="42 pictures: expected at most 25 at 96x96 px"):
        teach(write_plates(tmp_path / "new", range(900, 902)), tmp_path / "more", quick, base=taught.bundle)
    assert store_module.most_pictures(36, 176) > 25


def test_what_is_small_on_a_flat_region_is_still_found() -> None:
    """Fewer pixels than cells one way, many more the other: linear steps alone would jump over the defect."""
    drawn = np.zeros((20, 3000), bool)
    drawn[10:12, 1003:1005] = True
    layout = Layout(512, 512, 1)
    cells = on_cells(drawn, layout, scribbles=False).reshape(32, 32)
    assert 0 < (cells == DEFECT).sum() <= 4
    assert (cells[:, 1003 * 32 // 3000] == DEFECT).any()


@pytest.mark.parametrize(
    ("key", "value"), [("bank", 1e300), ("dimensions", 0), ("mix_gaussian", -1.0), ("mix_memory", True), ("step_px", 9)]
)
def test_a_base_that_states_nonsense_is_refused(
    key: str, value: object, taught: TeachReport, quick: TeachOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_bundle(taught.bundle)
    train = json.loads(json.dumps(opened.manifest.train)) | {key: value}
    hostile = replace(opened, manifest=opened.manifest.model_copy(update={"train": train}))
    monkeypatch.setattr("okng.training.base.open_bundle", lambda folder: hostile)
    with pytest.raises(BadBundle, match=r"expected|teach anew"):
        read_base(taught.bundle, quick)


def test_colour_goods_are_not_added_to_a_grey_model(
    tmp_path: Path, write_plates: Write, quick: TeachOptions, taught: TeachReport
) -> None:
    """They would be turned grey in silence and teach another product."""
    colour = write_plates(tmp_path / "colour", range(300, 303), colour=True)
    with pytest.raises(BadPicture, match=r"colour: the bundle to add to was taught from grey pictures"):
        teach(colour, tmp_path / "out", quick, base=taught.bundle)
    asked = teach(colour, tmp_path / "asked", quick.model_copy(update={"channels": 1}), base=taught.bundle)
    assert asked.added == 3
