import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def maker() -> ModuleType:
    """tests/records/maker.py: makes entries, verdicts, frames."""
    spec = importlib.util.spec_from_file_location("records_maker", Path(__file__).with_name("maker.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["records_maker"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A run folder with a short name: a socket's path holds 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="okr", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB of its own."""
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", mount], capture_output=True, check=False)
    if made.returncode:
        missing(f"needs root to mount a small file system: {made.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


def missing(reason: str) -> None:
    """Skip at a desk, fail where all must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
