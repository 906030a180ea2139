"""Where the fixed background lies: a few textured patches, found again to a fraction of a pixel in each picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .picture import Picture

SIDE_PX = 64
"""Side of a patch, in px of the picture at the patch's scale."""
SEARCH_PX = 32
"""How far it is looked for, likewise."""
_SMOOTH_PX = 17
"""Light changes slower than this; texture does not."""
_TOLD = 0.02
"""Share of the information that round marks would give on the angle; with less it is not told."""
Plate = npt.NDArray[np.float32]
Hold = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One piece of the background as commissioned."""

    x: int
    """Left edge in px of the picture."""
    y: int
    scale: int
    """The picture is shrunk this many times before it is compared; 1: not at all."""
    texture: Plate
    """64 x 64 float32: grey levels without the light, the mean of all commissioning pictures."""
    detail: Plate
    """The same of its middle 64 x 64 px, not shrunk."""
    hold: Hold
    """2 x 2 float64, how well a move each way can be told (`hold_of`)."""
    score: float = 1.0
    """Correlation coefficient it had at commissioning, 0..1: the less, the more noise lies over it."""

    @property
    def centre(self) -> tuple[float, float]:
        """x, y of its middle in px."""
        half = SIDE_PX * self.scale / 2
        return self.x + half, self.y + half


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a patch was seen."""

    dx_px: float
    dy_px: float
    score: float
    """Correlation coefficient at the best place, -1..1."""


@dataclass(frozen=True, slots=True)
class Pose:
    """How the background lies against its place. Counter-clockwise as seen is positive."""

    shift_x_px: float
    """Of the picture's middle."""
    shift_y_px: float
    angle_deg: float
    found: int
    """Patches it is told from; 0: nothing is known."""


def texture_of(grey: npt.NDArray[np.generic], scale: int) -> Plate:
    """Return a piece of a picture shrunk `scale` times, without the light: rows x columns float32."""
    plate = np.asarray(grey, np.float32)
    if scale > 1:
        rows, columns = plate.shape
        plate = cv2.resize(plate, (columns // scale, rows // scale), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(plate - cv2.blur(plate, (_SMOOTH_PX, _SMOOTH_PX)), np.float32)


def hold_of(texture: Plate) -> Hold:
    """Return the structure tensor's root, 2 x 2, 1.0 along the better way: an edge holds nothing along itself."""
    gy, gx = np.gradient(np.asarray(texture, np.float64))
    tensor = np.array([[(gx * gx).mean(), (gx * gy).mean()], [(gx * gy).mean(), (gy * gy).mean()]])
    values, vectors = np.linalg.eigh(tensor)
    if values[-1] <= 0:
        return np.eye(2)
    return np.asarray(vectors @ np.diag(np.sqrt(np.maximum(values, 0) / values[-1])) @ vectors.T)


def sight(patch: Patch, grey: Picture) -> Sighting:
    """Look for a patch around its place by normalised cross-correlation, to a fraction of a pixel by a parabola.

    The texture is known nearly free of noise, the picture is not: then the matched filter finds it where phase
    correlation, which gives every frequency the same weight, sees the noise (measured on a woven belt whose texture is
    weaker than its noise).
    """
    scale, side = patch.scale, SIDE_PX * patch.scale
    height, width = grey.shape
    reach = SEARCH_PX * scale
    left, up = min(reach, patch.x // scale * scale), min(reach, patch.y // scale * scale)
    right, down = min(reach, width - patch.x - side), min(reach, height - patch.y - side)
    window = texture_of(grey[patch.y - up : patch.y + side + down, patch.x - left : patch.x + side + right], scale)
    scores = cv2.matchTemplate(window, patch.texture, cv2.TM_CCOEFF_NORMED)
    _, score, _, (column, row) = cv2.minMaxLoc(scores)
    if not math.isfinite(score):
        return Sighting(0.0, 0.0, 0.0)
    dx = (column + _peak(scores[row], column)) * scale - left
    dy = (row + _peak(scores[:, column], row)) * scale - up
    return Sighting(dx, dy, float(score))


def _peak(line: npt.NDArray[np.generic], at: int) -> float:
    """Return the offset of the top of the parabola through three values, -0.5..0.5; 0.0 at an end."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(value) for value in line[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


def detail_at(patch: Patch, grey: npt.NDArray[np.generic], at: Sighting) -> tuple[Plate, float, float] | None:
    """Return the middle of a patch where it was seen, not shrunk, and the rest of a pixel in x and y.

    64 x 64 float32 without the light. None: it reaches out of the picture.
    """
    inset = SIDE_PX * (patch.scale - 1) // 2
    x, y = patch.x + inset + round(at.dx_px), patch.y + inset + round(at.dy_px)
    height, width = grey.shape
    if x < 0 or y < 0 or x + SIDE_PX > width or y + SIDE_PX > height:
        return None
    plate = texture_of(grey[y : y + SIDE_PX, x : x + SIDE_PX], 1)
    return plate, at.dx_px - round(at.dx_px), at.dy_px - round(at.dy_px)


def pose_of(seen: Sequence[tuple[Patch, Sighting]], width: int, height: int) -> Pose:
    """Return the shift and turn of a picture of that size that explain best where its patches were seen.

    Each patch counts as it holds (an edge tells nothing along itself). One that fits not at all, by more than 2 px of
    the shrunk picture, is left out. Where the patches hold no angle, none is told: it is 0.
    """
    left = list(seen)
    while left:
        rows, values = [], []
        for patch, at in left:
            x, y = patch.centre[0] - width / 2, patch.centre[1] - height / 2
            rows.append(patch.hold @ np.array([[1.0, 0.0, y], [0.0, 1.0, -x]]))
            values.append(patch.hold @ np.array([at.dx_px, at.dy_px]))
        system, moved = np.concatenate(rows), np.concatenate(values)
        terms = 3 if _holds_angle(system, [patch.centre for patch, _ in left]) else 2
        solved = np.zeros(3)
        solved[:terms] = np.linalg.lstsq(system[:, :terms], moved, rcond=None)[0]
        off = np.hypot(*(moved - system @ solved).reshape(-1, 2).T)
        worst = int(off.argmax())
        if off[worst] <= 2.0 * left[0][0].scale or len(left) < 3:
            return Pose(float(solved[0]), float(solved[1]), math.degrees(float(solved[2])), len(left))
        del left[worst]
    return Pose(0.0, 0.0, 0.0, 0)


def _holds_angle(system: Hold, centres: Sequence[tuple[float, float]]) -> bool:
    """Whether what the patches tell of the angle, beside the shift, is worth mentioning."""
    if len(centres) < 2:
        return False
    rest = system[:, 2] - system[:, :2] @ np.linalg.lstsq(system[:, :2], system[:, 2], rcond=None)[0]
    round_marks = float(np.square(np.asarray(centres) - np.mean(centres, axis=0)).sum())
    return float(rest @ rest) >= _TOLD * round_marks
