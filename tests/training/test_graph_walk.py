"""A graph is walked node by node: what could read, write, draw by chance or ask for the moon is refused by name."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from okng.bus.errors import BadBundle
from okng.models.bundle import open_bundle
from okng.models.manifest import Manifest
from okng.training.graph_walk import Limits, walk
from okng.training.taught_report import TeachReport


@pytest.fixture
def manifest(taught: TeachReport) -> Manifest:
    return open_bundle(taught.bundle).manifest


@pytest.fixture
def sound(taught: TeachReport) -> onnx.ModelProto:
    return onnx.load_model_from_string(open_bundle(taught.bundle).model)


def said(model: onnx.ModelProto, manifest: Manifest, limits: Limits | None = None) -> str:
    """What is wrong with it, in words."""
    with pytest.raises(BadBundle) as caught:
        walk(model.SerializeToString(), manifest, "plates 1", limits=limits or Limits())
    return str(caught.value)


def add(model: onnx.ModelProto, kind: str, inputs: list[str], domain: str = "", **attributes: Any) -> None:
    model.graph.node.append(helper.make_node(kind, inputs, [f"more.{kind}"], domain=domain, **attributes))


def test_what_was_taught_passes(sound: onnx.ModelProto, manifest: Manifest) -> None:
    found = walk(sound.SerializeToString(), manifest, "plates 1")
    assert found.opset == 17
    assert found.nodes == len(sound.graph.node)
    assert found.operators["Conv"] > 30
    assert found.weights == sum(len(one.raw_data) for one in sound.graph.initializer)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "model.onnx", "weights.bin", ""])
def test_external_data_is_refused_wherever_it_lies(sound: onnx.ModelProto, manifest: Manifest, location: str) -> None:
    for tensor in (sound.graph.initializer[0], sound.graph.initializer[-1]):
        tensor.external_data.add(key="location", value=location)
    assert "lies outside the file" in said(sound, manifest)
    add(sound, "Constant", [], value=numpy_helper.from_array(np.zeros(3, np.float32), "w"))
    sound.graph.node[-1].attribute[0].t.data_location = TensorProto.EXTERNAL
    assert "'w': its data lies outside" in said(sound, manifest)


@pytest.mark.parametrize(
    ("kind", "domain", "why"),
    [
        ("Loop", "", "operator Loop: is not on the list"),
        ("RandomNormal", "", "operator RandomNormal: is not on the list"),
        ("StringNormalizer", "", "is not on the list"),
        ("FusedConv", "com.microsoft", "operator com.microsoft.FusedConv: expected ONNX's own only"),
        ("Mine", "my.lib", "operator my.lib.Mine"),
    ],
)
def test_operators_go_by_a_list(sound: onnx.ModelProto, manifest: Manifest, kind: str, domain: str, why: str) -> None:
    add(sound, kind, ["score"], domain)
    assert why in said(sound, manifest)


def test_an_operator_may_be_let_through_by_name(sound: onnx.ModelProto, manifest: Manifest) -> None:
    add(sound, "Bernoulli", ["score"])
    found = walk(sound.SerializeToString(), manifest, "plates 1", frozenset({"Bernoulli"}))
    assert found.operators["Bernoulli"] == 1


def test_other_operator_sets_and_functions_are_refused(sound: onnx.ModelProto, manifest: Manifest) -> None:
    sound.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert "operator sets" in said(sound, manifest)
    del sound.opset_import[-1]
    sound.opset_import[0].version = 99
    assert "expected ai.onnx alone" in said(sound, manifest)
    sound.opset_import[0].version = 17
    node = helper.make_node("Identity", ["x"], ["y"])
    sound.functions.append(helper.make_function("f", "f", ["x"], ["y"], [node], [helper.make_opsetid("", 17)]))
    assert "local functions" in said(sound, manifest)


def test_a_tensor_that_claims_what_it_has_not_is_refused(sound: onnx.ModelProto, manifest: Manifest) -> None:
    tensor = max(sound.graph.initializer, key=lambda one: len(one.raw_data))
    tensor.dims[0] *= 7
    assert "bytes for" in said(sound, manifest)
    tensor.dims[0] = -1
    assert "of shape" in said(sound, manifest)
    empty = TensorProto(name="claims", data_type=TensorProto.FLOAT, dims=[1000])
    tensor.CopyFrom(empty)
    assert "0 values: its shape says 1000" in said(sound, manifest)
    tensor.dims[:] = [1] * 9
    assert "at most 8 axes" in said(sound, manifest)


@pytest.mark.parametrize("kind", ["ConstantOfShape", "Expand", "Tile", "Range"])
def test_what_would_make_terabytes_is_refused(sound: onnx.ModelProto, manifest: Manifest, kind: str) -> None:
    sizes = np.array([1 << 20, 1 << 20] if kind != "Range" else 1 << 40, np.int64)
    sound.graph.initializer.append(numpy_helper.from_array(sizes, "moon"))
    one, two, three = {"ConstantOfShape": ("moon", "", ""), "Range": ("moon", "moon", "moon")}.get(
        kind, ("score", "moon", "")
    )
    add(sound, kind, [each for each in (one, two, three) if each])
    assert f"{kind} '' makes 1099511627776 values" in said(sound, manifest)


def test_graphs_in_graphs_are_walked_and_counted(sound: onnx.ModelProto, manifest: Manifest) -> None:
    inner = helper.make_graph([helper.make_node("RandomUniform", [], ["r"], shape=[1])], "g", [], [])
    for _ in range(7):
        inner = helper.make_graph(
            [helper.make_node("If", ["c"], ["o"], then_branch=inner, else_branch=inner)], "g", [], []
        )
    sound.graph.node.append(helper.make_node("If", ["c"], ["o"], then_branch=inner, else_branch=inner))
    assert "nested deeper than 4" in said(sound, manifest)
    assert "RandomUniform: is not on the list" in said(sound, manifest, Limits(deep=20))


def test_bounds_on_number_weights_and_text_hold(sound: onnx.ModelProto, manifest: Manifest) -> None:
    assert "nodes" in said(sound, manifest, Limits(nodes=10))
    assert "tensors" in said(sound, manifest, Limits(tensors=10))
    assert "weights of" in said(sound, manifest, Limits(weights=1000))
    assert "values" in said(sound, manifest, Limits(elements=1000))
    sound.graph.node[0].name = "x" * 2000
    assert "longer than 1000" in said(sound, manifest)


def test_inputs_and_outputs_are_those_promised(sound: onnx.ModelProto, manifest: Manifest) -> None:
    kept = sound.graph.input[0].type.tensor_type.elem_type
    sound.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    assert "expected uint8" in said(sound, manifest)
    sound.graph.input[0].type.tensor_type.elem_type = kept
    sound.graph.input.append(helper.make_tensor_value_info("second", TensorProto.FLOAT, [1]))
    assert "inputs ['picture', 'second']" in said(sound, manifest)
    del sound.graph.input[-1]
    del sound.graph.output[:]
    assert "outputs []" in said(sound, manifest)


def test_bytes_that_are_no_model_are_refused(manifest: Manifest) -> None:
    for data in (b"", b"\x08", struct.pack("<Q", 2**63) * 20, Path(__file__).read_bytes()):
        with pytest.raises(BadBundle, match="plates 1: "):
            walk(data, manifest, "plates 1")


def test_everything_wrong_is_named_at_once(sound: onnx.ModelProto, manifest: Manifest) -> None:
    for _ in range(3):
        add(sound, "Loop", ["score"])
    add(sound, "Mine", ["score"], "my.lib")
    sound.graph.initializer[0].external_data.add(key="location", value="w")
    words = said(sound, manifest)
    assert words.count("Loop") == 1
    assert "my.lib.Mine" in words
    assert "lies outside" in words
