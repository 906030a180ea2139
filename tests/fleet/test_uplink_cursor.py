"""The note of how far the service has come: whole or as it was whatever breaks, and read by records as it is meant."""

import json
from pathlib import Path

import pytest

from okng.bus.errors import StoreLost
from okng.fleet.uplink_cursor import FILE, Cursor, Halt
from okng.records.uplink_note import taken

from ..nth import each_failure, failing


def test_what_was_noted_is_there_after_a_restart_and_records_reads_it(tmp_path: Path) -> None:
    cursor = Cursor.load(tmp_path, "box-1")
    cursor.set_acked("records", 3, 17)
    cursor.set_acked("records", 4, 5)
    cursor.set_pictures(0, 99)
    cursor.halt("audit", 4, Halt(7, "other content", "2026-11-27T00:00:00Z", True))
    again = Cursor.load(tmp_path, "box-1")
    assert again == cursor
    noted = taken(tmp_path)
    assert (noted.acked("records", 3), noted.acked("records", 4), noted.acked("alarms", 4)) == (17, 5, 0)
    assert noted.pictures == {0: 99}
    assert again.go_on("audit", 4)
    assert not Cursor.load(tmp_path, "box-1").halted


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"box": "box-1"}', '{"box":"box-1","epochs":{"r":{"1":-1}},"pictures":{},"halted":{}}'],
)
def test_a_damaged_note_is_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert Cursor.load(tmp_path, "box-1") == Cursor(tmp_path / FILE, "box-1")


def test_another_box_begins_anew(tmp_path: Path) -> None:
    Cursor.load(tmp_path, "box-1").set_acked("records", 1, 9)
    assert Cursor.load(tmp_path, "box-2").acked("records", 1) == 0


def test_the_note_is_old_or_new_whichever_operation_fails(tmp_path: Path) -> None:
    def work(point: int) -> str:
        folder = tmp_path / str(point) / "sync"
        cursor = Cursor(folder / FILE, "box-1")
        told = "nothing"
        try:
            for seq in (1, 2):
                cursor.set_acked("records", 1, seq)
                told = str(seq)
        except StoreLost:
            pass
        return told

    def judge(point: int, told: str, failed: bool) -> None:
        file = tmp_path / str(point) / "sync" / FILE
        found = json.loads(file.read_text())["epochs"]["records"]["1"] if file.exists() else 0
        said = 0 if told == "nothing" else int(told)
        assert said <= found <= 2, "what was said to be durable is there"
        assert failed or said == 2

    with failing():
        assert each_failure(work, judge) > 8
