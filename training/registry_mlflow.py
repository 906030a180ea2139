"""MLflow as a registry: its tracking server keeps runs, files, versions and aliases. Needs the extra `track`.

A run's files lie under `model/` of its artifacts. Only the client is used here (`mlflow-skinny`); how its server is
run (3.17.2 or newer, a database, no jobs) says docs/datasets.md.
"""

import contextlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..bus.errors import BadSettings, StoreLost
from .registry import CONTENT, BadRegistry, Entry, Version, aliased, content_digest, named, require_content

EXPERIMENT = "okng"
FILES = "model"
_MOST_PARAMS = 100
_MISSING = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "ENDPOINT_NOT_FOUND"}
_LONGEST = 500
"""Characters of a parameter that MLflow keeps of old servers too."""


class MlflowRegistry:
    """See `Registry`."""

    def __init__(self, url: str) -> None:
        """Nothing is asked of the server yet. BadSettings: the client is not installed."""
        if importlib.util.find_spec("mlflow") is None:
            raise BadSettings("mlflow is not installed: pip install 'okng[track]'")
        # What is made here is nobody's business elsewhere.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        from mlflow.tracking import MlflowClient

        self._url = url
        self._client: Any = MlflowClient(tracking_uri=url, registry_uri=url)

    def log(self, entry: Entry) -> str:
        """See `Registry`."""
        from mlflow.entities import Metric, Param, RunTag

        tags = {**entry.tags, CONTENT: content_digest(entry.folder)}
        with self._asking(f"run {entry.title}"):
            run = entry.run or self._new_run(entry.title)
            if self._client.list_artifacts(run, FILES):
                raise BadRegistry(f"run {run}: holds files already, and what is logged is never changed")
            params = [Param(key, str(value)[:_LONGEST]) for key, value in entry.params.items()]
            for at in range(0, len(params), _MOST_PARAMS):
                self._client.log_batch(run, params=params[at : at + _MOST_PARAMS])
            now = self._client.get_run(run).info.start_time
            metrics = [Metric(key, float(value), now, 0) for key, value in entry.metrics.items()]
            self._client.log_batch(run, metrics=metrics)
            self._client.log_artifacts(run, str(entry.folder), FILES)
            # Last, so that a run whose files did not all arrive has no tag that speaks of them.
            self._client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])
            self._client.set_terminated(run, "FINISHED")
        return str(run)

    def register(self, name: str, run: str) -> Version:
        """See `Registry`."""
        named(name)
        with self._asking(f"{name}: run {run}"):
            found = self._client.get_run(run)
            tags = dict(found.data.tags)
            if CONTENT not in tags:
                raise BadRegistry(f"run {run}: has no tag {CONTENT}: its files were not logged whole")
            self._make(name)
            kept = {key: value for key, value in tags.items() if key.startswith("okng.")}
            made = self._client.create_model_version(
                name, f"{found.info.artifact_uri}/{FILES}", run, tags=kept, await_creation_for=0
            )
        return _version(made)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """See `Registry`."""
        with self._asking(f"{named(name)} {version}"):
            self._client.get_model_version(name, str(version))
            self._client.set_registered_model_alias(name, aliased(alias), str(version))

    def by_alias(self, name: str, alias: str) -> Version:
        """See `Registry`."""
        with self._asking(f"{named(name)}: no version is called {aliased(alias)}"):
            found = self._client.get_model_version_by_alias(name, alias)
            # Its own answer leaves the aliases out.
            return _version(self._client.get_model_version(name, found.version))

    def fetch(self, version: Version, to: Path) -> Path:
        """See `Registry`."""
        if to.exists():
            raise BadSettings(f"{to}: is there already: expected a folder to make")
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{to.name}.", dir=to.parent) as aside:
            with self._asking(f"{version.name} {version.version}"):
                self._client.download_artifacts(version.run, FILES, aside)
            found = Path(aside) / FILES
            require_content(version, found)
            shutil.move(found, to)
        return to

    def _new_run(self, title: str) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else self._client.create_experiment(EXPERIMENT)
        return str(self._client.create_run(experiment, run_name=title).info.run_id)

    def _make(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Tell what is not there from a server that does not answer."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            said = str(error).partition("\n")[0][:300]
            if error.error_code in _MISSING:
                raise BadRegistry(f"{what}: {self._url}: {said}") from error
            raise StoreLost(f"{what}: {self._url}: {said}") from error
        except OSError as error:  # requests' own errors are of this kind too
            raise StoreLost(f"{what}: {self._url}: {str(error)[:300]}") from error


def _version(said: Any) -> Version:
    aliases = tuple(sorted(str(alias) for alias in said.aliases or ()))
    return Version(str(said.name), int(said.version), str(said.run_id), dict(said.tags or {}), aliases)
