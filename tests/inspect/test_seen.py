"""What is said of one region: places by class, figures with unit and limits, in words a person can act on."""

import numpy as np
import pytest

from okng.bus.part import Defect, Measurement, Outcome
from okng.imaging.measured import Measured, Place, Reading
from okng.inspect.findings_of import seen_by_model, seen_by_tool
from okng.inspect.judge import judge
from okng.inspect.recipe import Recipe
from okng.inspect.seen import Seen, measurements, opinion
from okng.inspect.view import Cut
from okng.models.box import Box
from okng.models.findings import Findings, Measure, Spot

CONTENT = {
    "name": "r",
    "deadline_ms": 100,
    "bundle": "b",
    "camera": {"width": 200, "height": 100},
    "regions": [{"name": "body"}],
    "tools": [{"name": "gap", "kind": "caliper", "low": 9.8, "high": 10.2, "box": [20, 10, 100, 40]}],
}
RECIPE = Recipe.model_validate(CONTENT)
PICTURE = np.full((100, 200), 120, np.uint8)


def body(*spots: Spot, score: float | None = None, threshold: float = 1.0, measures: tuple[Measure, ...] = ()) -> Seen:
    heat = np.zeros((4, 8), np.float32)
    worst = max((spot.ratio for spot in spots), default=0.0) if score is None else score
    return Seen("body", (0, 0, 200, 100), worst, heat, threshold, 100.0, spots=spots, measures=measures)


def gap(*readings: Reading, places: tuple[Place, ...] = (), trouble: str = "") -> Seen:
    cut = Cut(RECIPE.tools[0], PICTURE, Box(20, 10, 100, 40), (20, 10, 100, 40))
    return seen_by_tool(cut, Measured("gap", readings, places, trouble))


def test_places_become_defects_of_their_class() -> None:
    scratch, faint = Spot("scratch", Box(3, 4, 10, 6), 0.92, 0.6), Spot("scratch", Box(50, 4, 10, 6), 0.7, 0.6)
    dent = Spot("dent", Box(90, 40, 8, 8), 0.4, 0.5)
    made = opinion(body(faint, dent, scratch), RECIPE.rules)
    assert made.outcome is Outcome.NG
    assert made.objections == ("scratch 0.92 above 0.60 in region body",)
    assert made.defects == (
        Defect("scratch", "body", 3, 4, 10, 6, 0.92),
        Defect("scratch", "body", 50, 4, 10, 6, 0.7),
    )
    assert made.share == pytest.approx(0.92 / 0.6)


def test_a_region_may_be_stricter_or_laxer_than_its_classes() -> None:
    spot = Spot("dent", Box(3, 4, 10, 6), 0.6, 0.5)
    assert opinion(body(spot), RECIPE.rules).outcome is Outcome.NG
    lax = opinion(body(spot, threshold=1.5), RECIPE.rules)
    assert (lax.outcome, lax.defects) == (Outcome.OK, ())


def test_small_places_are_not_drawn_but_rule() -> None:
    rules = RECIPE.rules.model_copy(update={"min_defect_px": 61})
    made = opinion(body(Spot("dent", Box(3, 4, 10, 6), 0.6, 0.5)), rules)
    assert (made.outcome, made.defects) == (Outcome.NG, ())
    assert made.objections == ("dent 0.60 above 0.50 in region body",)


def test_a_score_that_nothing_explains_is_said_as_it_is() -> None:
    made = opinion(body(score=1.2), RECIPE.rules)
    assert (made.outcome, made.objections) == (Outcome.NG, ("score 1.20 above 1.00 in region body",))


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (Reading("width", 10.42, "mm", 9.8, 10.2), "width 10.42 mm outside 9.80..10.20 in gap"),
        (Reading("width", 10.2004, "mm", 9.8, 10.2), "width 10.2004 mm outside 9.8000..10.2000 in gap"),
        (Reading("width", 9.0, "px", 12.0, None), "width 9 px below 12 in gap"),
        (Reading("pins", 3, "count", 4, 4), "pins 3 outside 4..4 in gap"),
        (Reading("area", 5.5, "mm2", None, 2.0), "area 5.50 mm2 above 2.00 in gap"),
        (Reading("share", 0.004, "share", 0.2, None), "share 0.00 below 0.20 in gap"),
        (Reading("difference", 3.2, "deltaE", None, 2.0), "difference 3.20 deltaE above 2.00 in gap"),
        (Reading("x", 2.0, "", None, 1.5), "x 2.00 above 1.50 in gap"),
    ],
)
def test_a_figure_that_is_outside_names_value_unit_limits_and_tool(reading: Reading, words: str) -> None:
    made = opinion(gap(reading), RECIPE.rules)
    assert (made.outcome, made.objections) == (Outcome.NG, (words,))
    assert made.defects == (Defect("gap", "gap", 20, 10, 100, 40, reading.ratio),)


def test_a_figure_within_its_limits_is_kept_and_ok() -> None:
    one = gap(Reading("width", 10.0, "mm", 9.8, 10.2), Reading("contrast", 80.0, "level"))
    assert opinion(one, RECIPE.rules).outcome is Outcome.OK
    assert list(measurements(one, "top")) == [
        Measurement("top", "gap", "width", 10.0, "mm", 9.8, 10.2),
        Measurement("top", "gap", "contrast", 80.0, "level", None, None),
    ]
    assert all(each.within for each in measurements(one, "top"))


def test_what_a_tool_cannot_measure_is_unjudged_in_its_own_words() -> None:
    made = opinion(gap(trouble="gap: no edge found"), RECIPE.rules)
    assert (made.outcome, made.doubts) == (Outcome.UNJUDGED, ("gap: no edge found",))


def test_a_tools_places_are_drawn_and_its_figure_says_why() -> None:
    found = gap(Reading("count", 2, "count", 0, 0), places=(Place("gap", (30, 12, 5, 5), 5.0),))
    made = opinion(found, RECIPE.rules)
    assert made.objections == ("count 2 outside 0..0 in gap",)
    assert made.defects == (Defect("gap", "gap", 30, 12, 5, 5, 5.0),)


def test_places_in_a_region_that_was_turned_back_lie_in_the_cameras_picture() -> None:
    cut = Cut(RECIPE.regions[0], PICTURE[:40, :80], Box(0, 0, 80, 40), (100, 20, 88, 60))
    spot = Spot("dent", Box(40, 10, 8, 4), 0.9, 0.5)
    findings = Findings(cut.box, 1.8, np.zeros((2, 2), np.float32), "f" * 64, 1, spots=(spot,))
    assert seen_by_model(cut, findings, 1.0).spots[0].box == Box(144, 35, 9, 6)


def test_models_and_tools_are_judged_together() -> None:
    both = [body(), gap(Reading("width", 10.42, "mm", 9.8, 10.2))]
    sections = (*RECIPE.regions, *RECIPE.tools)
    made = judge(RECIPE.rules, sections, both, camera="top")
    assert (made.outcome, made.reasons) == (Outcome.NG, ("width 10.42 mm outside 9.80..10.20 in gap",))
    assert made.threshold == 1.0
    assert made.score == pytest.approx(2.1)
    assert len(made.heat) == 1
    made = judge(RECIPE.rules, sections, both[:1])
    assert (made.outcome, made.reasons) == (Outcome.UNJUDGED, ("no finding in region gap",))
