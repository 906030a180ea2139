"""Which pieces of the background a reference keeps: textured, far apart, and still in all commissioning pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .background import SEARCH_PX, SIDE_PX, Patch, Plate, detail_at, hold_of, sight, texture_of
from .detail import Detail
from .light import Mask
from .picture import Picture

_PATCHES = 6
_LARGE_PX = 960
"""Above this size patches are looked for in the picture shrunk."""
_EDGE_PX = 16
"""How far a patch keeps from the picture's edge where there is room, px at its scale."""
_STEADY_PX = 0.5
"""A patch that jumps about more than this at commissioning is not fixed, or has too little texture."""
_CLEAR = 0.25
"""Correlation coefficient below which noise may be taken for it."""
Mean = Plate


@dataclass(frozen=True, slots=True)
class Chosen:
    """A patch, and how strong its fine texture was in each commissioning picture."""

    patch: Patch
    strengths: tuple[float, ...]


def blocks_of(allowed: Mask, cell: int, side: int, height: int, width: int) -> list[tuple[int, int]]:
    """Return x, y of squares on a raster whose cells are all allowed."""
    found = []
    for y in range(0, height - side + 1, side // 2):
        for x in range(0, width - side + 1, side // 2):
            inside = allowed[y // cell : -(-(y + side) // cell), x // cell : -(-(x + side) // cell)]
            if inside.size and inside.all():
                found.append((x, y))
    return found


def choose_patches(greys: Sequence[Picture], mean: Mean, fixed: Mask, cell: int) -> tuple[Chosen, ...]:
    """Return textured pieces of the background far apart that stand still in the commissioning pictures.

    greys: the pictures, rows x columns uint8. mean: of them all. fixed: cells of the background. cell: their side, px.
    """
    height, width = mean.shape
    scale = max(1, round(max(height, width) / _LARGE_PX))
    side = SIDE_PX * scale
    places = blocks_of(fixed, cell, side, height, width)
    # A patch at the edge leaves the picture when the camera moves.
    edge = _EDGE_PX * scale
    inner = [(x, y) for x, y in places if edge <= x <= width - side - edge and edge <= y <= height - side - edge]
    rough = []
    for x, y in inner if len(inner) >= _PATCHES else places:
        texture, detail = _plates(mean, x, y, scale)
        hold = hold_of(texture)
        # An edge that holds only one way is worth less than a mark that holds both.
        worth = float(texture.std()) * (0.1 + float(np.linalg.eigvalsh(hold)[0]))
        rough.append((worth, Patch(x, y, scale, texture, detail, hold)))
    rough.sort(key=lambda each: -each[0])
    kept: list[Chosen] = []
    # The farthest of the well textured first: the angle is told from the distance.
    while rough and len(kept) < _PATCHES:
        best = max(
            rough, key=lambda each: each[0] * _distance(each[1], [chosen.patch for chosen in kept], width, height)
        )
        rough = [each for each in rough if _overlap(each[1], best[1], side) == 0]
        judged = _judged(best[1], greys, mean)
        if judged is not None:
            kept.append(judged)
    return tuple(kept)


def _distance(patch: Patch, others: Sequence[Patch], width: int, height: int) -> float:
    """How far a patch lies from those chosen already, or from the middle while there is none; px."""
    x, y = patch.centre
    places = [other.centre for other in others] or [(width / 2, height / 2)]
    return min(math.hypot(x - px, y - py) for px, py in places) + SEARCH_PX


def _overlap(one: Patch, other: Patch, side: int) -> int:
    return max(0, side - abs(one.x - other.x)) * max(0, side - abs(one.y - other.y))


def _plates(picture: Mean, x: int, y: int, scale: int) -> tuple[Plate, Plate]:
    """Return texture and detail of the patch at x, y."""
    side = SIDE_PX * scale
    inset = (side - SIDE_PX) // 2
    whole = picture[y : y + side, x : x + side]
    return texture_of(whole, scale), texture_of(whole[inset : inset + SIDE_PX, inset : inset + SIDE_PX], 1)


def _judged(patch: Patch, greys: Sequence[Picture], mean: Mean) -> Chosen | None:
    """Return the patch with its score; None: it is not found where it lies, or not clearly."""
    side, count = SIDE_PX * patch.scale, len(greys)
    here = (slice(patch.y, patch.y + side), slice(patch.x, patch.x + side))
    inset = (side - SIDE_PX) // 2
    middle = (slice(inset, inset + SIDE_PX),) * 2
    seen, strengths = [], []
    for grey in greys:
        # Each picture is looked at with the mean of the others: in its own it would find its own noise.
        others = (mean[here] * np.float32(count) - grey[here]) / np.float32(count - 1)
        at = sight(replace(patch, texture=texture_of(others, patch.scale)), grey)
        shown = detail_at(patch, grey, at)
        seen.append(at)
        strengths.append(Detail(texture_of(others[middle], 1)).strength(*shown) if shown is not None else 0.0)
    off = np.array([(at.dx_px, at.dy_px) for at in seen]) / patch.scale
    # Along an edge it may slide: only what the patch holds is looked at.
    slid = np.hypot(*(off @ patch.hold).T)
    score = float(np.median([at.score for at in seen]))
    still = slid.max() <= 4 * _STEADY_PX and float(slid.mean()) <= _STEADY_PX
    return Chosen(replace(patch, score=score), tuple(strengths)) if still and score >= _CLEAR else None
