"""Small foreign models as other projects export them: float pictures in, odd names and shapes out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F, I64 = TensorProto.FLOAT, TensorProto.INT64


def constant(name: str, value: Any, dtype: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(value, dtype), name)


def model(
    nodes: list[Any],
    outputs: Sequence[tuple[str, int, Any]],
    weights: list[Any],
    shape: tuple[int | str, ...] = (1, 3, 64, 64),
    opset: int = 17,
    kind: int = F,
    more_opsets: tuple[str, ...] = (),
    functions: tuple[Any, ...] = (),
) -> onnx.ModelProto:
    """A graph on `input`."""
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("input", kind, list(shape))],
        [helper.make_tensor_value_info(*each) for each in outputs],
        weights,
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in more_opsets)]
    made = helper.make_model(graph, opset_imports=opsets, producer_name="pytorch", functions=list(functions))
    made.ir_version = 8
    return made


def convolution(out: int, channels: int = 3, seed: int = 0) -> onnx.TensorProto:
    """A 3x3 kernel, so that a wrong order of channels, rows or columns gives other numbers."""
    rng = np.random.default_rng(seed)
    return numpy_helper.from_array(rng.normal(0, 0.5, (out, channels, 3, 3)).astype(np.float32), "kernel")


def conv(to: str = "map") -> Any:
    return helper.make_node("Conv", ["input", "kernel"], [to], pads=[1, 1, 1, 1])


def classifier(batch: int | str = 1, **more: Any) -> onnx.ModelProto:
    nodes = [
        conv(),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["weak"]),
        helper.make_node("Mul", ["weak", "gain"], ["linear"]),
    ]
    weights = [convolution(3), constant("gain", 0.6)]
    return model(nodes, [("linear", F, [batch, 3])], weights, (batch, 3, 64, 64), **more)


def segmenter(batch: int | str = "batch", side: int | str = "height", opset: int = 17) -> onnx.ModelProto:
    """Two outputs as torchvision's deeplab has, at full resolution, every size left open."""
    nodes = [conv("small"), helper.make_node("Mul", ["small", "gain"], ["out"]), conv("aux")]
    outputs = [("out", F, [batch, 3, side, side]), ("aux", F, [batch, 3, side, side])]
    weights = [convolution(3), constant("gain", 4.0)]
    return model(nodes, outputs, weights, (batch, 3, side, side), opset)


def anomaly(*, score: bool = True, names: tuple[str, str] = ("pred_score", "anomaly_map")) -> onnx.ModelProto:
    """Names and shapes of anomalib's export, clipped to 0..1 like it."""
    nodes = [
        conv("raw"),
        helper.make_node("Clip", ["raw", "zero", "one"], [names[1]]),
        *([helper.make_node("GlobalMaxPool", [names[1]], ["most"])] if score else []),
        *([helper.make_node("Flatten", ["most"], [names[0]])] if score else []),
    ]
    weights = [convolution(1), constant("zero", 0.0), constant("one", 1.0)]
    outputs: list[tuple[str, int, Any]] = [(names[0], F, ["batch_size", 1])] if score else []
    outputs.append((names[1], F, ["batch_size", 1, 100, 72]))
    return model(nodes, outputs, weights, ("batch_size", 3, 100, 72))


def yolo(layout: str = "v8") -> onnx.ModelProto:
    """64 boxes of two classes, one for each 8x8 px; confidences by the picture."""
    ys, xs = np.mgrid[4:64:8, 4:64:8]
    boxes = np.stack([xs.ravel(), ys.ravel(), np.full(64, 10), np.full(64, 6)]).astype(np.float32)[None]
    nodes = [
        conv(),
        helper.make_node("MaxPool", ["map"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Sigmoid", ["cells"], ["shares"]),
        helper.make_node("Reshape", ["shares", "flat"], ["rows"]),
        helper.make_node("Concat", ["boxes", "rows"], ["output0" if layout == "v8" else "both"], axis=1),
    ]
    classes = 2 if layout == "v8" else 3  # v5: the first is the confidence that there is anything
    if layout == "v5":
        nodes.append(helper.make_node("Transpose", ["both"], ["output0"], perm=[0, 2, 1]))
    shape = [1, 4 + classes, 64] if layout == "v8" else [1, 64, 4 + classes]
    weights = [
        convolution(classes),
        numpy_helper.from_array(boxes, "boxes"),
        constant("flat", [1, classes, 64], np.int64),
    ]
    return model(nodes, [("output0", F, shape)], weights)


def detector(names: tuple[str, str, str] = ("boxes", "labels", "scores")) -> onnx.ModelProto:
    """One picture of [3, h, w] as torchvision's detectors take it; as many boxes as bright places."""
    nodes = [
        helper.make_node("Unsqueeze", ["input", "zero"], ["one"]),
        helper.make_node("Conv", ["one", "kernel"], ["map"], pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["map"], ["cells"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Sigmoid", ["cells"], ["shares"]),
        helper.make_node("Reshape", ["shares", "flat"], ["each"]),
        helper.make_node("Greater", ["each", "half"], ["bright"]),
        helper.make_node("Compress", ["all_boxes", "bright"], [names[0]], axis=0),
        helper.make_node("Compress", ["all_labels", "bright"], [names[1]], axis=0),
        helper.make_node("Compress", ["each", "bright"], [names[2]], axis=0),
    ]
    ys, xs = np.mgrid[0:64:16, 0:64:16]
    boxes = np.stack([xs.ravel(), ys.ravel(), xs.ravel() + 14, ys.ravel() + 9], axis=1).astype(np.float32)
    weights = [
        convolution(1, seed=4),
        constant("zero", [0], np.int64),
        constant("flat", [-1], np.int64),
        constant("half", [0.6]),
        numpy_helper.from_array(boxes, "all_boxes"),
        constant("all_labels", np.arange(16) % 2 + 1, np.int64),
    ]
    outputs = [(names[0], F, ["k", 4]), (names[1], I64, ["k"]), (names[2], F, ["k"])]
    return model(nodes, outputs, weights, (3, 64, 64))
