"""No wrong tracker gets by: each breaks, in the scene that is about it, the invariant that forbids it.

All scenes against all of them, as a table: `.venv/bin/python -m okng.tests.plc_io.mutants`.
"""

import pytest

from .belt_cases import CASES
from .belt_trial import run
from .wrong_trackers import WRONG, Wrong


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_a_wrong_tracker_is_told(wrong: Wrong) -> None:
    scene = CASES[wrong.scene]
    assert run(scene).violations == []
    assert wrong.invariant in run(scene, wrong.make).broken
