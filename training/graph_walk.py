"""A graph looked through node by node before it may become a bundle: operators, weights, shapes, nesting.

`models/guard.py` is the sieve that every box has; this one is finer, has ONNX's own parser, and runs off the line. It
loads no external data and builds no shapes: it reads what is written.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from ..bus.errors import BadBundle
from ..models.guard import LEAST_OPSET, MOST_OPSET
from ..models.manifest import MOST_BYTES, Manifest

_LISTED = """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv
    ConvTranspose CumSum DepthToSpace DequantizeLinear Div Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather
    GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization
    HardSigmoid HardSwish Identity If InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    LpNormalization MatMul MatMulInteger Max MaxPool Mean Min Mish Mod Mul Neg NonMaxSuppression NonZero Not OneHot Or
    PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize RoiAlign Round ScatterElements
    ScatterND Selu Shape Sigmoid Sign Size Slice Softmax Softplus SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Tile TopK
    Transpose Trilu Unsqueeze Where Xor
"""
OPERATORS = frozenset(_LISTED.split())
"""What networks that see are made of. Not among them: what draws by chance, loops, sequences, text."""
_SHAPING = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1, "Resize": 3, "Range": 1, "OneHot": 1, "Pad": 1}
"""Operators that make something as large as one of their inputs says, and which."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a model may have."""

    nodes: int = 20_000
    tensors: int = 20_000
    elements: int = 1 << 28
    """Of one value: 268 million."""
    weights: int = MOST_BYTES
    """Bytes of all tensors."""
    axes: int = 8
    deep: int = 4
    """Graphs in graphs."""
    text: int = 1000
    """Letters of a name."""


DEFAULT = Limits()


@dataclass(slots=True)
class Walked:
    """What a graph holds."""

    opset: int
    operators: Counter[str] = field(default_factory=Counter)
    nodes: int = 0
    tensors: int = 0
    weights: int = 0
    """Bytes."""
    deep: int = 0
    wrong: list[str] = field(default_factory=list)


def walk(
    model: bytes, manifest: Manifest, name: str, extra: frozenset[str] = frozenset(), limits: Limits = DEFAULT
) -> Walked:
    """Return what a bundle's graph holds. extra: operators of ONNX's own that are allowed on top of `OPERATORS`.

    BadBundle names everything that is wrong, up to ten: external data, a foreign or unlisted operator, local functions,
    a tensor that claims what it has not, shapes and numbers beyond the limits, other inputs or outputs than promised.
    """
    try:
        said = onnx.load_model_from_string(model)
    except DecodeError as error:
        raise BadBundle(f"{name}: not an ONNX model: {error}") from error
    opsets = {one.domain or "ai.onnx": one.version for one in said.opset_import}
    found = Walked(opsets.get("ai.onnx", 0))
    wrong = found.wrong
    if set(opsets) != {"ai.onnx"} or not LEAST_OPSET <= found.opset <= MOST_OPSET:
        wrong.append(f"operator sets {opsets}: expected ai.onnx alone, {LEAST_OPSET}..{MOST_OPSET}")
    if said.functions or said.training_info:
        wrong.append("local functions or training graphs: expected none")
    if any(len(one.value) + len(one.key) > 100 * limits.text for one in said.metadata_props):
        wrong.append("metadata_props: longer than anything a person writes")
    _graph(said.graph, found, OPERATORS | extra, limits, 0)
    _ports(said.graph, manifest, wrong)
    if found.weights > limits.weights:
        wrong.append(f"weights of {found.weights} bytes: expected at most {limits.weights}")
    if found.nodes > limits.nodes or found.tensors > limits.tensors:
        wrong.append(f"{found.nodes} nodes, {found.tensors} tensors: expected {limits.nodes}, {limits.tensors} at most")
    if wrong:
        more = f"; and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise BadBundle(f"{name}: {'; '.join(dict.fromkeys(wrong[:10]))}{more}")
    return found


def _graph(graph: onnx.GraphProto, found: Walked, allowed: frozenset[str], limits: Limits, deep: int) -> None:
    found.deep = max(found.deep, deep)
    if deep > limits.deep:
        found.wrong.append(f"graphs nested deeper than {limits.deep}")
        return
    constants: dict[str, onnx.TensorProto] = {}
    for tensor in graph.initializer:
        constants[tensor.name] = tensor
        _tensor(tensor, found, limits)
    for sparse in graph.sparse_initializer:
        _shape(f"sparse {sparse.values.name!r}", sparse.dims, found, limits)
        _tensor(sparse.values, found, limits)
        _tensor(sparse.indices, found, limits)
    for value in (*graph.input, *graph.output, *graph.value_info):
        axes = value.type.tensor_type.shape.dim
        _shape(f"value {value.name[:60]!r}", [one.dim_value or 1 for one in axes], found, limits)
        if value.type.WhichOneof("value") not in ("tensor_type", None):
            found.wrong.append(f"value {value.name[:60]!r}: expected a tensor")
    for node in graph.node:
        found.nodes += 1
        found.operators[node.op_type] += 1
        if node.domain not in ("", "ai.onnx"):
            found.wrong.append(f"operator {node.domain}.{node.op_type}: expected ONNX's own only")
        elif node.op_type not in allowed:
            found.wrong.append(f"operator {node.op_type[:60]}: is not on the list")
        if any(len(text) > limits.text for text in (node.name, node.op_type, *node.input, *node.output)):
            found.wrong.append(f"a name of node {node.name[:60]!r} is longer than {limits.text}")
        for attribute in node.attribute:
            for tensor in (*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])):
                _tensor(tensor, found, limits)
                if node.op_type == "Constant" and node.output:
                    constants[node.output[0]] = tensor
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                _graph(inner, found, allowed, limits, deep + 1)
    for node in graph.node:
        _shaped(node, constants, found, limits)


def _tensor(tensor: onnx.TensorProto, found: Walked, limits: Limits) -> None:
    found.tensors += 1
    label = f"tensor {tensor.name[:60]!r}"
    if tensor.external_data or tensor.data_location == TensorProto.EXTERNAL:
        found.wrong.append(f"{label}: its data lies outside the file: expected all inside")
        return
    elements = _shape(label, tensor.dims, found, limits)
    held = len(tensor.raw_data)
    found.weights += held or tensor.ByteSize()
    if elements is not None and held:
        size = _bits(tensor.data_type)
        if size is None or held != math.ceil(elements * size / 8):
            found.wrong.append(f"{label}: {held} bytes for {elements} values of type {tensor.data_type}")
    elif elements:
        bits = _bits(tensor.data_type) or 8
        fields = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
        count = sum(map(len, fields))
        if count * 8 < elements * min(bits, 8):
            found.wrong.append(f"{label}: {count} values: its shape says {elements}")


def _bits(kind: int) -> int | None:
    """Bits of one value; None: it is of none that has a size."""
    try:
        name = TensorProto.DataType.Name(kind)
    except ValueError:
        return None
    if name in ("UINT4", "INT4", "FLOAT4E2M1"):
        return 4
    if name in ("UNDEFINED", "STRING", "UINT2", "INT2"):
        return None
    return 8 * int(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind)).itemsize)


def _shape(label: str, sizes: "Iterator[int] | list[int]", found: Walked, limits: Limits) -> int | None:
    """How many values there are; None: not as a shape may be, which is told."""
    axes = [int(one) for one in sizes]
    if len(axes) > limits.axes or any(one < 0 for one in axes) or math.prod(axes) > limits.elements:
        found.wrong.append(
            f"{label} of shape {axes[:10]}: expected at most {limits.axes} axes and {limits.elements} values"
        )
        return None
    return math.prod(axes)


def _shaped(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto], found: Walked, limits: Limits) -> None:
    """What an operator is told to make, where that is written in the file."""
    place = _SHAPING.get(node.op_type)
    if place is None or len(node.input) <= place or node.input[place] not in constants:
        return
    tensor = constants[node.input[place]]
    if tensor.data_type not in (TensorProto.INT64, TensorProto.INT32) or math.prod(tensor.dims) > 2 * limits.axes:
        return
    try:
        sizes = [abs(int(one)) for one in numpy_helper.to_array(tensor).reshape(-1)]
    except (ValueError, TypeError):
        found.wrong.append(f"{node.op_type} {node.name[:60]!r}: its shape cannot be read")
        return
    whole = max(sizes, default=0) if node.op_type in ("Range", "Pad") else math.prod(one or 1 for one in sizes)
    if whole > limits.elements:
        found.wrong.append(
            f"{node.op_type} {node.name[:60]!r} makes {whole} values: expected at most {limits.elements}"
        )


def _ports(graph: onnx.GraphProto, manifest: Manifest, wrong: list[str]) -> None:
    """The one input is the picture, and the outputs that are promised are there."""
    weights = {one.name for one in graph.initializer}
    inputs = [one for one in graph.input if one.name not in weights]
    if [one.name for one in inputs] != [manifest.input.name]:
        wrong.append(f"inputs {[one.name[:60] for one in inputs]}: expected {manifest.input.name}")
        return
    kind = inputs[0].type.tensor_type
    axes = [one.dim_value for one in kind.shape.dim]
    entry = manifest.input
    if kind.elem_type != TensorProto.UINT8 or axes[1:] != [entry.height, entry.width, entry.channels]:
        wrong.append(
            f"input {entry.name} of shape {axes}: expected uint8 n, {entry.height}, {entry.width}, {entry.channels}"
        )
    there = {one.name for one in graph.output}
    asked = {*manifest.output.ports, *([manifest.output.features] if manifest.output.features else [])}
    if asked - there:
        wrong.append(f"outputs {sorted(there)[:10]}: expected {sorted(asked)}")
