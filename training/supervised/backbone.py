"""Backbones as torch modules: pixels in, feature maps at 1/4, 1/8, 1/16 (and 1/32) of the size out.

`lite0` is the very file the line's taught models run on, its weights read out of the ONNX. Any classification model of
torchvision serves too: the last map of each size is found by running it once.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import torchvision
from onnx import numpy_helper
from torch import nn
from torch.nn import functional
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from ...bus.errors import BadSettings
from ..backbone_export import BACKBONE, STAGES, TAPS
from .options import OWN_BACKBONE, TrainOptions

REDUCTIONS = (4, 8, 16, 32)
_PROBE_PX = 128


class Backbone(nn.Module):  # type: ignore[misc]  # torch is not in the line's environment
    """What every backbone is: `channels` and `reductions` by level, and its own normalisation."""

    channels: tuple[int, ...]
    """Channels of each map."""
    reductions: tuple[int, ...]
    """Pixels of the input per cell of each map, rising."""

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Return the maps of pixels float32 `[n, 3, h, w]`, 0..255 RGB; h and w multiples of 32."""
        raise NotImplementedError


class Lite0(Backbone):
    """EfficientNet-Lite0 cut after block 10. Batch normalisation is folded into the convolutions already."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        """weights: arrays by the names of `backbone/efficientnet_lite0_b10.onnx`."""
        super().__init__()
        self._weights = weights
        self.reductions = (4, 8, 16)
        self.stem = self._conv("conv_stem", 2)
        self.blocks = nn.ModuleList()
        self.channels = ()
        for number, stage in enumerate(STAGES):
            name = f"blocks.{number}"
            block = nn.ModuleDict()
            if stage.expands:
                block["expand"] = self._conv(f"{name}._expand_conv", 1)
            block["depthwise"] = self._conv(f"{name}._depthwise_conv", stage.stride)
            block["project"] = self._conv(f"{name}._project_conv", 1)
            self.blocks.append(block)
            if number in TAPS:
                self.channels += (block["project"][-1].out_channels,)
        del self._weights

    def _conv(self, name: str, stride: int) -> nn.Sequential:
        kernel, offset = self._weights[f"{name}.w"], self._weights[f"{name}.b"]
        out, per_group, side, _ = kernel.shape
        groups = out if per_group == 1 and side > 1 else 1
        # TensorFlow's SAME: the odd pixel of padding goes to the right and bottom.
        before = (side - stride) // 2
        after = side - stride - before
        even = before == after
        conv = nn.Conv2d(per_group * groups, out, side, stride, before if even else 0, groups=groups)
        conv.weight.data = torch.from_numpy(kernel.copy())
        conv.bias.data = torch.from_numpy(offset.copy())
        return nn.Sequential(conv) if even else nn.Sequential(nn.ZeroPad2d((before, after, before, after)), conv)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Return taps 2, 4 and 10: 24, 40 and 112 channels at 1/4, 1/8 and 1/16."""
        value, taps = functional.relu6(self.stem((pixels - 127.0) / 128.0)), []
        for number, (stage, block) in enumerate(zip(STAGES, self.blocks, strict=True)):
            source = value
            if stage.expands:
                value = functional.relu6(block["expand"](value))
            value = block["project"](functional.relu6(block["depthwise"](value)))
            if stage.adds:
                value = value + source
            if number in TAPS:
                taps.append(value)
        return taps


class Torchvision(Backbone):
    """A classification model of torchvision, cut after its last map."""

    def __init__(self, name: str, model: nn.Module, *, frozen_norm: bool) -> None:
        """frozen_norm: batch normalisation keeps the statistics it came with (few pictures a step spoil them)."""
        super().__init__()
        nodes = _map_nodes(name, model)
        self.reductions = tuple(nodes)
        self.body = create_feature_extractor(model, {node: str(place) for place, (node, _) in nodes.items()})
        self.channels = tuple(channels for _, channels in nodes.values())
        self._frozen_norm = frozen_norm
        # ImageNet's, as all of torchvision's weights expect.
        self.register_buffer("mean", torch.tensor([123.675, 116.28, 103.53]).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor([58.395, 57.12, 57.375]).reshape(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> "Torchvision":
        """Go into or out of training; frozen batch normalisation stays out of it."""
        super().train(mode)
        if self._frozen_norm:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001  # no public name for all of them
                    module.eval()
        return self

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Return the last map of each size."""
        found = self.body((pixels - self.mean) / self.spread)
        return [found[str(reduction)] for reduction in self.reductions]


def own_weights(path: Path = BACKBONE) -> dict[str, Any]:
    """Return the arrays of the backbone file by name."""
    model = onnx.load_model_from_string(path.read_bytes())
    return {one.name: numpy_helper.to_array(one).astype(np.float32) for one in model.graph.initializer}


def make_backbone(options: TrainOptions) -> Backbone:
    """Return the backbone that was asked for, with its weights.

    BadSettings: torchvision has no such model, it has no maps, or the weights are not there or are of another model.
    """
    if options.backbone == OWN_BACKBONE:
        return Lite0(own_weights())
    name, file = options.backbone, options.weights_file
    if name not in torchvision.models.list_models(module=torchvision.models):
        raise BadSettings(f"backbone = {name!r}: expected lite0 or a classification model of torchvision")
    try:
        model = torchvision.models.get_model(name, weights="DEFAULT" if options.weights == "download" else None)
    except OSError as error:
        raise BadSettings(f"weights of {name} cannot be downloaded ({error}): name a file with --weights") from error
    if file is not None:
        model.load_state_dict(_state(file, name, model))
    return Torchvision(name, model, frozen_norm=options.weights != "none")


def _state(file: Path, name: str, model: nn.Module) -> dict[str, Any]:
    """The state dictionary in a file, held against the model. Nothing but tensors is unpickled."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise BadSettings(f"{file}: no state dictionary of torch: {str(error).splitlines()[0][:200]}") from error
    wanted = model.state_dict()
    if not isinstance(state, dict) or set(state) != set(wanted):
        raise BadSettings(f"{file}: its tensors are not those of {name}")
    for key, value in wanted.items():
        if state[key].shape != value.shape:
            raise BadSettings(f"{file}: {key} is {tuple(state[key].shape)}: {name} has {tuple(value.shape)}")
    return state


def _map_nodes(name: str, model: nn.Module) -> dict[int, tuple[str, int]]:
    """The last node that gives a map of each reduction, and its channels, found by one run."""
    try:
        _, nodes = get_graph_node_names(model)
        probe = create_feature_extractor(model, nodes).eval()
        with torch.no_grad():
            outputs = probe(torch.zeros(1, 3, _PROBE_PX, _PROBE_PX))
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise BadSettings(f"backbone = {name!r}: gives no maps for {_PROBE_PX} px: {error}") from error
    finally:
        model.train()
    found = {}
    for node, value in outputs.items():
        for reduction in REDUCTIONS:
            side = _PROBE_PX // reduction
            if isinstance(value, torch.Tensor) and tuple(value.shape[2:]) == (side, side) and value.ndim == 4:
                found[reduction] = (node, int(value.shape[1]))
    if not {8, 16} <= set(found):
        raise BadSettings(f"backbone = {name!r}: has no maps at 1/8 and 1/16 of the size (a transformer?)")
    return dict(sorted(found.items()))
