"""The network: a backbone, a light decoder over its maps, the head of the task; and the form that is deployed.

    picture uint8 [n, h, w, c] -> float, RGB -> backbone -> decoder (1x1 to one width, added from coarse to fine)
        segmentation    logits      [n, 1 + classes, h/4, w/4], channel 0 is background
        detection       predictions [n, 4 + classes, cells]: centre x, y, width, height in input pixels, then 0..1
        classification  logits      [n, 1 + classes], place 0 is good

The decoder is a feature pyramid (T.-Y. Lin, arXiv:1612.03144). The detector has no anchors (Z. Tian, FCOS,
arXiv:1904.01355): each cell says what lies at it, how large that is, and how far off its centre. Group normalisation
(Y. Wu, arXiv:1803.08494) does not care how few pictures a step has, nor over how many processes they are spread.
"""

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .backbone import make_backbone
from .options import Task, TrainOptions

DETECTED_AT = (8, 16)
"""Reductions at which the detector looks."""
_RARE = 0.01
"""What a cell's class score begins at: most cells hold nothing."""
FEATURES = "features"
"""Second output: mean of each channel of the backbone's last map, for charts of drift."""
OUTPUTS: dict[Task, str] = {"segmentation": "logits", "detection": "predictions", "classification": "logits"}


class Decoder(nn.Module):  # type: ignore[misc]  # torch is not in the line's environment
    """Maps of all sizes brought to one width, each with what the coarser ones know."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        """channels: of each map, fine to coarse."""
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(wide, width, 1) for wide in channels)
        self.smooth = nn.ModuleList(_mixed(width) for _ in channels)

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return one map per map, fine to coarse."""
        out: list[torch.Tensor] = []
        above = None
        for place in range(len(maps) - 1, -1, -1):
            value = self.laterals[place](maps[place])
            if above is not None:
                value = value + functional.interpolate(above, scale_factor=2.0, mode="nearest")
            above = self.smooth[place](value)
            out.insert(0, above)
        return out


class Segmenter(nn.Module):  # type: ignore[misc]
    """Class of every cell, at the finest map."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.mix, self.head = _mixed(width), nn.Conv2d(width, 1 + classes, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.bias, 0.0)
        nn.init.constant_(self.head.bias[:1], math.log((1 - _RARE) / _RARE))

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Return logits."""
        return self.head(self.mix(maps[0]))


class Classifier(nn.Module):  # type: ignore[misc]
    """One class for the whole picture, from means and maxima: a small defect shows in a maximum only."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(4 * width, 1 + classes)

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Return logits."""
        pooled = [pool(maps[place]) for place in (0, -1) for pool in (_mean, _maximum)]
        return self.head(torch.cat(pooled, 1))


class Finder(nn.Module):  # type: ignore[misc]
    """Boxes and their classes, at two sizes of cells."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.mix_kind, self.mix_box = _mixed(width), _mixed(width)
        self.kind, self.box = nn.Conv2d(width, classes, 3, padding=1), nn.Conv2d(width, 4, 3, padding=1)
        nn.init.constant_(self.kind.bias, -math.log((1 - _RARE) / _RARE))
        nn.init.normal_(self.kind.weight, std=0.01)
        nn.init.normal_(self.box.weight, std=0.01)
        nn.init.constant_(self.box.bias, 0.0)

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """Return `[n, 4 + classes, cells]`: centre, width, height in input pixels, and the class's logit."""
        found = []
        for value, reduction in zip(maps, DETECTED_AT, strict=False):
            kind, box = self.kind(self.mix_kind(value)), self.box(self.mix_box(value))
            centres = cell_centres(value.shape[2], value.shape[3], reduction, value.device)
            middle = box[:, :2] * reduction + centres.reshape(1, 2, *value.shape[2:])
            # Two cells across at first; bounded, so that no step makes an infinite box.
            side = torch.exp(box[:, 2:].clamp(-4.0, 5.0)) * (2.0 * reduction)
            found.append(torch.cat([middle, side, kind], 1).flatten(2))
        return torch.cat(found, 2)


class Net(nn.Module):  # type: ignore[misc]
    """Backbone, decoder and head. What is trained; its outputs are raw (logits)."""

    def __init__(self, options: TrainOptions, classes: int) -> None:
        """classes: of defects, 1 or more. BadSettings: the backbone."""
        super().__init__()
        torch.manual_seed(options.seed)
        self.task, self.channels = options.task, options.channels
        self.backbone: Any = make_backbone(options)
        # What the head does not use is not there: a parameter without a gradient stops a training over processes.
        self.skipped = 0 if options.task == "segmentation" else self.backbone.reductions.index(DETECTED_AT[0])
        self.decoder: Any = Decoder(self.backbone.channels[self.skipped :], options.width)
        heads: dict[Task, Any] = {"segmentation": Segmenter, "detection": Finder, "classification": Classifier}
        self.head: Any = heads[options.task](options.width, classes)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Return the raw output for pictures uint8 `[n, h, w, c]`."""
        return self.head(self.decoder(self.maps(picture)[self.skipped :]))

    def maps(self, picture: torch.Tensor) -> list[torch.Tensor]:
        """Return the backbone's maps of pictures uint8 `[n, h, w, c]`."""
        pixels = picture.permute(0, 3, 1, 2).float()
        if self.channels == 1:
            pixels = torch.cat([pixels, pixels, pixels], 1)
        found: list[torch.Tensor] = self.backbone(pixels)
        return found


class Deployed(nn.Module):  # type: ignore[misc]
    """The network as the bundle holds it: what must be between 0 and 1 is."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what the graph gives for pictures uint8 `[n, h, w, c]`: the task's output and the features."""
        maps = self.net.maps(picture)
        found = self.net.head(self.net.decoder(maps[self.net.skipped :]))
        if self.net.task == "detection":
            found = torch.cat([found[:, :4], torch.sigmoid(found[:, 4:])], 1)
        return found, _mean(maps[-1])


def cell_centres(rows: int, columns: int, reduction: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the centres of cells in input pixels, float32 `[2, rows * columns]`: x, y."""
    y = (torch.arange(rows, device=device, dtype=torch.float32) + 0.5) * reduction
    x = (torch.arange(columns, device=device, dtype=torch.float32) + 0.5) * reduction
    down, across = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([across.flatten(), down.flatten()])


def _mixed(width: int) -> nn.Sequential:
    """A 3x3 convolution by depth, one across, normalised: a ninth of the work of a whole one."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.GroupNorm(8, width),
        nn.ReLU(),
    )


def _mean(value: torch.Tensor) -> torch.Tensor:
    return value.mean((2, 3))


def _maximum(value: torch.Tensor) -> torch.Tensor:
    return value.amax((2, 3))
