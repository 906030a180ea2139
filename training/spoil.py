"""Goods spoilt on purpose: made-up defects for choosing sizes and heads when no real one is there.

They are no defects of the product, so what is measured with them is only which of two models sees more; no figure of it
is ever reported as quality. Small ones, faint ones: scratches, spots, blotches that are darker or lighter, taken from
another place or another good, smeared, or of another grain.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ..models.pictures import Picture

Floats = npt.NDArray[np.float32]

LEAST_SHARE, MOST_SHARE = 10.0**-3.3, 10.0**-1.7
"""Of the picture's area that a defect covers: 0.05 % to 2 %."""
_LEAST_LEVELS = 6.0


def spoil(picture: Picture, others: Sequence[Picture], rng: np.random.Generator) -> Picture:
    """Return a copy with one made-up defect. picture: uint8 grey `[h, w]` or RGB `[h, w, 3]`; others: further goods."""
    height, width = picture.shape[:2]
    area = height * width * math.exp(rng.uniform(math.log(LEAST_SHARE), math.log(MOST_SHARE)))
    mask = _mask(height, width, max(1.5, math.sqrt(area / math.pi)), rng)
    plain = picture.astype(np.float32)
    mixed = mask if plain.ndim == 2 else mask[..., None]
    new = _content(plain, others, area, rng)
    made: Picture = np.clip(np.rint(plain * (1.0 - mixed) + new * mixed), 0, 255).astype(np.uint8)
    return made


def _mask(height: int, width: int, radius: float, rng: np.random.Generator) -> Floats:
    """Where the defect is, 0..1, soft at its edge."""
    mask = np.zeros((height, width), np.float32)
    x, y = rng.uniform(0.08, 0.92) * width, rng.uniform(0.08, 0.92) * height
    shape = rng.integers(3)
    if shape == 0:
        axes = max(1, round(radius * rng.uniform(0.7, 1.4))), max(1, round(radius * rng.uniform(0.5, 1.0)))
        cv2.ellipse(mask, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, (1.0,), -1, cv2.LINE_AA)
    elif shape == 1:
        angle, reach = rng.uniform(0, math.pi), 6.0 * radius
        along = np.linspace(-0.5, 0.5, 6)
        points = np.stack([x + math.cos(angle) * reach * along, y + math.sin(angle) * reach * along], axis=1)
        points += rng.normal(0, 0.25 * radius, points.shape)
        thick = max(1, int(0.45 * radius))
        cv2.polylines(mask, [points.astype(np.int32)], False, (1.0,), thick, cv2.LINE_AA)
    else:
        side = int(2.5 * radius) + 3
        rough = _grain(2 * side, 2 * side, max(1.0, 0.5 * radius), rng)
        down, across = np.mgrid[-side:side, -side:side]
        rough = rough - (down**2 + across**2) / (1.2 * radius) ** 2
        _paste(mask, (rough > -0.6).astype(np.float32), int(x) - side, int(y) - side)
    soft: Floats = cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32)
    return soft


def _content(plain: Floats, others: Sequence[Picture], area: float, rng: np.random.Generator) -> Floats:
    """What the picture shows inside the defect."""
    height, width = plain.shape[:2]
    levels = max(_LEAST_LEVELS, float(plain.std()))
    kind = rng.integers(4)
    if kind == 0:
        return plain + np.float32(rng.choice([-1.0, 1.0]) * levels * rng.uniform(0.5, 2.0))
    if kind == 1:
        other = cv2.resize(others[int(rng.integers(len(others)))], (width, height)).astype(np.float32)
        moved: Floats = np.roll(other, (int(rng.integers(height)), int(rng.integers(width))), (0, 1))
        return moved[::-1] if rng.random() < 0.5 else moved
    if kind == 2:
        smeared: Floats = cv2.GaussianBlur(plain, (0, 0), max(2.0, 0.3 * math.sqrt(area))).astype(np.float32)
        return smeared
    grain = _grain(height, width, rng.uniform(0.6, 3.0), rng) * np.float32(levels * rng.uniform(0.4, 1.2))
    return plain + (grain if plain.ndim == 2 else grain[..., None])


def _grain(height: int, width: int, sigma_px: float, rng: np.random.Generator) -> Floats:
    noise = cv2.GaussianBlur(rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), sigma_px)
    grain: Floats = (noise / max(float(noise.std()), 1e-6)).astype(np.float32)
    return grain


def _paste(mask: Floats, patch: Floats, x: int, y: int) -> None:
    height, width = mask.shape
    top, left = max(0, y), max(0, x)
    bottom, right = min(height, y + patch.shape[0]), min(width, x + patch.shape[1])
    if bottom > top and right > left:
        mask[top:bottom, left:right] = patch[top - y : bottom - y, left - x : right - x]
