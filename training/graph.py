"""The taught model as one ONNX graph: uint8 picture in, score and heat map out.

    picture -> cast, (x - 127) / 128 -> backbone -> taps pooled to one grid -> whitening
            -> memory distance, Gaussian distance -> each as z per position -> sum -> smoothing -> heat -> max -> score

Features for teaching come from the same nodes (`feature_graph`), so what is taught is what runs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from .heads import SMOOTHING, Heads

BACKBONE = Path(__file__).parent / "backbone" / "efficientnet_lite0_b10.onnx"
OPSET = 17
STEM = "conv_stem.w"
TAPS = (("tap2", 4, 24), ("tap4", 8, 40), ("tap10", 16, 112))
"""Name, reduction and channels of each tap of the backbone."""
CHANNELS = sum(channels for _, _, channels in TAPS)

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of a model."""

    size_px: int
    """Side of the square input; a multiple of 16."""
    channels: int
    """1: grey, 3: RGB."""
    grid: int
    """Cells along one side of the map: size/16, or size/8 for twice the resolution and cost."""

    def __post_init__(self) -> None:
        if self.size_px < 32 or self.size_px % 16:
            raise ValueError(f"size {self.size_px} px: expected a multiple of 16, 32 or more")
        if self.channels not in (1, 3):
            raise ValueError(f"{self.channels} channels: expected 1 or 3")
        if self.grid not in (self.size_px // 16, self.size_px // 8):
            raise ValueError(f"grid {self.grid}: expected {self.size_px // 16} or {self.size_px // 8}")

    @property
    def cells(self) -> int:
        """Positions of the map."""
        return self.grid * self.grid


class _Nodes:
    """A graph in the making. Each call adds a node and returns the name of its output."""

    def __init__(self, backbone: onnx.ModelProto, layout: Layout) -> None:
        self.layout = layout
        self.nodes: list[onnx.NodeProto] = []
        self.weights = list(backbone.graph.initializer)
        if layout.channels == 1:
            # Grey repeated three times through a linear layer is the sum of its kernels: a third of the work.
            for at, weight in enumerate(self.weights):
                if weight.name == STEM:
                    summed = numpy_helper.to_array(weight).sum(axis=1, keepdims=True)
                    self.weights[at] = numpy_helper.from_array(summed, STEM)
        value = self.add("Cast", ["picture"], "picture.float", to=TensorProto.FLOAT)
        value = self.add("Transpose", [value], "picture.nchw", perm=[0, 3, 1, 2])
        value = self.add("Sub", [value, self.weight("mean", np.float32(127.0))], "picture.centred")
        self.add("Mul", [value, self.weight("scale", np.float32(1 / 128.0))], "pixels")
        self.nodes.extend(backbone.graph.node)

    def add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name: str, value: Array | np.generic) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def cells(self) -> str:
        """Taps, 3x3 average-pooled, brought to the grid, one row per cell: [cells, CHANNELS]."""
        layout, pooled = self.layout, []
        for tap, reduction, _ in TAPS:
            value = self.add("AveragePool", [tap], f"{tap}.smooth", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            side = layout.size_px // reduction
            if side > layout.grid:
                step = side // layout.grid
                value = self.add(
                    "AveragePool", [value], f"{tap}.cells", kernel_shape=[step, step], strides=[step, step]
                )
            elif side < layout.grid:
                scales = self.weight(f"{tap}.scales", np.array([1, 1, 2, 2], np.float32))
                value = self.add("Resize", [value, "", scales], f"{tap}.cells", mode="linear")
            pooled.append(value)
        value = self.add("Concat", pooled, "taps", axis=1)
        value = self.add("Transpose", [value], "taps.last", perm=[0, 2, 3, 1])
        shape = self.weight("cells.shape", np.array([layout.cells, CHANNELS], np.int64))
        return self.add("Reshape", [value, shape], "cells")

    def model(self, outputs: list[tuple[str, list[int]]]) -> bytes:
        layout = self.layout
        shape = [1, layout.size_px, layout.size_px, layout.channels]
        picture = helper.make_tensor_value_info("picture", TensorProto.UINT8, shape)
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in outputs]
        graph = helper.make_graph(self.nodes, "okng", [picture], values, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="okng")
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def load_backbone() -> onnx.ModelProto:
    """Return the backbone that comes with okng."""
    return onnx.load_model_from_string(BACKBONE.read_bytes())


def feature_graph(layout: Layout) -> bytes:
    """Return the front half: `picture` uint8 [1, size, size, channels] -> `cells` float32 [cells, CHANNELS]."""
    nodes = _Nodes(load_backbone(), layout)
    nodes.cells()
    return nodes.model([("cells", [layout.cells, CHANNELS])])


def taught_graph(layout: Layout, heads: Heads) -> bytes:
    """Return the whole model.

    `picture` uint8 [1, size, size, channels] -> `score` float32 [1], `heat` float32 [1, grid, grid].
    """
    nodes = _Nodes(load_backbone(), layout)
    add, weight = nodes.add, nodes.weight
    white = add("Sub", [nodes.cells(), weight("whitening.mean", heads.whitening.mean)], "cells.centred")
    white = add("MatMul", [white, weight("whitening.matrix", heads.whitening.matrix)], "cells.white")
    memory = _z(nodes, _memory(nodes, white, heads), "memory", heads)
    gaussian = _z(nodes, _gaussian(nodes, white, heads), "gaussian", heads)
    height = add("Add", [memory, gaussian], "height")
    shape = weight("map.shape", np.array([1, 1, layout.grid, layout.grid], np.int64))
    height = add("Reshape", [height, shape], "height.map")
    pads = weight("map.pads", np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    height = add("Pad", [height, pads], "height.padded", mode="edge")
    height = add("Conv", [height, weight("smoothing", SMOOTHING[None, None])], "height.smooth", kernel_shape=[3, 3])
    shape = weight("heat.shape", np.array([1, layout.grid, layout.grid], np.int64))
    add("Reshape", [height, shape], "heat")
    add("ReduceMax", ["heat"], "score", axes=[1, 2], keepdims=0)
    return nodes.model([("score", [1]), ("heat", [1, layout.grid, layout.grid])])


def _memory(nodes: _Nodes, white: str, heads: Heads) -> str:
    """Distance to the nearest centre c: x.x - 2 max(x.c - c.c / 2), one matrix product for all centres. [cells]."""
    add, weight, centres = nodes.add, nodes.weight, heads.memory.centres
    half = (centres * centres).sum(axis=1) / np.float32(2.0)
    nearness = add("MatMul", [white, weight("memory.centres", np.ascontiguousarray(centres.T))], "memory.products")
    nearness = add("Sub", [nearness, weight("memory.half", half)], "memory.nearness")
    nearness = add("ReduceMax", [nearness], "memory.nearest", axes=[1], keepdims=0)
    own = add("ReduceSumSquare", [white], "memory.own", axes=[1], keepdims=0)
    twice = add("Mul", [nearness, weight("memory.two", np.float32(2.0))], "memory.twice")
    squared = add("Sub", [own, twice], "memory.squared")
    squared = add("Max", [squared, weight("memory.zero", np.float32(0.0))], "memory.positive")
    return add("Sqrt", [squared], "memory.distance")


def _gaussian(nodes: _Nodes, white: str, heads: Heads) -> str:
    """Mahalanobis distance at each position: |(x - mean) @ root|. [cells]."""
    add, weight, gaussian = nodes.add, nodes.weight, heads.gaussian
    dimensions = gaussian.mean.shape[1]
    ends = [weight("gaussian.from", np.array([0])), weight("gaussian.to", np.array([dimensions]))]
    part = add("Slice", [white, *ends, weight("gaussian.axis", np.array([1]))], "gaussian.part")
    part = add("Sub", [part, weight("gaussian.mean", gaussian.mean)], "gaussian.centred")
    shape = weight("gaussian.shape", np.array([nodes.layout.cells, 1, dimensions], np.int64))
    part = add("Reshape", [part, shape], "gaussian.rows")
    part = add("MatMul", [part, weight("gaussian.root", gaussian.root)], "gaussian.turned")
    squared = add("ReduceSumSquare", [part], "gaussian.squared", axes=[1, 2], keepdims=0)
    return add("Sqrt", [squared], "gaussian.distance")


def _z(nodes: _Nodes, distance: str, head: str, heads: Heads) -> str:
    calibration = heads.memory_z if head == "memory" else heads.gaussian_z
    value = nodes.add("Sub", [distance, nodes.weight(f"{head}.z.mean", calibration.mean)], f"{head}.above")
    slope = nodes.weight(f"{head}.z.slope", np.float32(1.0) / calibration.spread)
    return nodes.add("Mul", [value, slope], f"{head}.z")
