"""Straight pictures: dots that a known lens has bent come to lie where they belong."""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from okng.bus.errors import BadPicture, BadRecipe
from okng.imaging.develop import Developer, check_plan
from okng.imaging.formats import FORMATS
from okng.imaging.lens import straightener
from okng.imaging.lens_file import LensFile
from okng.imaging.plan import DevelopPlan

WIDTH, HEIGHT = 640, 480
FX, FY, CX, CY = 520.0, 515.0, 322.0, 236.0
K1, K2, P1, P2, K3 = -0.25, 0.08, 0.001, -0.0015, 0.01
PLANE = ((1.1, 0.08, -40.0), (-0.05, 1.2, -30.0), (1e-4, 2e-4, 1.0))
"""From the straight picture to the one seen from above."""
Points = npt.NDArray[np.float64]


def lens(**other: object) -> LensFile:
    said = {
        "width": WIDTH,
        "height": HEIGHT,
        "camera_matrix": ((FX, 0, CX), (0, FY, CY), (0, 0, 1)),
        "distortion": (K1, K2, P1, P2, K3),
        "plane": PLANE,
        "mm_per_px": 0.1,
        "reprojection_px": 0.1,
        "pictures": 10,
    }
    return LensFile.model_validate(said | other)


def plan(**said: object) -> DevelopPlan:
    return DevelopPlan(lens=lens().model_dump_json(), **said)  # type: ignore[arg-type]


def bent(straight: Points) -> Points:
    """Where the lens puts points of a straight picture: Brown's model, written out."""
    x, y = (straight[:, 0] - CX) / FX, (straight[:, 1] - CY) / FY
    r2 = x * x + y * y
    radial = 1 + K1 * r2 + K2 * r2**2 + K3 * r2**3
    u = x * radial + 2 * P1 * x * y + P2 * (r2 + 2 * x * x)
    v = y * radial + P1 * (r2 + 2 * y * y) + 2 * P2 * x * y
    return np.column_stack([u * FX + CX, v * FY + CY])


def through(rows: tuple[tuple[float, ...], ...], points: Points) -> Points:
    made = np.column_stack([points, np.ones(len(points))]) @ np.array(rows).T
    seen: Points = made[:, :2] / made[:, 2:]
    return seen


def dots(places: Points) -> npt.NDArray[np.uint8]:
    """A round dot at each place, soft at its edge, so that its middle is known to a small part of a pixel."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    picture = np.zeros((HEIGHT, WIDTH))
    for x, y in places:
        picture += 220 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.5**2))
    return np.clip(picture, 0, 255).astype(np.uint8)


def middles(picture: npt.NDArray[np.uint8], near: Points) -> Points:
    """The middle of what is bright around each place."""
    found = []
    for x, y in np.rint(near).astype(int):
        cut = picture[y - 8 : y + 9, x - 8 : x + 9].astype(np.float64)
        rows, columns = np.mgrid[-8:9, -8:9]
        assert cut.sum() > 1000, f"no dot at {x},{y}"
        found.append([x + (cut * columns).sum() / cut.sum(), y + (cut * rows).sum() / cut.sum()])
    return np.array(found)


def grid() -> Points:
    """Places in the straight picture."""
    return np.array([(x, y) for y in range(60, 440, 60) for x in range(70, 600, 70)], float)


def test_dots_come_to_lie_where_they_belong() -> None:
    raw = dots(bent(grid()))
    shift = np.linalg.norm(bent(grid()) - grid(), axis=1)
    assert shift.max() > 10  # the lens really bends
    picture = Developer(plan(undistort=True)).develop(raw.tobytes(), WIDTH, HEIGHT, "Mono8")
    assert picture.shape == (HEIGHT, WIDTH)
    assert np.linalg.norm(middles(picture, grid()) - grid(), axis=1).max() < 0.15


def test_the_plane_is_seen_from_above_and_straight_even_if_only_that_is_asked_for() -> None:
    raw = dots(bent(grid()))
    wanted = through(PLANE, grid())
    inside = ((wanted > 12) & (wanted < (WIDTH - 12, HEIGHT - 12))).all(axis=1)
    assert inside.sum() >= 30
    for both in (False, True):
        picture = Developer(plan(undistort=both, rectify=True)).develop(raw.tobytes(), WIDTH, HEIGHT, "Mono8")
        assert np.linalg.norm(middles(picture, wanted[inside]) - wanted[inside], axis=1).max() < 0.25


@pytest.mark.parametrize("rectify", [False, True])
def test_a_crop_is_cut_from_the_straight_picture(rectify: bool) -> None:
    raw = dots(bent(grid())).tobytes()
    whole = Developer(plan(undistort=True, rectify=rectify)).develop(raw, WIDTH, HEIGHT, "Mono8")
    part = Developer(plan(undistort=True, rectify=rectify, crop=(101, 77, 300, 200))).develop(
        raw, WIDTH, HEIGHT, "Mono8"
    )
    assert part.shape == (200, 300)
    # A place is held to a 32nd of a pixel, and may be rounded either way.
    assert np.abs(part.astype(int) - whole[77:277, 101:401]).max() <= 3


def test_opencvs_own_undistort_makes_the_same_picture() -> None:
    raw = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    raw = cv2.GaussianBlur(raw, (0, 0), 3)
    camera, distortion = np.array(lens().camera_matrix), np.array(lens().distortion)
    peer = cv2.undistort(raw, camera, distortion)
    found = Developer(plan(undistort=True)).develop(raw.tobytes(), WIDTH, HEIGHT, "RGB8")
    assert np.abs(found.astype(int) - peer).max() <= 1


def test_what_the_camera_did_not_see_is_black() -> None:
    away = lens(plane=((1, 0, 400), (0, 1, 0), (0, 0, 1)), distortion=(0, 0, 0, 0, 0)).model_dump_json()
    white = bytes([255]) * (WIDTH * HEIGHT)
    picture = Developer(DevelopPlan(lens=away, rectify=True)).develop(white, WIDTH, HEIGHT, "Mono8")
    assert (picture[:, :399] == 0).all()
    assert (picture[:, 401:] == 255).all()


@pytest.mark.parametrize("name", ["Mono8", "BayerRG12p", "YUV422_8"])
def test_only_what_the_crop_looks_at_is_unpacked_and_that_changes_nothing(name: str) -> None:
    raw = np.random.default_rng(8).bytes(FORMATS[name].payload_bytes(WIDTH, HEIGHT))
    straight = plan(undistort=True, rectify=True, levels=(9, 250), white_balance=(1.5, 1.0, 2.0))
    for crop in ((0, 0, 64, 48), (300, 200, 101, 77), (560, 420, 80, 60), (-200, 0, 100, 100), (5000, 0, 50, 50)):
        cut = replace(straight, crop=crop)
        table = straightener(lens(), rectify=True, box=crop)
        *_, w, h = table.reach(WIDTH, HEIGHT)
        assert w * h < WIDTH * HEIGHT / 4
        found = Developer(cut).develop(raw, WIDTH, HEIGHT, name)
        whole = Developer(replace(straight, undistort=False, rectify=False)).develop(raw, WIDTH, HEIGHT, name)
        assert np.array_equal(found, table.apply(whole)), crop


def test_a_calibration_that_does_not_fit_is_refused() -> None:
    with pytest.raises(BadRecipe, match=r"lens: made for 640x480, expected 800x600"):
        check_plan(plan(undistort=True), 800, 600, "Mono8")
    with pytest.raises(BadPicture, match=r"lens: made for 640x480, expected 800x600"):
        Developer(plan(undistort=True)).develop(bytes(800 * 600), 800, 600, "Mono8")
    flat = DevelopPlan(lens=lens(plane=None).model_dump_json(), rectify=True)
    with pytest.raises(BadRecipe, match="expected a calibration that knows the plane"):
        check_plan(flat, WIDTH, HEIGHT, "Mono8")
    check_plan(plan(), 800, 600, "Mono8")  # nothing is asked of it
