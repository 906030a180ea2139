"""A file in memory for parsers that read files."""

import os
import shutil
import tempfile
from pathlib import Path

_FOLDER = Path(os.environ.get("OKNG_FUZZ", "") or tempfile.mkdtemp(prefix="okng-fuzz-"))
"""The harness gives it, and puts it away when the fuzzer has ended."""


def file_of(name: str, data: bytes) -> Path:
    """The same path each time, with other bytes."""
    path = _FOLDER / name
    path.write_bytes(data)
    return path


def empty_folder(name: str) -> Path:
    """A folder with nothing in it."""
    path = _FOLDER / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    return path


def said_of(name: str, error: Exception) -> None:
    """A refusal names what it is of."""
    assert name in str(error)
