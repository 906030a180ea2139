"""From pictures of a board to the lens, the plane the parts lie in, and millimetres a pixel.

Source: Zhang 2000, as OpenCV's `calibrateCamera` has it, with Brown's distortion.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from .board import Board, Points
from .lens_file import LensFile, Row
from .picture import Picture

FEWEST = 3
"""Views of the board; 10 or more, tilted differently, are good."""
_K3_VIEWS = 10
"""The third radial coefficient only follows the noise of fewer views."""
_GOOD_PX, _GOOD_COVER = 0.5, 0.5
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What came of it."""

    lens: LensFile
    view_px: tuple[float, ...]
    """Root mean square of the reprojection of each view, in the order of the pictures that showed the board."""
    coverage: float
    """Share of the picture that lies between the corners of all views, 0..1."""
    refused: tuple[str, ...]
    """Pictures without the board, and why."""
    warnings: tuple[str, ...]
    """What a person should mend before relying on it."""


def calibrate(
    pictures: Sequence[tuple[str, Picture]], board: Board, *, plane: str | None = None, made_at: str = ""
) -> Calibration:
    """Calibrate from named pictures of a board.

    plane: name of the picture in which the board lies where the parts do; None: the plane is not known, only the scale
    at the middle of the last view. BadPicture: fewer than three show the board, they are of different sizes, or the
    one that tells the plane does not show it.
    """
    sizes = {picture.shape[1::-1] for _, picture in pictures}
    if len(sizes) != 1:
        raise BadPicture(f"pictures of {len(sizes)} sizes: expected one, that of the camera")
    ((width, height),) = sizes
    names, on_board, there, refused = [], [], [], []
    for name, picture in pictures:
        try:
            found = board.find(picture)
        except BadPicture as error:
            refused.append(f"{name}: {error}")
            continue
        names.append(name)
        on_board.append(found[0])
        there.append(found[1])
    if len(names) < FEWEST:
        raise BadPicture("; ".join([f"{len(names)} pictures show the board, expected {FEWEST} or more", *refused]))
    if plane is not None and plane not in names:
        raise BadPicture(f"{plane}: it tells the plane and does not show the board")
    flags = 0 if len(names) >= _K3_VIEWS else cv2.CALIB_FIX_K3
    reprojection_px, matrix, distortion, turns, shifts, _, _, view_errors = cv2.calibrateCameraExtended(
        on_board, there, (width, height), np.eye(3), np.zeros(5), flags=flags
    )
    at = names.index(plane) if plane is not None else len(names) - 1
    camera = np.asarray(matrix, np.float64)
    to_mm = _to_mm(camera, np.asarray(turns[at], np.float64), np.asarray(shifts[at], np.float64))
    middle = (width - 1) / 2, (height - 1) / 2
    mm_per_px, rectified = _rectified(to_mm, middle)
    coverage = _coverage(there, width, height)
    lens = LensFile(
        width=width,
        height=height,
        camera_matrix=_rows(camera),
        distortion=_five(np.asarray(distortion, np.float64)),
        plane=_rows(rectified) if plane is not None else None,
        mm_per_px=mm_per_px,
        reprojection_px=float(reprojection_px),
        pictures=len(names),
        made_at=made_at,
    )
    views = tuple(float(each) for each in np.asarray(view_errors).reshape(-1))
    return Calibration(lens, views, coverage, tuple(refused), tuple(_warnings(lens, names, views, coverage)))


def _to_mm(camera: Matrix, turn: Matrix, shift: Matrix) -> Matrix:
    """Homography from px of the straight picture to mm on the board."""
    rotation, _ = cv2.Rodrigues(turn)
    rotation = np.asarray(rotation, np.float64)
    to_px = camera @ np.column_stack([rotation[:, 0], rotation[:, 1], shift.reshape(3)])
    return np.asarray(np.linalg.inv(to_px), np.float64)


def _rectified(to_mm: Matrix, middle: tuple[float, float]) -> tuple[float, Matrix]:
    """Millimetres a pixel, and the homography to the plane seen straight, its middle where and as large as it was."""
    x, y = middle
    u, v, w = to_mm @ (x, y, 1.0)
    # Derivative of (u / w, v / w) by the pixel.
    slope = (to_mm[:2, :2] * w - np.outer((u, v), to_mm[2, :2])) / (w * w)
    mm_per_px = math.sqrt(abs(float(np.linalg.det(slope))))
    left, _, right = np.linalg.svd(slope)
    back = np.linalg.inv(left @ right) / mm_per_px  # the nearest turn (or mirror), undone, in px a mm
    place = back @ (u / w, v / w)
    similarity = np.array([[*back[0], x - place[0]], [*back[1], y - place[1]], [0.0, 0.0, 1.0]])
    whole = similarity @ to_mm
    return mm_per_px, np.asarray(whole / whole[2, 2], np.float64)


def _coverage(there: Sequence[Points], width: int, height: int) -> float:
    hull = cv2.convexHull(np.concatenate(there).astype(np.float32))
    return float(cv2.contourArea(hull)) / (width * height)


def _warnings(lens: LensFile, names: Sequence[str], views: Sequence[float], coverage: float) -> list[str]:
    found = []
    if lens.reprojection_px > _GOOD_PX:
        worst = names[int(np.argmax(views))]
        found.append(
            f"the corners lie {lens.reprojection_px:.2f} px off, expected {_GOOD_PX} or less: the board must be flat, "
            f"the pictures sharp and still; {worst} is the worst, leave it out"
        )
    if coverage < _GOOD_COVER:
        found.append(
            f"the board was seen in {100 * coverage:.0f} % of the picture: bring it into the corners, too, "
            "the lens is not known where it was not"
        )
    if len(names) < _K3_VIEWS:
        found.append(f"{len(names)} views of the board: {_K3_VIEWS} or more, tilted differently, are better")
    return found


def _rows(matrix: Matrix) -> tuple[Row, Row, Row]:
    a, b, c = ((float(row[0]), float(row[1]), float(row[2])) for row in matrix)
    return a, b, c


def _five(values: Matrix) -> tuple[float, float, float, float, float]:
    k1, k2, p1, p2, k3 = (float(each) for each in values.reshape(-1)[:5])
    return k1, k2, p1, p2, k3
