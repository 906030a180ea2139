"""A handful of labelled defects: drawn, turned into cells, learnt from; and the head judges only if it helps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from okng.bus.errors import BadBundle, BadSettings
from okng.models import pictures
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.detector import Detector
from okng.models.figures import auroc
from okng.models.parity import check_golden
from okng.training import taught_graph as graph_module
from okng.training.base import read_base
from okng.training.data.dataset import Sample
from okng.training.data.sources import open_dataset
from okng.training.features import extract
from okng.training.heads import Heads
from okng.training.layout import Layout
from okng.training.linear import described, fit_linear
from okng.training.options import TeachOptions
from okng.training.targets import DEFECT, NONE, UNKNOWN, narrowed, on_cells
from okng.training.taught_report import TeachReport
from okng.training.teach import teach

Write = Callable[..., list[Path]]


def labelled(folder: Path) -> list[Sample]:
    return [one for one in open_dataset(folder).samples if not one.ok]


def scores(bundle: Path, files: list[Path]) -> list[float]:
    detector = Detector(open_bundle(bundle))
    return [detector.find(pictures.read(path), Box(0, 0, 96, 96)).score for path in files]


def quality(bundle: Path, tests_folder: Path, crosses: Path) -> float:
    goods = scores(bundle, pictures.files_in(tests_folder / "good"))
    bad = scores(bundle, pictures.files_in(crosses / "test" / "cross"))
    return auroc([*goods, *bad], [False] * len(goods) + [True] * len(bad))


@pytest.fixture(scope="module")
def improved(taught: TeachReport, crosses: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> TeachReport:
    """The plates' bundle with eight labelled crosses added."""
    options = TeachOptions(name="plate", version="1.0.1", overkill_percent=5.0, threads=1)
    out = tmp_path_factory.mktemp("improved") / "plate"
    return teach([], out, options, defects=labelled(crosses[0]), base=taught.bundle)


def test_a_handful_of_labels_finds_more(
    taught: TeachReport, improved: TeachReport, tests_folder: Path, crosses: tuple[Path, Path]
) -> None:
    before = quality(taught.bundle, tests_folder, crosses[1])
    after = quality(improved.bundle, tests_folder, crosses[1])
    assert before < 0.95
    assert after > before + 0.03
    assert after > 0.95


def test_the_report_says_what_labels_gained_and_on_what(improved: TeachReport, taught: TeachReport) -> None:
    bundle = open_bundle(improved.bundle)
    said = bundle.report["labels"]
    assert said["defects"] == {"cross": 8}
    assert said["judged_by"] in ("goods and labels", "labels alone")
    assert said["auroc_left_out"][said["judged_by"]] > said["auroc_left_out"]["goods alone"]
    assert len(said["left_out_defect_scores"]) == 8
    assert improved.goods == taught.goods
    assert improved.added == 0
    assert bundle.manifest.train["base"] == taught.digest
    assert bundle.manifest.threshold.defects == 8
    assert bundle.manifest.threshold.escape_percent is not None
    assert check_golden(Detector(bundle)).passed
    assert any(golden.name.startswith("defect-") for golden in bundle.golden)


def test_the_graph_with_a_head_scores_as_the_reference(
    crosses: tuple[Path, Path], taught: TeachReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[Layout, Heads]] = []
    graph = graph_module.taught_graph

    def keep(layout: Layout, heads: Heads) -> bytes:
        kept.append((layout, heads))
        return graph(layout, heads)

    monkeypatch.setattr("okng.training.teach.taught_graph", keep)
    options = TeachOptions(name="plate", overkill_percent=5.0, threads=1)
    report = teach([], tmp_path / "out", options, defects=labelled(crosses[0]), base=taught.bundle)
    ((layout, heads),) = kept
    assert heads.linear is not None
    detector = Detector(open_bundle(report.bundle))
    for path in pictures.files_in(crosses[1] / "test" / "cross")[:4]:
        picture = pictures.read(path)
        expected = heads.heat(extract(picture[None, ..., None], layout, 1, lambda _: None))[0]
        found = detector.find(picture, Box(0, 0, 96, 96))
        assert np.abs(found.heat - expected).max() < 5e-3
        assert found.score == found.heat.max()


def test_labels_that_teach_nothing_do_not_judge(taught: TeachReport, goods: Path, tmp_path: Path) -> None:
    """Goods called defects, with nothing drawn: what is left out cannot be told apart, so the goods go on judging."""
    folder = tmp_path / "claimed" / "odd"
    folder.mkdir(parents=True)
    for path in pictures.files_in(goods)[:6]:
        (folder / path.name).write_bytes(path.read_bytes())
    report = teach(
        [],
        tmp_path / "out",
        TeachOptions(name="plate", overkill_percent=5.0, threads=1),
        defects=labelled(tmp_path / "claimed"),
        base=taught.bundle,
    )
    said = open_bundle(report.bundle).report["labels"]
    best = max(said["auroc_left_out"].values())
    assert said["judged_by"] == "goods alone" or best > said["auroc_left_out"]["goods alone"]
    assert best < 0.8
    assert said["defects_drawn_exactly"] == 0


def test_two_labels_are_too_few_to_tell(taught: TeachReport, crosses: tuple[Path, Path], tmp_path: Path) -> None:
    options = TeachOptions(name="plate", overkill_percent=5.0, threads=1)
    report = teach([], tmp_path / "out", options, defects=labelled(crosses[0])[:2], base=taught.bundle)
    assert "3 or more are needed" in report.labels
    assert report.threshold == pytest.approx(taught.threshold, rel=0.02)


def test_goods_are_added_without_the_old_pictures(
    taught: TeachReport, tmp_path: Path, write_plates: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = write_plates(tmp_path / "new", range(400, 420))
    seen: list[int] = []

    def counted(cuts: np.ndarray, *rest: object) -> np.ndarray:
        seen.append(len(cuts))
        return extract(cuts, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("okng.training.teach.extract", counted)
    options = TeachOptions(name="plate", version="1.0.1", overkill_percent=5.0, threads=1)
    report = teach(new, tmp_path / "out", options, base=taught.bundle)
    assert sum(seen) == 20
    assert (report.goods, report.added) == (60, 20)
    bundle = open_bundle(report.bundle)
    assert bundle.manifest.threshold.goods == 60
    assert check_golden(Detector(bundle)).passed
    again = teach(new, tmp_path / "again", options, base=report.bundle)
    assert (again.goods, again.added) == (60, 0)
    assert again.threshold == pytest.approx(report.threshold, rel=0.02)


def test_added_goods_teach_as_all_at_once_would(
    goods: Path, quick: TeachOptions, taught: TeachReport, tmp_path: Path, write_plates: Write
) -> None:
    new = write_plates(tmp_path / "new", range(400, 420))
    added = teach(new, tmp_path / "added", quick, base=taught.bundle)
    once = teach([*pictures.files_in(goods), *new], tmp_path / "once", quick)
    assert added.threshold == pytest.approx(once.threshold, rel=0.05)


def test_what_cannot_be_added_to_is_refused(
    goods: Path, quick: TeachOptions, tmp_path: Path, taught: TeachReport
) -> None:
    forgetful = teach(goods, tmp_path / "forgetful", quick.model_copy(update={"keep_features": False}))
    assert not (forgetful.bundle / "lesson.npz").exists()
    with pytest.raises(BadBundle, match=r"has no lesson\.npz"):
        read_base(forgetful.bundle, quick)
    with pytest.raises(BadSettings, match="expected labelled defects"):
        teach(goods, tmp_path / "out", quick.model_copy(update={"escape_percent": 1.0}))


def test_a_lesson_that_does_not_fit_is_refused(taught: TeachReport, tmp_path: Path) -> None:
    from okng.training.store import unpacked

    with pytest.raises(BadBundle, match="features of shape"):
        unpacked(taught.bundle, 5, 176)
    (tmp_path / "lesson.npz").write_bytes(b"PK no zip")
    with pytest.raises(BadBundle, match="not a lesson"):
        unpacked(tmp_path, 36, 176)
    np.savez(tmp_path / "lesson.npz", features=np.zeros(3))
    with pytest.raises(BadBundle, match="expected"):
        unpacked(tmp_path, 36, 176)


def test_what_is_drawn_becomes_cells() -> None:
    drawn = np.zeros((64, 64), bool)
    drawn[16:32, 16:32] = True
    layout = Layout(64, 64, 1)
    cells = on_cells(drawn, layout, scribbles=False).reshape(4, 4)
    assert cells[1, 1] == DEFECT
    assert (cells == DEFECT).sum() == 1
    assert (cells[:3, :3] == UNKNOWN).sum() == 8
    assert (cells[3] == NONE).all()
    assert (on_cells(drawn, layout, scribbles=True) != NONE).all()
    tiny = np.zeros((64, 64), bool)
    tiny[40, 40] = True
    assert on_cells(tiny, layout, scribbles=False).reshape(4, 4)[2, 2] == DEFECT


def test_a_loose_label_is_narrowed_to_what_goods_do_not_show() -> None:
    box = np.array([DEFECT, DEFECT, DEFECT, NONE], np.int8)
    unlike = np.array([0.1, 9.0, 0.2, 20.0], np.float32)
    assert narrowed(box, unlike, usual=3.0).tolist() == [UNKNOWN, DEFECT, UNKNOWN, NONE]
    nothing = np.full(4, UNKNOWN, np.int8)
    assert narrowed(nothing, unlike, usual=3.0).tolist() == [UNKNOWN, DEFECT, UNKNOWN, DEFECT]
    assert (narrowed(nothing, np.zeros(4, np.float32), usual=3.0) == DEFECT).sum() == 1


def test_the_head_is_the_ridge_optimum() -> None:
    """Newton's way ends where the slope of the loss is nought."""
    rng = np.random.default_rng(0)
    goods = described(*(rng.normal(size=size).astype(np.float32) for size in ((40, 9, 3), (40, 9), (40, 9))))
    bad = described(*(rng.normal(1.5, 1.0, size).astype(np.float32) for size in ((5, 9, 3), (5, 9), (5, 9))))
    targets = [np.where(np.arange(9) < 4, DEFECT, UNKNOWN).astype(np.int8)] * 5
    head = fit_linear(goods, bad, targets, np.random.default_rng(1))
    weights = np.concatenate([head.straight, head.bent, [head.memory, head.gaussian]])
    said_bad, said_good = bad[:, :4] @ weights + head.bias, goods @ weights + head.bias
    assert np.median(said_bad) > np.median(said_good) + 1.0
    with pytest.raises(ValueError, match="no cell is labelled"):
        fit_linear(goods, bad, [np.zeros(9, np.int8)] * 5, rng)
