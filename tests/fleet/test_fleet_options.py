"""`[fleet]` of the settings: what is wrong is said by file, key, value and what was expected."""

from pathlib import Path

import pytest

from okng.bus.errors import BadSettings
from okng.fleet.fleet_options import LEAVES
from okng.settings import read_settings

PLAIN = 'recipe = "recipe.yaml"\n[records]\nstore = "store"\n[camera.top]\nserial = "SN1"\nproducer = "p.cti"\n'


def written(folder: Path, fleet: str, more: str = "") -> Path:
    file = folder / "okng.toml"
    file.write_text(f"{PLAIN}[fleet]\n{fleet}\n{more}", encoding="utf-8")
    return file


GOOD = 'service = "https://fleet.example:8443"\nca = "fleet-ca.pem"'


def test_the_files_are_counted_from_the_settings(tmp_path: Path) -> None:
    fleet = read_settings(written(tmp_path, GOOD + '\nhours = ["22:00-06:00"]')).fleet
    assert fleet is not None
    assert fleet.ca == tmp_path / "fleet-ca.pem"
    assert fleet.leaves == "records"
    assert [what for what in LEAVES if fleet.may_leave(what)] == ["nothing", "records"]


@pytest.mark.parametrize(
    ("fleet", "named"),
    [
        ('service = "http://fleet.example"\nca = "c.pem"', "fleet.service = 'http://fleet.example'"),
        ('service = "https://user@fleet.example"\nca = "c.pem"', "fleet.service"),
        ('service = "https://fleet.example"', "fleet.ca"),
        (GOOD + '\nhours = ["25:00-06:00"]', "25:00-06:00"),
        (GOOD + '\nhours = ["06:00-06:00"]', "06:00-06:00"),
        (GOOD + '\nleaves = "all"', "fleet.leaves = 'all'"),
        (GOOD + "\nkbit_per_s = 0", "fleet.kbit_per_s = 0"),
        (GOOD + "\nkbits = 4", "fleet.kbits"),
        (GOOD + '\nroots = "root.json"', "nobody would vouch"),
    ],
)
def test_a_mistake_is_named_by_file_and_key(tmp_path: Path, fleet: str, named: str) -> None:
    file = written(tmp_path, fleet)
    with pytest.raises(BadSettings) as told:
        read_settings(file)
    assert str(file) in str(told.value)
    assert named in str(told.value)


def test_records_leave_by_one_way_only(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="one of the two sections"):
        read_settings(written(tmp_path, GOOD, '[sync]\ntarget = "cloud"\n'))
