"""Good prints in, a bundle out that passes prints moved, turned and inked a little otherwise, and finds the spoilt."""

from pathlib import Path

import numpy as np
import pytest

from okng.bus.errors import BadBundle, BadPicture, BadSettings
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.detector import Detector
from okng.models.parity import check_golden
from okng.models.pictures import encode_png, read
from okng.tests.training import printed
from okng.training.evaluate import evaluate
from okng.training.reference_options import ReferenceOptions
from okng.training.reference_teach import teach_golden
from okng.training.taught_report import TeachReport

OPTIONS = ReferenceOptions(name="label", overkill_percent=2.5)
BOX = Box(0, 0, printed.WIDTH, printed.HEIGHT)


@pytest.fixture(scope="module")
def goods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labels")
    printed.write_labels(folder, range(40))
    return folder


@pytest.fixture(scope="module")
def taught(goods: Path, tmp_path_factory: pytest.TempPathFactory) -> TeachReport:
    return teach_golden(goods, tmp_path_factory.mktemp("bundles") / "label", OPTIONS)


def test_goods_pass_and_spoilt_prints_are_found(taught: TeachReport, tmp_path: Path) -> None:
    printed.write_labels(tmp_path / "good", range(1000, 1060))
    for number, defect in enumerate(printed.DEFECTS):
        printed.write_labels(tmp_path / defect, range(2000 + 100 * number, 2015 + 100 * number), defect)
    metrics = evaluate(open_bundle(taught.bundle), tmp_path)
    assert metrics.unjudged == 0
    assert metrics.auroc == 1.0
    assert metrics.escape.events == 0
    assert set(metrics.escape_by_class) == set(printed.DEFECTS)
    assert metrics.overkill.low <= 0.025  # the promise is not refuted
    assert metrics.overkill.rate <= 0.1


def test_the_heat_lies_where_the_ink_is_missing(taught: TeachReport) -> None:
    detector = Detector(open_bundle(taught.bundle))
    picture = printed.label(500)
    clean = detector.find(picture, BOX)
    picture[102:110, 100:108] = 200
    found = detector.find(picture, BOX)
    assert clean.score <= taught.threshold < found.score
    assert found.heat.shape == (printed.HEIGHT // 4, printed.WIDTH // 4)
    row, column = np.unravel_index(found.heat.argmax(), found.heat.shape)
    assert abs(4 * row + 2 - 106) <= 4
    assert abs(4 * column + 2 - 104) <= 4


def test_the_bundle_is_an_ordinary_one_and_says_how_it_was_made(taught: TeachReport, goods: Path) -> None:
    bundle = open_bundle(taught.bundle)
    assert taught.digest == bundle.digest
    assert taught.goods == 40
    assert bundle.manifest.output.adapter == "anomaly"
    assert bundle.manifest.train["method"] == "golden reference"
    assert bundle.manifest.train["templates"] == 1
    assert (bundle.manifest.input.width, bundle.manifest.input.height) == (printed.WIDTH, printed.HEIGHT)
    assert check_golden(Detector(bundle)).passed
    assert {golden.ok for golden in bundle.golden} == {True, False}
    assert len(bundle.report["held_out_scores"]) == 40
    assert {good.file for good in taught.unlike} <= {path.name for path in goods.iterdir()}
    assert taught.claims


def test_a_spoilt_good_heads_the_list(tmp_path: Path) -> None:
    goods = tmp_path / "goods"
    printed.write_labels(goods, range(24))
    spoilt = goods / "LOT52_bad.png"
    spoilt.write_bytes(encode_png(printed.label(77, "shifted")))
    report = teach_golden(goods, tmp_path / "out", OPTIONS)
    assert report.unlike[0].file == spoilt.name


def test_two_kinds_of_print_get_a_template_each(tmp_path: Path) -> None:
    goods = tmp_path / "goods"
    printed.write_labels(goods, range(20))
    printed.write_labels(goods, range(20, 32), text="BOX 71")
    report = teach_golden(goods, tmp_path / "two", OPTIONS)
    detector = Detector(open_bundle(report.bundle))
    assert detector.bundle.manifest.train["templates"] == 2
    for text in ("LOT 52", "BOX 71"):
        assert detector.find(printed.label(600, text=text), BOX).score <= report.threshold
        assert detector.find(printed.label(601, "missing", text=text), BOX).score > report.threshold
    # Half of one and half of the other is neither.
    assert detector.find(printed.label(602, text="LOT 71"), BOX).score > report.threshold
    one = teach_golden(goods, tmp_path / "one", OPTIONS.model_copy(update={"templates_most": 1}))
    assert open_bundle(one.bundle).manifest.train["templates"] == 1


def test_a_seed_gives_one_model_and_colour_is_seen(goods: Path, tmp_path: Path, taught: TeachReport) -> None:
    again = teach_golden(goods, tmp_path / "again", OPTIONS.model_copy(update={"threads": 1}))
    assert (again.bundle / "model.onnx").read_bytes() == (taught.bundle / "model.onnx").read_bytes()
    printed.write_labels(tmp_path / "colour", range(16), colour=True)
    report = teach_golden(tmp_path / "colour", tmp_path / "bundle", OPTIONS)
    detector = Detector(open_bundle(report.bundle))
    picture = printed.label(700, colour=True)
    good = detector.find(picture, BOX)
    # Of the same luma, and of another colour.
    picture[100:112, 60:70] = (50 + 40, 100 - 23, 140)
    assert good.score <= report.threshold < detector.find(picture, BOX).score


def test_a_large_region_is_made_smaller_and_keeps_its_shape(goods: Path, tmp_path: Path) -> None:
    options = OPTIONS.model_copy(update={"most_px": 120, "region": Box(10, 10, 220, 141)})
    report = teach_golden(goods, tmp_path / "small", options)
    entry = open_bundle(report.bundle).manifest.input
    assert (entry.width, entry.height) == (120, 80)
    detector = Detector(open_bundle(report.bundle))
    assert detector.find(printed.label(800), Box(10, 10, 220, 141)).score <= report.threshold


@pytest.mark.parametrize("phase", ["templates", "tolerance", "bundle"])
def test_a_cancelled_teaching_leaves_nothing(phase: str, tmp_path: Path) -> None:
    files = printed.write_labels(tmp_path / "g", range(10))
    told: list[str] = []

    def cancel(name: str, share: float) -> None:
        told.append(name)
        if name == phase and share == 1.0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach_golden(files, tmp_path / "out" / "bundle", OPTIONS, cancel)
    assert told[0] == "pictures"
    if phase != "bundle":  # the last phase ends when the bundle is there
        assert not (tmp_path / "out").exists()


def test_goods_that_cannot_be_taught_are_refused(tmp_path: Path, taught: TeachReport) -> None:
    with pytest.raises(BadPicture, match="no such folder"):
        teach_golden(tmp_path / "none", tmp_path / "out", OPTIONS)
    files = printed.write_labels(tmp_path / "few", range(9))
    with pytest.raises(BadSettings, match="9 pictures of good parts: expected 10"):
        teach_golden(files, tmp_path / "out", OPTIONS)
    files += printed.write_labels(tmp_path / "few", range(9, 12), colour=True)
    with pytest.raises(BadPicture, match="colour"):
        teach_golden(files, tmp_path / "out", OPTIONS)
    with pytest.raises(BadPicture, match="is not inside"):
        teach_golden(
            printed.write_labels(tmp_path / "more", range(10)),
            tmp_path / "out",
            OPTIONS.model_copy(update={"region": Box(0, 0, 400, 400)}),
        )
    with pytest.raises(BadBundle, match="never changed"):
        teach_golden(tmp_path / "more", taught.bundle, OPTIONS)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wrong", [{"most_px": 65}, {"search_px": 3}, {"templates_most": 0}, {"surprise": 1}])
def test_options_are_bounded(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        ReferenceOptions(**wrong)  # type: ignore[arg-type]


def test_the_same_picture_ten_times_can_be_taught(tmp_path: Path) -> None:
    (one,) = printed.write_labels(tmp_path / "goods", range(1))
    for number in range(1, 10):
        (tmp_path / "goods" / f"copy{number}.png").write_bytes(one.read_bytes())
    report = teach_golden(tmp_path / "goods", tmp_path / "out", OPTIONS)
    detector = Detector(open_bundle(report.bundle))
    same = detector.find(read(one), BOX)
    assert same.sound
    assert same.score <= report.threshold
    spoilt = read(one)
    spoilt[60:70, 200:210] = 20
    assert detector.find(spoilt, BOX).score > report.threshold


def test_goods_that_are_not_one_print_are_refused(tmp_path: Path) -> None:
    """Every picture another pattern: whatever is compared with their limits would pass."""
    rng = np.random.default_rng(0)
    for at in range(14):
        coarse = (rng.random((20, 20)) < 0.5).astype(np.uint8) * 255
        pattern = np.kron(coarse, np.ones((8, 8), np.uint8))
        (tmp_path / f"{at}.png").write_bytes(encode_png(pattern))
    with pytest.raises(BadSettings, match="the goods are not alike"):
        teach_golden(tmp_path, tmp_path / "out", ReferenceOptions(name="mixed", threads=1))
    assert not (tmp_path / "out").exists()
