"""A known camera looks at a known board: lens, plane and millimetres come back."""

import functools
import math
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.errors import BadPicture
from okng.imaging.board import Board
from okng.imaging.calibration import Calibration, calibrate
from okng.imaging.develop import Developer
from okng.imaging.picture import Picture
from okng.imaging.plan import DevelopPlan

SIZE = (960, 720)
CAMERA = np.array([[1150.0, 0.0, 492.0], [0.0, 1146.0, 351.0], [0.0, 0.0, 1.0]])
BENT = np.array([-0.21, 0.09, 0.0006, -0.0004, 0.0])
SQUARE_PX = 60
CHESS, CHARUCO = Board("chessboard", 10, 7, 8.0), Board("charuco", 10, 7, 8.0)
TILTS = [(0, 0, 0), (18, 5, 3), (-16, 8, -4), (4, 20, 8), (-6, -19, 2), (14, -14, 12), (-15, 15, -9), (2, -4, 90)]
DISTANCE_MM = 190.0
Matrix = npt.NDArray[np.float64]


def pose(tilt: tuple[float, float, float], across: tuple[float, float] = (0.0, 0.0)) -> tuple[Matrix, Matrix]:
    """The board's middle before the camera, tilted."""
    turns = [np.deg2rad(each) for each in tilt]
    rotation = np.eye(3)
    for axis, turn in zip(np.eye(3), turns, strict=True):
        rotation = np.asarray(cv2.Rodrigues(axis * turn)[0]) @ rotation
    middle = np.array([CHESS.columns, CHESS.rows, 0]) * CHESS.square_mm / 2
    return rotation, np.array([*across, DISTANCE_MM]) - rotation @ middle


def straightened(bent: Matrix) -> Matrix:
    """Brown's distortion undone by iteration. bent: (n, 2), in focal lengths."""
    k1, k2, p1, p2, _ = BENT
    rays = bent.copy()
    for _ in range(30):
        x, y = rays.T
        r2 = x * x + y * y
        radial = 1 + k1 * r2 + k2 * r2 * r2
        tangential = np.stack([2 * p1 * x * y + p2 * (r2 + 2 * x * x), p1 * (r2 + 2 * y * y) + 2 * p2 * x * y], axis=-1)
        rays = (bent - tangential) / radial[:, None]
    return rays


def seen(board: Board, rotation: Matrix, shift: Matrix, noise: float = 2.0) -> Picture:
    """What the camera sees of the printed board, its lens' bending and noise included."""
    printed = board.draw(SQUARE_PX)
    # For each pixel: straighten it, go along its ray to the board's plane, look there.
    rays = rays_of_pixels()
    to_px = np.column_stack([rotation[:, 0], rotation[:, 1], shift])
    on_board = np.linalg.inv(to_px) @ np.column_stack([rays, np.ones(len(rays))]).T
    mm = (on_board[:2] / on_board[2]).T.reshape(SIZE[1], SIZE[0], 2)
    scale = SQUARE_PX / board.square_mm
    where = (mm * scale + SQUARE_PX - 0.5).astype(np.float32)
    picture = cv2.remap(printed, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderValue=90)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.7) * 0.8 + 20
    return np.asarray(np.clip(picture + np.random.default_rng(1).normal(0, noise, picture.shape), 0, 255), np.uint8)


@functools.cache
def rays_of_pixels() -> Matrix:
    """The straightened ray of each pixel, row by row."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]].astype(np.float64)
    bent = np.stack([(x - CAMERA[0, 2]) / CAMERA[0, 0], (y - CAMERA[1, 2]) / CAMERA[1, 1]], axis=-1).reshape(-1, 2)
    return straightened(bent)


@functools.cache
def views(board: Board) -> list[tuple[str, Picture]]:
    across = [(0, 0), (25, 18), (-26, 16), (24, -17), (-25, -16), (8, 0), (-9, 3), (0, 0)]
    return [
        (f"{number}.png", seen(board, *pose(tilt, place)))
        for number, (tilt, place) in enumerate(zip(TILTS, across, strict=True))
    ]


@pytest.fixture(scope="module", params=["chessboard", "charuco"])
def board(request: pytest.FixtureRequest) -> Board:
    return CHESS if request.param == "chessboard" else CHARUCO


@pytest.fixture(scope="module")
def made(board: Board) -> Calibration:
    return calibrate(views(board), board, plane="1.png")


def test_the_lens_comes_back(made: Calibration) -> None:
    lens = made.lens
    assert lens.reprojection_px < 0.3
    assert len(made.view_px) == len(TILTS)
    assert (lens.width, lens.height, lens.pictures) == (*SIZE, len(TILTS))
    assert abs(lens.camera_matrix[0][0] / CAMERA[0, 0] - 1) < 0.01
    # What the two models do to points all over the picture is what counts.
    points = np.stack(np.meshgrid(np.linspace(60, 900, 8), np.linspace(50, 670, 6)), axis=-1).reshape(-1, 1, 2)
    straight = cv2.undistortPoints(points, CAMERA, BENT)
    found = cv2.undistortPoints(points, np.array(lens.camera_matrix), np.array(lens.distortion))
    off_px = np.abs(straight - found) * CAMERA[0, 0]
    assert float(off_px.max()) < 4.0
    assert float(np.median(off_px)) < 1.5


def test_a_pixel_is_so_many_millimetres_in_the_plane(board: Board, made: Calibration) -> None:
    lens = made.lens
    plan = DevelopPlan(lens=lens.model_dump_json(), undistort=True, rectify=True)
    picture = seen(board, *pose(TILTS[1], (25, 18)))
    flat = Developer(plan).develop(picture.tobytes(), *SIZE, "Mono8")
    on_board, there = board.find(flat)
    side_mm = np.linalg.norm(on_board[:, None, :2] - on_board[None, :, :2], axis=-1)
    side_px = np.linalg.norm(there[:, None] - there[None, :], axis=-1)
    far = side_mm > 20
    ratio = side_px[far] * lens.mm_per_px / side_mm[far]
    assert abs(float(np.mean(ratio)) - 1) < 0.002
    assert float(np.abs(ratio - 1).max()) < 0.008


def test_without_a_plane_only_the_scale_is_known(board: Board) -> None:
    lens = calibrate(views(board), board).lens
    assert lens.plane is None
    assert abs(lens.mm_per_px / (DISTANCE_MM / CAMERA[0, 0]) - 1) < 0.02


def test_pictures_without_the_board_are_named_and_left_out(board: Board) -> None:
    blank = np.full((SIZE[1], SIZE[0]), 120, np.uint8)
    found = calibrate([*views(board)[:4], ("blank.png", blank)], board)
    assert found.lens.pictures == 4
    assert found.refused[0].startswith("blank.png: ")
    assert any("4 views" in each for each in found.warnings)
    with pytest.raises(BadPicture, match=r"2 pictures show the board, expected 3 or more; blank.png"):
        calibrate([*views(board)[:2], ("blank.png", blank)], board)
    with pytest.raises(BadPicture, match=r"blank.png: it tells the plane"):
        calibrate([*views(board)[:4], ("blank.png", blank)], board, plane="blank.png")
    with pytest.raises(BadPicture, match="2 sizes"):
        calibrate([*views(board)[:3], ("small.png", blank[:300, :300])], board)


def test_a_board_in_the_middle_alone_is_warned_of() -> None:
    middle = [(f"{n}.png", seen(CHESS, *pose(tilt, (0, 0)))) for n, tilt in enumerate(TILTS[:4])]
    far = [(name, np.asarray(cv2.resize(np.pad(picture, 480), SIZE), np.uint8)) for name, picture in middle]
    found = calibrate(far, CHESS)
    assert found.coverage < 0.5
    assert any("bring it into the corners" in each for each in found.warnings)


def test_half_a_charuco_board_is_enough_and_half_a_chessboard_is_not() -> None:
    picture = views(CHARUCO)[0][1].copy()
    picture[:, : SIZE[0] // 2] = 100
    assert 8 <= len(CHARUCO.find(picture)[0]) < 54
    half = views(CHESS)[0][1].copy()
    half[:, : SIZE[0] // 2] = 100
    with pytest.raises(BadPicture, match="no chessboard of 10x7 squares"):
        CHESS.find(half)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"columns": 2}, "3..40"), ({"columns": 7}, "different numbers"), ({"square_mm": 0.0}, "square_mm")],
)
def test_what_is_no_board_is_refused(change: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(CHESS, **change)  # type: ignore[arg-type]
    assert math.isclose(CHESS.draw(20).shape[1], (10 + 2) * 20)
