"""Where GenTL producers lie: the folders that the GenTL standard's variable names."""

import os
from pathlib import Path

PATH = "GENICAM_GENTL64_PATH"
"""Folders of producers, as the GenTL standard has it."""


def producers_in_path() -> list[Path]:
    """Every `.cti` in the folders of GENICAM_GENTL64_PATH, sorted."""
    folders = [Path(part) for part in os.environ.get(PATH, "").split(os.pathsep) if part]
    return sorted(file for folder in folders for file in folder.glob("*.cti"))
