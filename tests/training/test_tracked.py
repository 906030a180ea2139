"""Runs and their figures in a real MLflow: what a training tells while it runs, and the bundle that follows in it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from okng.__main__ import cli
from okng.bus.errors import BadSettings
from okng.training.registered import INSIDE, log_bundle
from okng.training.registry import open_registry
from okng.training.supervised.track import Tracker
from okng.training.taught_report import TeachReport

from .mlflow_server import MlflowServer

pytest.importorskip("mlflow")


def test_a_training_tells_its_figures_and_its_bundle_follows_in_the_same_run(
    taught: TeachReport, mlflow: MlflowServer, tmp_path: Path
) -> None:
    from mlflow.tracking import MlflowClient

    tracker = Tracker(mlflow.url(), "plates", {"epochs": 2, "rate": 0.01}, {"pictures_sha256": "ab" * 32})
    run = tracker.run
    for epoch in (1, 2):
        tracker.epoch({"epoch": epoch, "loss": 1.0 / epoch, "figure": 0.5 * epoch})
    report = taught.bundle / "report.json"
    tracker.finished(report, taught.digest, {"test_overkill_percent": 1.5})
    registry = open_registry(mlflow.url())
    logged, version = log_bundle(registry, taught.bundle, name="tracked", alias="challenger", run=run)
    assert logged == run
    assert version is not None
    found = MlflowClient(mlflow.url()).get_run(run)
    assert (found.info.status, found.data.params["epochs"]) == ("FINISHED", "2")
    assert (found.data.metrics["loss"], found.data.metrics["test_overkill_percent"]) == (0.5, 1.5)
    assert found.data.metrics["threshold.value"] == pytest.approx(taught.threshold)
    assert found.data.tags["bundle_digest"] == found.data.tags["okng.bundle_sha256"] == taught.digest
    came = registry.fetch(registry.by_alias("tracked", "challenger"), tmp_path / "got")
    assert json.loads((came / INSIDE / "report.json").read_bytes()) == json.loads(report.read_bytes())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--register", "plates"), "expected --track"),
        (("--track", "{}", "--alias", "challenger"), "expected --register"),
        (("--track", "{}/nothing"), "no such folder"),
        (("--track", "{}", "--register", "Plates"), "expected small letters"),
        (("--dataset", "{}/none.json", "--track", "{}"), "cannot be read"),
    ],
)
def test_what_cannot_be_told_is_said_before_the_work_is_done(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    asked = [word.format(tmp_path) for word in words]
    goods = [] if "--dataset" in words else [str(tmp_path)]
    done = CliRunner().invoke(cli, ["teach", *goods, "--out", str(tmp_path / "out"), *asked])
    assert why in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_data_set_takes_no_goods_beside_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["teach", str(tmp_path), "--dataset", "x.json", "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, BadSettings)
    assert "expected no GOODS beside it" in str(done.exception)
