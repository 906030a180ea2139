"""The virtual line and its judge: a right controller is let go, and each wrong one is told what it broke."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from okng.simline.belt_case import Violation
from okng.simline.belt_judge import judge
from okng.simline.belt_layout import Layout

from .belt_line import Line
from .belt_reference import Reference
from .belt_scene import Scene, Word
from .belt_scenes import plain, scenes


def violations(scene: Scene, wrong: str = "") -> list[Violation]:
    reference = Reference(scene, wrong)
    evidence = Line(scene, reference, lambda: "").run()
    evidence.counters = reference.counters()
    return judge(evidence)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(scenes(faults=False, simple=True))
def test_a_right_controller_is_let_go(scene: Scene) -> None:
    assert violations(scene) == []


def said(scene: Scene, part: int, *words: Word) -> Scene:
    """A scene with other words about one part."""
    return replace(scene, words=(*scene.words[:part], words, *scene.words[part + 1 :]))


def laid(scene: Scene, **changes: object) -> Scene:
    """A scene with another layout."""
    layout: Layout = replace(scene.layout, **changes)  # type: ignore[arg-type]
    return replace(scene, layout=layout)


MIXED = plain("onoouolo")
FAST = plain("onoon", speed_mm_s=2000.0)
STOPS = replace(MIXED, speeds=((0.5, 600.0), (0.4, 0.0), (0.6, 200.0), (1.0, 500.0)))
LATE = said(replace(MIXED, deadline_s=0.1), 3, Word(0.2, "top", "OK"))
TWO_VIEWS = replace(said(MIXED, 3, Word(0.05, "top", "OK"), Word(0.06, "side", "NG")), views=("top", "side"))
TWO_VIEWS = said(TWO_VIEWS, 2, Word(0.05, "top", "OK"))
CLOSE = plain("onoono", pitch_mm=[58.0, 57.0, 180.0], speed_mm_s=2000.0)
ROLLS = laid(MIXED, encoder_bits=16, encoder_start=60_000)

WRONG = [
    ("decides twice", MIXED, "I1"),
    ("misses", MIXED, "I2"),
    ("default ok", MIXED, "I3"),
    ("missing view ok", TWO_VIEWS, "I3"),
    ("no groups", CLOSE, "I4"),
    ("time", STOPS, "I5"),
    ("misses", MIXED, "I5"),
    ("rejects all", MIXED, "I6"),
    ("next part", MIXED, "I6"),
    ("no valve time", FAST, "I7"),
    ("late counts", LATE, "I8"),
    ("stale not counted", LATE, "I8"),
    ("record differs", MIXED, "I8"),
    ("commits late", MIXED, "I9"),
    ("miscounts", MIXED, "I11"),
    ("no rollover", ROLLS, "I2"),
]


@pytest.mark.parametrize(("wrong", "scene", "invariant"), WRONG)
def test_the_judge_objects(wrong: str, scene: Scene, invariant: str) -> None:
    assert violations(scene) == []
    assert invariant in {each.invariant for each in violations(scene, wrong)}
