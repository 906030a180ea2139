"""Files that are whole or not there: written beside, synced, renamed. A killed workshop leaves no half."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..bus.errors import StoreLost


def put(path: Path, data: bytes) -> None:
    """Write a file whole. StoreLost: the disk does not take it; what was there before stays."""
    waiting = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with waiting.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            waiting.chmod(path.stat().st_mode & 0o777)
        waiting.rename(path)
        sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            waiting.unlink()
        raise StoreLost(f"{path}: cannot be written: {error.strerror or error}") from error


def put_json(path: Path, value: Any) -> None:
    """The same for plain data."""
    put(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode())


def sweep(folder: Path) -> None:
    """Remove what a killed writer left behind. Never raises."""
    for left in folder.rglob(".*.tmp"):
        with suppress(OSError):
            left.unlink()


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, durable. OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
