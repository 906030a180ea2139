"""Measuring tools as people write them into a recipe: bounded, told apart by kind, refused with a reason."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from okng.bus.complaint import complain
from okng.imaging.rule_options import RuleOptions

RULE: TypeAdapter[RuleOptions] = TypeAdapter(RuleOptions)
COLOUR = {"reference_lab": (50, 0, 0), "max_delta_e": 2}


@pytest.mark.parametrize(
    "written",
    [
        {"kind": "blob"},
        {"kind": "blob", "max_count": None, "max_total_area": 12.5, "unit": "mm"},
        {"kind": "caliper", "low": 9.9, "high": 10.1, "unit": "mm", "angle_deg": -90},
        {"kind": "presence", "method": "colour", "colour": {"hue_deg": (340, 20)}, "low": 0.2},
        {"kind": "presence", "method": "likeness", "template": "cap.png", "low": 0.7},
        {"kind": "colour", **COLOUR},
        {"kind": "count", "min_count": 3, "max_count": 3},
        {"kind": "count", "by": "template", "template": "pin.png", "min_count": 3, "max_count": 3},
    ],
)
def test_a_tool_is_read_by_its_kind(written: dict[str, Any]) -> None:
    rule = RULE.validate_python({"name": "one", **written})
    assert rule.kind == written["kind"]
    assert rule.needs_scale == (written.get("unit") == "mm")
    assert rule.files == ((written["template"],) if "template" in written else ())


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"kind": "ruler"}, "'blob', 'caliper', 'presence', 'colour', 'count'"),
        ({"kind": "blob", "levle": 3}, "blob.levle: unknown key"),
        ({"kind": "blob", "level": 256}, "blob.level = 256: expected less than or equal to 255"),
        ({"kind": "blob", "polarity": "both", "threshold": "otsu"}, "expected threshold: local"),
        ({"kind": "blob", "min_area": 9, "max_area": 3}, "min_area = 9: expected to lie below max_area = 3"),
        ({"kind": "blob", "min_area": float("nan")}, "blob.min_area"),
        ({"kind": "blob", "max_count": None}, "expected a limit"),
        ({"kind": "blob", "min_count": 3, "max_count": 2}, "min_count = 3"),
        ({"kind": "caliper"}, "expected a limit: low, high or both"),
        ({"kind": "caliper", "low": 3, "high": 3}, "low = 3: expected to lie below high = 3"),
        ({"kind": "caliper", "low": float("nan")}, "caliper.low"),
        ({"kind": "caliper", "low": 1, "measure": "position", "pick": "outer"}, "expected measure: width"),
        ({"kind": "caliper", "low": 1, "max_straightness": 0.5}, "expected lines of 3 or more, found 1"),
        ({"kind": "caliper", "low": 1, "mm_per_px": 0}, "caliper.mm_per_px = 0: expected greater than 0"),
        ({"kind": "presence", "low": 0.1, "method": "colour"}, "expected `colour`"),
        ({"kind": "presence", "low": 0.1, "method": "likeness"}, "expected `template`"),
        ({"kind": "presence", "low": 0.1, "template": "a.png"}, "expected `template`"),
        ({"kind": "presence", "low": 0.1, "levels": (200, 100)}, "levels = 200"),
        ({"kind": "colour", **COLOUR, "reference_lab": (101, 0, 0)}, "reference_lab.[0] = 101"),
        ({"kind": "colour", **COLOUR, "max_delta_e": 0}, "expected greater than 0"),
        ({"kind": "count", "max_count": 3}, "count.min_count: missing"),
        ({"kind": "count", "min_count": 1, "max_count": 3, "by": "template"}, "expected `template`"),
        ({"kind": "blob", "brightness": (200, 100)}, "brightness = 200: expected to lie below brightness = 100"),
        ({"kind": "blob", "name": "Two Words"}, "blob.name = 'Two Words'"),
    ],
)
def test_a_mistake_is_named(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RULE.validate_python({"name": "one", **written})
    assert said in complain("recipe.yaml", refused.value)
