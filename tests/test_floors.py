"""No lock holds a version that is known to be unsafe, and every floor says why it is one."""

import re
import tomllib
from pathlib import Path

import apsw
import pytest
from packaging.version import Version

LOCKS = Path(__file__).parents[1] / "requirements"
FLOORS: dict[str, dict[str, str]] = tomllib.loads((LOCKS / "floors.toml").read_text(encoding="utf-8"))


def below(locks: dict[str, str], floors: dict[str, dict[str, str]]) -> list[str]:
    """Locked versions under their floor. locks: text by name."""
    return [
        f"{lock}: {name} {version}: expected {floors[name]['floor']} or more: {floors[name]['why']}"
        for lock, text in locks.items()
        for name, version in re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE)
        if name in floors and Version(version) < Version(floors[name]["floor"])
    ]


def locks() -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(LOCKS.glob("*.txt"))}


def test_no_lock_is_below_a_floor() -> None:
    assert below(locks(), FLOORS) == []


def test_a_lock_below_a_floor_is_found() -> None:
    (found,) = below({"base.txt": "onnx==1.22.1 \\\n    --hash=sha256:00\n"}, FLOORS)
    assert found.startswith("base.txt: onnx 1.22.1: expected 1.23 or more: CVE-2026-27489")


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_a_floor_says_why_and_stands_for_something_locked(name: str) -> None:
    assert set(FLOORS[name]) - {"bundled"} == {"floor", "why"}
    assert len(FLOORS[name]["why"]) > 20
    assert any(re.search(rf"^{re.escape(name)}==", text, re.MULTILINE) for text in locks().values()), (
        f"floors.toml: {name} is in no lock: take it out"
    )


def test_the_sqlite_inside_is_not_below_its_floor_either() -> None:
    """The wheel's number is one thing, what is linked into it another."""
    assert Version(apsw.sqlitelibversion()) >= Version(FLOORS["apsw"]["floor"])
