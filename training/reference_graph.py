"""Comparison with templates as one ONNX graph: uint8 picture in, score and heat map out.

    picture -> half size -> differences at every shift, block by block -> best shift, with its fraction -> field
            -> picture laid over the template -> beyond upper and lower limit -> window means -> heat -> max -> score

The same arithmetic as `reference_field.py` and `reference_template.py`, node by node. With several templates each has
its own branch, and the branch that scores least speaks: a part is good when it is as one of them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from .reference_field import BLOCK_PX, FLAT, HALF, SMOOTH_BLOCKS, judged, stay_costs, steps_of
from .reference_template import CELL_PX, FAINT, Template, Tolerance

OPSET = 17

Array = npt.NDArray[Any]


class _Nodes:
    """A graph in the making. Each call adds a node and returns the name of its output; names begin with the branch."""

    def __init__(self) -> None:
        self.branch = ""
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, onnx.TensorProto] = {}

    def add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        name = self.branch + name
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name: str, value: Array | np.generic, *, shared: bool = False) -> str:
        """A constant; shared ones are the same in all branches."""
        name = name if shared else self.branch + name
        if name not in self.weights:
            self.weights[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def number(self, value: float) -> str:
        """A float32 constant by its value."""
        return self.weight(f"number.{value!r}", np.float32(value), shared=True)

    def whole(self, name: str, *values: int) -> str:
        """An int64 vector."""
        return self.weight(name, np.array(values, np.int64), shared=True)

    def shaped(self, value: str, name: str, *shape: int) -> str:
        text = "x".join(map(str, shape))
        return self.add("Reshape", [value, self.whole(f"shape.{text}", *shape)], name)


def reference_graph(templates: Sequence[Template], tolerance: Tolerance) -> bytes:
    """Return the whole model.

    `picture` uint8 [1, height, width, channels] -> `score` float32 [1], `heat`, `brighter` and `darker` float32
    [1, rows, columns]. ValueError: no template, or templates of different sizes.
    """
    sizes = {template.upper.shape for template in templates}
    if len(sizes) != 1:
        raise ValueError(f"templates of sizes {sorted(sizes)}: expected one size")
    ((height, width, channels),) = sizes
    rows, columns = height // CELL_PX, width // CELL_PX
    nodes = _Nodes()
    pixels = nodes.add("Cast", ["picture"], "pixels", to=TensorProto.FLOAT)
    planes = nodes.add("Transpose", [pixels], "planes", perm=[0, 3, 1, 2])
    # Sums over 2 x 2 pixels and all channels: a convolution with ones.
    ones = nodes.weight("ones", np.ones((1, channels, HALF, HALF), np.float32))
    half = nodes.add("Conv", [planes, ones], "half", kernel_shape=[HALF, HALF], strides=[HALF, HALF])
    flat = nodes.shaped(pixels, "flat", height * width, channels)
    maps = []
    for number, template in enumerate(templates):
        nodes.branch = f"template{number}."
        field = _field(nodes, half, template, tolerance)
        over = _moved(nodes, flat, field, height, width, channels)
        seen = _seen(nodes, field, height, width)
        maps.append(_beyond(nodes, over, seen, template, tolerance.window_px))
    nodes.branch = ""
    _speak(nodes, maps, rows, columns)
    outputs = [("score", [1]), *((name, [1, rows, columns]) for name in ("heat", "brighter", "darker"))]
    picture = helper.make_tensor_value_info("picture", TensorProto.UINT8, [1, height, width, channels])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in outputs]
    graph = helper.make_graph(nodes.nodes, "okng", [picture], values, list(nodes.weights.values()))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="okng")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _field(nodes: _Nodes, half: str, template: Template, tolerance: Tolerance) -> str:
    """The field of shifts, [1, 2, height, width], y before x."""
    add, steps = nodes.add, steps_of(tolerance.search_px)
    count = 2 * steps + 1
    rows, columns = template.half.shape
    target = nodes.weight("half", template.half[None, None])
    padded = add("Pad", [half, nodes.whole("pads", 0, 0, steps, steps, 0, 0, steps, steps)], "padded", mode="edge")
    axes, side = nodes.whole("axes", 2, 3), BLOCK_PX // HALF
    blocks = []
    for number in range(count * count):
        y, x = divmod(number, count)
        ends = [nodes.whole(f"from.{number}", y, x), nodes.whole(f"to.{number}", y + rows, x + columns)]
        value = add("Slice", [padded, *ends, axes], f"shifted.{number}")
        value = add("Abs", [add("Sub", [value, target], f"off.{number}")], f"away.{number}")
        blocks.append(add("AveragePool", [value], f"block.{number}", kernel_shape=[side, side], strides=[side, side]))
    costs = add("Concat", blocks, "blocks", axis=1)
    reach = SMOOTH_BLOCKS // 2
    costs = add("AveragePool", [costs], "smooth", kernel_shape=[SMOOTH_BLOCKS] * 2, pads=[reach] * 4)
    stay = stay_costs(steps, template.channels).reshape(1, count * count, 1, 1)
    costs = add("Add", [costs, nodes.weight("stay", stay, shared=True)], "costs")
    best = add("ArgMin", [costs], "best", axis=1, keepdims=1)
    least = add("ReduceMin", [costs], "least", axes=[1], keepdims=1)
    wide = nodes.whole("count", count)
    at_y = add("Div", [best, wide], "at_y")
    at_x = add("Sub", [best, add("Mul", [at_y, wide], "at_y.first")], "at_x")
    shifts = []
    for axis, at, step in (("y", at_y, count), ("x", at_x, 1)):
        ends = []
        for name, sign in (("before", -step), ("after", step)):
            place = add("Add", [best, nodes.whole(f"step.{sign}", sign)], f"{name}.{axis}.at")
            # ONNX's Clip on int64 is not on every provider: Max and Min are.
            place = add("Max", [place, nodes.whole("zero", 0)], f"{name}.{axis}.low")
            place = add("Min", [place, nodes.whole("last", count * count - 1)], f"{name}.{axis}.place")
            ends.append(add("GatherElements", [costs, place], f"{name}.{axis}", axis=1))
        whole = add("Cast", [at], f"{axis}.whole", to=TensorProto.FLOAT)
        whole = add("Sub", [whole, nodes.number(float(steps))], f"{axis}.steps")
        part = _fraction(nodes, ends[0], least, ends[1], axis)
        # At the end of the reach there is no neighbour: no fraction.
        inside = add("Less", [add("Abs", [whole], f"{axis}.away"), nodes.number(steps - 0.5)], f"{axis}.inside")
        part = add("Where", [inside, part, nodes.number(0.0)], f"{axis}.part")
        shifts.append(add("Add", [whole, part], f"{axis}.shift"))
    shift = add("Mul", [add("Concat", shifts, "shifts", axis=1), nodes.number(float(HALF))], "shifts.px")
    scales = nodes.weight("scales", np.array([1, 1, BLOCK_PX, BLOCK_PX], np.float32), shared=True)
    return add("Resize", [shift, "", scales], "field", mode="linear")


def _fraction(nodes: _Nodes, before: str, least: str, after: str, axis: str) -> str:
    add = nodes.add
    bend = add("Sub", [before, add("Mul", [least, nodes.number(2.0)], f"{axis}.twice")], f"{axis}.bend0")
    bend = add("Max", [add("Add", [bend, after], f"{axis}.bend1"), nodes.number(FLAT)], f"{axis}.bend")
    lean = add("Mul", [add("Sub", [before, after], f"{axis}.lean0"), nodes.number(0.5)], f"{axis}.lean")
    return add("Div", [lean, bend], f"{axis}.fraction")


def _moved(nodes: _Nodes, flat: str, field: str, height: int, width: int, channels: int) -> str:
    """The picture over the template, [height * width, channels]: four gathered pixels and linear weights."""
    add = nodes.add
    ends, parts = {}, {}
    one = nodes.weight("int.1", np.int32(1), shared=True)
    zero = nodes.weight("int.0", np.int32(0), shared=True)
    for number, (axis, size) in enumerate((("y", height), ("x", width))):
        cut = [nodes.whole(f"axis.{number}", number), nodes.whole(f"axis.{number + 1}", number + 1)]
        shift = add("Slice", [field, *cut, nodes.whole("axis.1", 1)], f"shift.{axis}")
        floor = add("Floor", [shift], f"floor.{axis}")
        parts[axis] = nodes.shaped(add("Sub", [shift, floor], f"part.{axis}"), f"part.{axis}.flat", height * width, 1)
        own = np.arange(size, dtype=np.int32).reshape((size, 1) if axis == "y" else (1, size))
        first = add("Cast", [floor], f"whole.{axis}", to=TensorProto.INT32)
        first = add("Add", [first, nodes.weight(f"own.{axis}", own, shared=True)], f"first.{axis}.at")
        last = nodes.weight(f"last.{axis}", np.int32(size - 1), shared=True)
        for name, place in (("first", first), ("second", add("Add", [first, one], f"second.{axis}.at"))):
            place = add("Min", [add("Max", [place, zero], f"{name}.{axis}.low"), last], f"{name}.{axis}")
            if axis == "y":
                stride = nodes.weight("int.width", np.int32(width), shared=True)
                place = add("Mul", [place, stride], f"{name}.{axis}.start")
            ends[axis, name] = nodes.shaped(place, f"{name}.{axis}.flat", height * width)
    lines = []
    for name, row in (("upper", ends["y", "first"]), ("lower", ends["y", "second"])):
        sides = []
        for side in ("first", "second"):
            place = add("Add", [row, ends["x", side]], f"{name}.{side}.at")
            sides.append(add("Gather", [flat, place], f"{name}.{side}", axis=0))
        lines.append(_between(nodes, sides[0], sides[1], parts["x"], name))
    return _between(nodes, lines[0], lines[1], parts["y"], "over")


def _between(nodes: _Nodes, one: str, other: str, part: str, name: str) -> str:
    step = nodes.add("Mul", [nodes.add("Sub", [other, one], f"{name}.apart"), part], f"{name}.step")
    return nodes.add("Add", [one, step], f"{name}.between")


def _seen(nodes: _Nodes, field: str, height: int, width: int) -> str:
    """1 where the place lies inside the picture and off its rim, 0 from one px beyond, [1, 1, height, width]."""
    add = nodes.add
    weight = nodes.weight("judged", judged(height, width)[None, None], shared=True)
    for axis, size in (("y", height), ("x", width)):
        shape = (size, 1) if axis == "y" else (1, size)
        own = np.arange(size, dtype=np.float32).reshape(shape)
        near = nodes.weight(f"near.{axis}", own, shared=True)
        far = nodes.weight(f"far.{axis}", own - np.float32(size - 1), shared=True)
        shift = f"{nodes.branch}shift.{axis}"
        before = add("Neg", [add("Add", [near, shift], f"{axis}.place")], f"{axis}.before")
        beyond = add("Max", [before, add("Add", [far, shift], f"{axis}.behind")], f"{axis}.outside")
        share = add("Sub", [nodes.number(1.0), beyond], f"{axis}.inner")
        share = add("Clip", [share, nodes.number(0.0), nodes.number(1.0)], f"{axis}.share")
        weight = add("Mul", [weight, share], f"{axis}.seen")
    return weight


def _beyond(nodes: _Nodes, over: str, seen: str, template: Template, window_px: int) -> list[str]:
    """Heat, brighter and darker of one template, each [1, 1, rows, columns]."""
    add, weight = nodes.add, nodes.weight
    height, width, channels = template.upper.shape
    upper, lower = (
        weight(name, limit.reshape(height * width, channels))
        for name, limit in (("upper", template.upper), ("lower", template.lower))
    )
    over_by = {"brighter": add("Sub", [over, upper], "above"), "darker": add("Sub", [lower, over], "below")}
    slope = weight("slope", template.slope[None, None])
    planes = []
    for name, value in over_by.items():
        if channels > 1:
            value = add("ReduceMax", [value], f"{name}.most", axes=[1], keepdims=1)
        planes.append(nodes.shaped(add("Relu", [value], f"{name}.beyond"), f"{name}.plane", 1, 1, height, width))
    value, reach = add("Mul", [add("Concat", planes, "beyond", axis=1), seen], "beyond.seen"), window_px // 2
    if window_px > 1:
        value = add("AveragePool", [value], "window", kernel_shape=[window_px] * 2, pads=[reach] * 4)
    value = add("MaxPool", [value], "hottest", kernel_shape=[CELL_PX] * 2, strides=[CELL_PX] * 2)
    hotter = add("ReduceMax", [value], "hotter", axes=[1], keepdims=1)
    middle = weight("middle", (template.upper + template.lower).reshape(height * width, channels) * np.float32(0.5))
    plain = add("Abs", [add("Sub", [over, middle], "plain.off")], "plain.away")
    if channels > 1:
        plain = add("ReduceMean", [plain], "plain.mean", axes=[1], keepdims=1)
    plain = nodes.shaped(plain, "plain", 1, 1, height, width)
    plain = add("AveragePool", [plain], "plain.cells", kernel_shape=[CELL_PX] * 2, strides=[CELL_PX] * 2)
    faint = add("Mul", [plain, nodes.number(FAINT)], "faint")
    heat = add("Mul", [add("Add", [hotter, faint], "levels"), slope], "heat")
    signed = add("Mul", [value, slope], "signed")
    axis, maps = nodes.whole("axis.1", 1), [heat]
    for number, name in enumerate(("brighter", "darker")):
        ends = [nodes.whole(f"axis.{number}", number), nodes.whole(f"axis.{number + 1}", number + 1)]
        maps.append(add("Slice", [signed, *ends, axis], f"{name}.map"))
    return maps


def _speak(nodes: _Nodes, maps: list[list[str]], rows: int, columns: int) -> None:
    """Outputs of the template that scores least; of the first one where two score the same."""
    add, names = nodes.add, ("heat", "brighter", "darker")
    if len(maps) == 1:
        for name, value in zip(names, maps[0], strict=True):
            nodes.shaped(value, name, 1, rows, columns)
        add("ReduceMax", ["heat"], "score", axes=[1, 2], keepdims=0)
        return
    stacked = [add("Concat", [each[at] for each in maps], f"{name}.all", axis=1) for at, name in enumerate(names)]
    scores = add("ReduceMax", [stacked[0]], "scores", axes=[2, 3], keepdims=0)
    speaks = add("ArgMin", [scores], "speaks", axis=1, keepdims=0)
    for name, value in zip(names, stacked, strict=True):
        nodes.shaped(add("Gather", [value, speaks], f"{name}.one", axis=1), name, 1, rows, columns)
    add("ReduceMin", [scores], "score", axes=[1], keepdims=0)
