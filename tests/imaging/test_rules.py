"""Whatever a tool is shown, it measures or says why not: it never raises, and never passes what it could not see."""

import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from okng.imaging.measured import Measured
from okng.imaging.picture import Box, Picture
from okng.imaging.rule_options import RuleOptions
from okng.imaging.rules import Ruler

RULE: TypeAdapter[RuleOptions] = TypeAdapter(RuleOptions)
PATTERN = np.asarray(np.random.default_rng(8).integers(0, 256, (6, 7)), np.uint8)
TOOLS: list[dict[str, Any]] = [
    {"kind": "blob"},
    {"kind": "blob", "threshold": "otsu", "min_circularity": 0.2, "channel": "red"},
    {"kind": "blob", "polarity": "both", "open_px": 3, "close_px": 3, "fill_holes": True, "smooth_px": 1.5},
    {"kind": "blob", "window_px": 301, "min_area": 0, "contrast": 1, "max_elongation": 2},
    {"kind": "caliper", "low": 1},
    {"kind": "caliper", "low": 1, "angle_deg": 33, "lines": 3, "max_straightness": 1, "min_contrast": 1},
    {"kind": "caliper", "low": 1, "measure": "position", "angle_deg": 180, "sigma_px": 20},
    {"kind": "presence", "low": 0.2},
    {"kind": "presence", "low": 0.2, "method": "edges", "channel": "blue"},
    {"kind": "presence", "low": 0.2, "method": "colour", "colour": {"hue_deg": [340, 20]}},
    {"kind": "presence", "low": 0.2, "method": "likeness", "template": "pattern.png"},
    {"kind": "colour", "reference_lab": [50, 0, 0], "max_delta_e": 3},
    {"kind": "count", "min_count": 1, "max_count": 3},
    {"kind": "count", "min_count": 1, "max_count": 3, "by": "template", "template": "pattern.png"},
]


def ruler(tool: dict[str, Any]) -> Ruler:
    return Ruler(RULE.validate_python({"name": "tool", **tool}), template=PATTERN)


def scene(kind: str, colours: bool, seed: int) -> Picture:
    rng = np.random.default_rng(seed)
    shape = (40, 50, 3) if colours else (40, 50)
    if kind == "plain":
        return np.full(shape, int(rng.integers(0, 256)), np.uint8)
    noise = np.asarray(rng.integers(0, 256, shape), np.uint8)
    return noise if kind == "noise" else np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: "-".join(map(str, tool.values()))[:40])
@given(
    st.sampled_from(["plain", "noise", "cloud"]),
    st.booleans(),
    st.integers(0, 1000),
    st.tuples(st.integers(0, 49), st.integers(0, 39), st.integers(1, 60), st.integers(1, 50)),
)
@settings(deadline=None, max_examples=40)
def test_it_measures_or_says_why_not(tool: dict[str, Any], kind: str, colours: bool, seed: int, box: Box) -> None:
    picture = scene(kind, colours, seed)
    before = picture.copy()
    found: Measured = ruler(tool).measure(picture, box)
    assert np.array_equal(picture, before)
    assert found.rule == "tool"
    assert bool(found.trouble) != bool(found.readings)
    assert found.trouble.startswith("tool: ") or found.sound
    assert (found.score == math.inf) == (not found.sound)
    x, y, w, h = box
    if x + w > 50 or y + h > 40:
        assert "expected to lie inside the picture of 50x40" in found.trouble
    for place in found.places:
        left, top, width, height = place.box
        assert x <= left < left + width <= x + w
        assert y <= top < top + height <= y + h


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: "-".join(map(str, tool.values()))[:40])
def test_the_same_picture_gives_the_same_values(tool: dict[str, Any]) -> None:
    picture, one = scene("cloud", True, 5), ruler(tool)
    first = one.measure(picture, (4, 3, 40, 30))
    one.measure(scene("noise", True, 6), (0, 0, 50, 40))
    assert one.measure(picture, (4, 3, 40, 30)) == first


@pytest.mark.parametrize("grey", [0, 255])
@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("tool", [*TOOLS, {"kind": "presence", "high": 0.5}], ids=lambda tool: str(tool["kind"]))
def test_a_lamp_that_is_off_or_blinds_passes_nothing(tool: dict[str, Any], colours: bool, grey: int) -> None:
    picture = np.full((40, 50, 3) if colours else (40, 50), grey, np.uint8)
    found = ruler(tool).measure(picture, (0, 0, 50, 40))
    assert found.trouble == f"tool: brightness {grey}.0: expected 4..251"
    assert found.score == math.inf


def test_a_box_that_is_meant_to_be_white_is_measured_where_the_recipe_says_so() -> None:
    white = np.full((40, 50), 255, np.uint8)
    assert ruler({"kind": "blob", "brightness": [128, 255]}).measure(white, (0, 0, 50, 40)).score == 0
