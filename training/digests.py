"""Digests of picture files."""

import hashlib
from pathlib import Path

from ..bus.errors import BadPicture


def digest_of(path: Path) -> str:
    """Return the sha256 of a file, 64 hex digits. BadPicture: it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BadPicture(f"{path}: cannot be read: {error.strerror}") from error
