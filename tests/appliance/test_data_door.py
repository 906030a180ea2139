"""`okng data`: what people type and what they are told."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from okng.appliance.data_door import data
from okng.bus.errors import BadData


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    for number in range(12):
        folder = tmp_path / "set" / ("good" if number < 9 else "dent")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(
            str(folder / f"p{number}_1.png"), np.random.default_rng(number).integers(0, 255, (30, 40), np.uint8)
        )
    return tmp_path / "set"


def said(*words: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(data, [str(word) for word in words])
    if isinstance(done.exception, BadData):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def test_show_prints_a_table(plates: Path) -> None:
    lines = said("show", plates, "--part-from", "(p[0-9]+)_").splitlines()
    assert lines[1].split() == ["label", "no", "side", "all"]
    assert [line.split() for line in lines[2:5]] == [["good", "9", "9"], ["dent", "3", "3"], ["all", "12", "12"]]
    assert "12 parts, not known of 0 pictures" in lines
    assert json.loads(said("show", plates, "--json"))["counts"]["dent"] == {"none": 3}


def test_split_writes_a_manifest_that_show_reads(plates: Path, tmp_path: Path) -> None:
    told = said("split", plates, "--out", tmp_path / "m.json", "--part-from", "(p[0-9]+)_", "--seed", "3")
    assert "by part: 12 groups" in told
    assert "train" in said("show", tmp_path / "m.json").splitlines()[1]


def test_check_ends_with_1_when_something_is_to_be_mended(plates: Path, tmp_path: Path) -> None:
    assert "nothing to mend" in said("check", plates, "--no-goods")
    (plates / "good/text.png").write_text("no picture")
    told = said("check", plates, "--no-goods", "--out", tmp_path / "out", code=1)
    assert "1 files cannot be used:" in told
    assert "text.png: no PNG, JPEG, BMP or TIFF: begins with b'no picture'" in told
    assert (tmp_path / "out/check.html").is_file()
    assert json.loads(said("check", plates, "--no-goods", "--json", code=1))["sound"] is False


def test_broken_files_stop_all_else_unless_left_out(plates: Path) -> None:
    (plates / "good/empty.png").touch()
    with pytest.raises(BadData, match=r"empty\.png: empty file"):
        said("show", plates)
    assert "left out: " in said("show", plates, "--leave-out-broken")


def test_export_writes_what_show_reads(plates: Path, tmp_path: Path) -> None:
    told = said("export", plates, tmp_path / "out", "--to", "label-studio")
    assert "12 pictures as label-studio" in told
    assert "dent" in said("show", tmp_path / "out")
    with pytest.raises(BadData, match="3 defective pictures have nothing drawn"):
        said("export", plates, tmp_path / "yolo", "--to", "yolo")


def test_every_door_offers_the_sources_there_are() -> None:
    """The doors name them without importing what reads them."""
    from okng.appliance.doors import SOURCES
    from okng.training.data.sources import KINDS

    assert SOURCES == KINDS
