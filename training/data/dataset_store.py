"""Versions of data sets, and every picture of them once, by its content: a folder, and an S3 bucket behind it.

    <store>/sha256/<hex>      pictures and masks, byte for byte
    <store>/<name>@<n>.json   version n of a set: a manifest (`manifest.py`), which all of training reads as it is

What is there is never changed: another label, side or picture makes another version. With a bucket the folder is its
cache: what is missing is brought, and every byte is hashed before it is used.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from ...bus.clock import utc_now
from ...bus.errors import BadData, BadSettings, Refused, StoreLost
from .dataset import Dataset, LeftOut, Sample
from .intake import Progress
from .manifest import Named, SampleEntry, changed_files, named_in, read_manifest, write_manifest
from .shapes import MaskFile

BLOBS = "sha256"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_FILE = re.compile(r"([a-z0-9][a-z0-9_-]{0,47})@([1-9][0-9]{0,5})\.json")
_TRIES = 20
_THREADS = 8
Work = TypeVar("Work")
Done = TypeVar("Done")


class Blobs(Protocol):
    """The bucket, as `fleet.stores` has it. All raise StoreLost (try again) or Refused (a person has to act)."""

    def put_if_absent(self, key: str, source: Path | bytes, sha256: str) -> bool:
        """Write an object unless it is there."""
        ...

    def read_from(self, key: str, start: int) -> Iterator[bytes]:
        """Yield an object's bytes."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """Keys that begin with prefix."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A version."""

    name: str
    """`plates@3`."""
    digest: str
    manifest: Path
    new: bool
    """False: the newest version says just the same, and stays the newest."""
    added: int
    """Pictures and masks that the store did not have."""


class DatasetStore:
    """One store. Several processes may add to it at once."""

    def __init__(self, folder: Path, remote: Blobs | None = None) -> None:
        """folder: is made where it is missing. remote: the bucket it is the cache of; None: there is no more than it.

        BadSettings: it cannot be made.
        """
        try:
            (folder / BLOBS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadSettings(f"{folder}: cannot be made: {error.strerror}") from error
        self._folder, self._remote = folder, remote

    @property
    def folder(self) -> Path:
        """Where it lies on this machine."""
        return self._folder

    def blob(self, sha256: str) -> Path:
        """Return where bytes of that digest lie, or would lie, on this machine."""
        return self._folder / BLOBS / sha256

    def versions(self) -> dict[str, list[int]]:
        """Return the numbers of all versions by name of the set, ascending. StoreLost."""
        names = [path.name for path in self._folder.glob("*@*.json")]
        if self._remote is not None:
            names += [key for key in self._remote.keys("") if "/" not in key]
        found: dict[str, set[int]] = {}
        for name in names:
            if hit := _FILE.fullmatch(name):
                found.setdefault(hit[1], set()).add(int(hit[2]))
        return {name: sorted(numbers) for name, numbers in sorted(found.items())}

    def newest(self, name: str) -> str | None:
        """Return the newest version of a set, `plates@3`; None: there is none. BadSettings, StoreLost."""
        numbers = self.versions().get(_named(name))
        return f"{name}@{numbers[-1]}" if numbers else None

    def add(self, dataset: Dataset, name: str, progress: Progress | None = None) -> Stored:
        """Keep a set as the next version of that name, its pictures and masks first.

        BadData: a picture is no longer what it was when the set was read. BadSettings: no name. StoreLost.
        """
        _named(name)
        files = dict(_files(dataset.samples))
        added = sum(_each(list(files.items()), self._take, progress))
        inside = dataset.with_samples(self._inside(dataset.samples))
        with self._locked():
            for _ in range(_TRIES):
                before = self.newest(name)
                base = named_in(self._manifest(before)).digest if before else None
                number = int(before.rpartition("@")[2]) + 1 if before else 1
                path = self._folder / f"{name}@{number}.json"
                waiting = self._folder / f".{name}.{secrets.token_hex(6)}"
                digest = write_manifest(inside, waiting, Named(f"{name}@{number}", base, utc_now()))
                try:
                    if before and digest == base:
                        return Stored(before, digest, self._manifest(before), new=False, added=added)
                    if self._publish(waiting, path):
                        return Stored(f"{name}@{number}", digest, path, new=True, added=added)
                finally:
                    waiting.unlink(missing_ok=True)
        raise StoreLost(f"{name}: others add versions at the same time: try again")

    def manifest(self, name: str) -> Path:
        """Return a version's manifest, brought where it is not here. Its files may be missing. BadData, StoreLost."""
        return self._manifest(self.resolve(name))

    def open(self, name: str, *, leave_out_broken: bool = False, progress: Progress | None = None) -> Dataset:
        """Return a version, whole: what the cache lacks is brought, and every byte is hashed.

        name: `plates@3`, or `plates` for the newest. BadData: it is not there, or files are missing or changed, all
        named (with leave_out_broken they are left out instead). StoreLost.
        """
        path, broken = self.bring(name, progress)
        if broken and not leave_out_broken:
            lines = "\n".join(f"  {one}" for one in broken[:20])
            raise BadData(f"{name}: {len(broken)} files cannot be used: `okng dataset verify` names all\n{lines}")
        return read_manifest(path, leave_out_broken=leave_out_broken)

    def bring(self, name: str, progress: Progress | None = None) -> tuple[Path, list[LeftOut]]:
        """Bring what the cache lacks; return the version's manifest, and what could not be had. BadData, StoreLost."""
        path = self._manifest(self.resolve(name))
        wanted = sorted({digest for entry in named_in(path).samples for digest in _digests(entry)})
        failed = [one for one in _each(wanted, self._get, progress) if one is not None]
        return path, failed

    def check(self, name: str, progress: Progress | None = None) -> list[LeftOut]:
        """Return every file of a version that is missing or changed, here or in the bucket. BadData, StoreLost."""
        path, missing = self.bring(name, progress)
        gone = {one.file for one in missing}
        return missing + [one for one in changed_files(named_in(path), path, progress) if one.file not in gone]

    def resolve(self, name: str) -> str:
        """Return the version a name stands for: `plates` is its newest. BadData: there is none."""
        stem, at, number = name.partition("@")
        if not at:
            if (found := self.newest(name)) is None:
                raise BadData(f"{self._folder}: no data set {name}: {_known(self.versions())}")
            return found
        if not _FILE.fullmatch(f"{name}.json") or int(number) not in self.versions().get(stem, []):
            raise BadData(f"{self._folder}: no data set {name}: {_known(self.versions())}")
        return name

    def put(self, data: bytes, sha256: str) -> None:
        """Keep bytes of that digest, on this machine alone. BadData: they hash to another one. OSError."""
        if hashlib.sha256(data).hexdigest() != sha256:
            raise BadData(f"{sha256}: what came hashes to {hashlib.sha256(data).hexdigest()}")
        _settle(self.blob(sha256), lambda path: path.write_bytes(data))

    def _inside(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """The samples, with their files in the store."""
        for sample in samples:
            marks = tuple(
                replace(one, shape=replace(one.shape, path=self.blob(one.shape.sha256)))
                if isinstance(one.shape, MaskFile)
                else one
                for one in sample.annotations
            )
            yield replace(sample, picture=self.blob(sample.sha256), annotations=marks)

    def _take(self, file: tuple[str, Path]) -> bool:
        """Copy one file in, and to the bucket; True: it was not there yet."""
        sha256, source = file
        target = self.blob(sha256)
        new = not target.is_file()
        if new:
            _settle(target, lambda path: shutil.copyfile(source, path), sha256)
        if self._remote is not None:
            return self._remote.put_if_absent(f"{BLOBS}/{sha256}", target, sha256)
        return new

    def _get(self, sha256: str) -> LeftOut | None:
        target, name = self.blob(sha256), f"{BLOBS}/{sha256}"
        if target.is_file():
            return None
        if self._remote is None:
            return LeftOut(name, "missing")
        remote = self._remote
        try:
            _settle(target, lambda path: _pour(remote.read_from(name, 0), path), sha256)
        except Refused as error:
            return LeftOut(name, str(error).removeprefix(f"{name}: "))
        return None

    def _manifest(self, name: str) -> Path:
        """The manifest of a version, brought where it is not here."""
        path = self._folder / f"{name}.json"
        if not path.is_file() and self._remote is not None:
            remote = self._remote
            _settle(path, lambda waiting: _pour(remote.read_from(path.name, 0), waiting))
        return path

    def _publish(self, waiting: Path, path: Path) -> bool:
        """Give a manifest its name, in the bucket first; False: another one has it."""
        if self._remote is not None:
            data = waiting.read_bytes()
            try:
                if not self._remote.put_if_absent(path.name, data, hashlib.sha256(data).hexdigest()):
                    return False
            except Refused:
                if path.name in self._remote.keys(path.name):
                    return False
                raise
        try:
            _sync(waiting)
            os.link(waiting, path)
        except FileExistsError:
            return False
        _sync(path.parent)
        return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadSettings(f"data set {name!r}: expected small letters, digits, - and _, 1 to 48 of them")
    return name


def _known(versions: dict[str, list[int]]) -> str:
    known = [f"{name}@{numbers[-1]}" for name, numbers in versions.items()]
    return f"expected one of {', '.join(known)}, or an older one" if known else "none is there"


def _files(samples: Iterable[Sample]) -> Iterator[tuple[str, Path]]:
    for sample in samples:
        yield sample.sha256, sample.picture
        for one in sample.annotations:
            if isinstance(one.shape, MaskFile):
                yield one.shape.sha256, one.shape.path


def _digests(entry: SampleEntry) -> list[str]:
    return [entry.sha256, *(mark.mask.sha256 for mark in entry.marks if mark.mask is not None)]


def _each(work: Sequence[Work], do: Callable[[Work], Done], progress: Progress | None) -> list[Done]:
    """Do all of it, several at once; the first error ends it."""
    done = []
    with ThreadPoolExecutor(_THREADS, "dataset") as pool:
        for at, found in enumerate(pool.map(do, work)):
            done.append(found)
            if progress is not None:
                progress((at + 1) / len(work))
    return done


def _pour(pieces: Iterator[bytes], path: Path) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def _settle(target: Path, write: Callable[[Path], object], sha256: str = "") -> None:
    """Let a file appear whole and synced. BadData: it hashes to another digest. StoreLost: the disk does not let us."""
    waiting = target.with_name(f".{target.name[:16]}.{secrets.token_hex(6)}")
    try:
        write(waiting)
        if sha256:
            with waiting.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                raise BadData(f"{target.parent.name}/{target.name}: changed: sha256 {found[:16]}, was {sha256[:16]}")
        _sync(waiting)
        waiting.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise StoreLost(f"{target}: {error.strerror or error}") from error
    finally:
        waiting.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
