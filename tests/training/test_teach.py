"""Good pictures in, a bundle out that finds what no good part has; bad input changes nothing."""

import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from okng.bus.errors import BadBundle, BadPicture, BadSettings
from okng.models import crop, pictures
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.detector import Detector
from okng.models.parity import check_golden
from okng.training import teach as teach_module
from okng.training.evaluate import evaluate
from okng.training.features import extract
from okng.training.graph import BACKBONE, feature_graph
from okng.training.heads import Heads
from okng.training.layout import Layout
from okng.training.options import TeachOptions
from okng.training.taught_graph import taught_graph
from okng.training.taught_report import TeachReport
from okng.training.teach import teach

Write = Callable[..., list[Path]]


def test_defects_score_above_goods(taught: TeachReport, tests_folder: Path) -> None:
    metrics = evaluate(open_bundle(taught.bundle), tests_folder)
    assert metrics.auroc > 0.97
    assert metrics.unjudged == 0
    assert metrics.threshold == taught.threshold
    assert metrics.escape.n == 30
    assert metrics.escape.rate <= 0.2
    assert metrics.overkill.n == 30
    assert metrics.overkill.low <= 0.05  # the promise is not refuted
    assert set(metrics.escape_by_class) == {"scratch", "stain"}


def test_the_heat_lies_where_the_defect_is(taught: TeachReport, goods: Path) -> None:
    detector = Detector(open_bundle(taught.bundle))
    picture = pictures.read(goods / "0007.png")
    clean = detector.find(picture, Box(0, 0, 96, 96))
    spoilt = picture.copy()
    spoilt[66:78, 6:18] = 250
    findings = detector.find(spoilt, Box(0, 0, 96, 96))
    assert findings.score > taught.threshold > clean.score
    row, column = np.unravel_index(findings.heat.argmax(), findings.heat.shape)
    assert abs((row + 0.5) * 16 - 72) <= 16
    assert abs((column + 0.5) * 16 - 12) <= 16


def test_the_report_says_what_was_done(taught: TeachReport, goods: Path) -> None:
    bundle = open_bundle(taught.bundle)
    assert taught.digest == bundle.digest
    assert taught.goods == 40
    assert taught.threshold == bundle.manifest.threshold.value
    assert 0.0 <= taught.overkill_low <= taught.overkill <= taught.overkill_high < 1.0
    assert taught.overkill <= 0.05
    assert len(taught.unlike) == 10
    assert [good.score for good in taught.unlike] == sorted((good.score for good in taught.unlike), reverse=True)
    assert {good.file for good in taught.unlike} <= {path.name for path in goods.iterdir()}
    assert {"pictures", "features", "memory", "gaussian", "total"} <= set(taught.seconds)
    assert bundle.manifest.train["goods"] == 40
    assert len(bundle.golden) >= 8
    assert {golden.ok for golden in bundle.golden} == {True, False}
    assert check_golden(Detector(bundle)).passed
    assert len(bundle.report["held_out_scores"]) == 40


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize(("step", "grid"), [(16, 6), (8, 12)])
def test_taught_is_deployed(
    colour: bool,
    step: int,
    grid: int,
    tmp_path: Path,
    write_plates: Write,
    quick: TeachOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The graph on the line scores as the reference in numpy that was calibrated."""
    files = write_plates(tmp_path / "goods", range(14), colour=colour)
    kept: list[tuple[Layout, Heads]] = []

    def keep(layout: Layout, heads: Heads) -> bytes:
        kept.append((layout, heads))
        return taught_graph(layout, heads)

    monkeypatch.setattr(teach_module, "taught_graph", keep)
    report = teach(files, tmp_path / "out", quick.model_copy(update={"step_px": step, "dimensions": 100}))
    ((layout, heads),) = kept
    detector = Detector(open_bundle(report.bundle))
    assert detector.bundle.manifest.input.channels == (3 if colour else 1)
    box = Box(8, 4, 80, 90)
    for path in [*files[:3], *write_plates(tmp_path / "bad", range(70, 73), colour=colour, defect="stain")]:
        picture = pictures.read(path)
        findings = detector.find(picture, box)
        cells = extract(crop.crop_and_resize(picture, box, 96), layout, 1, lambda _: None)
        heat = heads.heat(cells)[0]
        assert findings.heat.shape == (grid, grid)
        assert findings.score == pytest.approx(float(heat.max()), abs=1e-3)
        assert np.abs(findings.heat - heat).max() < 5e-3
        assert findings.score == findings.heat.max()


def test_a_seed_gives_one_model(goods: Path, tmp_path: Path, quick: TeachOptions, taught: TeachReport) -> None:
    again = teach(goods, tmp_path / "again", quick.model_copy(update={"threads": 2}))
    assert (again.bundle / "model.onnx").read_bytes() == (taught.bundle / "model.onnx").read_bytes()
    assert again.threshold == taught.threshold
    other = teach(goods, tmp_path / "other", quick.model_copy(update={"seed": 1}))
    assert (other.bundle / "model.onnx").read_bytes() != (taught.bundle / "model.onnx").read_bytes()


def test_a_good_that_is_none_heads_the_list(tmp_path: Path, write_plates: Write, quick: TeachOptions) -> None:
    goods = tmp_path / "goods"
    write_plates(goods, range(30))
    (polluted,) = write_plates(goods, range(77, 78), defect="stain")
    report = teach(goods, tmp_path / "out", quick)
    assert report.unlike[0].file == polluted.name


def test_ten_copies_of_one_picture_can_be_taught(tmp_path: Path, write_plates: Write, quick: TeachOptions) -> None:
    (one,) = write_plates(tmp_path / "goods", range(1))
    for number in range(1, 10):
        (tmp_path / "goods" / f"copy{number}.png").write_bytes(one.read_bytes())
    report = teach(tmp_path / "goods", tmp_path / "out", quick)
    detector = Detector(open_bundle(report.bundle))
    picture = pictures.read(one)
    assert math.isfinite(report.threshold)
    same = detector.find(picture, Box(0, 0, 96, 96))
    assert same.sound or "constant" in same.trouble
    spoilt = picture.copy()
    spoilt[60:80, 10:30] = 0
    assert detector.find(spoilt, Box(0, 0, 96, 96)).score > report.threshold


def test_progress_names_phases_and_rises(tmp_path: Path, write_plates: Write, quick: TeachOptions) -> None:
    told: list[tuple[str, float]] = []
    teach(write_plates(tmp_path / "g", range(10)), tmp_path / "out", quick, lambda *what: told.append(what))
    phases = list(dict.fromkeys(phase for phase, _ in told))
    assert phases[:3] == ["size", "pictures", "features"]
    assert phases[-1] == "bundle"
    for phase in phases:
        shares = [share for name, share in told if name == phase]
        assert shares == sorted(shares)
        assert (shares[0], shares[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("phase", ["features", "memory", "golden", "bundle"])
def test_a_cancelled_teaching_leaves_nothing(
    phase: str, tmp_path: Path, write_plates: Write, quick: TeachOptions
) -> None:
    files = write_plates(tmp_path / "g", range(10))

    def cancel(name: str, share: float) -> None:
        if name == phase:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach(files, tmp_path / "out" / "bundle", quick, cancel)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_input_that_cannot_be_taught_is_refused(tmp_path: Path, write_plates: Write, quick: TeachOptions) -> None:
    out = tmp_path / "out"
    with pytest.raises(BadPicture, match="no such folder"):
        teach(tmp_path / "none", out, quick)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadPicture, match="no picture in it"):
        teach(tmp_path / "empty", out, quick)
    files = write_plates(tmp_path / "few", range(9))
    with pytest.raises(BadSettings, match="9 pictures of good parts: expected 10"):
        teach(tmp_path / "few", out, quick)
    files = write_plates(tmp_path / "goods", range(12))
    (tmp_path / "goods" / "0005.png").write_bytes(files[5].read_bytes()[:50])
    with pytest.raises(BadPicture, match=r"0005\.png: does not decode"):
        teach(tmp_path / "goods", out, quick)
    write_plates(tmp_path / "goods", range(5, 6), colour=True)
    with pytest.raises(BadPicture, match=r"0005\.png: colour"):
        teach(tmp_path / "goods", out, quick)
    write_plates(tmp_path / "goods", range(5, 6), side=64)
    with pytest.raises(BadPicture, match=r"0005\.png: 64x64 pixels"):
        teach(tmp_path / "goods", out, quick.model_copy(update={"region": Box(0, 0, 60, 60)}))
    write_plates(tmp_path / "goods", range(5, 6))
    with pytest.raises(BadPicture, match="region 90x90 at 10,0 is not inside"):
        teach(tmp_path / "goods", out, quick.model_copy(update={"region": Box(10, 0, 90, 90)}))
    assert not out.exists()


def test_pictures_of_unequal_size_are_each_stretched(tmp_path: Path, write_plates: Write, quick: TeachOptions) -> None:
    write_plates(tmp_path / "goods", range(8))
    write_plates(tmp_path / "goods", range(8, 14), side=130)
    assert teach(tmp_path / "goods", tmp_path / "out", quick).goods == 14


def test_a_bundle_is_replaced_only_when_asked(tmp_path: Path, write_plates: Write, quick: TeachOptions) -> None:
    files, out = write_plates(tmp_path / "g", range(10)), tmp_path / "out"
    first = teach(files, out, quick)
    with pytest.raises(BadBundle, match="never changed"):
        teach(files, out, quick)
    assert open_bundle(out).digest == first.digest
    second = teach(files, out, quick.model_copy(update={"replace": True, "name": "other"}))
    assert open_bundle(out).manifest.name == "other"
    assert second.digest != first.digest


def test_grey_can_be_taught_for_a_colour_camera(tmp_path: Path, write_plates: Write, quick: TeachOptions) -> None:
    files = write_plates(tmp_path / "g", range(10))
    grey = teach(files, tmp_path / "grey", quick)
    colour = teach(files, tmp_path / "colour", quick.model_copy(update={"channels": 3}))
    box, picture = Box(0, 0, 96, 96), pictures.read(files[0])
    one = Detector(open_bundle(grey.bundle)).find(picture, box)
    three = Detector(open_bundle(colour.bundle)).find(pictures.with_channels(picture, 3), box)
    assert one.score == pytest.approx(three.score, abs=0.05)


def test_the_backbone_is_the_one_named(taught: TeachReport) -> None:
    digest = hashlib.sha256(BACKBONE.read_bytes()).hexdigest()
    assert open_bundle(taught.bundle).manifest.backbone_sha256 == digest
    assert digest in (BACKBONE.parent / "NOTICE").read_text()


@pytest.mark.parametrize("layout", [(256, 256, 3, 15), (100, 96, 3, 16), (64, 16, 1, 8), (64, 64, 2, 16)])
def test_a_layout_checks_itself(layout: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        feature_graph(Layout(*layout))


@pytest.mark.parametrize("wrong", [{"size_px": 100}, {"step_px": 5}, {"overkill_percent": 0}, {"surprise": 1}])
def test_options_are_bounded(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        TeachOptions(**wrong)  # type: ignore[arg-type]
