"""The same source and the same wheels give the same bytes, whoever builds and wherever. `make test-deb`."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = os.environ.get("OKNG_WHEELHOUSE", "")
pytestmark = [
    pytest.mark.deb,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not HOUSE, reason="no wheelhouse: make test-deb"),
]


def built(out: Path, work: Path, **more: str) -> dict[str, str]:
    """Digest of each package by name, built with temporary files of its own."""
    work.mkdir()
    env = {**os.environ, "DEB_COMPRESS": "zstd -z1", "TMPDIR": str(work), "SOURCE_DATE_EPOCH": "1790000000", **more}
    subprocess.run(
        [str(ROOT / "packaging/deb.sh"), sys.executable, "cpu", HOUSE, str(out)],
        env=env,
        check=True,
        capture_output=True,
    )
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in out.glob("*.deb")}


def test_two_builds_are_equal(tmp_path: Path) -> None:
    first = built(tmp_path / "a", tmp_path / "short")
    second = built(
        tmp_path / "b", tmp_path / "a-much-longer-name-than-that", TZ="Asia/Shanghai", LANG="C", PYTHONHASHSEED="7"
    )
    assert len(first) == 2
    assert first == second
