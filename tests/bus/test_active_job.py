"""The number of the active job survives io, and nothing else."""

import json
from pathlib import Path

import pytest

from okng.bus.active_job import active_job_file, keep_job, kept_job
from okng.bus.clock import boot_id


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    assert kept_job(tmp_path) is None
    keep_job(tmp_path, 7)
    keep_job(tmp_path, 65535)
    assert kept_job(tmp_path) == 65535
    assert [file.name for file in tmp_path.iterdir()] == ["active-job"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "{}",
        json.dumps({"boot": "another", "number": 7}),
        json.dumps({"boot": boot_id(), "number": 0}),
        json.dumps({"boot": boot_id(), "number": "7"}),
        json.dumps({"boot": boot_id(), "number": 65536}),
    ],
)
def test_what_is_not_of_this_boot_or_damaged_is_void(tmp_path: Path, text: str) -> None:
    active_job_file(tmp_path).write_text(text, encoding="ascii")
    assert kept_job(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        keep_job(tmp_path / "gone", 7)
