"""What a training makes small.

Each loss is a mean over pictures of something that only that picture decides: a step over several processes is the
step of one.

Segmentation: cross-entropy and soft Dice (F. Milletari, V-Net, arXiv:1606.04797) of the classes that are there.
Detection: focal loss of each cell's class (T.-Y. Lin, arXiv:1708.02002) and generalised overlap of its box
(H. Rezatofighi, arXiv:1902.09630). Classification: cross-entropy.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from .net import DETECTED_AT, cell_centres
from .options import Task

LARGE_PX = 64.0
"""Boxes with a longer side than this belong to the coarse cells."""
NEAR = 1.5
"""Cells at most so many of their sides from the middle of a box answer for it."""
_ALPHA, _GAMMA = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Targets:
    """What is known of the pictures of one step, as tensors of one device."""

    labels: torch.Tensor
    """`[n]` int64: 0 good, else 1 + place of the class."""
    masks: torch.Tensor
    """`[n, h, w]` int64, values as of labels."""
    boxes: torch.Tensor
    """`[n, most, 4]` float32: left, top, right, bottom, filled up with zeros."""
    kinds: torch.Tensor
    """`[n, most]` int64: place of the class; -1 where there is no box."""


def loss_of(task: Task, found: torch.Tensor, targets: Targets, size_px: int) -> torch.Tensor:
    """Return the loss of raw outputs, one number."""
    if task == "segmentation":
        return _segmentation(found.float(), targets.masks)
    if task == "classification":
        return functional.cross_entropy(found.float(), targets.labels)
    return _detection(found.float(), targets, size_px)


def _segmentation(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    logits = functional.interpolate(logits, size=masks.shape[1:], mode="bilinear", align_corners=False)
    entropy = functional.cross_entropy(logits, masks)
    shares = logits.softmax(1)[:, 1:]
    truth = functional.one_hot(masks, logits.shape[1]).permute(0, 3, 1, 2)[:, 1:].to(shares.dtype)
    there = truth.amax((2, 3))
    both, each = (shares * truth).sum((2, 3)), shares.sum((2, 3)) + truth.sum((2, 3))
    missed = (1.0 - (2.0 * both + 1.0) / (each + 1.0)) * there
    dice = missed.sum(1) / there.sum(1).clamp(min=1.0)
    return entropy + dice.mean()


def _detection(found: torch.Tensor, targets: Targets, size_px: int) -> torch.Tensor:
    classes = found.shape[1] - 4
    matched = match(targets, size_px)
    taken = matched >= 0
    count = taken.sum(1).clamp(min=1).to(found.dtype)
    place = matched.clamp(min=0)
    kinds = targets.kinds.gather(1, place)
    wanted = functional.one_hot(kinds.clamp(min=0), classes).to(found.dtype) * taken[..., None]
    focal = _focal(found[:, 4:].transpose(1, 2), wanted).sum((1, 2)) / count
    middle, side = found[:, :2].transpose(1, 2), found[:, 2:4].transpose(1, 2)
    boxes = torch.cat([middle - side / 2, middle + side / 2], 2)
    truth = targets.boxes.gather(1, place[..., None].expand(-1, -1, 4))
    # Cells with no box are compared with themselves: no gradient, and no shape that depends on the data.
    truth = torch.where(taken[..., None], truth, boxes.detach())
    overlap = generalized_box_iou_loss(boxes, truth) * taken
    return (focal + 2.0 * overlap.sum(1) / count).mean()


def _focal(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    share = torch.sigmoid(logits)
    right = share * wanted + (1 - share) * (1 - wanted)
    weight = _ALPHA * wanted + (1 - _ALPHA) * (1 - wanted)
    return weight * (1 - right) ** _GAMMA * entropy


def match(targets: Targets, size_px: int) -> torch.Tensor:
    """Return which box each cell answers for, int64 `[n, cells]`; -1: none. Of several the smallest."""
    device = targets.boxes.device
    out = []
    for level, reduction in enumerate(DETECTED_AT):
        cells = size_px // reduction
        centres = cell_centres(cells, cells, reduction, device).T  # [cells, 2]
        boxes = targets.boxes[:, None]  # [n, 1, most, 4]
        middle, side = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
        # At least three quarters of a cell, so that a box of one pixel has a cell too.
        reach = torch.minimum(torch.full_like(side, NEAR * reduction), torch.clamp(side / 2, min=0.75 * reduction))
        near = ((centres[None, :, None] - middle).abs() < reach).all(-1)
        large = side.amax(-1) > LARGE_PX
        ours = large if level else ~large
        area = side.prod(-1).expand(-1, len(centres), -1).clone()
        area[~(near & ours & (targets.kinds[:, None] >= 0))] = float("inf")
        smallest, place = area.min(2)
        out.append(torch.where(smallest.isfinite(), place, -1))
    return torch.cat(out, 1)
