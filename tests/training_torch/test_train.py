"""From pictures to a bundle: what is learnt holds on plates never seen, and the bundle says what the network said."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make test-train")
pytestmark = [pytest.mark.train, pytest.mark.timeout(300)]

from okng.bus.errors import BadBundle
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.detector import Detector
from okng.models.figures import auroc
from okng.models.findings import Findings
from okng.models.parity import check_golden
from okng.training.data.dataset import Dataset, Sample
from okng.training.supervised import export, release
from okng.training.supervised.net import Net
from okng.training.supervised.options import Task, TrainOptions, options_of
from okng.training.supervised.train import Place, TrainReport, train

WHOLE = Box(0, 0, 96, 96)
EPOCHS = {"segmentation": 20, "detection": 15, "classification": 10}


def quick(task: Task, **fields: object) -> TrainOptions:
    return options_of(
        **{
            "task": task,
            "size_px": 96,
            "threads": 1,
            "epochs": EPOCHS[task],
            "rate": 4e-3,
            "overkill_percent": 5.0,
            **fields,
        }
    )


@pytest.fixture(scope="module", params=["segmentation", "detection", "classification"])
def trained(request: pytest.FixtureRequest, plates: Dataset, tmp_path_factory: pytest.TempPathFactory) -> TrainReport:
    folder = tmp_path_factory.mktemp(request.param)
    report = train(plates, folder / "plate", quick(request.param))
    assert report is not None
    assert [path.name for path in folder.iterdir()] == ["plate"]
    return report


def found_in(bundle: Path, samples: tuple[Sample, ...]) -> list[Findings]:
    detector = Detector(open_bundle(bundle))
    return [detector.find(sample.read(), WHOLE) for sample in samples]


@pytest.mark.timeout(600)
def test_what_was_learnt_holds_on_plates_never_seen(trained: TrainReport, plates: Dataset) -> None:
    """Through the bundle and the line's own detector: defects rank above goods, and each is called by its name."""
    samples = plates.of("test")
    findings = found_in(trained.bundle, samples)
    assert all(one.sound for one in findings)
    assert auroc([one.score for one in findings], [not sample.ok for sample in samples]) > 0.97
    bad = [(one, sample) for one, sample in zip(findings, samples, strict=True) if not sample.ok]
    named = [one.spots[0].kind == sample.label for one, sample in bad if one.spots]
    assert len(named) > 0.9 * len(bad)
    assert np.mean(named) > 0.9
    assert trained.test is not None
    assert trained.test.escape.n == 40
    assert trained.test.escape.percent < 15.0
    assert trained.test.overkill.percent < 25.0


def test_the_places_are_right(trained: TrainReport, plates: Dataset) -> None:
    manifest = open_bundle(trained.bundle).manifest
    if manifest.output.adapter == "classification":
        pytest.skip("a classifier says nothing of places")
    hits = []
    for sample in plates.of("test"):
        if sample.ok:
            continue
        (one,) = found_in(trained.bundle, (sample,))
        (truth,) = [box for _, box in sample.boxes()]
        at = one.spots[0].box if one.spots else Box(0, 0, 1, 1)
        across = min(at.x + at.w, truth.x + truth.w) - max(at.x, truth.x)
        down = min(at.y + at.h, truth.y + truth.h) - max(at.y, truth.y)
        both = max(0, across) * max(0, down)
        hits.append(both / (at.w * at.h + truth.w * truth.h - both) > 0.3)
        if len(hits) == 20:
            break
    assert np.mean(hits) > 0.8


def test_the_bundle_is_whole_and_says_how_it_was_made(trained: TrainReport) -> None:
    bundle = open_bundle(trained.bundle, trained.digest)
    assert check_golden(Detector(bundle)).passed
    assert {golden.ok for golden in bundle.golden} == {True, False}
    manifest = bundle.manifest
    assert manifest.output.classes == ("scratch", "stain")
    assert manifest.threshold.class_limits == pytest.approx(trained.limits)
    assert (manifest.threshold.goods, manifest.threshold.defects) == (40, 40)
    assert manifest.threshold.overkill_low_percent <= manifest.threshold.overkill_percent
    assert "more good parts without an error would prove it" in manifest.threshold.target
    assert manifest.train["pictures"] == 80
    report = bundle.report
    assert len(report["curves"]) == trained.epochs
    assert report["curves"][-1]["loss"] < report["curves"][0]["loss"]
    assert report["parity"]["largest_difference"] <= 1e-3
    assert {name.split("/")[0] for name in report["sides"]["test"]} == {"test"}
    assert str(Path.home()) not in json.dumps(report)
    page = (trained.bundle / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "scratch" in page
    assert "承诺" in page
    assert "<script" not in page


def test_a_graph_that_says_otherwise_makes_no_bundle(
    few_plates: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(net: Net, size_px: int) -> bytes:
        with torch.no_grad():
            net.head.head.bias[0] += 0.5
        try:
            return release_exported(net, size_px)
        finally:
            with torch.no_grad():
                net.head.head.bias[0] -= 0.5

    release_exported = export.exported
    monkeypatch.setattr(release, "exported", wrong)
    with pytest.raises(BadBundle, match="says otherwise than torch"):
        train(few_plates, tmp_path / "plate", quick("segmentation", epochs=1), Place(work=tmp_path / "work"))
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_golden_pictures_that_score_otherwise_make_no_bundle(
    few_plates: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    confidences = release.confidences
    monkeypatch.setattr(release, "confidences", lambda *given: confidences(*given) * 0.9)
    with pytest.raises(BadBundle, match="golden pictures score otherwise"):
        train(few_plates, tmp_path / "plate", quick("classification", epochs=1), Place(work=tmp_path / "work"))
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_a_network_that_tells_nothing_apart_makes_no_bundle(
    few_plates: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "confidences", lambda net, pictures, classes: np.full((len(pictures), classes), 0.5))
    with pytest.raises(BadBundle, match="it has learnt nothing"):
        train(few_plates, tmp_path / "plate", quick("classification", epochs=1), Place(work=tmp_path / "work"))
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_a_cancel_leaves_no_bundle_and_the_next_run_goes_on(few_plates: Dataset, tmp_path: Path) -> None:
    def stop(phase: str, share: float) -> None:
        if phase == "epochs" and share > 0.5:
            raise KeyboardInterrupt

    options = quick("classification", epochs=4)
    with pytest.raises(KeyboardInterrupt):
        train(few_plates, tmp_path / "plate", options, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["plate.training"]
    report = train(few_plates, tmp_path / "plate", options)
    assert report is not None
    assert (report.resumed_at, report.epochs) == (3, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["plate"]


def test_a_bundle_that_is_there_is_refused_before_anything_is_trained(few_plates: Dataset, tmp_path: Path) -> None:
    train(few_plates, tmp_path / "plate", quick("classification", epochs=1))
    with pytest.raises(BadBundle, match="a bundle is there already"):
        train(few_plates, tmp_path / "plate", quick("classification", epochs=1))
    train(few_plates, tmp_path / "plate", quick("classification", epochs=1, replace=True))


def test_without_test_pictures_nothing_is_promised(few_plates: Dataset, tmp_path: Path) -> None:
    seen = few_plates.with_samples(one for one in few_plates.samples if one.split != "test")
    report = train(seen, tmp_path / "plate", quick("classification", epochs=1))
    assert report is not None
    assert report.test is None
    threshold = open_bundle(tmp_path / "plate").manifest.threshold
    assert (threshold.overkill_low_percent, threshold.overkill_high_percent, threshold.goods) == (0.0, 100.0, 0)
    assert "nothing is proven" in threshold.target


def test_a_torchvision_backbone_becomes_a_bundle_too(few_plates: Dataset, tmp_path: Path) -> None:
    for task in ("segmentation", "detection"):
        report = train(few_plates, tmp_path / task, quick(task, epochs=1, backbone="resnet18", batch=8))
        assert report is not None
        assert check_golden(Detector(open_bundle(tmp_path / task))).passed


def test_a_search_comes_before_the_training_and_stands_in_the_report(few_plates: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="optuna is not installed: make test-train")
    report = train(few_plates, tmp_path / "plate", quick("classification", epochs=2), Place(trials=2))
    assert report is not None
    assert report.trials == 2
    told = open_bundle(tmp_path / "plate").report
    assert len(told["search"]["trials"]) == 2
    best = max(told["search"]["trials"], key=lambda row: row["aim"])
    assert told["options"]["rate"] == pytest.approx(best["rate"])
    assert max(row["aim"] for row in told["curves"]) == pytest.approx(told["search"]["aim"])


@pytest.mark.filterwarnings("ignore")  # MLflow's libraries warn of each other
def test_mlflow_is_told_of_options_epochs_report_and_digest(few_plates: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed: make test-train")
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{tmp_path / 'runs.db'}"
    report = train(few_plates, tmp_path / "plate", quick("classification", epochs=2), Place(track=uri))
    assert report is not None
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("okng")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["task"] == "classification"
    assert run.data.tags["bundle_digest"] == report.digest
    assert [one.step for one in client.get_metric_history(run.info.run_id, "loss")] == [1, 2]
    assert [one.path for one in client.list_artifacts(run.info.run_id)] == ["report.json"]
