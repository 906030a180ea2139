"""The wheelhouse is whole: with the network cut a fresh environment is made from it, every digest checked.

`make test-deb` names it in OKNG_WHEELHOUSE.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = os.environ.get("OKNG_WHEELHOUSE", "")
pytestmark = [
    pytest.mark.deb,
    pytest.mark.needs_root,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not HOUSE, reason="no wheelhouse: make test-deb"),
]


def cut_off(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with no network at all, by nobody's settings of pip."""
    mine = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PIP_CONFIG_FILE": os.devnull, "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        ["unshare", "--net", *command], cwd=folder, env=mine, check=False, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing in it but pip."""
    folder = tmp_path_factory.mktemp("offline")
    base = Path(sys.base_prefix) / "bin" / "python3.11"
    subprocess.run([str(base), "-m", "venv", str(folder / "venv")], check=True)
    return folder


def install(fresh: Path, house: Path, list_: Path) -> subprocess.CompletedProcess[str]:
    pip = (str(fresh / "venv/bin/python"), "-m", "pip", "install", "-q", "--no-index")
    return cut_off(*pip, "--find-links", str(house / "wheels"), "--require-hashes", "-r", str(list_), folder=fresh)


def test_a_wheel_that_was_changed_is_refused(fresh: Path, tmp_path: Path) -> None:
    """Before the real installation: whatever was installed would be left alone."""
    house = Path(HOUSE).resolve()
    (tmp_path / "wheels").mkdir()
    for wheel in (house / "wheels").iterdir():
        (tmp_path / "wheels" / wheel.name).symlink_to(wheel)
    (victim,) = (tmp_path / "wheels").glob("click-*.whl")
    data = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(data + b"\0")
    done = install(fresh, tmp_path, house / "requirements.txt")
    assert done.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stdout + done.stderr


def test_it_installs_with_the_network_cut(fresh: Path) -> None:
    house = Path(HOUSE).resolve()
    done = install(fresh, house, house / "requirements.txt")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    said = cut_off(str(fresh / "venv/bin/okng"), "--version", folder=fresh)
    assert said.stdout.startswith("okng, version "), said.stderr
    checked = cut_off(str(fresh / "venv/bin/python"), "-m", "pip", "check", folder=fresh)
    assert checked.returncode == 0, checked.stdout


def test_the_sums_are_those_of_the_files() -> None:
    if shutil.which("sha256sum") is None:  # pragma: no cover
        pytest.skip("no sha256sum")
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=HOUSE, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stdout
