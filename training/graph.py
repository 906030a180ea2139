"""The taught model as one ONNX graph: uint8 pictures in, scores and heat maps out.

    pictures -> cast, (x - 127) / 128 -> backbone -> taps pooled to one grid -> whitening
             -> memory distance, Gaussian distance -> each as z per position -> weighted sum
             -> with labels: what the linear head says -> smoothing -> heat -> max -> score

Features for teaching come from the same nodes (`feature_graph`), so what is taught is what runs. The number of pictures
is free (`n`); whoever loads the graph fixes it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from .layout import Layout

BACKBONE = Path(__file__).parent / "backbone" / "efficientnet_lite0_b10.onnx"
OPSET = 17
STEM = "conv_stem.w"
TAPS = (("tap2", 4, 24), ("tap4", 8, 40), ("tap10", 16, 112))
"""Name, reduction and channels of each tap of the backbone."""
CHANNELS = sum(channels for _, _, channels in TAPS)
BATCH = "n"
"""Name of the free dimension."""

Array = npt.NDArray[Any]
Size = list[int | str]


class Nodes:
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
        """Add a node with one output of its own name."""
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, name: str, value: Array | np.generic) -> str:
        """Add a constant."""
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def shaped(self, value: str, name: str, *size: int) -> str:
        """Add a reshape; one size may be -1."""
        return self.add("Reshape", [value, self.weight(f"{name}.shape", np.array(size, np.int64))], name)

    def cells(self) -> str:
        """Taps, 3x3 average-pooled, brought to the grid: [n, cells, CHANNELS]."""
        layout, pooled = self.layout, []
        for tap, reduction, _ in TAPS:
            value = self.add("AveragePool", [tap], f"{tap}.smooth", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            if reduction < layout.step_px:
                step = layout.step_px // reduction
                value = self.add(
                    "AveragePool", [value], f"{tap}.cells", kernel_shape=[step, step], strides=[step, step]
                )
            elif reduction > layout.step_px:
                scale = reduction / layout.step_px
                scales = self.weight(f"{tap}.scales", np.array([1, 1, scale, scale], np.float32))
                value = self.add("Resize", [value, "", scales], f"{tap}.cells", mode="linear")
            pooled.append(value)
        value = self.add("Concat", pooled, "taps", axis=1)
        value = self.add("Transpose", [value], "taps.last", perm=[0, 2, 3, 1])
        return self.shaped(value, "cells", -1, layout.cells, CHANNELS)

    def model(self, outputs: list[tuple[str, Size]]) -> bytes:
        """Return the whole graph's bytes."""
        layout = self.layout
        shape: Size = [BATCH, layout.height_px, layout.width_px, layout.channels]
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
    """Return the front half: `picture` uint8 [n, height, width, channels] -> `cells` float32 [n, cells, CHANNELS]."""
    nodes = Nodes(load_backbone(), layout)
    nodes.cells()
    return nodes.model([("cells", [BATCH, layout.cells, CHANNELS])])
