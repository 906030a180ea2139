"""Bring one object onto the disk: resumed where a cut left it, checked by its digest, and never visible half."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ..bus.errors import StoreLost
from ..records.durable import make_folder, sync_folder
from .stores import CHUNK, BadObject, file_sha256

ENDING = ".partial"


class Readable(Protocol):
    """What is needed of a store here. See `BlobStore`."""

    def read_from(self, key: str, start: int) -> Iterator[bytes]:
        """Yield the bytes of a key from an offset on."""
        ...


def fetch(blobs: Readable, key: str, to: Path, sha256: str, size: int) -> None:
    """Put the object of that key at `to`, synced. A file that is there and right is left alone.

    What was fetched before a cut is kept beside it (`.partial`) and continued. StoreLost: cut again, call again.
    BadObject: the store's bytes are not those of the digest, even when fetched afresh.
    """
    try:
        if to.is_file() and file_sha256(to) == sha256:
            return
        make_folder(to.parent)
        partial = to.with_name(to.name + ENDING)
        resumed = _resume_at(partial, size)
        found = _append(blobs, key, partial, resumed, size)
        if found != sha256 and resumed:
            found = _append(blobs, key, partial, 0, size)
        if found != sha256:
            partial.unlink()
            raise BadObject(f"{key}: hashes to {found}, expected {sha256}")
        partial.rename(to)
        sync_folder(to.parent)
    except OSError as error:
        raise StoreLost(f"{to}: {error}") from error


def _resume_at(partial: Path, size: int) -> int:
    have = partial.stat().st_size if partial.is_file() else 0
    return have if have <= size else 0


def _append(blobs: Readable, key: str, partial: Path, start: int, size: int) -> str:
    """Fetch from start on; return the digest of the whole. BadObject: more bytes than there should be."""
    hashed = hashlib.sha256()
    with partial.open("r+b" if start else "wb") as out:
        for _ in range(0, start, CHUNK):
            hashed.update(out.read(min(CHUNK, start - out.tell())))
        out.truncate()
        if start < size or size == 0:
            for chunk in blobs.read_from(key, start):
                if out.tell() + len(chunk) > size:
                    raise BadObject(f"{key}: longer than the {size} bytes it should have")
                hashed.update(chunk)
                out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return hashed.hexdigest()
