"""Models that a bundle may not hold are refused before ONNX Runtime sees them."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from okng.bus.errors import BadBundle
from okng.models.guard import check_model


def test_a_plain_model_passes(tiny: Any) -> None:
    contents = check_model(tiny.graph().SerializeToString(), "model.onnx")
    assert contents.opset == 17
    assert {"Cast", "MaxPool", "ReduceMax"} <= contents.operators


def test_weights_outside_the_file_are_refused(tiny: Any) -> None:
    model = tiny.graph()
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "../secret"
    with pytest.raises(BadBundle, match=r"model\.onnx: .*external data"):
        check_model(model.SerializeToString(), "model.onnx")


def test_weights_outside_are_found_in_attributes_and_branches(tiny: Any) -> None:
    outside = TensorProto(data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL, name="w")
    constant = helper.make_node("Constant", [], ["c"], value=outside)
    model = tiny.graph()
    model.graph.node.append(constant)
    with pytest.raises(BadBundle, match="external data"):
        check_model(model.SerializeToString(), "m")
    branch = helper.make_graph([constant], "branch", [], [])
    model = tiny.graph()
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))
    with pytest.raises(BadBundle, match="external data"):
        check_model(model.SerializeToString(), "m")


def test_foreign_operators_and_functions_are_refused(tiny: Any) -> None:
    with pytest.raises(BadBundle, match=r"com\.microsoft\.Div"):
        check_model(tiny.graph(domain="com.microsoft").SerializeToString(), "m")
    model = tiny.graph()
    model.opset_import.append(helper.make_opsetid("my.own", 1))
    with pytest.raises(BadBundle, match=r"my\.own"):
        check_model(model.SerializeToString(), "m")
    model = tiny.graph()
    model.functions.append(onnx.FunctionProto(name="f", domain="g"))
    with pytest.raises(BadBundle, match="local functions"):
        check_model(model.SerializeToString(), "m")


def test_deep_nesting_is_refused(tiny: Any) -> None:
    inner = helper.make_graph([], "inner", [], [])
    for _ in range(12):
        inner = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=inner)], "outer", [], [])
    model = tiny.graph()
    model.graph.node.extend(inner.node)
    with pytest.raises(BadBundle, match="nested deeper"):
        check_model(model.SerializeToString(), "m")


@pytest.mark.parametrize("opset", [6, 27])
def test_an_unknown_opset_is_refused(opset: int, tiny: Any) -> None:
    with pytest.raises(BadBundle, match=f"opset {opset}"):
        check_model(tiny.graph(opset=opset).SerializeToString(), "m")


def test_noise_and_cut_models_only_ever_give_bad_bundle(tiny: Any) -> None:
    rng = np.random.default_rng(1)
    whole = tiny.graph().SerializeToString()
    for _ in range(2000):
        data = bytearray(whole[: int(rng.integers(len(whole)))])
        for place in rng.integers(max(1, len(data)), size=3):
            if data:
                data[int(place)] = int(rng.integers(256))
        try:
            check_model(bytes(data), "m")
        except BadBundle as error:
            assert str(error).startswith("m: ")  # noqa: PT017  most are refused, some stay harmless
    with pytest.raises(BadBundle, match="not an ONNX model"):
        check_model(b"", "m")
