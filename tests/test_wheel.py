"""What is installed on a box is whole: a wheel of this tree works away from it, templates and units included."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package, made from a copy so that nothing is left in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    names = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(names, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if name.startswith(("tests/", "docs/", "bench/", "requirements/")) or not (ROOT / name).is_file():
            continue
        copy = folder / "source" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "-w", str(folder), str(folder / "source")], check=True)
    (wheel,) = folder.glob("okng-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_every_file_of_a_room_is_in_the_wheel(installed: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    outside = ("tests/", "docs/", "bench/", "requirements/", "scripts/", "packaging/", ".ci/")
    wanted = {
        name
        for name in filter(None, listed.split("\0"))
        if "/" in name and not name.startswith(outside) and not name.endswith(("README.md", ".pot"))
    }
    shipped = {str(f.relative_to(installed / "okng")) for f in (installed / "okng").rglob("*") if f.is_file()}
    assert wanted - shipped == set()


def test_the_installed_package_opens_its_doors(installed: Path, tmp_path: Path) -> None:
    """Away from the tree, the copy in the wheel is the one that runs."""
    code = (
        "import okng, pathlib, sys\n"
        "from okng.__main__ import cli\n"
        f"assert pathlib.Path(okng.__file__).is_relative_to({str(installed)!r}), okng.__file__\n"
        "cli(['--help'], prog_name='okng')\n"
    )
    path = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Usage: okng" in done.stdout
    assert (installed / "okng" / "systemd" / "okng-io.service").is_file()
    assert (installed / "okng" / "py.typed").is_file()
