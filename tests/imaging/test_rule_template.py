"""Things that look like a template: found, counted, and missed where they are missing."""

import math
from typing import Any

import cv2
import numpy as np
import pytest

from okng.bus.errors import BadRecipe
from okng.imaging.measured import Measured
from okng.imaging.picture import Box, Picture
from okng.imaging.rule_options import CountOptions, PresenceOptions
from okng.imaging.rules import Ruler

WHOLE: Box = (0, 0, 240, 160)


def screw() -> Picture:
    """A light disc with a dark slot on middle grey, 25 x 25 px."""
    grey = np.full((25, 25), 110, np.uint8)
    cv2.circle(grey, (12, 12), 10, 220, -1)
    cv2.line(grey, (5, 12), (19, 12), 60, 3)
    return grey


def plate(*at: tuple[int, int], light: float = 1.0, noise: float = 3.0) -> Picture:
    """Screws on a plate, by their upper left corners."""
    grey = np.full((160, 240), 110.0)
    for x, y in at:
        grey[y : y + 25, x : x + 25] = screw()
    grey = grey * light + np.random.default_rng(2).normal(0, noise, grey.shape)
    return np.clip(np.round(grey), 0, 255).astype(np.uint8)


def presence(picture: Picture, box: Box = WHOLE, **limits: Any) -> Measured:
    options = PresenceOptions(name="screw", method="likeness", template="screw.png", **(limits or {"low": 0.7}))
    return Ruler(options, template=screw()).measure(picture, box)


def count(picture: Picture, low: int, high: int, box: Box = WHOLE, **options: Any) -> Measured:
    rule = CountOptions(name="screws", by="template", template="screw.png", min_count=low, max_count=high, **options)
    return Ruler(rule, template=screw()).measure(picture, box)


@pytest.mark.parametrize("light", [0.6, 1.0, 1.1])
def test_a_screw_that_is_there_is_present_in_any_light_and_one_that_is_not_is_ng(light: float) -> None:
    found = presence(plate((60, 40), light=light))
    assert found.score <= 1
    assert found.readings[0].value > 0.9
    assert found.places[0].box == (60, 40, 25, 25)
    assert presence(plate(light=light)).score > 1
    assert presence(plate(light=light), high=0.7).score <= 1  # it must not be there


def test_a_turned_or_a_foreign_thing_is_not_like_it() -> None:
    other = plate()
    cv2.circle(other, (100, 80), 10, 220, -1)
    cv2.line(other, (100, 73), (100, 87), 60, 3)  # the slot upright
    assert presence(other, low=0.9).score > 1


def test_places_are_counted_once_each_in_the_box_that_is_asked() -> None:
    at = [(10, 10), (60, 12), (110, 30), (61, 90), (200, 130)]
    found = count(plate(*at), 5, 5)
    assert found.score <= 1
    assert {place.box[:2] for place in found.places} == set(at)
    missing = count(plate(*at[1:]), 5, 5)
    assert missing.readings[0].value == 4
    assert missing.score > 1
    assert count(plate(*at), 0, 4).score > 1
    inner = count(plate(*at), 2, 2, box=(50, 0, 150, 70))
    assert inner.score <= 1
    assert {place.box[:2] for place in inner.places} == {(60, 12), (110, 30)}


def test_overlapping_places_count_by_how_far_they_may_overlap() -> None:
    stripes = np.full((160, 240), 110, np.uint8)
    stripes[40:65, 50:75] = screw()
    stripes[40:65, 62:87] = screw()  # half on the first
    assert count(stripes, 1, 1, min_likeness=0.5, max_overlap=0.3).readings[0].value == 1
    assert count(stripes, 2, 2, min_likeness=0.5, max_overlap=0.7).readings[0].value >= 2


@pytest.mark.parametrize("grey", [4, 110, 251])
def test_a_plain_picture_is_like_nothing(grey: int) -> None:
    plain = np.full((160, 240), grey, np.uint8)
    assert presence(plain).readings[0].value == 0
    assert count(plain, 0, 0).readings[0].value == 0


def test_a_template_that_does_not_fit_judges_nothing() -> None:
    found = presence(plate((60, 40)), box=(60, 40, 20, 25))
    assert found.trouble == ("screw: screw.png: a template of 25x25 in a region of 20x25: expected it to fit in")
    assert found.score == math.inf


@pytest.mark.parametrize(
    ("template", "channel", "said"),
    [
        (None, "grey", "screw: template = a.png: expected a picture, found none"),
        (np.full((20, 20), 90, np.uint8), "grey", "a.png: plain"),
        (screw()[:3], "grey", "a.png: 25x3: expected 4x4 px or more"),
        (screw(), "red", "a.png: channel = red: expected a picture with colours"),
    ],
)
def test_a_template_that_tells_nothing_is_refused(template: Picture | None, channel: Any, said: str) -> None:
    options = PresenceOptions(name="screw", method="likeness", template="a.png", low=0.7, channel=channel)
    with pytest.raises(BadRecipe, match=said):
        Ruler(options, template=template)
