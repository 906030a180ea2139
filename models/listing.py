"""The files of a bundle: plain, complete, nothing added, each of the length and digest that the manifest says."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..bus.errors import BadBundle
from .manifest import MANIFEST, MOST_BYTES, SIGNATURE, Manifest

_CHUNK_BYTES = 1 << 20


def check_files(folder: Path, manifest: Manifest) -> None:
    """Read every file of a bundle once. BadBundle: one is missing, damaged, added, a link or too large."""
    check_listing(folder, manifest)
    for name, entry in manifest.files.items():
        check_streamed(folder / name, entry.sha256, entry.size)


def check_listing(folder: Path, manifest: Manifest) -> None:
    """Raise BadBundle where a folder holds a link, a device, or a file that the manifest does not name."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise BadBundle(f"{path}: a link or device: expected plain files")
        if path.is_file() and name not in manifest.files and name not in (MANIFEST, SIGNATURE):
            raise BadBundle(f"{path}: not in the manifest")


def verified(path: Path, sha256: str, size: int) -> bytes:
    """Bytes of one file, read once. The size is checked before anything is read. BadBundle."""
    with _opened(path, size) as file:
        data = file.read(size + 1)
    _check_digest(path, hashlib.sha256(data), sha256)
    return data


def check_streamed(path: Path, sha256: str, size: int) -> None:
    """The same check of a file whose bytes nobody needs now: piece by piece, so that a large one costs no memory.

    BadBundle: it is another file than the manifest says.
    """
    found = hashlib.sha256()
    with _opened(path, size) as file:
        while piece := file.read(_CHUNK_BYTES):
            found.update(piece)
    _check_digest(path, found, sha256)


@contextmanager
def _opened(path: Path, size: int) -> Iterator[BinaryIO]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(file.fileno()).st_size
            if found != size or found > MOST_BYTES:
                raise BadBundle(f"{path}: {found} bytes: the manifest says {size}")
            yield file
    except OSError as error:
        raise BadBundle(f"{path}: cannot be read: {error.strerror}") from error


def _check_digest(path: Path, found: "hashlib._Hash", sha256: str) -> None:
    if found.hexdigest() != sha256:
        raise BadBundle(f"{path}: damaged: sha256 {found.hexdigest()}: the manifest says {sha256}")
