"""How like two pictures are, and what of a pattern can tell: its corners, its cells with something in them."""

import math

import cv2
import numpy as np
import numpy.typing as npt

PATCH_PX = 24
"""Side of a patch that is looked for by itself."""
_PATCHES = 12
_CELLS = 5
_TEXTURE = 2.0
"""Standard deviation in grey levels below which a place is plain: it cannot tell anything."""
Grey = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]


def patches_of(pattern: Grey) -> list[tuple[int, int]]:
    """Left and upper edges of the patches: where corners are, spread over the pattern."""
    half = PATCH_PX // 2
    rows, columns = pattern.shape
    room = np.zeros_like(pattern)
    room[half : rows - half, half : columns - half] = 255
    apart = max(half, round(math.sqrt(rows * columns / _PATCHES) / 2))
    corners = cv2.goodFeaturesToTrack(pattern, _PATCHES, 0.02, apart, mask=room, blockSize=7)
    found = [] if corners is None else corners.reshape(-1, 2)
    return [
        (int(x) - half, int(y) - half)
        for x, y in found
        if float(pattern[int(y) - half : int(y) + half, int(x) - half : int(x) + half].std()) >= _TEXTURE
    ]


def cells_of(pattern: Plane) -> list[tuple[slice, slice]]:
    """Cells of the pattern with something in them."""
    rows, columns = pattern.shape
    made = []
    for row in range(_CELLS):
        for column in range(_CELLS):
            place = (
                slice(row * rows // _CELLS, (row + 1) * rows // _CELLS),
                slice(column * columns // _CELLS, (column + 1) * columns // _CELLS),
            )
            if float(pattern[place].std()) >= 2 * _TEXTURE:
                made.append(place)
    return made


def correlation(one: Plane, other: Plane) -> float:
    """Normalised correlation of two planes of one size, -1..1; 0 where one of them is plain."""
    a, b = one - one.mean(), other - other.mean()
    size = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else 0.0


def peak(likeness: Plane, x: int, y: int) -> tuple[float, float]:
    """The peak between the pixels: a parabola each way through it and its neighbours."""

    def between(before: float, at: float, after: float) -> float:
        bend = before - 2 * at + after
        return 0.5 * (before - after) / bend if bend < 0 else 0.0

    off_x = off_y = 0.0
    if 0 < x < likeness.shape[1] - 1:
        off_x = between(*(float(likeness[y, x + step]) for step in (-1, 0, 1)))
    if 0 < y < likeness.shape[0] - 1:
        off_y = between(*(float(likeness[y + step, x]) for step in (-1, 0, 1)))
    return x + off_x, y + off_y
