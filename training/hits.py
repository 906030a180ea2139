"""Was the defect found where it is, and how often does the model point at a place where nothing is."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..models.box import Box

Mask = npt.NDArray[np.bool_]
ENOUGH_IOU = 0.5
"""Overlap (intersection over union) from which a box counts as the box people drew."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What the places a model names are worth in one picture."""

    defects: int
    """Connected defects of the mask."""
    found: int
    """Of them, those a named place overlaps."""
    false_places: int
    """Named places with no defect under them."""
    boxes_found: int | None = None
    """Of the defects, those whose box a named box matches by ENOUGH_IOU, one each; None: the model names no boxes."""


def by_heat(heat: npt.NDArray[np.float32], threshold: float, mask: Mask | None) -> Hits:
    """Return the hits of a heat map, f32[h, w]: a place is a connected area (8 neighbours) above the threshold.

    mask: bool[h, w] of the same shape; None: a good part.
    """
    places, labels = cv2.connectedComponents((heat > threshold).astype(np.uint8), connectivity=8)
    if mask is None or not mask.any():
        return Hits(0, 0, places - 1)
    defects, owners = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    found = np.unique(owners[labels > 0])
    right = np.unique(labels[mask])
    return Hits(defects - 1, int((found > 0).sum()), places - 1 - int((right > 0).sum()))


def by_boxes(named: Sequence[Box], mask: Mask | None) -> Hits:
    """Return the hits of boxes, the surest first. mask: bool[h, w] that the boxes lie on; None: a good part."""
    if mask is None or not mask.any():
        return Hits(0, 0, len(named), 0)
    count, owners, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    drawn = {}
    for at in range(1, count):
        x, y, w, h = (int(value) for value in stats[at, : cv2.CC_STAT_AREA])
        drawn[at] = Box(x, y, w, h)
    found: set[int] = set()
    false_places, matched = 0, 0
    for box in named:
        under = {int(owner) for owner in np.unique(owners[box.y : box.y + box.h, box.x : box.x + box.w])} - {0}
        found |= under
        false_places += not under
        best = max(drawn, key=lambda at: overlap(drawn[at], box), default=0)
        if best and overlap(drawn[best], box) >= ENOUGH_IOU:
            matched += 1
            del drawn[best]
    return Hits(count - 1, len(found), false_places, matched)


def within(box: Box, region: Box) -> Box | None:
    """Return the part of a picture's box that a region holds, in the region's own pixels. None: nothing of it."""
    left, top = max(box.x, region.x), max(box.y, region.y)
    right, bottom = min(box.x + box.w, region.x + region.w), min(box.y + box.h, region.y + region.h)
    if right <= left or bottom <= top:
        return None
    return Box(left - region.x, top - region.y, right - left, bottom - top)


def overlap(one: Box, other: Box) -> float:
    """Return intersection over union, 0..1."""
    wide = min(one.x + one.w, other.x + other.w) - max(one.x, other.x)
    high = min(one.y + one.h, other.y + other.h) - max(one.y, other.y)
    shared = max(0, wide) * max(0, high)
    return shared / (one.w * one.h + other.w * other.h - shared)
