"""Where a channel is published: numbered files that never change, and one that changes by compare-and-swap.

channel/metadata/timestamp.json   the only file that changes
channel/metadata/<n>.<role>.json  channel/targets/**   bundles/<sha256>/<path>
"""

import fcntl
import os
import secrets
from pathlib import Path
from typing import Any, Protocol

from ..bus.errors import StoreLost
from ..bus.outside import read_bounded
from ..records.durable import make_folder, sync_folder, write_synced
from .stores import check_key

MOST_BYTES = 16 << 20
"""Largest file of metadata, and largest target."""


class Shelf(Protocol):
    """What publishing needs of a place. All raise StoreLost (try again) or BadStore (a person has to act)."""

    def read(self, key: str) -> bytes | None:
        """The bytes of a small file; None: not there."""
        ...

    def add(self, key: str, data: bytes) -> bool:
        """Write a file that is not there yet, whole. True: it is there with these bytes; False: with others."""
        ...

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """Write over a file if it holds `old` (None: is not there), whole; return whether it was written."""
        ...


def metadata_key(role: str, version: int | None = None) -> str:
    """Key of a role's metadata. version None: of the timestamp, which has no number in its name."""
    return f"channel/metadata/{role}.json" if version is None else f"channel/metadata/{version}.{role}.json"


def target_key(target: Any) -> str:
    """Key of a target's bytes: its digest goes before the file's name (TUF, consistent snapshots)."""
    folder, slash, name = target.path.rpartition("/")
    return f"channel/targets/{folder}{slash}{target.hashes['sha256']}.{name}"


class FolderShelf:
    """A folder, of which several processes of one machine may be writers."""

    def __init__(self, root: Path) -> None:
        """root: must exist."""
        self._root = root

    def read(self, key: str) -> bytes | None:
        """See `Shelf`."""
        path = self._path(key)
        try:
            return read_bounded(path, MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreLost(f"{path}: {error.strerror or error}") from error

    def add(self, key: str, data: bytes) -> bool:
        """See `Shelf`."""
        path = self._path(key)
        try:
            new = self._written(path, data)
            try:
                os.link(new, path)
            except FileExistsError:
                return read_bounded(path, MOST_BYTES) == data
            finally:
                new.unlink(missing_ok=True)
            sync_folder(path.parent)
        except OSError as error:
            raise StoreLost(f"{path}: {error.strerror or error}") from error
        return True

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """See `Shelf`."""
        path = self._path(key)
        try:
            with (self._root / ".lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self.read(key) != old:
                    return False
                self._written(path, new).rename(path)
                sync_folder(path.parent)
        except OSError as error:
            raise StoreLost(f"{path}: {error.strerror or error}") from error
        return True

    def _path(self, key: str) -> Path:
        if not self._root.is_dir():  # a share that is not mounted must not look like an empty channel
            raise StoreLost(f"{self._root}: is not there")
        return self._root / check_key(key)

    @staticmethod
    def _written(path: Path, data: bytes) -> Path:
        make_folder(path.parent)
        new = path.with_name(f".writing-{secrets.token_hex(6)}")
        write_synced(new, data)
        new.chmod(0o644)
        return new
