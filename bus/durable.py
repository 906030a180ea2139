"""A new name in a folder that survives a power cut."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder durable. OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
