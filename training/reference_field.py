"""Where each place of the template lies in a picture: a smooth field of small shifts, found block by block.

Prints stretch and line cameras wobble, so one rigid motion is not enough: an edge that lies 2 px off is no defect. At
half resolution each block of 8 px is compared with the template at every shift within reach; the mean absolute
difference is averaged over 9 x 9 blocks (72 px), a little is added per px of shift so that plain places stay where they
are, and a parabola through the best shift and its neighbours gives the fraction. Between blocks the field is linear.

All sums are of whole numbers below 2**24, exact in float32 whatever their order: no device can prefer another shift.
Block matching: A. Netravali, J. Robbins, Bell System Technical Journal 58 (1979) 631.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

HALF = 2
"""The search is done at this reduction."""
BLOCK_PX = 8
"""Side of a block, px of the picture; heights and widths are multiples of it."""
SMOOTH_BLOCKS = 9
"""Blocks each way whose differences are averaged: a defect alone cannot move the field, the edges round it do."""
STAY = 0.1
"""Grey levels a shift costs per squared step of 2 px."""
MARGIN_PX = 4
"""Rim of the template that is not judged: what the picture's edge cuts through, local alignment cannot follow."""
FLAT = 1e-6
"""Least bend of a parabola."""

Array = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Field:
    """The template's pixel (x, y) is looked for at (x + shift_x, y + shift_y)."""

    shift_y: Array
    """`(height, width)` float32, px."""
    shift_x: Array


def halved(pixels: npt.NDArray[np.uint8] | Array) -> Array:
    """Return sums over 2 x 2 pixels and all channels, whole numbers in float32 `(height / 2, width / 2)`.

    pixels: `(height, width, channels)`, 0..255; fractions of a mean picture are rounded.
    """
    whole = pixels if pixels.dtype == np.uint8 else np.rint(pixels)
    summed = whole.sum(axis=2, dtype=np.float32)
    height, width = summed.shape
    four: Array = summed.reshape(height // HALF, HALF, width // HALF, HALF).sum(axis=(1, 3), dtype=np.float32)
    return four


def steps_of(search_px: int) -> int:
    """Shifts tried each way, in steps of 2 px."""
    return search_px // HALF


def find_field(pixels: Pixels, half: Array, search_px: int) -> Field:
    """Return the field of a picture against a template.

    pixels: uint8 `(height, width, channels)`. half: the template as `halved` gives it. search_px: even, 0 or more.
    """
    height, width, channels = pixels.shape
    steps = steps_of(search_px)
    count = 2 * steps + 1
    rows, columns = height // BLOCK_PX, width // BLOCK_PX
    padded = np.pad(halved(pixels), steps, mode="edge")
    costs = np.empty((count, count, rows, columns), np.float32)
    counts = cv2.boxFilter(np.ones((rows, columns), np.float32), -1, _KERNEL, normalize=False, borderType=_NOTHING)
    for y in range(count):
        for x in range(count):
            shifted = padded[y : y + half.shape[0], x : x + half.shape[1]]
            block = cv2.resize(cv2.absdiff(shifted, half), (columns, rows), interpolation=cv2.INTER_AREA)
            costs[y, x] = cv2.boxFilter(block, -1, _KERNEL, normalize=False, borderType=_NOTHING) / counts
    costs += stay_costs(steps, channels)[:, :, None, None]
    best = costs.reshape(count * count, rows, columns).argmin(axis=0)
    at_y, at_x = best // count, best % count
    row, column = np.indices(best.shape)
    last = count - 1
    least = costs[at_y, at_x, row, column]
    up, down = np.maximum(at_y - 1, 0), np.minimum(at_y + 1, last)
    left, right = np.maximum(at_x - 1, 0), np.minimum(at_x + 1, last)
    part_y = _fraction(costs[up, at_x, row, column], least, costs[down, at_x, row, column])
    part_x = _fraction(costs[at_y, left, row, column], least, costs[at_y, right, row, column])
    part_y[(at_y == 0) | (at_y == last)] = 0.0
    part_x[(at_x == 0) | (at_x == last)] = 0.0
    size = (width, height)
    shift_y = (at_y.astype(np.float32) - np.float32(steps) + part_y) * np.float32(HALF)
    shift_x = (at_x.astype(np.float32) - np.float32(steps) + part_x) * np.float32(HALF)
    return Field(
        shift_y=np.asarray(cv2.resize(shift_y, size, interpolation=cv2.INTER_LINEAR), np.float32),
        shift_x=np.asarray(cv2.resize(shift_x, size, interpolation=cv2.INTER_LINEAR), np.float32),
    )


def stay_costs(steps: int, channels: int) -> Array:
    """Return what each shift costs by itself, `(shifts, shifts)` float32, in the units of `halved`."""
    away = np.arange(-steps, steps + 1, dtype=np.float64) ** 2
    cost: Array = (STAY * HALF * HALF * channels * (away[:, None] + away[None, :])).astype(np.float32)
    return cost


def moved(pixels: Pixels, field: Field) -> Array:
    """Return the picture as it lies over the template, float32 `(height, width, channels)`; beyond its edge: the edge.

    Linear between four pixels, in plain float32: OpenCV's own remapping rounds to 1/32 px, which the graph does not.
    """
    height, width, channels = pixels.shape
    # Whole and fraction of the shift apart: added to a place of 640 a fraction would keep 4 digits only.
    down, across = np.floor(field.shift_y), np.floor(field.shift_x)
    part_y, part_x = (field.shift_y - down)[..., None], (field.shift_x - across)[..., None]
    row = np.arange(height, dtype=np.int32)[:, None] + down.astype(np.int32)
    column = np.arange(width, dtype=np.int32)[None, :] + across.astype(np.int32)
    upper_row, lower_row = (np.clip(each, 0, height - 1) * np.int32(width) for each in (row, row + 1))
    left, right = (np.clip(each, 0, width - 1) for each in (column, column + 1))
    flat = pixels.reshape(-1, channels).astype(np.float32)
    upper, lower = flat[upper_row + left], flat[lower_row + left]
    upper = upper + (flat[upper_row + right] - upper) * part_x
    lower = lower + (flat[lower_row + right] - lower) * part_x
    over: Array = upper + (lower - upper) * part_y
    return over


def seen(field: Field) -> Array:
    """Return how far each place of the template lies inside the picture: 1 inside, 0 from one px beyond, float32.

    What is looked for beyond the edge was not seen, and is judged neither good nor bad; neither is the rim.
    """
    height, width = field.shift_y.shape
    weight = judged(height, width)
    for shift, size, shape in ((field.shift_y, height, (-1, 1)), (field.shift_x, width, (1, -1))):
        own = np.arange(size, dtype=np.float32).reshape(shape)
        # Counted from the near edge each time: few digits are lost where it matters.
        beyond = np.maximum(-(own + shift), (own - np.float32(size - 1)) + shift)
        weight *= np.clip(1 - beyond, 0, 1)
    return weight


def judged(height: int, width: int) -> Array:
    """Return 1 inside the rim and 0 on it, float32 `(height, width)`."""
    weight = np.zeros((height, width), np.float32)
    weight[MARGIN_PX : height - MARGIN_PX, MARGIN_PX : width - MARGIN_PX] = 1.0
    return weight


def _fraction(before: Array, least: Array, after: Array) -> Array:
    """Where between -0.5 and 0.5 the parabola through three costs has its least."""
    bend = before - 2 * least + after
    part: Array = np.float32(0.5) * (before - after) / np.maximum(bend, np.float32(FLAT))
    return part


_KERNEL = (SMOOTH_BLOCKS, SMOOTH_BLOCKS)
_NOTHING = cv2.BORDER_CONSTANT
