"""The plant: three boxes, one fleet service, MLflow, and all that can be done to them, as `make fleet-proof`."""

import json
from pathlib import Path

import pytest

from okng.tests.training.mlflow_server import tool

from .__main__ import page, play
from .acts import ACTS

pytestmark = pytest.mark.line


@pytest.mark.timeout(1800)
def test_the_plant_holds_act_by_act(tmp_path: Path) -> None:
    tool("mlflow")
    said: list[str] = []
    found = play(tmp_path, said.append)
    failed = [one for one in found if not one["holds"]]
    assert not failed, json.dumps(failed[0], indent=1)
    assert [one["act"] for one in found] == [name for name, _ in ACTS]
    assert next(one["found"]["registry"] for one in found if one["act"] == "train") == "MLflow"
    assert page(found).count("| yes |") == len(ACTS)
