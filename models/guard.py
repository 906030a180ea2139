"""A look into a model file before ONNX Runtime parses it: what a bundle may not contain is refused by name.

Reads the protobuf wire format of ONNX itself (onnx.proto, fields by number), because the line has no `onnx` package. It
refuses external data (a graph that reads other files), operators that are not ONNX's own, local functions, and nesting
and numbers that no real model has. Loading stays memory-unsafe (fleet.md, section 4): this is a sieve, not a sandbox.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..bus.errors import BadBundle

LEAST_OPSET = 7
MOST_OPSET = 26
_OWN_DOMAINS = frozenset({"", "ai.onnx"})
MOST_NODES = 50_000
"""Of all graphs of a file. The largest detectors have some thousands."""
MOST_VALUES = 1 << 29
"""Of one tensor in the file: what a file of the largest size could just hold."""
_MOST_FIELDS = 1_000_000
"""Of all messages: a walk over so many takes a second. Real models have some 100,000."""
_DEEPEST = 8
_EXTERNAL = 1

# Field numbers of onnx.proto.
_MODEL_GRAPH, _MODEL_OPSET, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 8, 20, 25
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_GRAPH_NODE, _GRAPH_TENSOR, _GRAPH_SPARSE = 1, 5, 15
_NODE_OP, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_SPARSE_TENSORS = (1, 2)
_TENSOR_DIMS, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 1, 13, 14
_SPARSE_DIMS = 3


@dataclass(slots=True)
class Contents:
    """What a model file holds."""

    opset: int = 0
    """Version of ONNX's own operators; 0: not stated."""
    operators: set[str] = field(default_factory=set)
    nodes: int = 0
    """Of all graphs."""
    left: int = _MOST_FIELDS
    """Fields that may still be walked over."""


def check_model(model: bytes, name: str) -> Contents:
    """Return what the model holds. BadBundle, its text starting with name: it holds what a bundle may not."""
    contents = Contents()
    view = memoryview(model)
    graphs = 0
    try:
        for number, value in _fields(view, contents):
            if number == _MODEL_GRAPH:
                graphs += 1
                _graph(_message(value), contents, 0)
            elif number == _MODEL_OPSET:
                _opset(_message(value), contents)
            elif number in (_MODEL_TRAINING, _MODEL_FUNCTIONS):
                raise BadBundle("holds local functions or training graphs: expected operators of ONNX only")
    except BadBundle as error:
        raise BadBundle(f"{name}: {error}") from error
    except ValueError as error:
        raise BadBundle(f"{name}: not an ONNX model: {error}") from error
    if graphs != 1:
        raise BadBundle(f"{name}: not an ONNX model: {graphs} graphs in it, expected 1")
    if not LEAST_OPSET <= contents.opset <= MOST_OPSET:
        raise BadBundle(f"{name}: opset {contents.opset}: expected {LEAST_OPSET}..{MOST_OPSET}")
    return contents


def _opset(view: memoryview, contents: Contents) -> None:
    domain, version = "", 0
    for number, value in _fields(view, contents):
        if number == _OPSET_DOMAIN:
            domain = _text(value)
        elif number == _OPSET_VERSION and isinstance(value, int):
            version = value
    if domain not in _OWN_DOMAINS:
        raise BadBundle(f"operators of {domain!r}: expected ONNX's own only")
    contents.opset = version


def _graph(view: memoryview, contents: Contents, depth: int) -> None:
    if depth > _DEEPEST:
        raise BadBundle(f"graphs nested deeper than {_DEEPEST}")
    for number, value in _fields(view, contents):
        if number == _GRAPH_NODE:
            _node(_message(value), contents, depth)
        elif number == _GRAPH_TENSOR:
            _tensor(_message(value), contents)
        elif number == _GRAPH_SPARSE:
            _sparse(_message(value), contents)


def _node(view: memoryview, contents: Contents, depth: int) -> None:
    operator, domain = "", ""
    for number, value in _fields(view, contents):
        if number == _NODE_OP:
            operator = _text(value)
        elif number == _NODE_DOMAIN:
            domain = _text(value)
        elif number == _NODE_ATTRIBUTE:
            _attribute(_message(value), contents, depth)
    if domain not in _OWN_DOMAINS:
        raise BadBundle(f"operator {domain}.{operator}: expected ONNX's own only")
    contents.operators.add(operator)
    contents.nodes += 1
    if contents.nodes > MOST_NODES:
        raise BadBundle(f"more than {MOST_NODES} operators")


def _attribute(view: memoryview, contents: Contents, depth: int) -> None:
    for number, value in _fields(view, contents):
        if number in _ATTRIBUTE_TENSORS:
            _tensor(_message(value), contents)
        elif number in _ATTRIBUTE_GRAPHS:
            _graph(_message(value), contents, depth + 1)
        elif number in _ATTRIBUTE_SPARSE:
            _sparse(_message(value), contents)


def _sparse(view: memoryview, contents: Contents) -> None:
    values = 1
    for number, value in _fields(view, contents):
        if number in _SPARSE_TENSORS:
            _tensor(_message(value), contents)
        elif number == _SPARSE_DIMS:
            values = _times(values, value, contents)


def _tensor(view: memoryview, contents: Contents) -> None:
    values = 1
    for number, value in _fields(view, contents):
        if number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value == _EXTERNAL):
            raise BadBundle("weights lie outside the file (external data): expected all inside")
        if number == _TENSOR_DIMS:
            values = _times(values, value, contents)


def _times(values: int, dims: int | memoryview, contents: Contents) -> int:
    """How many values a tensor has, with one more axis, or with all of them packed. A negative one is a huge one."""
    if isinstance(dims, int):
        values *= dims
    else:
        at = 0
        while at < len(dims):
            contents.left -= 1
            axis, at = _varint(dims, at)
            values *= axis
            if values > MOST_VALUES:
                break
    if values > MOST_VALUES:
        raise BadBundle(f"a tensor of {values} values: expected at most {MOST_VALUES}")
    return values


def _fields(view: memoryview, contents: Contents) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers and values of one message: whole numbers as int, everything with a length as a view."""
    at = 0
    while at < len(view):
        contents.left -= 1
        if contents.left < 0:
            raise BadBundle(f"more than {_MOST_FIELDS} fields: no model has so many")
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            whole, at = _varint(view, at)
            yield number, whole
            continue
        if kind == 2:
            length, at = _varint(view, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if number == 0 or length > len(view) - at:
            raise ValueError(f"field {number} of {length} bytes runs over its end")
        yield number, view[at : at + length]
        at += length


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(view) or shift > 63:
            raise ValueError("a number is cut off")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)).decode("utf-8")
