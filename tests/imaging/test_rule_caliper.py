"""Calipers against edges whose place is known, because they were drawn there."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okng.bus.errors import BadRecipe
from okng.imaging.measured import Measured
from okng.imaging.picture import Box, Picture
from okng.imaging.profile_edges import edges_of
from okng.imaging.rule_options import CaliperOptions
from okng.imaging.rules import Ruler

SIZE = 120
MIDDLE = (SIZE - 1) / 2
WHOLE: Box = (0, 0, SIZE, SIZE)
FINE = 8


def bars(
    *edges_px: float,
    degrees: float = 0.0,
    blur_px: float = 0.0,
    noise: float = 3.0,
    levels: tuple[int, int] = (60, 160),
    seed: int = 7,
) -> Picture:
    """Edges across a direction, dark before the first, so far from the middle; pixels gather light over their area.

    Drawn from areas: what each of the 8 x 8 parts of a pixel has of the light side, by no smoothing that the caliper
    shares.
    """
    fine = (np.arange(SIZE * FINE) + 0.5) / FINE - 0.5 - MIDDLE
    x, y = fine[None, :], fine[:, None]
    along = x * math.cos(math.radians(degrees)) - y * math.sin(math.radians(degrees))
    part = (abs(math.cos(math.radians(degrees))) + abs(math.sin(math.radians(degrees)))) / FINE
    share = np.zeros(along.shape)
    for number, edge in enumerate(edges_px):
        step = (
            np.tanh((along - edge) / blur_px * 0.85) / 2 + 0.5
            if blur_px
            else np.clip((along - edge) / part + 0.5, 0, 1)
        )
        share += step if number % 2 == 0 else -step
    grey = levels[0] + (levels[1] - levels[0]) * share.reshape(SIZE, FINE, SIZE, FINE).mean(axis=(1, 3))
    grey += np.random.default_rng(seed).normal(0, noise, grey.shape)
    return np.asarray(np.clip(np.round(grey), 0, 255), np.uint8)


def measured(picture: Picture, box: Box = WHOLE, mm_per_px: float | None = None, **options: Any) -> Measured:
    limits: dict[str, Any] = {} if {"low", "high"} & options.keys() else {"low": -1000.0, "high": 1000.0}
    return Ruler(CaliperOptions(name="gap", **limits, **options), mm_per_px).measure(picture, box)


def value(found: Measured, name: str) -> float:
    assert found.trouble == ""
    (reading,) = [each for each in found.readings if each.name == name]
    return reading.value


PHASES = [round(step / 16, 4) for step in range(16)]


@pytest.mark.parametrize(("blur_px", "breadth_px"), [(0.0, 24.0), (0.8, 48.0), (1.5, None)])
def test_an_edge_is_told_to_a_twentieth_of_a_pixel_wherever_it_lies(blur_px: float, breadth_px: float | None) -> None:
    """At a noise of 3 grey levels. A sharp edge is the hard case: pixels pull it towards their borders; the more it is
    blurred, the more rows the noise has to be averaged over.
    """
    off = []
    for seed, phase in enumerate(PHASES):
        picture = bars(-20.3 + phase, 20.3 + 2 * phase, blur_px=blur_px, seed=seed)
        options: dict[str, Any] = {"measure": "position", "breadth_px": breadth_px}
        off.append(value(measured(picture, polarity="rising", **options), "position") - (-20.3 + phase))
        off.append(value(measured(picture, polarity="falling", **options), "position") - (20.3 + 2 * phase))
    assert max(map(abs, off)) <= 0.05
    assert abs(sum(off) / len(off)) <= 0.01


@pytest.mark.parametrize("blur_px", [0.0, 0.8, 1.5])
def test_a_width_over_the_whole_box_is_told_to_a_twentieth_of_a_pixel(blur_px: float) -> None:
    off = []
    for seed, phase in enumerate(PHASES):
        picture = bars(-20.3 + phase, 20.3 + 2 * phase, blur_px=blur_px, seed=seed)
        off.append(value(measured(picture), "width") - (40.6 + phase))
    assert max(map(abs, off)) <= 0.05
    assert abs(sum(off) / len(off)) <= 0.015


@pytest.mark.parametrize("degrees", [0.0, 90.0, -90.0, 180.0, 17.0, 45.0, -120.0, 89.0])
def test_position_and_width_hold_at_any_angle(degrees: float) -> None:
    picture = bars(-11.37, 6.81, degrees=degrees)
    found = measured(picture, angle_deg=degrees, polarity="rising")
    assert value(found, "width") == pytest.approx(18.18, abs=0.05)
    at = measured(picture, angle_deg=degrees, measure="position", polarity="falling")
    assert value(at, "position") == pytest.approx(6.81, abs=0.05)


@given(st.floats(-0.5, 0.5), st.floats(0.0, 2.0), st.floats(40.0, 180.0))
@settings(deadline=None, max_examples=60)
def test_one_clean_edge_is_found_where_it_is(phase: float, blur_px: float, height: float) -> None:
    fine = (np.arange(60 * 64) + 0.5) / 64 - 0.5
    at = 30 + phase
    share = (
        np.array([0.5 * math.erfc((at - x) / blur_px / math.sqrt(2)) for x in fine.tolist()])
        if blur_px > 0.01
        else (fine > at).astype(np.float64)
    )
    profile: npt.NDArray[np.float64] = 40 + height * share.reshape(60, 64).mean(axis=1)
    (edge,) = edges_of(profile, sigma_px=1.0, min_contrast=10.0)
    assert edge.at_px == pytest.approx(at, abs=0.02)
    assert 0.3 * height < edge.contrast < 1.1 * height


def test_polarity_and_pick_choose_among_edges() -> None:
    # Dark, light from -40, dark from -30, light from 0 to 25, all of one height.
    picture = bars(-40.25, -30.0, 0.5, 25.0, noise=1.0)
    assert value(measured(picture, pick="first"), "width") == pytest.approx(10.25, abs=0.05)
    assert value(measured(picture, pick="first", polarity="falling"), "width") == pytest.approx(30.5, abs=0.05)
    assert value(measured(picture, pick="last"), "width") == pytest.approx(24.5, abs=0.05)
    assert value(measured(picture, pick="outer"), "width") == pytest.approx(65.25, abs=0.05)
    assert value(measured(picture, pick="first", second="same"), "width") == pytest.approx(40.75, abs=0.05)
    position: dict[str, Any] = {"measure": "position", "polarity": "falling"}
    assert value(measured(picture, pick="first", **position), "position") == pytest.approx(-30.0, abs=0.05)
    assert value(measured(picture, pick="last", **position), "position") == pytest.approx(25.0, abs=0.05)


def test_the_strongest_pair_is_the_best() -> None:
    weak, strong = bars(-40.0, -30.0, noise=0.0, levels=(60, 85)), bars(0.0, 20.25, noise=0.0, levels=(0, 120))
    picture = np.clip(weak.astype(int) + strong, 0, 255).astype(np.uint8)
    assert value(measured(picture, pick="best", polarity="rising"), "width") == pytest.approx(20.25, abs=0.05)
    assert value(measured(picture, pick="first", polarity="rising"), "width") == pytest.approx(10.0, abs=0.05)


def test_several_lines_tell_a_wedge_from_a_bar_and_a_bent_edge_from_a_straight_one() -> None:
    wedge = np.full((SIZE, SIZE), 160, np.uint8)
    for row in range(SIZE):
        wedge[row, 30 : 70 + row // 12] = 60
    found = measured(wedge, lines=10, low=39.0, high=45.0)
    assert value(found, "width min") == pytest.approx(40.0, abs=0.1)
    assert value(found, "width max") == pytest.approx(49.0, abs=0.1)
    assert value(found, "width mean") == pytest.approx(44.5, abs=0.1)
    assert found.score > 1  # the largest is beyond
    assert measured(wedge, lines=10, low=39.0, high=45.0, judge="mean").score < 1
    assert measured(wedge, lines=10, high=39.0, judge="min").score > 1
    bent = np.full((SIZE, SIZE), 160, np.uint8)
    for row in range(SIZE):
        bent[row, 30 : 70 + (row - 60) ** 2 // 720] = 60
    straight = measured(bars(-20.0, 20.0), lines=10, max_straightness=1.0)
    assert value(straight, "straightness") < 0.3
    assert straight.score < 1
    assert measured(bent, lines=10, max_straightness=1.0).score > 1


def test_millimetres_come_from_the_calibration_or_from_the_tool_itself() -> None:
    picture = bars(-20.0, 20.0)
    found = measured(picture, mm_per_px=0.05, unit="mm", low=1.9, high=2.1)
    assert value(found, "width") == pytest.approx(2.0, abs=0.0025)
    assert found.readings[0].unit == "mm"
    assert found.score < 0.1
    own = Ruler(CaliperOptions(name="gap", unit="mm", mm_per_px=0.1, low=1.9, high=2.1), mm_per_px=0.05)
    assert own.measure(picture, WHOLE).score > 1
    with pytest.raises(BadRecipe, match=r"gap: unit = mm: expected mm_per_px, or a calibration in develop\.lens"):
        Ruler(CaliperOptions(name="gap", unit="mm", low=1.9, high=2.1))


def test_the_place_lies_in_the_picture_and_holds_the_edges() -> None:
    picture = bars(-20.0, 20.0)
    found = measured(picture, box=(20, 30, 90, 40), low=0.0, high=30.0)
    (place,) = found.places
    assert place.kind == "gap"
    assert place.score == found.score > 1
    x, y, w, h = place.box
    assert (y, h) == (30, 40)
    assert x == pytest.approx(MIDDLE - 20, abs=1)
    assert x + w - 1 == pytest.approx(MIDDLE + 20, abs=1)


@pytest.mark.parametrize(
    ("picture", "box", "options", "said"),
    [
        (bars(), WHOLE, {}, "gap: no pair of edges as asked for: found 0 edges"),
        (bars(5.0), WHOLE, {}, "gap: no pair of edges as asked for: found 1 edges"),
        (bars(5.0), WHOLE, {"measure": "position", "polarity": "falling"}, "no edge as asked for: found 1 edges"),
        (bars(-9.0, 9.0, levels=(100, 110)), WHOLE, {}, "min_contrast 15"),
        (bars(-9.0, 9.0), (0, 0, 4, 50), {}, "the scan is 4 px long"),
        (bars(-9.0, 9.0), (0, 0, 50, 5), {"lines": 8}, "8 lines in a breadth of 5 px"),
        (bars(-9.0, 9.0), (0, 0, 20, 20), {"angle_deg": 45.0, "breadth_px": 30.0}, "30 px breadth at 45 degrees"),
        (bars(-9.0, 9.0), WHOLE, {"channel": "red"}, "this one is grey"),
        (bars(-9.0, 9.0), (100, 0, 50, 50), {}, "expected to lie inside the picture of 120x120"),
    ],
)
def test_what_cannot_be_measured_judges_nothing(picture: Picture, box: Box, options: dict[str, Any], said: str) -> None:
    found = measured(picture, box, **options)
    assert said in found.trouble
    assert found.score == math.inf
    assert found.readings == ()


def test_a_line_without_its_edge_makes_the_whole_unjudged() -> None:
    picture = bars(-20.0, 20.0)
    picture[:30] = 60  # broken off above
    assert "on line 1 of 4" in measured(picture, lines=4).trouble


@given(st.integers(0, 2**32 - 1), st.floats(-180, 180), st.integers(1, 8), st.sampled_from(["width", "position"]))
@settings(deadline=None, max_examples=60)
def test_noise_alone_is_measured_or_said_not_to_be(seed: int, degrees: float, lines: int, measure: str) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (40, 60), dtype=np.uint8)
    found = measured(noise, (3, 2, 50, 36), angle_deg=degrees, lines=lines, measure=measure, sigma_px=0.6)
    assert bool(found.trouble) != bool(found.readings)
    for place in found.places:
        x, y, w, h = place.box
        assert 3 <= x <= x + w <= 53
        assert 2 <= y <= y + h <= 38
