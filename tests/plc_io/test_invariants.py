"""I1 to I11 hold on the virtual line, whatever the belt, the eyes, the valves and the verdicts do.

The short form runs a fixed set of scenes. OKNG_INVARIANTS=2000 runs so many new ones.
"""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings

from .belt_cases import CASES
from .belt_scene import Scene
from .belt_scenes import scenes
from .belt_trial import run

LONG = int(os.environ.get("OKNG_INVARIANTS") or 0)
SHORT = 60
"""Examples of the short form: it is the same each time."""
REACHED = {
    "PASS",
    "REJECT",
    "why ng",
    "why late",
    "why lost",
    "why fault",
    "2 m/s",
    "standstill",
    "reverse",
    "rollover",
    "slip at a second eye",
    "late word",
    "more words than views",
    "word of no part",
    "words out of order",
    "several views",
    "several lanes",
    "good part rejected with its neighbour",
    "phantom",
    "fault",
    "line stop",
    "reset",
}
"""What the examples of either form have to come across, or they prove less than they say."""
REACHED_LONG = REACHED | {
    "close neighbours passed",
    "jump",
    "reverse over an eye",
    "missed at the eye",
    "missed at the gate",
    "slipped too far",
    "phantom at a later eye",
    "dead valve",
    "bin full",
}


@pytest.mark.parametrize("name", CASES)
def test_a_named_scene(name: str) -> None:
    assert run(CASES[name]).violations == []


@pytest.mark.timeout(60 + 3 * LONG)
def test_the_invariants_hold() -> None:
    met: Counter[str] = Counter()

    @settings(
        max_examples=LONG or SHORT,
        deadline=None,
        derandomize=not LONG,
        database=None,
        # Shrinking a scene takes longer than the run that found it.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(scenes())
    def hold(scene: Scene) -> None:
        trial = run(scene)
        met.update(trial.met)
        for each in trial.met:
            event(each)
        assert trial.violations == []

    hold()
    missing = (REACHED_LONG if LONG else REACHED) - set(met)
    assert not missing, f"the examples never came to {sorted(missing)}; they came to {dict(met)}"
