"""The same backtest on a Ray cluster: the same rows, whoever judges them."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.train,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed: make test-ray"),
    pytest.mark.timeout(300),
    # Ray's own processes and sockets outlive single tests of its driver.
    pytest.mark.filterwarnings("default"),
]

from okng.appliance.backtest_judge import Pack, row_of
from okng.bus.errors import BadSettings
from okng.training.backtest_run import run_here, run_on_ray
from okng.training.data.sources import open_dataset
from okng.training.options import TeachOptions
from okng.training.teach import teach

from .conftest import SIDE, write_plates

RECIPE = f"""\
name: plate
deadline_ms: 2000
bundle: now
camera: {{width: {SIDE}, height: {SIDE}, trigger: software}}
"""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pack, Path]:
    folder = tmp_path_factory.mktemp("ray")
    plates = write_plates(folder / "plates", {"train": 60, "test": 24})
    for name, size_px in (("now", SIDE), ("candidate", 64)):
        said = {"name": name, "size_px": size_px, "heads": "usual", "bank": 32, "dimensions": 16, "threads": 1}
        teach(plates / "train" / "good", folder / name, TeachOptions.model_validate(said))
    (folder / "plate.yaml").write_text(RECIPE)
    return Pack.of(folder / "plate.yaml", folder / "candidate"), plates


def test_a_cluster_says_what_one_process_says(pack: tuple[Pack, Path]) -> None:
    judge, plates = pack
    rows = [row_of(sample) for sample in open_dataset(plates).samples]
    here = {row["name"]: row for row in run_here(rows, judge.judge)}
    there = {row["name"]: row for row in run_on_ray(rows, judge.judge, "local", workers=2)}
    assert here.keys() == there.keys()
    assert len(here) >= 24
    for name, row in here.items():
        assert there[name] | {"after_ms": 0} == row | {"after_ms": 0}


def test_an_address_where_nobody_answers_is_refused_in_words(pack: tuple[Pack, Path]) -> None:
    with pytest.raises(BadSettings, match=r"--ray 127.0.0.1:1: no cluster answers"):
        list(run_on_ray([], pack[0].judge, "127.0.0.1:1", workers=1))
