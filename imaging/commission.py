"""The reference of a view, made from developed pictures of good parts."""

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from .grey import cut, grey_of
from .health import Measurer
from .light import Mask, cell_px, cells_of, tells_shape
from .measures import SCALARS
from .patches import Mean, blocks_of, choose_patches
from .picture import Box, Picture
from .reference import Reference, Typical
from .sharpness import SMALLEST_PX, noise_energy

FEWEST = 5
"""Pictures below which nothing is known of how parts differ; 30 are good."""
_SMALLEST_SIDE_PX = 64
_NOISE_BOXES, _NOISE_SIDE_PX = 8, 40
_BLIND = 0.1
"""Spread of the strength of the background's fine texture above which there is none worth the name."""


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
    light = np.asarray(np.mean([cells_of(grey, cell) for grey in greys], axis=0), np.float32)
    still = _boxed(background, cell, height, width) if background else fixed_cells(greys, mean, cell)
    quiet, texture = _noise_boxes(greys, mean, still, cell)
    # A background found in one place only may be part of the parts; it vouches for nothing.
    fixed = still if background or tells_shape(light, still) else np.zeros_like(still)
    box = _focus_box(fixed, cell, height, width) if focus is None else focus
    if min(box[2:]) < SMALLEST_PX:
        raise BadPicture(f"focus region of {box[2]}x{box[3]} px: expected {SMALLEST_PX} or more each way")
    chosen = choose_patches(greys, mean, fixed, cell)
    draft = Reference(
        width_px=width,
        height_px=height,
        pictures=len(greys),
        made_at=made_at,
        cell_px=cell,
        light=light,
        spread=np.zeros_like(fixed, np.float32),
        fixed=fixed,
        focus_box=box,
        focus=1.0,
        noise_boxes=quiet,
        noise_texture=texture,
        patches=tuple(each.patch for each in chosen),
        strength=1.0,
        typical={},
    )
    strengths = np.median([each.strengths for each in chosen], axis=0) if chosen else np.full(len(greys), math.nan)
    return _told(draft, greys, strengths)


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


def _noise_boxes(
    greys: Sequence[Picture], mean: Mean, fixed: Mask, cell: int
) -> tuple[tuple[Box, ...], tuple[float, ...]]:
    """Return the quietest fixed places that are not at an end of the scale, and the texture that is no noise."""
    height, width = mean.shape
    side = min(_NOISE_SIDE_PX, height // 2, width // 2)
    places = []
    for x, y in blocks_of(fixed, cell, side, height, width):
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


def _told(draft: Reference, greys: Sequence[Picture], strengths: npt.NDArray[np.float64]) -> Reference:
    """Return the draft with what its own pictures measure: the middle and the spread of each figure.

    strengths: of the background's fine texture in each picture.
    """
    seen = [Measurer(draft).measure(grey) for grey in greys]
    focus = float(np.median([each.focus for each in seen]))
    if focus <= 0:
        raise BadPicture(f"nothing is sharp in the focus region {list(draft.focus_box)}: expected edges or a pattern")
    noise = Typical(float(np.median([each.noise for each in seen])), 0.0)
    draft = replace(draft, focus=focus, typical={"noise": noise})
    # How steady a cell is decides how much it counts, and that again how steady the rest is: once more is enough.
    for _ in range(2):
        measured = [Measurer(draft).measure(grey) for grey in greys]
        local = np.stack([each.local for each in measured])
        draft = replace(draft, spread=np.asarray(local.std(axis=0, ddof=1), np.float32))
    measured = [Measurer(draft).measure(grey) for grey in greys]
    typical = {name: _typical([getattr(each, name) for each in measured]) for name in SCALARS}
    lit = strengths / np.array([each.background for each in measured])
    strength = max(1e-3, float(np.median(lit))) if draft.patches else 1.0
    fine = _typical(list(lit / strength))
    typical["background_focus"] = fine if fine.spread <= _BLIND else Typical(math.nan, math.nan)
    return replace(draft, strength=strength, typical=typical)


def _typical(values: Sequence[float]) -> Typical:
    """Median, and the larger of the standard deviation and what the middle half tells of it."""
    told = np.asarray(values, np.float64)
    if not np.isfinite(told).all():
        return Typical(math.nan, math.nan)
    low, high = np.percentile(told, (25, 75))
    return Typical(float(np.median(told)), max(float(told.std(ddof=1)), float(high - low) / 1.349))
