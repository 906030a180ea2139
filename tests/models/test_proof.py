"""Every provider of this machine gives one answer, and what is handed to the line is warm, right and in time."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from okng.bus.errors import BadBundle
from okng.models.box import Box
from okng.models.bundle import Bundle, open_bundle, write_bundle
from okng.models.detector import Detector
from okng.models.parity import check_gate
from okng.models.pictures import encode_png
from okng.models.proof import proved_detector
from okng.models.runtime_options import RuntimeOptions
from okng.tests.models.test_runtime import at_hand

MakeBundle = Callable[..., Bundle]
SIDE, CELLS, WIDTH = 64, 8, 24


def convolving() -> bytes:
    """Two convolutions, a whitening and a nearest neighbour: the kinds of sums a taught model is made of."""
    rng = np.random.default_rng(5)

    def weight(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(rng.normal(0, 0.2, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Cast", ["picture"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["planes", "scale"], ["pixels"]),
        helper.make_node("Conv", ["pixels", "w1"], ["c1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], kernel_shape=[3, 3], strides=[4, 4], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["c2"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["last", "centres"], ["near"]),
        helper.make_node("ReduceMax", ["near"], ["heat"], axes=[3], keepdims=0),
        helper.make_node("ReduceMax", ["heat"], ["score"], axes=[1, 2], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "convolving",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, ["n", SIDE, SIDE, 1])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("heat", TensorProto.FLOAT, ["n", CELLS, CELLS]),
        ],
        [
            numpy_helper.from_array(np.array(64, np.float32), "scale"),
            weight("w1", WIDTH, 1, 3, 3),
            weight("w2", WIDTH, WIDTH, 3, 3),
            weight("centres", WIDTH, 128),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def convolver(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of that model, its golden scores made on the CPU by one thread."""
    from okng.models.runtime import Session
    from okng.tests.models.conftest import fields

    folder = tmp_path_factory.mktemp("convolver") / "bundle"
    model, rng = convolving(), np.random.default_rng(9)
    session = Session(model, "cpu", 1)
    files, expected = {"model.onnx": model, "report.json": b"{}"}, {}
    for name in ("a", "b", "c", "d", "e"):
        picture = rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
        score = float(session.run(["score"], {"picture": picture.reshape(1, SIDE, SIDE, 1)})[0][0])
        files[f"golden/{name}.png"] = encode_png(picture)
        expected[f"{name}.png"] = {"score": score, "ok": True}
    files["golden/expected.json"] = json.dumps({"tolerance": 1e-3, "pictures": expected}).encode()
    entry = {**fields()["input"], "width": SIDE, "height": SIDE}
    output = {**fields()["output"], "rows": CELLS, "columns": CELLS}
    write_bundle(folder, files, fields(input=entry, output=output))
    return open_bundle(folder)


@pytest.mark.parametrize("provider", at_hand())
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch", [1, 4])
def test_every_provider_here_passes_the_gate(provider: str, threads: int, batch: int, convolver: Bundle) -> None:
    options = RuntimeOptions.model_validate({"provider": provider, "threads": threads})
    detector = proved_detector(convolver, options, batch=batch)
    assert detector.batch == batch
    report = check_gate(detector)
    assert report.passed
    assert report.largest_difference <= 1e-3
    # One at a time, and as many as the batch takes: one score and one map.
    rng = np.random.default_rng(3)
    shown = [(rng.integers(0, 256, (90, 120), dtype=np.uint8), Box(8 * at, at, 80, 70)) for at in range(5)]
    reference = Detector(convolver)
    for found, (picture, box) in zip(detector.find_many(shown), shown, strict=True):
        alone = reference.find(picture, box)
        assert found.score == pytest.approx(alone.score, abs=1e-3)
        assert np.abs(found.heat - alone.heat).max() <= 1e-3


def test_a_model_that_scores_otherwise_is_not_handed_out(make_bundle: MakeBundle) -> None:
    with pytest.raises(BadBundle, match="score otherwise"):
        proved_detector(make_bundle(scores={10: 11.0}), RuntimeOptions())


def test_a_slow_model_is_refused_at_first_and_not_when_it_comes_back(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(budget_ms=1e-6)
    with pytest.raises(BadBundle, match="too slow"):
        proved_detector(bundle, RuntimeOptions())
    assert proved_detector(bundle, RuntimeOptions(), timed=False).failures == 0


def test_it_is_warmed_up_with_golden_pictures(make_bundle: MakeBundle, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    proved_detector(make_bundle(), RuntimeOptions())
    assert "3 golden pictures score as stored" in caplog.text
    assert "first run" in caplog.text
