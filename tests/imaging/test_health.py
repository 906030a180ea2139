"""A view is commissioned once; each later picture is measured against it, each figure moved by its own cause only."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from okng.bench.health_cases import Scene, picture_of
from okng.bus.errors import BadPicture
from okng.imaging.commission import commission
from okng.imaging.health import Measurer
from okng.imaging.measures import SCALARS, shape_change
from okng.imaging.picture import Picture
from okng.imaging.reference import Reference

SEED = 31
HEIGHT, WIDTH = 480, 640


@pytest.fixture(scope="module")
def goods() -> list[Picture]:
    return Scene(SEED).commissioning(16)


@pytest.fixture(scope="module")
def reference(goods: list[Picture]) -> Reference:
    return commission(goods, made_at="2026-01-02T03:04:05Z")


@pytest.fixture(scope="module")
def measurer(reference: Reference) -> Measurer:
    return Measurer(reference)


@pytest.fixture(scope="module")
def part() -> Picture:
    return Scene(SEED).part(3)


def test_the_background_is_found_by_itself(reference: Reference) -> None:
    """The belt is fixed and the washer is not: corners and bore, no cell of the metal or its rim."""
    cell = reference.cell_px
    v, u = np.mgrid[0 : reference.fixed.shape[0], 0 : reference.fixed.shape[1]]
    radius = np.hypot((v + 0.5) * cell - HEIGHT / 2, (u + 0.5) * cell - WIDTH / 2) / HEIGHT
    metal = (radius > 0.17) & (radius < 0.42)
    assert not reference.fixed[metal].any()
    assert reference.fixed[radius > 0.5].mean() > 0.95
    x, y, w, h = reference.focus_box
    assert (x, y) < (WIDTH // 4, HEIGHT // 8)
    assert w == pytest.approx(0.83 * HEIGHT, rel=0.1)
    assert h == pytest.approx(0.83 * HEIGHT, rel=0.1)
    assert len(reference.patches) >= 4
    assert len(reference.noise_boxes) >= 4


def test_commissioning_pictures_measure_as_commissioned(
    reference: Reference, measurer: Measurer, part: Picture
) -> None:
    typical = reference.typical
    assert set(typical) == set(SCALARS)
    for name in ("background", "part", "focus", "background_focus", "noise_gain"):
        assert typical[name].middle == pytest.approx(1.0, abs=0.02), name
        assert 0 < typical[name].spread < 0.06, name
    assert typical["position"].middle == 1.0
    seen = measurer.measure(part)
    assert math.hypot(seen.shift_x_px, seen.shift_y_px) < 0.1
    assert abs(seen.angle_deg) < 0.05
    assert seen.focus == pytest.approx(1.0, abs=0.1)
    # The renderer's noise on the belt, and the steps of the scale.
    assert seen.noise == pytest.approx(math.hypot(0.8 + 0.1 * math.sqrt(38), 0.5), rel=0.1)
    health = seen.health("top", ("lens",))
    assert (health.camera, health.alarms) == ("top", ("lens",))
    assert health.brightness == pytest.approx(float(part.mean()), abs=1.0)
    assert health.contrast == pytest.approx(float(part.std()), abs=1.0)


def dimmed(by: float) -> Callable[[Picture], Picture]:
    return lambda seen: picture_of(np.asarray(seen * np.float32(by), np.float32))


@pytest.mark.parametrize("by", [0.7, 0.85, 1.15])
def test_the_lamp_moves_the_light_and_nothing_else(measurer: Measurer, part: Picture, by: float) -> None:
    was, now = measurer.measure(part), measurer.measure(dimmed(by)(part))
    assert now.background / was.background == pytest.approx(by, abs=0.02)
    assert now.part == pytest.approx(was.part, abs=0.03)
    assert now.focus == pytest.approx(was.focus, abs=0.03)
    assert now.uniformity == pytest.approx(was.uniformity, abs=0.02)
    assert now.shift_x_px == pytest.approx(was.shift_x_px, abs=0.1)


@pytest.mark.parametrize(("x", "y"), [(5, 0), (-3, 4), (0, -7), (12, 9)])
def test_a_shift_is_measured_to_a_tenth_of_a_pixel(measurer: Measurer, part: Picture, x: int, y: int) -> None:
    moved = cv2.warpAffine(part, np.array([[1.0, 0, x], [0, 1, y]]), (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    seen = measurer.measure(np.asarray(moved, np.uint8))
    assert seen.position >= 0.5
    assert seen.shift_x_px == pytest.approx(x, abs=0.1)
    assert seen.shift_y_px == pytest.approx(y, abs=0.1)
    assert abs(seen.angle_deg) < 0.05


@pytest.mark.parametrize("angle", [2.0, -1.0])
def test_a_turn_is_measured_with_its_sign(measurer: Measurer, part: Picture, angle: float) -> None:
    """OpenCV turns counter-clockwise as seen for a positive angle."""
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), angle, 1.0)
    turned = cv2.warpAffine(part, turn, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    seen = measurer.measure(np.asarray(turned, np.uint8))
    assert seen.angle_deg == pytest.approx(angle, abs=0.1)
    assert math.hypot(seen.shift_x_px, seen.shift_y_px) < 0.5


def test_shading_is_a_slope_of_the_light(measurer: Measurer, part: Picture) -> None:
    ramp = 1 + 0.2 * (np.arange(WIDTH, dtype=np.float32) / WIDTH - 0.5)
    was, now = measurer.measure(part), measurer.measure(picture_of(np.asarray(part * ramp, np.float32)))
    assert now.slope_x - was.slope_x == pytest.approx(0.2, abs=0.02)
    assert now.slope_y == pytest.approx(was.slope_y, abs=0.02)
    assert now.background == pytest.approx(was.background, rel=0.02)


def test_dirt_darkens_its_cells_and_not_the_light(measurer: Measurer, part: Picture) -> None:
    veil = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.circle(veil, (80, 400), 30, 0.3, -1)
    was, now = measurer.measure(part), measurer.measure(picture_of(part * (1 - cv2.GaussianBlur(veil, (0, 0), 8))))
    cell = measurer.reference.cell_px
    assert now.local[400 // cell, 80 // cell] - was.local[400 // cell, 80 // cell] == pytest.approx(-0.35, abs=0.06)
    assert now.background == pytest.approx(was.background, rel=0.02)


def test_noise_is_told_apart_from_the_belts_texture(measurer: Measurer, part: Picture) -> None:
    grain = np.random.default_rng(1).normal(0, 3.0, part.shape)
    was, now = measurer.measure(part), measurer.measure(picture_of(np.asarray(part + grain, np.float32)))
    assert now.noise == pytest.approx(math.hypot(3.0, was.noise), rel=0.05)
    assert now.focus == pytest.approx(was.focus, abs=0.1)


def test_a_colour_picture_is_measured_by_its_luma(goods: list[Picture], part: Picture) -> None:
    tint = np.array([1.0, 0.9, 0.8], np.float32)
    colour = [picture_of(np.asarray(each[..., None] * tint, np.float32)) for each in [*goods, part]]
    seen = Measurer(commission(colour[:-1])).measure(colour[-1])
    assert seen.background == pytest.approx(1.0, abs=0.1)
    assert seen.position == 1.0


@pytest.mark.parametrize("kind", ["black", "white", "noise", "stripes"])
def test_any_picture_gives_figures(measurer: Measurer, kind: str) -> None:
    """A covered lens, a lamp into the lens, a torn cable: every figure is a number that the record can keep."""
    made = {
        "black": np.zeros((HEIGHT, WIDTH), np.uint8),
        "white": np.full((HEIGHT, WIDTH), 255, np.uint8),
        "noise": np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8),
        "stripes": np.tile(np.array([0, 255], np.uint8), (HEIGHT, WIDTH // 2)),
    }[kind]
    seen = measurer.measure(made)
    assert [name for name in SCALARS if not math.isfinite(getattr(seen, name))] == []
    assert np.isfinite(seen.local).all()
    assert seen.position <= 0.5
    assert seen.focus >= 0
    assert seen.health("top").brightness == pytest.approx(float(made.mean()), abs=2.0)


def test_a_picture_of_another_size_is_refused(measurer: Measurer) -> None:
    with pytest.raises(BadPicture, match="picture of 640x481: commissioned was 640x480"):
        measurer.measure(np.zeros((481, 640), np.uint8))


def test_given_boxes_are_the_background(goods: list[Picture]) -> None:
    found = commission(goods, focus=(100, 20, 440, 440), background=[(0, 0, 100, 480), (560, 0, 80, 480)])
    cell = found.cell_px
    assert found.focus_box == (100, 20, 440, 440)
    assert found.fixed[:, : 96 // cell].all()
    assert not found.fixed[:, 96 // cell : 560 // cell].any()
    assert all(x + 64 <= 100 or x >= 560 for x in (patch.x for patch in found.patches))


def test_a_view_without_background_still_measures_light_and_focus() -> None:
    """Every picture is another one: nothing is fixed, so position cannot be told, and says so."""
    rng = np.random.default_rng(5)
    cloths = [cv2.GaussianBlur(rng.normal(0, 60, (240, 320)).astype(np.float32), (0, 0), 1.5) + 120 for _ in range(8)]
    found = commission([picture_of(np.asarray(each, np.float32)) for each in cloths[:-1]])
    assert found.patches == ()
    seen = Measurer(found).measure(picture_of(np.asarray(cloths[-1] * 0.8, np.float32)))
    assert math.isnan(seen.position)
    assert (seen.shift_x_px, seen.shift_y_px, seen.angle_deg) == (0.0, 0.0, 0.0)
    assert seen.background == pytest.approx(0.8, abs=0.03)
    assert seen.focus == pytest.approx(1.0, abs=0.1)


def test_what_cannot_be_commissioned_is_refused(goods: list[Picture]) -> None:
    with pytest.raises(BadPicture, match="4 pictures: expected 5 or more"):
        commission(goods[:4])
    with pytest.raises(BadPicture, match="expected one size"):
        commission([*goods[:5], goods[0][:400]])
    with pytest.raises(BadPicture, match="expected 64 px or more each way"):
        commission([each[:60, :60] for each in goods])
    with pytest.raises(BadPicture, match="nothing is sharp in the focus region"):
        commission([np.full((120, 160), 90, np.uint8)] * 5)
    with pytest.raises(BadPicture, match="expected to lie inside the picture of 640x480"):
        commission(goods, focus=(600, 0, 100, 100))


@pytest.mark.parametrize(
    ("slopes", "change"),
    [((0, 0, 0), 0.0), ((0.1, 0, 0), 0.1), ((0.1, -0.1, 0), 0.2), ((0, 0, 0.1), 0.1), ((0.4, 0, 0.1), 0.4)],
)
def test_the_shapes_change_is_its_brightest_against_its_darkest_place(
    slopes: tuple[float, float, float], change: float
) -> None:
    v, u = np.mgrid[-0.5:0.5:201j, -0.5:0.5:201j]
    field = slopes[0] * u + slopes[1] * v + slopes[2] * 2 * (u * u + v * v)
    assert shape_change(*slopes) == pytest.approx(float(np.ptp(field)), abs=1e-6)
    if slopes[2] == 0 or slopes[0] == 0:
        assert shape_change(*slopes) == pytest.approx(change)
