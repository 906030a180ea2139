"""The figures of `bench/models.py` are refused where they would mean nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from okng.bench.models_race import Runner, race
from okng.bench.models_told import OURS, aims

PICTURES = [np.full((8, 8, 3), level, np.uint8) for level in (10, 200)]


def graph(nodes: list[onnx.NodeProto], kind: int = TensorProto.UINT8, pictures: int = 1) -> bytes:
    """A graph from `picture` to `score`, by way of `picture.float`."""
    size = [pictures, 8, 8, 3] if kind == TensorProto.UINT8 else [pictures, 3, 8, 8]
    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    made = helper.make_graph(
        [helper.make_node("Cast", ["picture"], ["picture.float"], to=TensorProto.FLOAT), *nodes],
        "race",
        [helper.make_tensor_value_info("picture", kind, size)],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
        [zero],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


MEAN = helper.make_node("ReduceMean", ["picture.float"], ["score"], axes=[1, 2, 3], keepdims=0)


def test_a_graph_that_computes_is_timed_for_one_picture(tmp_path: Path) -> None:
    file = tmp_path / "two.onnx"
    file.write_bytes(graph([MEAN], TensorProto.FLOAT, 2))
    runners = [Runner.of("one", graph([MEAN]), PICTURES), Runner.of("two", file, PICTURES, 2)]
    race(runners, 2, seed=0)
    assert [each.pictures for each in runners] == [1, 2]
    assert all(0 < each.least_ms <= each.middle_ms for each in runners)
    # Floats are fed as channels first, 0..1; two different pictures a run.
    assert runners[1].feeds[0].shape == (2, 3, 8, 8)
    assert runners[1].run(0)[0] == pytest.approx([10 / 255, 200 / 255], rel=1e-5)
    assert runners[0].run(1)[0] == pytest.approx([200.0])


SAME = [
    helper.make_node("Mul", ["picture.float", "zero"], ["none"]),
    helper.make_node("ReduceMean", ["none"], ["score"]),
]
NAN = [
    helper.make_node("Div", ["zero", "zero"], ["none"]),
    helper.make_node("Add", ["none", "picture.float"], ["score"]),
]


@pytest.mark.parametrize(("nodes", "said"), [(SAME, "does not compute"), (NAN, "not finite")])
def test_a_graph_that_computes_nothing_does_not_race(nodes: list[onnx.NodeProto], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        Runner.of("folded", graph(nodes), PICTURES)


def test_figures_of_more_than_one_thread_are_refused() -> None:
    runner = Runner.of("one", graph([MEAN]), PICTURES)
    runner.cpu_ms, runner.wall_ms = [190.0], [100.0]
    with pytest.raises(SystemExit, match="threads: expected one"):
        race([runner], 0, seed=0)


def result(**peers: dict[str, float]) -> dict[str, Any]:
    part = {"stages_cpu_ms": {"part": {"least": 6.0, "median": 26.0}}}
    taught = {"cpu_s": 12.0, "peak_mb": 900}
    return {
        "race": {
            "to_own_backbone": {OURS: {"of_least": 1.2, "of_medians": 1.3}},
            "peers_to_ours": {name.replace("_", "-"): found for name, found in peers.items()},
        },
        "part": {"grey": part, "colour": part},
        "teaching": {"teach": taught, "add": taught | {"cpu_s": 4.0}},
    }


def test_an_aim_is_met_by_minima_and_medians_both_and_never_by_a_peer_that_is_missing() -> None:
    found = {each.what: each.met for each in aims(result(padim_r18={"of_least": 5.5, "of_medians": 5.1}))}
    assert [met for what, met in found.items() if "backbone" in what] == [False]
    assert [met for what, met in found.items() if "padim" in what] == [True]
    assert [met for what, met in found.items() if "efficientad" in what] == [False]
    assert [met for what, met in found.items() if what.startswith("part")] == [False, False]
    assert [met for what, met in found.items() if what.startswith(("teach", "add", "its"))] == [True, True, True]
