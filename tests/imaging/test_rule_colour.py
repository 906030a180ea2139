"""Colours against figures that others published, and what is there by its level, its colour or its edges."""

import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.imaging.lab import Lab, cie76, ciede2000, lab_of
from okng.imaging.measured import Measured
from okng.imaging.picture import Box, Picture
from okng.imaging.rule_options import ColourOptions, HsvRange, PresenceOptions
from okng.imaging.rules import Ruler

WHOLE: Box = (0, 0, 60, 40)
# Sharma, Wu, Dalal 2005, table 1.
PUBLISHED = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425
50 3.1571 -77.2803 50 0 -82.7485 2.8615
50 2.8361 -74.0200 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1.0000
50 -1.1848 -84.8006 50 0 -82.7485 1.0000
50 -0.9009 -85.5211 50 0 -82.7485 1.0000
50 0 0 50 -1 2 2.3669
50 -1 2 50 0 0 2.3669
50 2.4900 -0.0010 50 -2.4900 0.0009 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0010 7.1792
50 2.4900 -0.0010 50 -2.4900 0.0011 7.2195
50 2.4900 -0.0010 50 -2.4900 0.0012 7.2195
50 -0.0010 2.4900 50 0.0009 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0010 -2.4900 4.8045
50 -0.0010 2.4900 50 0.0011 -2.4900 4.7461
50 2.5 0 50 0 -2.5 4.3065
50 2.5 0 73 25 -18 27.1492
50 2.5 0 61 -5 29 22.8977
50 2.5 0 56 -27 -3 31.9030
50 2.5 0 58 24 15 19.4535
50 2.5 0 50 3.1736 0.5854 1.0000
50 2.5 0 50 3.2972 0 1.0000
50 2.5 0 50 1.8634 0.5757 1.0000
50 2.5 0 50 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""
LAB = st.tuples(st.floats(0, 100), st.floats(-128, 128), st.floats(-128, 128))


@pytest.mark.parametrize("line", PUBLISHED.strip().split("\n"))
def test_ciede2000_gives_the_published_differences(line: str) -> None:
    l1, a1, b1, l2, a2, b2, published = map(float, line.split())
    assert ciede2000((l1, a1, b1), (l2, a2, b2)) == pytest.approx(published, abs=5e-5)


@given(LAB, LAB)
def test_a_difference_is_the_same_both_ways_and_none_from_itself(one: Lab, other: Lab) -> None:
    assert ciede2000(one, other) == pytest.approx(ciede2000(other, one), abs=1e-6)
    assert ciede2000(one, one) == cie76(one, one) == 0
    assert 0 <= ciede2000(one, other) < 250


def test_srgb_becomes_cielab() -> None:
    pixels = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    wanted = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86]]
    assert np.abs(lab_of(pixels)[0] - wanted).max() < 0.02
    many = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    opencv = cv2.cvtColor(many.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    assert np.abs(lab_of(many) - opencv).max() < 0.6  # it goes by a table


def painted(rgb: tuple[int, int, int], noise: float = 2.0) -> Picture:
    picture = np.array(rgb) + np.random.default_rng(4).normal(0, noise, (40, 60, 3))
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def colour(picture: Picture, rgb: tuple[int, int, int], **options: Any) -> Measured:
    lightness, a, b = lab_of(np.array([[rgb]], np.uint8))[0, 0].tolist()
    written: dict[str, Any] = {"reference_lab": (lightness, a, b), "max_delta_e": 3.0} | options
    rule = ColourOptions(name="cap", **written)
    return Ruler(rule).measure(picture, WHOLE)


@pytest.mark.parametrize("formula", ["ciede2000", "cie76"])
def test_the_right_colour_passes_and_a_shade_beside_it_does_not(formula: str) -> None:
    right = colour(painted((180, 40, 60)), (180, 40, 60), formula=formula)
    assert right.score < 0.3
    assert [each.name for each in right.readings] == ["delta E", "L*", "a*", "b*"]
    wrong = colour(painted((180, 60, 40)), (180, 40, 60), formula=formula)
    assert wrong.score > 1
    assert wrong.places[0].score == wrong.score


def test_a_colour_that_cannot_be_told_judges_nothing() -> None:
    grey = Ruler(ColourOptions(name="cap", reference_lab=(50, 0, 0), max_delta_e=3)).measure(
        np.full((40, 60), 119, np.uint8), WHOLE
    )
    assert grey.trouble == "cap: expected a picture with colours, this one is grey"
    assert grey.score == math.inf
    assert "clipped" in colour(painted((254, 245, 245)), (255, 245, 245)).trouble
    assert colour(painted((254, 245, 245)), (254, 245, 245), max_clipped=1.0).score <= 1


def presence(picture: Picture, **options: Any) -> Measured:
    return Ruler(PresenceOptions(name="label", **options)).measure(picture, WHOLE)


def test_share_of_pixels_of_a_level() -> None:
    picture = np.full((40, 60), 200, np.uint8)
    picture[:10] = 80
    found = presence(picture, levels=(0, 80), low=0.2, high=0.3)
    assert found.readings[0].value == 0.25
    assert found.score <= 1
    assert presence(picture, levels=(0, 79), low=0.2).score > 1
    assert presence(picture, levels=(0, 80), high=0.2).score > 1


@pytest.mark.parametrize(
    ("rgb", "hue_deg", "there"),
    [
        ((200, 30, 30), (340, 20), True),
        ((200, 30, 60), (340, 20), True),  # a red of 350 degrees
        ((30, 200, 30), (340, 20), False),
        ((30, 200, 30), (90, 150), True),
        ((30, 30, 200), (210, 270), True),
        ((90, 90, 90), (0, 360), False),  # no colour at all
    ],
)
def test_share_of_pixels_of_a_colour(rgb: tuple[int, int, int], hue_deg: tuple[float, float], there: bool) -> None:
    wanted = HsvRange(hue_deg=hue_deg, saturation=(0.3, 1.0))
    found = presence(painted(rgb), method="colour", colour=wanted, low=0.9)
    assert (found.score <= 1) == there
    grey = presence(np.full((40, 60), 90, np.uint8), method="colour", colour=wanted, low=0.9)
    assert "this one is grey" in grey.trouble


def test_share_of_edges_tells_print_from_a_blank() -> None:
    blank = painted((200, 200, 200))[:, :, 0]
    print_ = blank.copy()
    print_[:, ::6] = 40
    assert presence(blank, method="edges", low=0.2).score > 1
    assert presence(print_, method="edges", low=0.2).score <= 1
    assert presence(print_, method="edges", low=0.2).readings[0].value == pytest.approx(1 / 3, abs=0.03)
