"""Blobs that were drawn are found, with their areas and shapes, and nothing else is."""

import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okng.imaging.blobs import shape_of
from okng.imaging.measured import MOST_PLACES, Measured
from okng.imaging.picture import Box, Picture
from okng.imaging.rule_options import BlobOptions, CountOptions
from okng.imaging.rules import Ruler

WHOLE: Box = (0, 0, 240, 180)


def part(noise: float = 3.0, slope: float = 80.0) -> Picture:
    """Uneven light from left to right, and noise."""
    rng = np.random.default_rng(3)
    grey = 128 + slope * (np.linspace(-0.5, 0.5, 240)[None, :] + np.zeros((180, 1))) + rng.normal(0, noise, (180, 240))
    return np.clip(np.round(grey), 0, 255).astype(np.uint8)


def spotted(*squares: tuple[int, int, int, int], base: Picture | None = None) -> Picture:
    """x, y, side in px, and the grey levels by which the square differs from what is about it."""
    grey = (part() if base is None else base).astype(int)
    for x, y, side, step in squares:
        grey[y : y + side, x : x + side] += step
    return np.asarray(np.clip(grey, 0, 255), np.uint8)


def blobs(picture: Picture, box: Box = WHOLE, mm_per_px: float | None = None, **options: Any) -> Measured:
    return Ruler(BlobOptions(name="dirt", **options), mm_per_px).measure(picture, box)


def values(found: Measured) -> dict[str, float]:
    assert found.trouble == ""
    return {each.name: each.value for each in found.readings}


def test_a_clean_part_in_uneven_light_has_no_blob_and_one_spot_is_found_where_it_is() -> None:
    assert blobs(part()).score == 0
    found = blobs(spotted((200, 100, 7, -50)), box=(20, 10, 210, 160))
    assert found.score > 1
    assert [place.box for place in found.places] == [(200, 100, 7, 7)]
    assert values(found) == {"count": 1, "total area": 49, "largest area": 49}


@pytest.mark.parametrize(("polarity", "count"), [("dark", 1), ("light", 2), ("both", 3)])
def test_the_polarity_says_which(polarity: str, count: int) -> None:
    picture = spotted((40, 40, 8, -60), (100, 60, 8, 60), (150, 120, 8, 60))
    assert values(blobs(picture, polarity=polarity))["count"] == count


def test_a_fixed_level_takes_what_is_beyond_it() -> None:
    picture = np.full((180, 240), 100, np.uint8)
    picture[10:20, 10:20], picture[50:60, 50:60] = 99, 101
    assert [place.box for place in blobs(picture, threshold="fixed", level=100).places] == [(10, 10, 10, 10)]
    light = blobs(picture, threshold="fixed", level=100, polarity="light")
    assert [place.box for place in light.places] == [(50, 50, 10, 10)]


def test_otsu_finds_two_kinds_of_pixel_and_does_not_part_the_noise_of_one() -> None:
    even = part(slope=0.0)
    assert blobs(even, threshold="otsu").score == 0
    found = blobs(spotted((30, 30, 40, -60), base=even), threshold="otsu")
    assert [place.box for place in found.places] == [(30, 30, 40, 40)]
    assert blobs(np.full((180, 240), 90, np.uint8), threshold="otsu").score == 0


def test_areas_are_limited_in_pixels_or_in_square_millimetres() -> None:
    picture = spotted((30, 30, 4, -60), (80, 80, 8, -60), (140, 100, 16, -60))
    assert values(blobs(picture, min_area=17.0))["count"] == 2
    assert values(blobs(picture, min_area=16.0, max_area=64.0))["count"] == 2
    found = blobs(picture, mm_per_px=0.5, unit="mm", min_area=16.0)
    assert values(found) == {"count": 2, "total area": 80, "largest area": 64}
    assert [each.unit for each in found.readings] == ["count", "mm2", "mm2"]
    assert blobs(picture, max_count=None, max_total_area=335.0).score > 1
    assert blobs(picture, max_count=None, max_total_area=336.0).score <= 1
    assert blobs(picture, max_count=None, min_total_area=337.0).score > 1


def test_shape_tells_a_disc_from_a_scratch() -> None:
    picture = part(slope=0.0, noise=1.0)
    cv2.circle(picture, (60, 60), 9, 40, -1)
    cv2.line(picture, (120, 40), (200, 90), 40, 3)
    assert [place.box[:2] for place in blobs(picture, min_circularity=0.8).places] == [(51, 51)]
    assert [place.box[0] > 100 for place in blobs(picture, max_circularity=0.3).places] == [True]
    assert [place.box[0] > 100 for place in blobs(picture, min_elongation=5.0).places] == [True]
    assert [place.box[:2] for place in blobs(picture, max_elongation=1.5).places] == [(51, 51)]


@given(st.integers(2, 40), st.integers(2, 40))
def test_shape_of_a_rectangle_is_what_it_is_on_paper(rows: int, columns: int) -> None:
    circularity, elongation = shape_of(np.ones((rows, columns), np.bool_))
    assert elongation == pytest.approx(max(rows, columns) / min(rows, columns), rel=1e-6)
    reach = math.hypot(rows - 1, columns - 1) / 2 + 0.5
    assert circularity == pytest.approx(min(rows * columns / (math.pi * reach**2), 1.0))


@pytest.mark.parametrize("radius", [4, 10, 40])
def test_a_disc_is_round(radius: int) -> None:
    y, x = np.ogrid[-radius - 1 : radius + 2, -radius - 1 : radius + 2]
    circularity, elongation = shape_of(x * x + y * y <= (radius + 0.4) ** 2)
    assert circularity > 0.85
    assert elongation == pytest.approx(1.0, abs=0.01)


def test_opening_closing_holes_and_the_edge_of_the_box() -> None:
    picture = np.full((180, 240), 200, np.uint8)
    picture[40:80, 40:80] = 50
    picture[55:65, 55:65] = 200  # a hole
    picture[20:22, 100:180] = 50  # thin
    picture[100:120, 100:120] = picture[100:120, 123:140] = 50  # a gap of 3 px
    picture[150:180, 0:30] = 50  # at the edge
    fixed: dict[str, Any] = {"threshold": "fixed", "level": 128}
    assert values(blobs(picture, **fixed))["count"] == 5
    assert values(blobs(picture, open_px=5, **fixed))["count"] == 4
    assert values(blobs(picture, close_px=7, **fixed))["count"] == 4
    assert values(blobs(picture, at_edge=False, **fixed))["count"] == 4
    assert values(blobs(picture, **fixed))["largest area"] == 1500
    assert values(blobs(picture, fill_holes=True, **fixed))["largest area"] == 1600


def test_a_colour_is_looked_at_by_itself_and_refused_in_a_grey_picture() -> None:
    picture = np.full((180, 240, 3), 200, np.uint8)
    picture[40:50, 40:50] = (200, 60, 200)
    assert values(blobs(picture, channel="green"))["count"] == 1
    assert values(blobs(picture, channel="red"))["count"] == 0
    assert "this one is grey" in blobs(part(), channel="red").trouble


def test_noise_is_not_counted_but_said() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (180, 240), dtype=np.uint8)
    found = blobs(noise, min_area=1.0, polarity="both", contrast=100.0)
    assert "noise? raise contrast" in found.trouble
    assert found.score == math.inf


def test_places_are_bounded_and_the_count_is_not() -> None:
    picture = np.full((180, 240), 200, np.uint8)
    picture[::12, ::12] = 50
    found = blobs(picture, threshold="fixed", min_area=1.0)
    assert values(found)["count"] == 300
    assert len(found.places) == MOST_PLACES


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 7)), max_size=12, unique=True), st.integers(0, 6))
@settings(deadline=None, max_examples=50)
def test_as_many_as_were_drawn_are_counted_and_judged(cells: list[tuple[int, int]], wanted: int) -> None:
    picture = spotted(*((10 + 20 * x, 10 + 20 * y, 6, -60) for x, y in cells))
    options = CountOptions(name="pins", min_count=wanted, max_count=wanted + 2)
    found = Ruler(options).measure(picture, WHOLE)
    assert values(found) == {"count": len(cells)}
    assert (found.score > 1) == (not wanted <= len(cells) <= wanted + 2)
    # Where some are missing, those that are there are not to blame.
    assert any(place.score > 1 for place in found.places) == (len(cells) > wanted + 2)
    assert {place.box for place in found.places} == {(10 + 20 * x, 10 + 20 * y, 6, 6) for x, y in cells}
