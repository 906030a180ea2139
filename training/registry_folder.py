"""A folder as a registry, for plants without MLflow: a share, a USB stick, a test.

    runs/<run>/run.json  files/...     <name>/<version>/version.json  files/...     <name>/aliases.json

Versions appear whole or not at all, by a rename; an alias changes by a rename under a lock.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..bus.clock import utc_now
from ..bus.durable import sync_folder
from ..bus.errors import BadSettings, StoreLost
from ..bus.outside import parsed_json, read_bounded
from .registry import (
    CONTENT,
    BadRegistry,
    Entry,
    Version,
    aliased,
    content_digest,
    files_of,
    named,
    require_content,
)

_RUNS, _FILES, _RUN, _VERSION, _ALIASES = "runs", "files", "run.json", "version.json", "aliases.json"
_TRIES = 100


class FolderRegistry:
    """See `Registry`."""

    def __init__(self, root: Path) -> None:
        """root: must exist, so that a share that is not mounted is no empty registry. BadSettings."""
        if not root.is_dir():
            raise BadSettings(f"registry {root}: no such folder")
        self._root = root

    def log(self, entry: Entry) -> str:
        """See `Registry`."""
        run = entry.run or secrets.token_hex(16)
        target = self._root / _RUNS / _plain(run)
        with _disk(target):
            known = self._said(target / _RUN) if entry.run else {}
            if (target / _FILES).exists():
                raise BadRegistry(f"run {run}: holds files already, and what is logged is never changed")
            staging = self._staging()
            try:
                _copy(entry.folder, staging / _FILES)
                tags = {**known.get("tags", {}), **entry.tags, CONTENT: content_digest(staging / _FILES)}
                said = {
                    "title": entry.title,
                    "at": utc_now(),
                    "params": {**known.get("params", {}), **entry.params},
                    "metrics": {**known.get("metrics", {}), **entry.metrics},
                    "tags": tags,
                }
                _write(staging / _RUN, said)
                target.parent.mkdir(exist_ok=True)
                if entry.run:
                    shutil.rmtree(target, ignore_errors=True)
                staging.rename(target)
                sync_folder(target.parent)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return run

    def register(self, name: str, run: str) -> Version:
        """See `Registry`."""
        source = self._root / _RUNS / _plain(run)
        model = self._root / named(name)
        if name == _RUNS:
            raise BadSettings(f"model {name!r}: is the folder of the runs: expected another name")
        with _disk(model):
            said = self._said(source / _RUN)
            model.mkdir(exist_ok=True)
            staging = self._staging()
            try:
                _copy(source / _FILES, staging / _FILES)
                _write(staging / _VERSION, {"run": run, "at": utc_now(), "tags": said["tags"]})
                for _ in range(_TRIES):
                    number = max(self._numbers(model), default=0) + 1
                    with contextlib.suppress(FileExistsError, OSError):
                        if not (model / str(number)).exists():
                            staging.rename(model / str(number))
                            sync_folder(model)
                            return self._version(name, number)
                raise StoreLost(f"{model}: others register at the same time: try again")
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """See `Registry`."""
        model = self._root / named(name)
        self._version(name, version)
        with _disk(model), self._locked(model):
            aliases = self._aliases(name)
            aliases[aliased(alias)] = version
            waiting = model / f".{_ALIASES}.new"
            _write(waiting, aliases)
            waiting.rename(model / _ALIASES)
            sync_folder(model)

    def by_alias(self, name: str, alias: str) -> Version:
        """See `Registry`."""
        number = self._aliases(named(name)).get(aliased(alias))
        if number is None:
            raise BadRegistry(f"{name}: no version is called {alias}: expected `okng registry alias` first")
        return self._version(name, number)

    def fetch(self, version: Version, to: Path) -> Path:
        """See `Registry`."""
        source = self._root / named(version.name) / str(version.version) / _FILES
        if to.exists():
            raise BadSettings(f"{to}: is there already: expected a folder to make")
        waiting = to.with_name(f".{to.name}.{secrets.token_hex(4)}")
        with _disk(source):
            try:
                _copy(source, waiting)
                require_content(version, waiting)
                waiting.rename(to)
            finally:
                shutil.rmtree(waiting, ignore_errors=True)
        return to

    def _staging(self) -> Path:
        staging = self._root / f".new-{secrets.token_hex(8)}"
        staging.mkdir()
        return staging

    def _numbers(self, model: Path) -> list[int]:
        return [int(path.name) for path in model.iterdir() if path.name.isdecimal()]

    def _aliases(self, name: str) -> dict[str, int]:
        path = self._root / name / _ALIASES
        if not path.exists():
            return {}
        said = self._said(path)
        if not all(isinstance(number, int) for number in said.values()):
            raise BadRegistry(f"{path}: expected version numbers by alias")
        return said

    def _version(self, name: str, number: int) -> Version:
        said = self._said(self._root / name / str(number) / _VERSION)
        aliases = sorted(alias for alias, at in self._aliases(name).items() if at == number)
        tags = {str(key): str(value) for key, value in said.get("tags", {}).items()}
        return Version(name, number, str(said.get("run", "")), tags, tuple(aliases))

    def _said(self, path: Path) -> dict[str, Any]:
        try:
            said = parsed_json(read_bounded(path))
        except FileNotFoundError as error:
            raise BadRegistry(f"{path.parent.relative_to(self._root)}: not in the registry {self._root}") from error
        except (OSError, ValueError) as error:
            raise BadRegistry(f"{path}: cannot be read: {error}") from error
        if not isinstance(said, dict):
            raise BadRegistry(f"{path}: expected an object")
        return said

    @contextlib.contextmanager
    def _locked(self, model: Path) -> Iterator[None]:
        with (model / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _plain(run: str) -> str:
    if not run.isalnum():
        raise BadRegistry(f"run {run!r}: expected letters and digits")
    return run


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for name, path in files_of(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / name)
        handle = os.open(target / name, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write(path: Path, said: object) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(said, file, indent=1, sort_keys=True, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _disk(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreLost(f"{place}: {error.strerror or error}") from error
