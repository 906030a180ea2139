"""A folder as a store: a share, a USB stick, a test."""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ..bus.errors import StoreLost
from ..records.durable import make_folder, sync_folder
from .stores import CHUNK, BadObject, BadStore, Head, check_key, file_sha256

_SCRATCH = ".writing-"
"""Start of the names under which files are written; never a key."""


class FolderStore:
    """Keys are paths under one folder, which must exist. A file appears whole and synced, or not at all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_if_absent(self, key: str, source: Path | bytes, sha256: str) -> bool:
        """See `BlobStore`."""
        final = self._root / check_key(key)
        with _translated(final):
            self._mounted()
            if final.exists():
                return self._same(final, key, sha256)
            make_folder(final.parent)
            scratch = final.with_name(f"{_SCRATCH}{secrets.token_hex(6)}")
            try:
                if _write(scratch, source) != sha256:
                    raise BadObject(f"{key}: what was to be written does not hash to {sha256}")
                try:
                    os.link(scratch, final)  # unlike rename it never replaces what another box has put there
                except FileExistsError:
                    return self._same(final, key, sha256)
                except PermissionError:  # no hard links here (FAT): the check above has to do
                    scratch.rename(final)
            finally:
                with contextlib.suppress(OSError):
                    scratch.unlink(missing_ok=True)
            sync_folder(final.parent)
            return True

    def replace(self, key: str, data: bytes) -> None:
        """See `BlobStore`."""
        final = self._root / check_key(key)
        with _translated(final):
            self._mounted()
            make_folder(final.parent)
            scratch = final.with_name(f"{_SCRATCH}{secrets.token_hex(6)}")
            try:
                _write(scratch, data)
                scratch.rename(final)
            finally:
                with contextlib.suppress(OSError):
                    scratch.unlink(missing_ok=True)
            sync_folder(final.parent)

    def head(self, key: str) -> Head | None:
        """See `BlobStore`."""
        path = self._root / check_key(key)
        with _translated(path):
            self._mounted()
            return Head(path.stat().st_size, file_sha256(path)) if path.is_file() else None

    def read_from(self, key: str, start: int) -> Iterator[bytes]:
        """See `BlobStore`."""
        path = self._root / check_key(key)
        with _translated(path):
            self._mounted()
            try:
                handle = path.open("rb")
            except FileNotFoundError as error:
                raise BadObject(f"{key}: not in {self._root}") from error
            with handle:
                handle.seek(start)
                while chunk := handle.read(CHUNK):
                    yield chunk

    def keys(self, prefix: str) -> list[str]:
        """See `BlobStore`."""
        folder = self._root / prefix.rpartition("/")[0]
        with _translated(folder):
            self._mounted()
            found = (path.relative_to(self._root).as_posix() for path in folder.rglob("*") if path.is_file())
            return sorted(key for key in found if key.startswith(prefix) and _SCRATCH not in key)

    def _mounted(self) -> None:
        """A share that is not mounted must not look like an empty store."""
        if not self._root.is_dir():
            raise FileNotFoundError(f"{self._root} is not there")

    def _same(self, final: Path, key: str, sha256: str) -> bool:
        found = file_sha256(final)
        if found != sha256:
            raise BadObject(f"{key}: another object is there already: {found}, not {sha256}")
        return False


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (PermissionError, NotADirectoryError, IsADirectoryError) as error:
        raise BadStore(f"{path}: {error.strerror}") from error
    except OSError as error:
        raise StoreLost(f"{path}: {error.strerror or error}") from error


def _write(scratch: Path, source: Path | bytes) -> str:
    """Write and sync a scratch file; return the digest of what was written."""
    hashed = hashlib.sha256()
    with scratch.open("xb") as out:
        if isinstance(source, bytes):
            hashed.update(source)
            out.write(source)
        else:
            with source.open("rb") as handle:
                while chunk := handle.read(CHUNK):
                    hashed.update(chunk)
                    out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return hashed.hexdigest()
