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
Plate = npt.NDArray[np.float32]


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
    strength: float
    """How strong its texture is, share of the commissioned picture's."""


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
        return Sighting(0.0, 0.0, 0.0, 0.0)
    spread = float(patch.texture.std())
    seen = float(window[row : row + SIDE_PX, column : column + SIDE_PX].std())
    strength = score * seen / spread if spread > 0 else 0.0
    dx = (column + _peak(scores[row], column)) * scale - left
    dy = (row + _peak(scores[:, column], row)) * scale - up
    return Sighting(dx, dy, float(score), strength)


def _peak(line: npt.NDArray[np.generic], at: int) -> float:
    """Return the offset of the top of the parabola through three values, -0.5..0.5; 0.0 at an end."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(value) for value in line[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


def pose_of(places: Sequence[tuple[float, float]], moves: Sequence[tuple[float, float]], scale: int) -> Pose:
    """Return shift and turn that explain the moves of several places best; one that fits not at all is left out.

    places: x, y from the middle of the picture, px. moves: dx, dy of each, px. scale: of the patches; a move
    that is off by more than 2 px of the shrunk picture does not fit. A single place tells no angle.
    """
    at = np.asarray(places, np.float64).reshape(-1, 2)
    moved = np.asarray(moves, np.float64).reshape(-1, 2)
    while len(at):
        if len(at) == 1:
            return Pose(float(moved[0, 0]), float(moved[0, 1]), 0.0, 1)
        system = np.zeros((2 * len(at), 3))
        system[0::2, 0] = system[1::2, 1] = 1.0
        system[0::2, 2], system[1::2, 2] = at[:, 1], -at[:, 0]
        solved = np.linalg.lstsq(system, moved.reshape(-1), rcond=None)[0]
        off = np.hypot(*(moved.reshape(-1) - system @ solved).reshape(-1, 2).T)
        worst = int(off.argmax())
        if off[worst] <= 2.0 * scale or len(at) < 3:
            return Pose(float(solved[0]), float(solved[1]), math.degrees(float(solved[2])), len(at))
        at, moved = np.delete(at, worst, 0), np.delete(moved, worst, 0)
    return Pose(0.0, 0.0, 0.0, 0)
