"""Every wrong tracker against the judge of the virtual line, and which invariants told it.

    .venv/bin/python -m okng.tests.plc_io.mutants [EXAMPLES]

Runs each through all named scenes, and through EXAMPLES drawn ones (default 0). Prints a table, and the right tracker
first; exit 1 when a wrong one survives or the right one does not.
"""

import sys
from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings

from .belt_cases import CASES
from .belt_scene import Scene
from .belt_scenes import scenes
from .belt_trial import Maker, make_tracker, run
from .wrong_trackers import WRONG


def tried(make: Maker, examples: int) -> Counter[str]:
    """Return in how many scenes a tracker broke each invariant."""
    told: Counter[str] = Counter()
    for scene in (*CASES.values(), *drawn(examples)):
        told.update(run(scene, make).broken)
    return told


def drawn(examples: int) -> list[Scene]:
    """Return so many scenes, the same each time."""
    found: list[Scene] = []
    if examples:

        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(scenes())
        def draw(scene: Scene) -> None:
            found.append(scene)

        draw()
    return found


def main(arguments: list[str]) -> int:
    """Print the table."""
    examples = int(arguments[0]) if arguments else 0
    survivors = 0
    for name, make in [("(the right one)", make_tracker), *((each.name, each.make) for each in WRONG)]:
        told = tried(make, examples)
        right = make is make_tracker
        survivors += bool(told) if right else not told
        shown = ", ".join(f"{each} x{told[each]}" for each in sorted(told, key=lambda each: int(each[1:])))
        verdict = ("lets go" if not told else "OBJECTS") if right else ("killed" if told else "SURVIVES")
        sys.stdout.write(f"{name:36} {verdict:9} {shown}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(WRONG)} wrong trackers, {survivors} not told\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
