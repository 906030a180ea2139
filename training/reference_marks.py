"""Marks drawn on good prints: missing and extra ink, small enough that finding them says something.

Tolerances are chosen by them, so no picture of a real defect is needed; they are not the defects that figures are
reported on. A mark takes the ink where there is paper and the paper where there is ink: half of them anywhere, half on
an edge, where a tolerance hides most.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

KINDS = ("spot", "hair", "bite")
"""A blob anywhere, a thin line anywhere, a blob on an edge."""
_LEAST_RADIUS_PX, _MOST_RADIUS_PX = 2.0, 4.5
_MARGIN_PX = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark."""

    kind: str
    left: int
    top: int
    right: int
    """First column beyond it."""
    bottom: int


def marked(pixels: Pixels, count: int, rng: np.random.Generator) -> tuple[Pixels, list[Mark]]:
    """Return a copy with so many marks that do not touch each other, and where they are; fewer where there is no room.

    pixels: uint8 `(height, width, channels)`.
    """
    copy = pixels.copy()
    height, width, _ = pixels.shape
    grey = pixels.mean(axis=2).astype(np.float32)
    dark, bright = (np.percentile(pixels, share, axis=(0, 1)) for share in (2, 98))
    steep = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    inner = np.zeros(grey.shape, bool)
    inner[_MARGIN_PX : height - _MARGIN_PX, _MARGIN_PX : width - _MARGIN_PX] = True
    edges = np.argwhere(inner & (steep > max(float(steep.max()) * 0.4, 1.0)))
    marks: list[Mark] = []
    for number in range(20 * count):
        if len(marks) == count or height <= 2 * _MARGIN_PX or width <= 2 * _MARGIN_PX:
            break
        kind = KINDS[number % len(KINDS)]
        if kind == "bite" and len(edges):
            y, x = (int(each) for each in edges[rng.integers(len(edges))])
        else:
            y, x = int(rng.integers(_MARGIN_PX, height - _MARGIN_PX)), int(rng.integers(_MARGIN_PX, width - _MARGIN_PX))
        shape = _shape(kind, (height, width), y, x, rng)
        rows, columns = np.nonzero(shape)
        mark = Mark(kind, int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        if any(_near(mark, other) for other in marks):
            continue
        # The other of two inks: whichever is farther from what is printed here.
        here = pixels[y, x].astype(np.float64)
        ink = dark if np.abs(here - dark).sum() > np.abs(here - bright).sum() else bright
        share = shape[..., None].astype(np.float32) / 255.0
        copy = np.rint(copy * (1 - share) + ink.astype(np.float32) * share).astype(np.uint8)
        marks.append(mark)
    return copy, marks


def _shape(kind: str, size: tuple[int, int], y: int, x: int, rng: np.random.Generator) -> Pixels:
    """The mark alone, 255 where it covers."""
    plane = np.zeros(size, np.uint8)
    radius = float(rng.uniform(_LEAST_RADIUS_PX, _MOST_RADIUS_PX))
    angle = float(rng.uniform(0, 180))
    if kind == "hair":
        along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * 2.0 * radius
        start, end = ((round(x + sign * along[0]), round(y + sign * along[1])) for sign in (-1, 1))
        cv2.line(plane, start, end, 255, int(rng.integers(2, 4)), cv2.LINE_AA)
    else:
        axes = (max(1, round(radius)), max(1, round(radius * float(rng.uniform(0.6, 1.0)))))
        cv2.ellipse(plane, (x, y), axes, angle, 0, 360, 255, -1, cv2.LINE_AA)
    return plane


def _near(one: Mark, other: Mark) -> bool:
    apart = max(one.left - other.right, other.left - one.right, one.top - other.bottom, other.top - one.bottom)
    return apart < _MARGIN_PX
