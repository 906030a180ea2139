"""The simulated camera is built once, cleanly, and says what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from okng.simline import build as builder
from okng.simline.features import CATEGORIES
from okng.simline.genapi import NODES, c_header, camera_xml

GENTL_1_5 = 57
"""Functions of the standard, version 1.5."""


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / "genapi.h").write_text(c_header())
    here = Path(builder.__file__).parent
    done = subprocess.run(
        [
            "gcc",
            *builder._FLAGS,
            "-Werror",
            "-Wshadow",
            "-Wconversion",
            "-Wno-sign-conversion",
            f"-I{tmp_path}",
            f"-I{here}",
            "-o",
            str(tmp_path / "strict.cti"),
            *(str(here / name) for name in builder.SOURCES),
            *builder._LIBRARIES,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_all_functions_of_the_standard_are_there(tmp_path: Path) -> None:
    library = builder.build()
    listed = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True)
    names = [line.split()[-1] for line in listed.stdout.splitlines()]
    assert len(names) == GENTL_1_5
    assert {"GCInitLib", "TLOpen", "IFOpenDevice", "DevGetPort", "DSQueueBuffer", "EventGetData"} <= set(names)


def test_a_current_library_is_left_alone_and_a_stale_one_replaced(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "camera.cti"
    assert builder.build(out) == out
    made = out.stat().st_mtime_ns
    builder.build(out)
    assert out.stat().st_mtime_ns == made
    out.write_bytes(b"older sources")
    assert not builder.is_current(out)
    builder.build(out)
    assert builder.is_current(out)
    assert [file.name for file in out.parent.iterdir()] == ["camera.cti"]


def test_the_command_says_where_it_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "okng.simline.build", str(tmp_path / "x.cti")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, str(tmp_path / "x.cti"), "")


def test_without_gcc_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(builder.BuildError, match="apt-get install gcc"):
        builder.build(tmp_path / "x.cti")
    assert builder.main([str(tmp_path / "x.cti")]) == 1
    assert "gcc is missing" in capsys.readouterr().err


def test_a_complaint_of_the_compiler_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "SOURCES", ("gentl.h",))
    monkeypatch.setattr(builder, "_FLAGS", ("-shared", "-nonsense-flag"))
    with pytest.raises(builder.BuildError, match="nonsense"):
        builder.build(tmp_path / "x.cti")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(builder.BuildError, match="file"):
        builder.build(tmp_path / "file" / "x.cti")


def test_beside_sources_that_cannot_be_written_the_cache_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "NAME", "other.cti")
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != builder._HERE and may(path, mode))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = builder.build()
    assert made.parent == tmp_path / "okng"
    assert made.name == f"{builder.digest()[:16]}-other.cti"
    assert builder.build() == made


def test_every_feature_has_its_own_register() -> None:
    taken: set[int] = set()
    for node in NODES:
        cells = set(range(node.address, node.address + node.length))
        assert not cells & taken, node.name
        taken |= cells
    features = sum(not node.name.endswith("Room") for node in NODES)
    assert camera_xml().count("<pFeature>") == features + len(CATEGORIES), "each in one category, and they in the root"
