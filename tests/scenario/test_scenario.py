"""The plant as a whole: three boxes, one fleet service, and all that can be done to them (`make fleet-proof`)."""

import json
from pathlib import Path

import pytest

from .__main__ import page, play
from .acts import ACTS

pytestmark = pytest.mark.line


def test_the_plant_holds_act_by_act(tmp_path: Path) -> None:
    said: list[str] = []
    found = play(tmp_path, said.append)
    failed = [one for one in found if not one["holds"]]
    assert not failed, json.dumps(failed[0], indent=1)
    assert [one["act"] for one in found] == [name for name, _ in ACTS]
    assert page(found).count("| yes |") == len(ACTS)
