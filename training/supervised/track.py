"""A training told to MLflow: options, figures of every epoch, the report, the digest of the bundle.

Needs the extra `track`. MLflow is a notebook beside the training: where it stops answering the training goes on.
"""

import importlib.util
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...bus.errors import BadSettings, StoreLost

_LOG = logging.getLogger(__name__)
EXPERIMENT = "okng"


class Tracker:
    """One run in MLflow. Closing it twice does nothing."""

    def __init__(self, uri: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Begin a run.

        uri: of the tracking server or a database (`https://...`, `sqlite:///runs.db`). BadSettings: MLflow is not
        installed, or cannot use the address. StoreLost: the server does not answer.
        """
        if importlib.util.find_spec("mlflow") is None:
            raise BadSettings("mlflow is not installed: pip install 'okng[track]'")
        # What is trained here is nobody's business elsewhere.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        self._errors: tuple[type[Exception], ...] = (MlflowException, OSError)
        self._lost = False
        try:
            self._client = MlflowClient(uri)
            found = self._client.get_experiment_by_name(EXPERIMENT)
            experiment = found.experiment_id if found else self._client.create_experiment(EXPERIMENT, _artifacts(uri))
            self._run = self._client.create_run(experiment, run_name=name, tags=dict(tags)).info.run_id
            for key, value in params.items():
                self._client.log_param(self._run, key, value)
        except self._errors as error:
            said = str(error).splitlines()[0][:300]
            if "://" in uri and uri.startswith("http"):
                raise StoreLost(f"--track {uri}: {said}") from error
            raise BadSettings(f"--track {uri}: {said}") from error

    @property
    def run(self) -> str:
        """MLflow's name of the run."""
        return str(self._run)

    def epoch(self, row: Mapping[str, float]) -> None:
        """Tell the figures of one epoch."""
        step = int(row["epoch"])
        for key, value in row.items():
            if key != "epoch":
                self._tell(lambda key=key, value=value: self._client.log_metric(self._run, key, value, step=step))

    def finished(self, report: Path, digest: str, figures: Mapping[str, float]) -> None:
        """Tell the report, the bundle's digest and its figures on test pictures, and end the run."""
        self._tell(lambda: self._client.log_artifact(self._run, str(report)))
        self._tell(lambda: self._client.set_tag(self._run, "bundle_digest", digest))
        for key, value in figures.items():
            self._tell(lambda key=key, value=value: self._client.log_metric(self._run, key, value))
        self.close("FINISHED")

    def close(self, status: str = "FAILED") -> None:
        """End the run, where it has not ended yet."""
        if self._run:
            self._tell(lambda: self._client.set_terminated(self._run, status))
            self._run = ""

    def _tell(self, call: Any) -> None:
        if self._lost:
            return
        try:
            call()
        except self._errors as error:
            self._lost = True  # said once; a server that is gone must not slow down every epoch
            _LOG.warning("MLflow does not answer any more, the training goes on without it: %s", error)


def _artifacts(uri: str) -> str | None:
    """Where files of runs go: beside a database file, not in whatever folder this is; None: as the server says."""
    if not uri.startswith("sqlite:///"):
        return None
    return (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlartifacts").as_uri()
