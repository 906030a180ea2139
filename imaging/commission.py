"""The reference of a view, made from developed pictures of good parts."""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from .background import SEARCH_PX, SIDE_PX, Patch, hold_of, sight, texture_of
from .grey import cut, grey_of
from .health import Measurer
from .light import Mask, cell_px, cells_of
from .measures import SCALARS, Grid
from .picture import Box, Picture
from .reference import Reference, Typical
from .sharpness import SMALLEST_PX, noise_energy

FEWEST = 5
"""Pictures below which nothing is known of how parts differ; 30 are good."""
_SMALLEST_SIDE_PX = 64
_LARGE_PX = 960
"""Above this size patches are looked for in the picture shrunk."""
_PATCHES, _NOISE_BOXES, _NOISE_SIDE_PX = 6, 8, 40
_STEADY_PX = 0.5
"""A patch that jumps about more than this at commissioning is not fixed, or has too little texture."""
_EDGE_PX = 16
"""How far a patch keeps from the picture's edge where there is room, px at its scale."""
_BLIND = 0.1
"""Spread of the strength of the background's fine texture above which there is none worth the name."""
Mean = npt.NDArray[np.float32]


def commission(
    pictures: Sequence[Picture], *, focus: Box | None = None, background: Sequence[Box] = (), made_at: str = ""
) -> Reference:
    """Return the reference of a view.

    pictures: developed pictures of different good parts, all of one size, at least 5. focus: where sharpness is told
    from; None: where the parts are. background: boxes that do not move with the part; none: the cells that change
    least are found. made_at: UTC, for people.
    BadPicture: too few pictures, of different sizes, smaller than 64 x 64, or with nothing sharp in the focus region.
    """
    greys = _checked(pictures)
    height, width = greys[0].shape
    for box in (*background, *([focus] if focus is not None else [])):
        try:
            cut(greys[0], box)
        except ValueError as error:
            raise BadPicture(str(error)) from error
    cell = cell_px(width)
    total = np.zeros((height, width), np.float32)
    for grey in greys:
        total += grey
    mean = np.asarray(total / np.float32(len(greys)), np.float32)
    fixed = _boxed(background, cell, height, width) if background else fixed_cells(greys, mean, cell)
    quiet, texture = _noise_boxes(greys, mean, fixed, cell)
    box = _focus_box(fixed, cell, height, width) if focus is None else focus
    if min(box[2:]) < SMALLEST_PX:
        raise BadPicture(f"focus region of {box[2]}x{box[3]} px: expected {SMALLEST_PX} or more each way")
    draft = Reference(
        width_px=width,
        height_px=height,
        pictures=len(greys),
        made_at=made_at,
        cell_px=cell,
        light=np.asarray(np.mean([cells_of(grey, cell) for grey in greys], axis=0), np.float32),
        spread=np.zeros_like(fixed, np.float32),
        fixed=fixed,
        focus_box=box,
        focus=1.0,
        noise_boxes=quiet,
        noise_texture=texture,
        patches=_patches(greys, mean, fixed, cell),
        strength=1.0,
        typical={},
    )
    return _told(draft, greys)


def fixed_cells(greys: Sequence[Picture], mean: Mean, cell: int) -> Mask:
    """Return the cells that change least from picture to picture, the light's own change apart.

    Fixed are those whose pixels, at the cell's own light, stray about as little as in the quietest twentieth of all.
    """
    rows, columns = mean.shape[0] // cell, mean.shape[1] // cell
    inner = (slice(0, rows * cell), slice(0, columns * cell))
    was = cv2.resize(mean[inner], (columns, rows), interpolation=cv2.INTER_AREA)
    strays = np.zeros((rows, columns), np.float32)
    for grey in greys:
        light = (cells_of(grey, cell) + 1) / (was + 1)
        own = np.repeat(np.repeat(light, cell, 0), cell, 1)
        off = grey[inner] - mean[inner] * own
        strays += cv2.resize(np.asarray(off * off, np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    stray = np.sqrt(strays / len(greys))
    still = (stray <= 1.7 * np.percentile(stray, 5) + 0.5).astype(np.uint8)
    # A cell beside one that moves is touched by the next part that lies a little further out.
    inside = cv2.erode(still, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1)
    kept = inside if inside.sum() >= 0.03 * inside.size else still
    return np.asarray(kept > 0, np.bool_) if kept.sum() >= 0.03 * kept.size else np.zeros((rows, columns), np.bool_)


def _checked(pictures: Sequence[Picture]) -> list[Picture]:
    if len(pictures) < FEWEST:
        raise BadPicture(f"{len(pictures)} pictures: expected {FEWEST} or more of good parts, 30 are good")
    sizes = {picture.shape[:2] for picture in pictures}
    if len(sizes) > 1:
        raise BadPicture(f"pictures of {sorted(f'{w}x{h}' for h, w in sizes)}: expected one size")
    height, width = sizes.pop()
    if min(height, width) < _SMALLEST_SIDE_PX:
        raise BadPicture(f"pictures of {width}x{height}: expected {_SMALLEST_SIDE_PX} px or more each way")
    return [grey_of(picture) for picture in pictures]


def _boxed(boxes: Sequence[Box], cell: int, height: int, width: int) -> Mask:
    """Return the cells that lie wholly inside one of the boxes. BadPicture: there is none."""
    fixed = np.zeros((height // cell, width // cell), np.bool_)
    for x, y, w, h in boxes:
        fixed[-(-y // cell) : (y + h) // cell, -(-x // cell) : (x + w) // cell] = True
    if not fixed.any():
        raise BadPicture(
            f"background boxes {[list(b) for b in boxes]}: expected one that holds {2 * cell}x{2 * cell} px"
        )
    return fixed


def _focus_box(fixed: Mask, cell: int, height: int, width: int) -> Box:
    """Return the box round all cells that change from part to part; the whole picture where there are none."""
    rows, columns = np.nonzero(cv2.erode((~fixed).astype(np.uint8), np.ones((3, 3), np.uint8)))
    if len(rows) < 4:
        return 0, 0, width, height
    x, y = int(columns.min()) * cell, int(rows.min()) * cell
    w, h = (int(columns.max()) + 1) * cell - x, (int(rows.max()) + 1) * cell - y
    return (x, y, w, h) if min(w, h) >= 2 * SMALLEST_PX else (0, 0, width, height)


def _blocks(allowed: Mask, cell: int, side: int, height: int, width: int) -> list[tuple[int, int]]:
    """Return x, y of squares on a raster whose cells are all allowed."""
    found = []
    for y in range(0, height - side + 1, side // 2):
        for x in range(0, width - side + 1, side // 2):
            inside = allowed[y // cell : -(-(y + side) // cell), x // cell : -(-(x + side) // cell)]
            if inside.size and inside.all():
                found.append((x, y))
    return found


def _noise_boxes(
    greys: Sequence[Picture], mean: Mean, fixed: Mask, cell: int
) -> tuple[tuple[Box, ...], tuple[float, ...]]:
    """Return the quietest fixed places that are not at an end of the scale, and the texture that is no noise."""
    height, width = mean.shape
    side = min(_NOISE_SIDE_PX, height // 2, width // 2)
    places = []
    for x, y in _blocks(fixed, cell, side, height, width):
        piece = mean[y : y + side, x : x + side]
        if piece.min() >= 10 and piece.max() <= 240:
            places.append((noise_energy(np.asarray(piece, np.uint8)), (x, y, side, side)))
    places.sort()
    chosen = _apart([box for _, box in places], _NOISE_BOXES, side)
    texture = []
    count = len(greys)
    for box in chosen:
        shown = float(np.mean([noise_energy(cut(grey, box)) for grey in greys]))
        # The mean picture holds the texture and 1/count of the noise; a picture the texture and all of it.
        still = _energy(mean[box[1] : box[1] + side, box[0] : box[0] + side])
        texture.append(min(shown, max(0.0, (still * count - shown) / (count - 1))))
    return tuple(chosen), tuple(texture)


def _energy(piece: Mean) -> float:
    """Like `sharpness.noise_energy`, of a mean picture that has no whole levels."""
    ramp = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.filter2D(piece, cv2.CV_32F, ramp)[1:-1, 1:-1]
    return float(np.mean(np.square(response)) / 36.0)


def _apart(boxes: Sequence[Box], count: int, distance: int) -> list[Box]:
    """Return the first ones that lie at least a distance apart."""
    kept: list[Box] = []
    for box in boxes:
        if len(kept) < count and all(math.hypot(box[0] - b[0], box[1] - b[1]) >= distance for b in kept):
            kept.append(box)
    return kept


def _patches(greys: Sequence[Picture], mean: Mean, fixed: Mask, cell: int) -> tuple[Patch, ...]:
    """Return textured pieces of the background far apart that stand still in the commissioning pictures."""
    height, width = mean.shape
    scale = max(1, round(max(height, width) / _LARGE_PX))
    side = SIDE_PX * scale
    places = _blocks(fixed, cell, side, height, width)
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
    kept: list[Patch] = []
    # The farthest of the well textured first: the angle is told from the distance.
    while rough and len(kept) < _PATCHES:
        best = max(rough, key=lambda each: each[0] * _distance(each[1], kept, width, height))
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


def _plates(picture: Mean, x: int, y: int, scale: int) -> tuple[Grid, Grid]:
    """Return texture and detail of the patch at x, y."""
    side = SIDE_PX * scale
    inset = (side - SIDE_PX) // 2
    whole = picture[y : y + side, x : x + side]
    return texture_of(whole, scale), texture_of(whole[inset : inset + SIDE_PX, inset : inset + SIDE_PX], 1)


def _judged(patch: Patch, greys: Sequence[Picture], mean: Mean) -> Patch | None:
    """Return the patch with its score; None: it is not found where it lies, or not clearly."""
    side, count = SIDE_PX * patch.scale, len(greys)
    here = (slice(patch.y, patch.y + side), slice(patch.x, patch.x + side))
    seen = []
    for grey in greys:
        # Each picture is looked at with the mean of the others: it would find itself in its own.
        others = (mean[here] * np.float32(count) - grey[here]) / np.float32(count - 1)
        seen.append(sight(replace(patch, texture=texture_of(others, patch.scale)), grey))
    off = np.array([(at.dx_px, at.dy_px) for at in seen]) / patch.scale
    # Along an edge it may slide: only what the patch holds is looked at.
    slid = np.hypot(*(off @ patch.hold).T)
    score = float(np.median([at.score for at in seen]))
    still = slid.max() <= 4 * _STEADY_PX and float(slid.mean()) <= _STEADY_PX
    return replace(patch, score=score) if still and score >= 0.25 else None


def _told(draft: Reference, greys: Sequence[Picture]) -> Reference:
    """Return the draft with what its own pictures measure: the middle and the spread of each figure."""
    seen = [Measurer(draft).measure(grey) for grey in greys]
    focus = float(np.median([each.focus for each in seen]))
    if focus <= 0:
        raise BadPicture(f"nothing is sharp in the focus region {list(draft.focus_box)}: expected edges or a pattern")
    strength = max(1e-3, float(np.median([each.background_focus for each in seen]))) if draft.patches else 1.0
    noise = Typical(float(np.median([each.noise for each in seen])), 0.0)
    draft = replace(draft, focus=focus, strength=strength, typical={"noise": noise})
    # How steady a cell is decides how much it counts, and that again how steady the rest is: once more is enough.
    for _ in range(2):
        measured = [Measurer(draft).measure(grey) for grey in greys]
        local = np.stack([each.local for each in measured])
        draft = replace(draft, spread=np.asarray(local.std(axis=0, ddof=1), np.float32))
    measured = [Measurer(draft).measure(grey) for grey in greys]
    typical = {name: _typical([getattr(each, name) for each in measured]) for name in SCALARS}
    if not typical["background_focus"].spread <= _BLIND:
        typical["background_focus"] = Typical(math.nan, math.nan)
    return replace(draft, typical=typical)


def _typical(values: Sequence[float]) -> Typical:
    """Median, and the larger of the standard deviation and what the middle half tells of it."""
    told = np.asarray(values, np.float64)
    if not np.isfinite(told).all():
        return Typical(math.nan, math.nan)
    low, high = np.percentile(told, (25, 75))
    return Typical(float(np.median(told)), max(float(told.std(ddof=1)), float(high - low) / 1.349))
