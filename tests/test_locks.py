"""The locks are whole: exact, hashed, one version of a library in all of them, and what setup.cfg asks for."""

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "requirements"
_LINE = ("cpu", "gpu", "sim", "tls", "opcua", "mqtt", "gpio", "report", "export")
EXTRAS = (*_LINE, "fleet", "cloud", "sign", "train", "track", "search", "ray", "fuzz", "test")


def locked(name: str) -> dict[str, str]:
    """Version of each library of one lock, base.txt included where the lock begins with it."""
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    found = locked("base") if "\n-r base.txt\n" in text else {}
    found |= dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))
    return found


def asked() -> dict[str, list[Requirement]]:
    """What setup.cfg wants, by lock."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    wanted = {"base": config["options"]["install_requires"], **{extra: extras[extra] for extra in EXTRAS}}
    return {lock: [Requirement(line) for line in text.split("\n") if line] for lock, text in wanted.items()}


def test_there_is_a_lock_for_every_extra_and_no_other() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    assert set(config["options.extras_require"]) == set(EXTRAS)
    assert {file.stem for file in LOCKS.iterdir()} == {"base", "build", "sbom", "mlflow", "floors", *EXTRAS}


@pytest.mark.parametrize("lock", ["base", *EXTRAS])
def test_a_lock_holds_what_setup_cfg_asks_for(lock: str) -> None:
    versions = locked(lock)
    wanted = asked()
    for requirement in [*wanted["base"], *wanted[lock]]:
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{lock}.txt: {requirement.name} is missing: make lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{lock}.txt: {requirement} is {version}"


@pytest.mark.parametrize("lock", ["base", "build", "sbom", "mlflow", *EXTRAS])
def test_every_line_is_exact_and_hashed(lock: str) -> None:
    lines = (LOCKS / f"{lock}.txt").read_text(encoding="utf-8").splitlines()
    whole = "\n".join(lines).replace("\\\n", "")
    kept = [line for line in whole.splitlines() if line and not line.startswith("#") and line != "-r base.txt"]
    for line in kept:
        assert re.fullmatch(r"[a-z0-9._-]+==\S+( +--hash=sha256:[0-9a-f]{64})+ *", line), line
    assert "://" not in whole


def test_a_library_has_one_version_in_all_locks() -> None:
    seen: dict[str, set[str]] = {}
    for lock in EXTRAS:
        for name, version in locked(lock).items():
            seen.setdefault(name, set()).add(version)
    # The build's setuptools is no library of ours; torch brings its own.
    assert {name: versions for name, versions in seen.items() if len(versions) > 1} == {}


def test_no_lock_brings_both_runtimes_or_a_second_opencv() -> None:
    for lock in ("base", *EXTRAS):
        names = set(locked(lock))
        assert not {"onnxruntime", "onnxruntime-gpu"} <= names
        assert "opencv-python" not in names
    assert not {"onnxruntime", "onnxruntime-gpu", "torch"} & set(locked("base"))


def test_packages_that_are_there_need_neither_root_nor_network() -> None:
    nowhere = {**os.environ, "PATH": "/usr/bin:/bin", "http_proxy": "http://127.0.0.1:9", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [str(ROOT / "scripts" / "apt.sh"), "bash", "coreutils"],
        env=nowhere,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_python_with_everything_is_found() -> None:
    done = subprocess.run([str(ROOT / "scripts" / "python.sh")], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = "import ensurepip, sys; print(sys.version_info[:2])"
    asked_back = subprocess.run([done.stdout.strip(), "-c", code], check=True, capture_output=True, text=True)
    assert asked_back.stdout.strip() == "(3, 11)"
