"""Nodes around a foreign graph, so that it takes uint8 pictures and gives what an adapter reads.

picture uint8 [n, h, w, c] -> cast -> (grey repeated) -> (blue first) -> normalised -> (turned to nchw) -> foreign
foreign -> ports of the adapter, float32; maps of more than 64 (segmentation: 128) cells a side are brought down by
their maximum, so that nothing small is lost; a segmentation's confidences are made before that
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..bus.errors import BadBundle
from .foreign import Foreign
from .import_options import ImportOptions, Layout

MOST_HEAT_CELLS, MOST_SEGMENT_CELLS = 64, 128
_SOFTMAX_OPSET = 13
"""Before this Softmax took all axes after the first as one."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """What the foreign graph takes."""

    width: int
    height: int
    channels: int
    layout: Layout
    free: bool
    """It leaves the number of pictures open."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one foreign output gives, and which port of ours it becomes."""

    name: str
    shape: tuple[int, ...]
    """For one picture, as it ran."""
    kind: int


def taken_by(foreign: Foreign, options: ImportOptions) -> Taken:
    """Return layout and size of a foreign input. BadBundle: the graph states others, or nobody does."""
    shape, name = foreign.input.shape, f"{foreign.path}: input {foreign.input.name!r} {list(foreign.input.shape)}"
    layout = options.layout
    if layout is None:
        rest = shape[-3:]
        first, last = rest[0] in (1, 3), rest[2] in (1, 3)
        if first == last:
            raise BadBundle(f"{name}: which axis is the channels cannot be told: say --layout nchw or nhwc")
        layout = "nchw" if first else "nhwc"
        if len(shape) == 3:
            layout = "chw" if first else "hwc"
    if len(layout) != len(shape):
        raise BadBundle(f"{name}: layout {layout} has {len(layout)} axes")
    sizes = dict(zip(layout, shape, strict=True))
    channels = sizes["c"] or (1 if options.grey else 3)
    if channels not in (1, 3) or sizes.get("n", 1) not in (None, 1):
        raise BadBundle(f"{name}: expected one picture, or any number, of 1 or 3 channels in layout {layout}")
    asked = options.size or (None, None)
    width, height = asked[0] or sizes["w"], asked[1] or sizes["h"]
    if width is None or height is None:
        raise BadBundle(f"{name}: leaves its size open: say --size WIDTHxHEIGHT")
    if sizes["w"] not in (None, width) or sizes["h"] not in (None, height):
        raise BadBundle(f"{name}: takes {sizes['w']}x{sizes['h']}, not {width}x{height}")
    return Taken(width, height, channels, layout, "n" in sizes and sizes["n"] is None)


def prepared(cuts: npt.NDArray[np.uint8], taken: Taken, options: ImportOptions) -> Array:
    """Return pictures uint8 [n, h, w, c] as the foreign model's own input, in numpy: the truth for the nodes."""
    values = cuts.astype(np.float64)
    if values.shape[3] < taken.channels:
        values = np.repeat(values, taken.channels, axis=3)
    if options.bgr:
        values = values[..., ::-1]
    values = (values / options.scale - np.array(options.mean)) / np.array(options.std)
    if "chw" in taken.layout:
        values = values.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(values[0] if "n" not in taken.layout else values, np.float32)


def pool_of(rows: int, columns: int, most: int) -> int:
    """Cells of a map that become one, each way."""
    return max(1, -(-max(rows, columns) // most))


class Wrapped:
    """A foreign graph with nodes around it, in the making."""

    def __init__(self, foreign: Foreign, taken: Taken, options: ImportOptions) -> None:
        self._foreign, self._taken, self._options = foreign, taken, options
        self._model = onnx.ModelProto()
        self._model.CopyFrom(foreign.model)
        graph = self._model.graph
        self._taken_names = {name for node in graph.node for name in (*node.input, *node.output)}
        self._taken_names |= {tensor.name for tensor in graph.initializer}
        self._front: list[onnx.NodeProto] = []
        self._back: list[onnx.NodeProto] = []
        self._into = self._front
        self.picture = self.name("picture")
        self._feed()
        self._into = self._back
        self.ports: dict[str, str] = {}
        """Our name of a port -> name in the graph."""
        self._kinds: dict[str, int] = {}

    def name(self, wanted: str) -> str:
        """Return a name that nothing in the graph has, the wanted one where it can be."""
        name, number = wanted, 1
        while name in self._taken_names:
            name, number = f"{wanted}.{number}", number + 1
        self._taken_names.add(name)
        return name

    def add(self, kind: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """Add a node before or behind the foreign graph; return the name of its output."""
        name = self.name(f"okng.{kind.lower()}") if output is None else output
        self._into.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def weight(self, value: Array) -> str:
        """Add a constant; return its name."""
        name = self.name("okng.constant")
        self._model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def port(self, ours: str, value: str, kind: int = TensorProto.FLOAT) -> None:
        """Make a value an output under our name, or the nearest that is free."""
        self.ports[ours] = self.add("Cast", [value], self.name(ours), to=kind)
        self._kinds[ours] = kind

    def _feed(self) -> None:
        """Nodes from our input to the foreign one."""
        taken, options = self._taken, self._options
        value = self.add("Cast", [self.picture], to=TensorProto.FLOAT)
        if options.grey and taken.channels == 3:
            value = self.add("Concat", [value] * 3, axis=3)
        if options.bgr and taken.channels == 3:
            value = self.add("Gather", [value, self.weight(np.array([2, 1, 0], np.int64))], axis=3)
        mean = np.array(options.mean) * options.scale
        factor = 1.0 / (options.scale * np.array(options.std))
        value = self.add("Sub", [value, self.weight(mean.astype(np.float32))])
        value = self.add("Mul", [value, self.weight(factor.astype(np.float32))])
        if "chw" in taken.layout:
            value = self.add("Transpose", [value], perm=[0, 3, 1, 2])
        if "n" not in taken.layout:
            sizes = {"c": taken.channels, "h": taken.height, "w": taken.width}
            value = self.add("Reshape", [value, self.weight(np.array([sizes[a] for a in taken.layout], np.int64))])
        self.add("Cast", [value], self._foreign.input.name, to=self._foreign.input.kind)

    def reshaped(self, value: str, *shape: int) -> str:
        """Value in another shape, the first axis counted by pictures."""
        return self.add("Reshape", [value, self.weight(np.array([-1, *shape], np.int64))])

    def softmax(self, value: str) -> str:
        """Shares over axis 1 of [n, C, rows, columns]."""
        if self._foreign.opset < _SOFTMAX_OPSET:
            raise BadBundle(f"{self._foreign.path}: opset {self._foreign.opset}: a segmentation needs 13 or newer")
        return self.add("Softmax", [value], axis=1)

    def pooled(self, value: str, pool: int) -> str:
        """The maximum of each pool x pool cells of [n, C, rows, columns]; cells over the edge count as none."""
        if pool == 1:
            return value
        return self.add("MaxPool", [value], kernel_shape=[pool, pool], strides=[pool, pool], ceil_mode=1)

    def bytes_of(self, batch: int | str, shapes: dict[str, tuple[int | str, ...]] | None = None) -> bytes:
        """Return the whole model. batch: 1, or `n` for a free axis. shapes: of our ports; None: left unsaid."""
        taken = self._taken
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        graph = model.graph
        inner = list(graph.node)
        for field in ("node", "input", "output"):
            graph.ClearField(field)
        graph.node.extend([*self._front, *inner, *self._back])
        channels = 1 if self._options.grey else taken.channels
        shape = [batch, taken.height, taken.width, channels]
        graph.input.append(helper.make_tensor_value_info(self.picture, TensorProto.UINT8, shape))
        for ours, name in self.ports.items():
            graph.output.append(
                helper.make_tensor_value_info(name, self._kinds[ours], shapes[ours] if shapes else None)
            )
        model.producer_name = "okng"
        return bytes(model.SerializeToString(deterministic=True))
