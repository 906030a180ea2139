"""I1 to I11 hold on the virtual line, whatever the belt, the eyes, the valves and the verdicts do.

The short form runs a fixed set of scenes. OKNG_INVARIANTS=2000 runs so many new ones.
"""

import os
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings

from .belt_cases import CASES
from .belt_scene import Scene
from .belt_scenes import plain, scenes
from .belt_trial import run

Rules = tuple[int, int, int, int, int]
LONG = int(os.environ.get("OKNG_INVARIANTS") or 0)
SHORT = 100
"""Examples of the short form: it is the same each time."""
USUAL = {
    "PASS",
    "REJECT",
    "why ng",
    "why late",
    "why lost",
    "why fault",
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
    "close neighbours passed",
    "fault",
    "line stop",
    "reset",
}
"""What a hundred drawn scenes have to come across, or they prove less than they say."""
ALL = USUAL | {
    "2 m/s",
    "why group",
    "phantom",
    "phantom at a later eye",
    "jump",
    "reverse over an eye",
    "missed at the eye",
    "missed at the gate",
    "slipped too far",
    "dead valve",
    "bin full",
}
"""What the named scenes, and two thousand drawn ones, have to come across."""


@pytest.mark.parametrize("name", CASES)
def test_a_named_scene(name: str) -> None:
    assert run(CASES[name]).violations == []


def test_the_named_scenes_come_to_every_situation() -> None:
    met = set[str]().union(*(run(scene).met for scene in CASES.values()))
    assert ALL - met == set()


@pytest.mark.parametrize(
    ("verdicts", "rules", "why"),
    [
        ("onnnno", (3, 0, 0, 0, 0), "3 rejects in a row"),
        ("ononon", (0, 2, 3, 0, 0), "2 rejects of the last 3"),
        ("on-o--o", (0, 0, 0, 2, 0), "2 parts in a row got no verdict in time"),
        ("onnn", (0, 0, 0, 0, 2), "2 rejects in a row were seen going on"),
    ],
)
def test_a_rule_stops_the_line_and_breaks_nothing(verdicts: str, rules: Rules, why: str) -> None:
    """Parts on the way are dealt with as ever; the line runs on, which it should not."""
    scene = replace(plain(verdicts, confirm=True), rules=rules, obeys_stop=False, reset_s=9.0)
    if rules[-1]:
        scene = replace(CASES["the valve is dead"], obeys_stop=False, reset_s=9.0)
    trial = run(scene)
    assert trial.violations == []
    assert [why in stop.why for stop in trial.evidence.stops] == [True]
    assert run(replace(scene, rules=(0, 0, 0, 0, 0))).evidence.stops == []


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
    missing = (ALL if LONG >= 2000 else USUAL) - set(met)
    assert not missing, f"the examples never came to {sorted(missing)}; they came to {dict(met)}"
