"""The part is found where it lies, and not found where it does not; regions move with it."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.bus.errors import BadPicture, BadRecipe
from okng.bus.part import Placement
from okng.imaging.align_options import AlignOptions
from okng.imaging.picture import Picture
from okng.imaging.registration import Aligner
from okng.imaging.rigid import Found, Motion, fitted
from okng.simline.parts import render

SIZE = (640, 480)
BOX = (152, 72, 336, 336)
CENTRE = (BOX[0] + (BOX[2] - 1) / 2, BOX[1] + (BOX[3] - 1) / 2)


@pytest.fixture(scope="module")
def golden() -> Picture:
    return render(1, 0, None, *SIZE).picture


def options(method: str = "template", **more: object) -> AlignOptions:
    return AlignOptions.model_validate({"golden": "g.png", "box": BOX, "method": method, **more})


def moved(picture: Picture, motion: Motion, seed: int = 1, light: float = 1.0) -> Picture:
    shown = cv2.warpAffine(picture, motion.matrix, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    noise = np.random.default_rng(seed).normal(0, 3, shown.shape)
    return np.asarray(np.clip(shown * light + noise, 0, 255), np.uint8)


@pytest.mark.parametrize("method", ["template", "features", "ecc"])
@pytest.mark.parametrize(
    ("turn", "x", "y", "light"),
    [(0, 0, 0, 1.0), (3.2, 17.4, -22.7, 0.9), (-4.5, -33.0, 12.3, 1.1), (1.0, 38.0, 38.0, 1)],
)
def test_the_part_is_found_to_a_fraction_of_a_pixel(
    golden: Picture, method: str, turn: float, x: float, y: float, light: float
) -> None:
    motion = Motion.about(CENTRE, turn, x, y)
    found = Aligner(golden, options(method)).find(moved(golden, motion, light=light), "top")
    placement = found.placement
    assert placement.found
    assert placement.score > 0.9
    assert math.dist((placement.shift_x_px, placement.shift_y_px), (x, y)) < 0.5
    assert abs(placement.angle_deg - turn) < 0.2
    assert placement.camera == "top"


def test_a_turn_is_counted_counter_clockwise_as_seen(golden: Picture) -> None:
    turn = cv2.getRotationMatrix2D(CENTRE, 4.0, 1.0)  # OpenCV: positive is counter-clockwise
    shown = np.asarray(cv2.warpAffine(golden, turn, SIZE, borderMode=cv2.BORDER_REFLECT), np.uint8)
    assert abs(Aligner(golden, options()).find(shown, "top").placement.angle_deg - 4.0) < 0.2


@pytest.mark.parametrize("method", ["template", "features", "ecc"])
def test_what_is_not_there_or_out_of_range_is_not_found(golden: Picture, method: str) -> None:
    aligner = Aligner(golden, options(method))
    rng = np.random.default_rng(4)
    belt = np.clip(cv2.GaussianBlur(rng.normal(90, 60, (480, 640)), (0, 0), 3), 0, 255).astype(np.uint8)
    covered = moved(golden, Motion(0.0, 0.0, 0.0))
    covered[:, : round(BOX[0] + 0.6 * BOX[2])] = 90
    far = moved(golden, Motion.about(CENTRE, 0.0, 52.0, 0.0))
    turned = moved(golden, Motion.about(CENTRE, 9.0, 0.0, 0.0))
    plain = np.full((480, 640), 120, np.uint8)
    for name, picture in {"belt": belt, "covered": covered, "far": far, "turned": turned, "plain": plain}.items():
        found = aligner.find(picture, "top")
        assert not found.placement.found, name
        assert found.cut(picture, BOX) is None
        assert found.around(BOX, *SIZE) is None


def test_a_pattern_that_repeats_itself_is_refused() -> None:
    tile = np.zeros((40, 40), np.uint8)
    cv2.circle(tile, (20, 20), 12, 220, -1)
    with pytest.raises(BadRecipe, match="a second time within search_px = 45"):
        Aligner(np.tile(tile, (12, 16)), options(search_px=45))
    assert Aligner(np.tile(tile, (12, 16)), options(search_px=15)) is not None


def test_colour_pictures_are_aligned_too() -> None:
    picture = render(1, 0, None, *SIZE, colour=True).picture
    shown = np.asarray(cv2.warpAffine(picture, Motion(0.0, 5.0, 3.0).matrix, SIZE), np.uint8)
    placement = Aligner(picture, options()).find(shown, "top").placement
    assert placement.found
    assert abs(placement.shift_x_px - 5.0) < 0.3


@pytest.mark.parametrize(
    ("box", "words"),
    [((400, 300, 336, 336), "lie inside"), ((0, 0, 20, 20), "48 px or more"), ((2, 2, 60, 60), "plain")],
)
def test_a_pattern_one_cannot_hold_on_to_is_refused(box: tuple[int, int, int, int], words: str) -> None:
    plain = np.full((480, 640), 120, np.uint8)
    with pytest.raises(BadRecipe, match=words):
        Aligner(plain, AlignOptions.model_validate({"golden": "g.png", "box": box}))


def test_a_picture_of_another_size_is_refused(golden: Picture) -> None:
    with pytest.raises(BadPicture, match="320x240"):
        Aligner(golden, options()).find(np.zeros((240, 320), np.uint8), "top")


MOTIONS = st.builds(
    lambda turn, x, y: Motion.about(CENTRE, turn, x, y), st.floats(-20, 20), st.floats(-40, 40), st.floats(-40, 40)
)


@given(MOTIONS, st.lists(st.tuples(st.floats(0, 640), st.floats(0, 480)), min_size=3, max_size=12))
def test_a_motion_is_fitted_back_from_its_points(motion: Motion, points: list[tuple[float, float]]) -> None:
    here = np.array(points)
    if float(np.ptp(here, axis=0).max()) < 20:
        return  # points in one place tell no turn
    made = fitted(here, np.array([motion.apply(each) for each in points]))
    for each in points:
        assert math.dist(made.apply(each), motion.apply(each)) < 1e-6
    assert np.allclose(motion.matrix @ [*CENTRE, 1.0], motion.apply(CENTRE))


def found_at(motion: Motion) -> Found:
    shift_x, shift_y = motion.shift_of(CENTRE)
    return Found(Placement("top", True, 1.0, shift_x, shift_y, motion.degrees), motion)


def test_a_region_that_only_moved_keeps_the_sensors_own_pixels(golden: Picture) -> None:
    shown = np.roll(golden, (7, -11), axis=(0, 1))
    found = found_at(Motion(0.0, -11.2, 6.9))
    region = found.cut(shown, BOX)
    assert region is not None
    assert np.array_equal(region, golden[BOX[1] : BOX[1] + BOX[3], BOX[0] : BOX[0] + BOX[2]])
    assert found.around(BOX, *SIZE) == (BOX[0] - 11, BOX[1] + 7, BOX[2], BOX[3])


def test_a_region_that_turned_is_seen_as_in_the_golden_picture(golden: Picture) -> None:
    motion = Motion.about(CENTRE, 4.0, 6.0, -9.0)
    region = found_at(motion).cut(moved(golden, motion), BOX)
    assert region is not None
    assert region.shape == (BOX[3], BOX[2])
    was = golden[BOX[1] : BOX[1] + BOX[3], BOX[0] : BOX[0] + BOX[2]].astype(float)
    assert float(np.corrcoef(region.reshape(-1), was.reshape(-1))[0, 1]) > 0.97


def test_a_region_that_reaches_out_of_the_picture_is_none(golden: Picture) -> None:
    found = found_at(Motion(0.0, 0.0, -80.0))
    assert found.cut(golden, BOX) is None
    assert found.around(BOX, *SIZE) is None
    assert found.around((0, 0, *SIZE), *SIZE) is None
    assert found_at(Motion(0.0, 0.3, -0.3)).around((0, 0, *SIZE), *SIZE) == (0, 0, *SIZE)
