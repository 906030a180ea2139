"""What a model does at its first load, it does to a process that is thrown away."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from okng.bus.errors import BadBundle
from okng.models import sandbox
from okng.models.bundle import Bundle
from okng.models.sandbox import trial, trial_bytes, trial_file

MakeBundle = Callable[..., Bundle]


def test_a_good_bundle_passes_its_trial(make_bundle: MakeBundle) -> None:
    held = np.ones(1 << 27)  # 1 GB: what the parent holds is not the model's
    found = trial(make_bundle().folder)
    assert held[-1] == 1
    assert 0 < found.peak_mb < 1000


def with_extra(tiny: Any, nodes: list[Any], weights: list[Any], value: str) -> Any:
    """The tiny model, its score a sum with something else."""
    model = tiny.graph()
    (last,) = [node for node in model.graph.node if "score" in node.output]
    last.output[0] = "score.own"
    model.graph.node.extend([*nodes, helper.make_node("Add", ["score.own", value], ["score"])])
    model.graph.initializer.extend(weights)
    return model


def greedy(tiny: Any) -> Any:
    """Asks for 1.6 TB, but only when it runs."""
    nodes = [
        helper.make_node("ConstantOfShape", ["terabytes"], ["huge"]),
        helper.make_node("ReduceMax", ["huge"], ["most"], keepdims=0),
    ]
    return with_extra(tiny, nodes, [numpy_helper.from_array(np.array([400 << 30], np.int64), "terabytes")], "most")


def endless(tiny: Any) -> Any:
    """A loop of a trillion turns."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_in"], ["go_out"]), helper.make_node("Add", ["sum_in", "one"], ["sum_out"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum_in", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum_out", TensorProto.FLOAT, []),
        ],
    )
    weights = [
        numpy_helper.from_array(np.array(10**12, np.int64), "turns"),
        numpy_helper.from_array(np.array(True), "go"),
        numpy_helper.from_array(np.array(0, np.float32), "zero"),
        numpy_helper.from_array(np.array(1, np.float32), "one"),
    ]
    return with_extra(tiny, [helper.make_node("Loop", ["turns", "go", "zero"], ["sum"], body=body)], weights, "sum")


def test_a_model_that_wants_terabytes_is_refused(make_bundle: MakeBundle, tiny: Any) -> None:
    with pytest.raises(BadBundle, match=r"does not run|more memory|ended its trial process"):
        trial(make_bundle(greedy(tiny)).folder)


def test_a_model_that_never_ends_is_refused(make_bundle: MakeBundle, tiny: Any) -> None:
    folder = make_bundle(endless(tiny)).folder
    began = time.monotonic()
    with pytest.raises(BadBundle, match=r"longer than 2 s|SIGKILL|SIGXCPU"):
        trial(folder, limit_s=2)
    assert time.monotonic() - began < 10


def test_a_bundle_that_is_damaged_is_refused_in_its_trial(make_bundle: MakeBundle) -> None:
    folder = make_bundle().folder
    model = folder / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"\xff")
    with pytest.raises(BadBundle, match=r"refused in its trial: .*model\.onnx: damaged"):
        trial(folder)


def test_a_crash_is_a_refusal(make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a bug in the runtime's parser would end it."""
    folder = make_bundle().folder
    for script, told in [("kill -SEGV $$", "SIGSEGV"), ("echo nonsense", "no answer"), ("exit 3", "code 3")]:
        fake = tmp_path / "python"
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(fake))
        with pytest.raises(BadBundle, match=told):
            trial(folder)


def test_the_bounds_hold(tmp_path: Path) -> None:
    file = tmp_path / "written"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            sandbox.confine(memory_mb=1024, cpu_s=5)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            try:
                bytearray(2 << 30)
            except MemoryError:
                code = 2
            try:
                file.write_bytes(b"x")
            except OSError:
                code += 10
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 12
    assert not file.exists() or file.stat().st_size == 0


def test_a_file_that_is_no_bundle_yet_is_tried_alike(tmp_path: Path, tiny: Any) -> None:
    file = tmp_path / "foreign.onnx"
    file.write_bytes(tiny.graph().SerializeToString())
    assert trial_file(file).peak_mb > 0
    file.write_bytes(greedy(tiny).SerializeToString())
    with pytest.raises(BadBundle, match="more memory"):
        trial_file(file)
    file.write_bytes(endless(tiny).SerializeToString())
    with pytest.raises(BadBundle, match=r"longer than 2 s|SIGKILL|SIGXCPU"):
        trial_file(file, limit_s=2)
    file.write_bytes(tiny.graph(domain="com.stranger").SerializeToString())
    with pytest.raises(BadBundle, match=r"com\.stranger"):
        trial_file(file)
    with pytest.raises(BadBundle, match="cannot be read"):
        trial_file(tmp_path / "none.onnx")
    assert trial_bytes(tiny.graph().SerializeToString(), "theirs").peak_mb > 0
    with pytest.raises(BadBundle, match=r"^theirs: refused in its trial: theirs: not an ONNX model"):
        trial_bytes(b"nonsense", "theirs")
