"""Where models that were made wait to be promoted: a folder, or MLflow. Its word is never enough for a box.

    log (a run: options, figures, the bundle's files) -> register (name, version) -> set_alias
    by_alias -> fetch -> `promote.py` checks everything anew -> a person signs

One contract holds for all registries (`tests/training/test_registry.py`). Boxes never speak to one.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..bus.errors import BadBundle, BadSettings, Refused

CONTENT = "okng.content_sha256"
"""Tag: `content_digest` of what was logged. It finds what was damaged or exchanged on the way, not who did it."""
BUNDLE = "okng.bundle_sha256"
DATASET = "okng.dataset_sha256"
COMMIT = "okng.commit"
SBOM = "okng.sbom_sha256"
CHAMPION, CHALLENGER = "champion", "challenger"
MOST_FILES = 2000
MOST_BYTES = 4 << 30
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,29}")


class BadRegistry(Refused):
    """A model, version or alias is not there, or what the registry holds is not what it says."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is told of one model that was made."""

    title: str
    """Of the run, for people."""
    folder: Path
    """Its files go to the registry, byte for byte: a bundle, and `sbom.cdx.json` beside it."""
    params: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Finite figures."""
    tags: Mapping[str, str] = field(default_factory=dict)
    run: str = ""
    """A run that is there already and gets the files; empty: a new one."""


@dataclass(frozen=True, slots=True)
class Version:
    """One registered model."""

    name: str
    version: int
    """1, 2, 3 ... of that name."""
    run: str
    tags: Mapping[str, str]
    """Of the run, as they were when it was registered or are now."""
    aliases: tuple[str, ...] = ()
    """Sorted."""


class Registry(Protocol):
    """All raise StoreLost (try again) and BadRegistry (it is not there, or not as said)."""

    def log(self, entry: Entry) -> str:
        """Keep a run and return its name. Its files get the tag CONTENT. BadBundle: links, or too much."""
        ...

    def register(self, name: str, run: str) -> Version:
        """Make a run's files the next version of a model."""
        ...

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Let an alias stand for a version; it stands for no other one any more."""
        ...

    def by_alias(self, name: str, alias: str) -> Version:
        """Return the version an alias stands for."""
        ...

    def fetch(self, version: Version, to: Path) -> Path:
        """Bring a version's files into the folder `to`, which must not exist; return it. Nothing half stays there.

        BadRegistry: they are not what the version's tag says.
        """
        ...


def open_registry(url: str) -> Registry:
    """Return the registry at an address: `https://...` or `http://...` is MLflow (extra track), all else a folder.

    BadSettings: no such folder, or MLflow's client is not installed.
    """
    if url.startswith(("http://", "https://")):
        from .registry_mlflow import MlflowRegistry

        return MlflowRegistry(url)
    if "://" in url and not url.startswith("file://"):
        raise BadSettings(f"registry {url}: expected a folder, or the http(s) address of an MLflow server")
    from .registry_folder import FolderRegistry

    return FolderRegistry(Path(url.removeprefix("file://")))


def named(name: str) -> str:
    """Return a model's name. BadSettings: it is none."""
    if not _NAME.fullmatch(name):
        raise BadSettings(f"model {name!r}: expected small letters, digits, - and _, 1 to 48 of them")
    return name


def aliased(alias: str) -> str:
    """Return an alias. BadSettings: it is none."""
    if not _ALIAS.fullmatch(alias):
        raise BadSettings(f"alias {alias!r}: expected a small letter, then small letters, digits, - and _, at most 30")
    return alias


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield path inside and file, sorted. BadBundle: no folder, a link or device, or more than a model has."""
    if not folder.is_dir():
        raise BadBundle(f"{folder}: no such folder")
    count = total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise BadBundle(f"{path}: a link or device: expected plain files")
        if path.is_file():
            count, total = count + 1, total + path.stat().st_size
            if count > MOST_FILES or total > MOST_BYTES:
                raise BadBundle(f"{folder}: more than {MOST_FILES} files or {MOST_BYTES} bytes")
            yield path.relative_to(folder).as_posix(), path


def content_digest(folder: Path) -> str:
    """Return one digest over names and contents of all files in a folder, 64 hex digits. BadBundle, OSError."""
    whole = hashlib.sha256()
    for name, path in files_of(folder):
        with path.open("rb") as file:
            whole.update(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n".encode())
    return whole.hexdigest()


def require_content(version: Version, folder: Path) -> None:
    """Raise BadRegistry where the files in a folder are not those that the version's tag speaks of."""
    said = version.tags.get(CONTENT, "")
    found = content_digest(folder)
    if found != said:
        raise BadRegistry(
            f"{version.name} {version.version}: files hash to {found[:16]}, "
            f"its tag {CONTENT} says {said[:16] or 'nothing'}"
        )
