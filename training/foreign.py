"""A foreign ONNX file, read whole and made plain: weights inside, no local functions, ONNX's own operators, one input.

Exporters write weights into a second file (torch does, from its first megabyte on) and wrap operators into local
functions. Both are brought inside here, so that a bundle never holds them. Anything else a bundle may not hold is
refused by name.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, inliner

from ..bus.errors import BadBundle
from ..models.manifest import MOST_BYTES

LEAST_OPSET = 11
"""Oldest operators the nodes around a foreign graph are written for."""
_OWN = {"", "ai.onnx"}
_EXTERNAL = TensorProto.EXTERNAL
_FLOATS = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16"}

Axes = tuple[int | None, ...]
"""Sizes; None: the graph leaves it open."""


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of a foreign graph."""

    name: str
    kind: int
    """`onnx.TensorProto` number of its type."""
    shape: Axes


@dataclass(frozen=True, slots=True)
class Foreign:
    """A foreign model that could be read."""

    path: Path
    sha256: str
    """Of the file as it was."""
    producer: str
    opset: int
    model: onnx.ModelProto
    input: Value
    outputs: tuple[Value, ...]


def open_foreign(path: Path) -> Foreign:
    """Return the model in a file. BadBundle: no ONNX model, or one that cannot become a bundle; the text says why."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadBundle(f"{path}: {path.stat().st_size} bytes: expected at most {MOST_BYTES}")
        data = path.read_bytes()
        model = onnx.load_model_from_string(data)
    except OSError as error:
        raise BadBundle(f"{path}: cannot be read: {error.strerror}") from error
    except DecodeError as error:
        raise BadBundle(f"{path}: not an ONNX model") from error
    if not model.graph.node:
        raise BadBundle(f"{path}: not an ONNX model: no operator in it")
    _bring_weights(model, path)
    if model.functions:
        model = inliner.inline_local_functions(model)
    opset = _check_domains(model, path)
    _strip(model)
    inputs = _inputs(model.graph)
    if len(inputs) != 1:
        raise BadBundle(f"{path}: inputs {', '.join(v.name for v in inputs) or 'none'}: expected one, the picture")
    if inputs[0].kind not in _FLOATS or len(inputs[0].shape) not in (3, 4):
        kind = TensorProto.DataType.Name(inputs[0].kind).lower()
        found = f"{kind} {list(inputs[0].shape)}"
        raise BadBundle(f"{path}: input {inputs[0].name!r} is {found}: expected float pictures of 3 or 4 axes")
    outputs = tuple(_value(each) for each in model.graph.output)
    return Foreign(
        path, hashlib.sha256(data).hexdigest(), f"{model.producer_name} {model.producer_version}".strip(), opset, model,
        inputs[0], outputs,
    )  # fmt: skip


def tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor that a graph holds, those of its nodes and of graphs inside them too."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (*attribute.tensors, *([attribute.t] if attribute.HasField("t") else []))
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from tensors(inner)


def graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and all graphs inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from graphs(inner)


def _bring_weights(model: onnx.ModelProto, path: Path) -> None:
    """Read weights that lie in a file right beside the model. BadBundle: they lie elsewhere, or are not there."""
    outside = [tensor for tensor in tensors(model.graph) if tensor.data_location == _EXTERNAL]
    for function in model.functions:
        for node in function.node:
            if any(a.HasField("t") and a.t.data_location == _EXTERNAL for a in node.attribute):
                raise BadBundle(f"{path}: a local function keeps weights in another file: export them inside")
    places = {entry.value for tensor in outside for entry in tensor.external_data if entry.key == "location"}
    total = 0
    for place in sorted(places):
        file = path.parent / place
        if Path(place).name != place or place in ("", ".", "..") or file.is_symlink():
            raise BadBundle(f"{path}: weights in {place!r}: expected a plain file beside the model")
        if not file.is_file():
            raise BadBundle(
                f"{path}: its weights lie in {place!r}, which is not beside it: keep the two files together"
            )
        total += file.stat().st_size
    if total > MOST_BYTES:
        raise BadBundle(f"{path}: {total} bytes of weights: expected at most {MOST_BYTES}")
    if not outside:
        return
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        raise BadBundle(f"{path}: weights beside it cannot be read: {error}") from error


def _check_domains(model: onnx.ModelProto, path: Path) -> int:
    """Return the opset. Domains that no operator uses are left out; exporters name some as a matter of course."""
    used = {node.domain for graph in graphs(model.graph) for node in graph.node}
    if foreign := used - _OWN:
        found = sorted(
            f"{node.domain}.{node.op_type}"
            for graph in graphs(model.graph)
            for node in graph.node
            if node.domain in foreign
        )
        raise BadBundle(f"{path}: operators {', '.join(dict.fromkeys(found[:20]))}: expected ONNX's own only")
    opset = max((each.version for each in model.opset_import if each.domain in _OWN), default=0)
    if not LEAST_OPSET <= opset <= onnx.defs.onnx_opset_version():
        raise BadBundle(
            f"{path}: opset {opset}: expected {LEAST_OPSET}..{onnx.defs.onnx_opset_version()}; export it anew"
        )
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", opset))
    return opset


def _strip(model: onnx.ModelProto) -> None:
    """Leave out what only describes: stack traces and paths of the exporter, and shapes that will be other ones."""
    model.ClearField("metadata_props")
    model.ClearField("doc_string")
    model.ClearField("training_info")
    for graph in graphs(model.graph):
        graph.ClearField("doc_string")
        graph.ClearField("metadata_props")
        graph.ClearField("value_info")
        for each in (*graph.node, *graph.initializer, *graph.input, *graph.output):
            each.ClearField("doc_string")
            each.ClearField("metadata_props")


def _inputs(graph: onnx.GraphProto) -> list[Value]:
    """Inputs that are no weights (old exporters list those as well)."""
    weights = {tensor.name for tensor in graph.initializer}
    return [_value(each) for each in graph.input if each.name not in weights]


def _value(each: Any) -> Value:
    tensor = each.type.tensor_type
    shape = tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in tensor.shape.dim)
    return Value(each.name, int(tensor.elem_type), shape)
