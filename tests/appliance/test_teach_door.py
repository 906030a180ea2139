"""What the doors for teaching and for thresholds say to people, above all when something is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from okng.__main__ import cli
from okng.appliance.teaching import goods_in
from okng.bus.errors import BadBundle, BadData, BadPicture, BadSettings, StoreLost
from okng.models.bundle import write_bundle
from okng.models.pictures import encode_png
from okng.tests.fleet.test_activate import make
from okng.tests.training.foreign_models import yolo
from okng.training.choice import USUAL, reason_of
from okng.training.heads import Mix

QUICK = ("--size", "64", "--heads", "usual", "--threads", "1")


def door(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def draw(folder: Path, count: int = 12, spot: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number + 100 * spot)
        picture = rng.normal(120, 6, (64, 64)).clip(0, 255).astype(np.uint8)
        if spot:
            picture[20:30, 20:30] = 250
        (folder / f"{number:03}.png").write_bytes(encode_png(picture))
    return folder


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("taught")
    done = door("teach", draw(place / "cap" / "good").parent, "--out", place / "bundle", *QUICK)
    assert done.exit_code == 0, done.output
    assert "taught from 12 good parts" in done.output
    assert "goods, none of them rejected, would do" in done.output
    return place / "bundle"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    draw(tmp_path / "set" / "good", 20)
    draw(tmp_path / "set" / "spot", 5, spot=True)
    return tmp_path / "set"


def test_goods_are_found_where_layouts_keep_them(tmp_path: Path) -> None:
    for inside in (".", "good", "train/good"):
        root = tmp_path / inside.replace("/", "-")
        draw(root / inside, 2)
        assert len(goods_in(root)) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadPicture, match="nor a folder good or train/good"):
        goods_in(tmp_path / "empty")


def test_a_product_is_called_as_the_folder_around_its_goods(taught: Path) -> None:
    assert json.loads((taught / "manifest.json").read_text())["name"] == "cap"


def test_a_bundle_is_no_labelled_set(taught: Path, tmp_path: Path) -> None:
    asked = ("teach", "--add", taught, "--defects", taught, "--out", tmp_path / "out")
    for arguments in (asked, ("evaluate", taught, taught), ("threshold", taught, taught)):
        error = door(*arguments).exception
        assert isinstance(error, BadData)
        assert "is a bundle, no labelled pictures" in str(error)
    assert not (tmp_path / "out").exists()


def test_pictures_of_no_class_are_told_where_to_go(taught: Path, tmp_path: Path) -> None:
    flat = draw(tmp_path / "flat", 3)
    error = door("data", "check", flat).exception
    assert isinstance(error, BadData)
    assert f"put good ones into {flat / 'good'}" in str(error)


def test_what_the_disk_refuses_is_said_in_words(taught: Path) -> None:
    error = door("teach", "--add", taught, "--out", "/proc/bundle").exception
    assert isinstance(error, StoreLost)
    assert str(error) == "/proc/bundle: cannot be written: No such file or directory"


@pytest.mark.parametrize("command", ["teach", "threshold"])
def test_a_version_that_is_none_is_refused_before_anything_else(command: str) -> None:
    said = door(command, "nowhere", *(["--out", "x"] if command == "teach" else ["data"]), "--version", "abc")
    assert said.exit_code == 2
    assert "'abc': expected three numbers, for example 1.2.0" in said.output


def test_the_slower_of_two_teachings_into_one_folder_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "model")
    fields = json.loads((tmp_path / "model" / "manifest.json").read_text())
    files = {name: (tmp_path / "model" / name).read_bytes() for name in fields.pop("files")}
    fields.pop("check")

    def meanwhile(_: Path) -> None:
        write_bundle(tmp_path / "out", files, {**fields, "name": "quicker"})

    with pytest.raises(BadBundle, match="a bundle is there already"):
        write_bundle(tmp_path / "out", files, {**fields, "name": "slower"}, check=meanwhile)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["name"] == "quicker"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "out"]


def test_a_slot_in_no_folder_is_refused_before_the_trial(taught: Path, tmp_path: Path) -> None:
    error = door("bundle", "activate", taught, "--slot", tmp_path / "recipes" / "current").exception
    assert isinstance(error, BadBundle)
    assert str(error).endswith(f"its folder {tmp_path / 'recipes'} is not there")


def test_two_bundles_that_judge_alike_differ_in_no_picture(taught: Path, tmp_path: Path) -> None:
    door("teach", "--add", taught, "--out", tmp_path / "more")
    said = door("bundle", "diff", taught, tmp_path / "more", "--pictures", draw(tmp_path / "shift", 3))
    assert said.output.rstrip().endswith("0 other verdicts on 3 pictures")


def test_an_empty_folder_is_a_free_place(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    make(tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_a_threshold_is_not_worked_out_for_a_place_that_is_taken(taught: Path, labelled: Path) -> None:
    said = door("threshold", taught, labelled, "--out", taught)
    assert isinstance(said.exception, BadBundle)
    assert "good parts" not in said.output


@pytest.mark.parametrize("costs", [("-1", "2", "3"), ("1", "2", "300"), ("1", "0", "3")])
def test_costs_are_refused_as_they_were_typed(taught: Path, labelled: Path, costs: tuple[str, ...]) -> None:
    error = door("threshold", taught, labelled, "--costs", *costs).exception
    assert isinstance(error, BadSettings)
    assert str(error).startswith(f"--costs {' '.join(costs)}: expected two costs above 0")


def test_goods_are_named_with_scores_of_the_model_that_judges(taught: Path, labelled: Path, tmp_path: Path) -> None:
    done = door("teach", "--add", taught, "--defects", labelled, "--out", tmp_path / "more")
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "more" / "report.json").read_text())
    known = set(report["held_out_scores"])
    scores = [one["score"] for one in report["most_unlike_goods"]]
    assert set(scores) <= known
    assert scores == sorted(scores, reverse=True)
    figures = json.loads(door("evaluate", tmp_path / "more", labelled, "--json").stdout)
    assert figures["data"]["taught_from"] == 12 + 5, "the first twelve goods, and the defects"


def imported(place: Path, goods: Path) -> Path:
    (place / "model.onnx").write_bytes(yolo().SerializeToString())
    asked = ("--adapter", "yolo", "--classes", "spot,dent", "--pictures", goods, "--grey")
    done = door("bundle", "import", place / "model.onnx", *asked, "--out", place / "yolo")
    assert done.exit_code == 0, done.output
    return place / "yolo"


def test_a_region_with_a_threshold_of_its_own_is_shown_it(taught: Path, labelled: Path, tmp_path: Path) -> None:
    camera = "{width: 64, height: 64, trigger: hardware}"
    regions = "[{name: left, camera: top, box: [0, 0, 48, 48], threshold: 77.5}, {name: right, camera: top}]"
    (tmp_path / "cap.yaml").write_text(
        f"name: cap\ndeadline_ms: 100\nbundle: {taught}\ncameras: {{top: {camera}}}\nregions: {regions}\n"
    )
    draw(labelled / "good", 40)
    said = door("threshold", taught, labelled, "--recipe", tmp_path / "cap.yaml")
    left, right = said.output.split("region right:")
    assert "77.5 holds" in left
    assert "77.5" not in right


def test_nothing_is_added_to_a_model_from_elsewhere(labelled: Path, tmp_path: Path) -> None:
    bundle = imported(tmp_path, labelled / "good")
    error = door("teach", "--add", bundle, "--out", tmp_path / "more").exception
    assert isinstance(error, BadBundle)
    assert "was not taught by `okng teach` from usual goods" in str(error)


def test_a_limit_that_nothing_is_above_is_told_and_not_written(labelled: Path, tmp_path: Path) -> None:
    bundle = imported(tmp_path, labelled / "good")
    (labelled / "spot").rename(labelled / "dust")
    said = door("threshold", bundle, labelled, "--escape", "5", "--out", tmp_path / "moved")
    assert "no defective part among them is a spot: the limit is put by good parts alone" in said.output
    assert "dent would never be NG" in said.output
    assert isinstance(said.exception, BadSettings)
    assert "expected below 1" in str(said.exception)
    assert not (tmp_path / "moved").exists()


def test_an_import_without_classes_is_refused_in_plain_words(labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(yolo().SerializeToString())
    asked = ("--adapter", "yolo", "--pictures", labelled / "good", "--out", tmp_path / "out")
    error = door("bundle", "import", tmp_path / "model.onnx", *asked).exception
    assert isinstance(error, BadSettings)
    assert str(error).startswith("import: classes: an anomaly model has none")


def test_why_heads_were_chosen_is_what_the_figures_say() -> None:
    other = Mix(1.0, 0.0)
    assert reason_of(USUAL, {}) == "as asked for, or too few goods to choose by"
    assert reason_of(USUAL, {USUAL: 0.938, other: 0.940}).startswith("no other told goods")
    assert reason_of(other, {USUAL: 0.80, other: 0.94}).startswith("clearly better than the usual")


def test_a_broken_label_is_refused_by_name_or_left_out_by_name(taught: Path, labelled: Path, tmp_path: Path) -> None:
    (labelled / "spot" / "torn.png").write_bytes(b"\x89PNG no picture")
    asked = ("teach", "--add", taught, "--defects", labelled, "--threads", "1")
    refused = door(*asked, "--out", tmp_path / "a").exception
    assert isinstance(refused, BadData)
    assert "torn.png" in str(refused)
    done = door(*asked, "--leave-out-broken", "--out", tmp_path / "b")
    assert done.exit_code == 0, done.output
    assert "left out:" in done.output
    assert "torn.png" in done.output
