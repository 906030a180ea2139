"""Bytes that survive a power cut: a file is written, synced, renamed, and its folder synced."""

import os
from pathlib import Path

from ..bus.durable import sync_folder as sync_folder


def write_synced(path: Path, data: bytes) -> None:
    """Write a file and fsync it. OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_synced(path: Path, data: bytes) -> None:
    """Put a file in the place of another, by way of `.new` beside it: a cut leaves one of the two. OSError."""
    new = path.with_name(path.name + ".new")
    write_synced(new, data)
    new.rename(path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, each synced in its own parent. OSError."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        sync_folder(new.parent)
