"""Hostile model files are refused before they are loaded, or die where a death costs nothing, and read nothing else."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from okng.bus.errors import BadBundle
from okng.models import guard
from okng.models.bundle import Bundle, open_bundle, write_bundle
from okng.models.detector import Detector
from okng.models.guard import check_model
from okng.models.nowhere import nowhere
from okng.models.parity import require_golden
from okng.models.runtime import Session
from okng.models.sandbox import trial, trial_bytes, trial_file
from okng.tests.models import hostile

MakeBundle = Callable[..., Bundle]

PLACES = {
    "beside it": ("w.bin", "initializer"),
    "above it": ("../w.bin", "initializer"),
    "absolute": ("{absolute}", "initializer"),
    "by a link": ("link.bin", "initializer"),
    "in memory": ("*/_ORT_MEM_ADDR_/*", "initializer"),
    "of the process": ("/proc/self/environ", "initializer"),
    "in an attribute": ("w.bin", "attribute"),
    "in a branch": ("w.bin", "branch"),
    "of a sparse tensor": ("w.bin", "sparse"),
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Weights that no model may have, beside where models lie and where a trial could look."""
    folder = tmp_path / "models"
    folder.mkdir()
    for place in (tmp_path / "w.bin", folder / "w.bin"):
        place.write_bytes(np.full(4, 7, np.float32).tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    return folder


@pytest.mark.parametrize("place", PLACES)
def test_weights_elsewhere_are_refused_before_anything_loads(secret: Path, place: str) -> None:
    location, where = PLACES[place]
    model = hostile.outside(location.format(absolute=secret / "w.bin"), where)
    with pytest.raises(BadBundle, match="external data"):
        check_model(model, "m")


def test_a_trial_looks_before_it_loads(secret: Path) -> None:
    file = secret / "model.onnx"
    file.write_bytes(hostile.outside("w.bin"))
    with pytest.raises(BadBundle, match="external data"):
        trial_file(file)


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_without_the_guard_nothing_elsewhere_is_opened_either(secret: Path, tmp_path: Path) -> None:
    """What a trial has beside the guard: bytes instead of a path, and an empty folder to stand in."""
    files = []
    for n, (location, where) in enumerate(PLACES.values()):
        files.append(secret / f"{n}.onnx")
        files[-1].write_bytes(hostile.outside(location.format(absolute=secret / "w.bin"), where))
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o500)
    code = (
        "import sys, os, onnxruntime, numpy\n"
        "from okng.models.sandbox import confine\n"
        "models = [open(name, 'rb').read() for name in sys.argv[2:]]\n"
        "os.chdir(sys.argv[1]); confine(4096, 30); os.access('/BEGIN-HERE', os.R_OK)\n"
        "loaded = 0\n"
        "for model in models:\n"
        "    try:\n"
        "        onnxruntime.InferenceSession(model).run(None, {'x': numpy.zeros(4, numpy.float32)}); loaded += 1\n"
        "    except Exception: pass\n"
        "sys.stdout.write(f'loaded {loaded}')\n"
    )
    log = tmp_path / "strace"
    command = ["strace", "-f", "-e", "trace=open,openat,openat2,access,faccessat,faccessat2", "-o", str(log)]
    command += [sys.executable, "-c", code, str(empty), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "loaded 0" in done.stdout, done.stderr[-2000:]
    _, found, after = log.read_text(errors="replace").partition("BEGIN-HERE")
    assert found
    opened = [line for line in after.splitlines() if "w.bin" in line or "link.bin" in line or "environ" in line]
    assert [line for line in opened if "ENOENT" not in line] == []


def test_sixty_six_bytes_that_want_terabytes(tmp_path: Path) -> None:
    model = hostile.bomb()
    assert len(model) < 100
    check_model(model, "m")  # there is nothing to see: it has to be run
    began = time.monotonic()
    with pytest.raises(BadBundle, match="more memory"):
        trial_bytes(model, "bomb")
    assert time.monotonic() - began < 60


def test_what_doubles_again_and_again_dies_in_its_trial() -> None:
    with pytest.raises(BadBundle, match=r"more memory|ended its trial process"):
        trial_bytes(hostile.doubling(), "doubling", memory_mb=1500)


def test_what_is_too_much_is_not_walked_over_for_ever() -> None:
    """Small nodes without number, and fields without number, in a file that is not even large."""
    node = helper.make_node("Relu", ["x"], ["y"]).SerializeToString()
    body = (b"\x0a" + bytes([len(node)]) + node) * (guard.MOST_NODES + 1)
    for model, words in (
        (b"\x3a" + varint(len(body)) + body, "operators"),
        (b"\x08\x08" * 1_100_000, "fields"),
        (b"\x3a" + varint(2_200_000) + b"\x50\x01" * 1_100_000, "fields"),
    ):
        began = time.monotonic()
        with pytest.raises(BadBundle, match=f"more than .* {words}"):
            check_model(model, "m")
        assert time.monotonic() - began < 60


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.parametrize("dims", [[1 << 40], [1 << 20, 1 << 20], [-1], [4, 1 << 30]])
def test_a_tensor_that_says_it_is_huge_is_refused(dims: list[int]) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=b"\0" * 16)
    body = helper.make_graph([helper.make_node("Identity", ["w"], ["y"])], "g", [], [], [tensor])
    with pytest.raises(BadBundle, match="a tensor of"):
        check_model(hostile.whole(body), "m")


def test_weights_that_are_no_numbers_are_refused(make_bundle: MakeBundle, tiny: Any) -> None:
    for scale in (float("nan"), float("inf")):
        with pytest.raises(BadBundle, match=r"golden|score"):
            require_golden(Detector(make_bundle(tiny.graph(scale=scale)), "cpu", 1))


def test_another_shape_than_said_is_refused(make_bundle: MakeBundle, tiny: Any) -> None:
    with pytest.raises(BadBundle, match="refused in its trial"):
        trial(make_bundle(tiny.graph(side=64)).folder)
    with pytest.raises(BadBundle, match="refused in its trial"):
        trial(make_bundle(tiny.graph(dtype=TensorProto.FLOAT)).folder)


def test_an_operator_that_does_not_exist_is_refused(tiny: Any) -> None:
    model = tiny.graph()
    model.graph.node[0].op_type = "ReadFile"
    with pytest.raises(BadBundle, match="refused in its trial"):
        trial_bytes(model.SerializeToString(), "m")


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9, 0.99])
def test_half_a_model_is_refused(tiny: Any, at: float) -> None:
    model = tiny.graph().SerializeToString()
    with pytest.raises(BadBundle):
        trial_bytes(model[: int(len(model) * at)], "m")


def test_whatever_a_mutant_does_it_does_to_its_trial(tiny: Any, tmp_path: Path) -> None:
    """Loaded and run without the guard before them; `make hostile` takes 10,000. This process is what must live."""
    seed, empty = tmp_path / "seed.onnx", tmp_path / "empty"
    seed.write_bytes(tiny.graph().SerializeToString())
    empty.mkdir(mode=0o500)
    count = int(os.environ.get("OKNG_MUTANTS", "150"))
    done = subprocess.run(
        [sys.executable, "-m", "okng.tests.models.hostile", str(seed), str(count)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OKNG_EMPTY": str(empty)},
        timeout=60 + count,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    ended = {how: int(n) for how, n in re.findall(r"'([^']+)': (\d+)", done.stdout)}
    assert sum(ended.values()) == count, done.stdout
    assert ended["refused"] > count // 10
    assert ended.get("ran", 0) > 0, "some are harmless"
    assert list(empty.iterdir()) == []
    print(f"of {count} mutants: {ended}")  # noqa: T201  a figure, shown with -rP


def test_the_guard_only_ever_refuses(tiny: Any) -> None:
    for model in hostile.mutants(tiny.graph().SerializeToString(), 3000):
        try:
            check_model(model, "m")
        except BadBundle as error:
            assert str(error).startswith("m: ")  # noqa: PT017  some are harmless


def test_what_was_read_is_what_is_loaded(make_bundle: MakeBundle, tiny: Any, tmp_path: Path) -> None:
    """A file that changes after it was verified changes nothing: nobody opens it again."""
    write_bundle(tmp_path / "bundle", tiny.contents(tiny.graph().SerializeToString()), tiny.fields())
    opened = open_bundle(tmp_path / "bundle")
    for path in (tmp_path / "bundle").rglob("*"):
        if path.is_file():
            path.write_bytes(b"another one")
    assert Detector(opened, "cpu", 1).provider == "CPUExecutionProvider"
    with pytest.raises(BadBundle):
        open_bundle(tmp_path / "bundle")


def test_a_model_is_loaded_where_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that loads stands in an empty folder that nobody writes to; the process stays where it was."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.bin").write_bytes(b"here")
    seen = nowhere(lambda: (Path.cwd(), list(Path().iterdir()), Path("w.bin").exists()))
    assert seen[0] != tmp_path
    assert seen[1:] == ([], False)
    assert not seen[0].exists()
    assert (Path.cwd(), Path("w.bin").exists()) == (tmp_path, True)
    with pytest.raises(KeyError, match="as it was"):
        nowhere(lambda: dict[str, int]()["as it was"])


def test_profiles_and_engines_lie_where_they_were_asked_for(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    session = Session(tiny.graph().SerializeToString(), "cpu", 1, profile=Path("timings"))
    assert Path(session.end_profiling()).parent == tmp_path
