"""A blob store: keys and bytes. Where they lie (a folder, S3) is a driver's matter, imported on demand.

Objects never change once written, save the few that `replace` writes. Every object is known by the sha256 of its bytes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from ..bus.errors import Refused
from .options import SyncOptions

CHUNK = 1 << 20
"""Bytes read at once."""


class BadStore(Refused):
    """The store turns us away: wrong keys, no such bucket, no right to write."""


class BadObject(Refused):
    """An object is missing, or its bytes are not those its digest says."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a store says of one object."""

    size: int
    """Bytes."""
    sha256: str | None
    """Digest said by the store; None: it knows none. Only bytes that were hashed here are proof."""


class BlobStore(Protocol):
    """What sync needs of a store. All raise StoreLost (try again) or BadStore (a person has to act)."""

    def put_if_absent(self, key: str, source: Path | bytes, sha256: str) -> bool:
        """Write one object whole, unless it is there; return whether it was written.

        BadObject: the source does not hash to sha256, or the object that is there is another one.
        """
        ...

    def replace(self, key: str, data: bytes) -> None:
        """Write a small object, over whatever is there. A reader sees the old or the new one, whole."""
        ...

    def head(self, key: str) -> Head | None:
        """Ask for an object without its bytes; None: not there."""
        ...

    def read_from(self, key: str, start: int) -> Iterator[bytes]:
        """Yield the object's bytes from offset start on. BadObject: not there."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """Keys that begin with prefix, sorted."""
        ...


def check_key(key: str) -> str:
    """Return a key that stays inside its store. ValueError."""
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts or str(path) != key or not key.isprintable() or key in ("", "."):
        raise ValueError(f"key {key!r}: expected a plain relative path")
    return key


def file_sha256(path: Path) -> str:
    """Hex digest of a file. OSError."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_small(blobs: BlobStore, key: str, most: int) -> bytes:
    """Return a small object. BadObject: not there, or above most bytes."""
    data = bytearray()
    for chunk in blobs.read_from(key, 0):
        data += chunk
        if len(data) > most:
            raise BadObject(f"{key}: expected at most {most} bytes")
    return bytes(data)


def open_store(options: SyncOptions) -> BlobStore:
    """Return the store of the settings. BadSettings: no credentials."""
    if options.is_s3:
        from .s3_store import S3Store

        return S3Store(options)
    from .folder_store import FolderStore

    return FolderStore(Path(options.target))
