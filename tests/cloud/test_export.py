"""Parts as files: each part once, no formula for a spreadsheet, and memory that does not grow with the file."""

import csv
import io
import json
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from okng.bus.errors import Refused
from okng.cloud import export
from okng.cloud.database import writing
from okng.cloud.samples import Wanted
from okng.cloud.search_terms import Terms

from . import pages_room as room
from .rig import Rig

WIDE = Terms(room.NOW - timedelta(days=2), room.NOW + timedelta(days=1))
ALL = Wanted(with_picture=False)


@pytest.fixture
def filled(database: Engine) -> Engine:
    with writing(database) as db:
        room.add_box(db, "box1", "=cmd|' /C calc'!A0")
        rows = room.shift_of_parts("box1", 300, 2)
        rows[0] |= {
            "serial": "@SUM(1)",
            "lot": "-2+3",
            "recipe": "+cap",
            "reasons": ["=1+1"],
            "shift": "\tearly",
            "score": -1.5,
        }
        room.arrive(db, rows)
        room.add_events(
            db, "box1", "labels", [{"what": "label", "n": 1, "seq": 2, "part_epoch": 1, "truth": "good", "who": "otto"}]
        )
    return database


def whole(engine: Engine, kind: str) -> bytes:
    return b"".join(export.stream(engine, kind, WIDE, ALL))


def test_the_three_files_say_the_same(filled: Engine) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    lines = [json.loads(line) for line in whole(filled, "jsonl").splitlines()]
    text = whole(filled, "csv").decode()
    assert text.startswith("\ufeffbox,box_name,")
    table = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    arrow: list[dict[str, Any]] = parquet.read_table(io.BytesIO(whole(filled, "parquet"))).to_pylist()
    assert len(lines) == len(table) == len(arrow) == 300
    assert [one["seq"] for one in lines] == [int(one["seq"]) for one in table] == [one["seq"] for one in arrow]
    assert [one["score"] for one in lines] == [one["score"] for one in arrow]
    assert lines[5]["taken_at"] == arrow[5]["taken_at"].isoformat()
    assert json.loads(arrow[0]["reasons"]) == lines[0]["reasons"]
    assert [(one["label"], one["label_by"]) for one in lines if one["label"]] == [("good", "otto")]


def test_no_cell_of_the_spreadsheet_is_a_formula(filled: Engine) -> None:
    table = list(csv.DictReader(io.StringIO(whole(filled, "csv").decode().removeprefix("\ufeff"))))
    first = next(one for one in table if one["seq"] == "1")
    assert first["box_name"] == "'=cmd|' /C calc'!A0"
    assert (first["serial"], first["lot"], first["recipe"], first["shift"]) == (
        "'@SUM(1)",
        "'-2+3",
        "'+cap",
        "'\tearly",
    )
    assert float(first["score"]) == -1.5
    for row in table:
        for name, cell in row.items():
            assert not cell.startswith(("=", "+", "@", "\t", "\r")), (name, cell)
            assert not cell.startswith("-") or name == "score", (name, cell)


def test_memory_holds_one_chunk_and_no_more(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_CHUNK", 250)
    with writing(database) as db:
        room.add_box(db, "box1")
        rows = [room.part("box1", n + 1, room.NOW - timedelta(seconds=n), score=1.0) for n in range(2000)]
        room.arrive(db, rows)
    del rows

    def peak(most: int) -> int:
        terms = WIDE.with_(since=room.NOW - timedelta(seconds=most - 1))
        tracemalloc.start()
        n = sum(piece.count(b"\n") for piece in export.stream(database, "jsonl", terms, ALL))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert n == most
        return highest

    few, many = peak(250), peak(2000)
    assert many < 2.0 * few


def test_only_known_kinds_are_made(database: Engine) -> None:
    with pytest.raises(Refused, match="'xls': expected one of csv, jsonl, parquet"):
        export.stream(database, "xls", WIDE, ALL)


def test_a_file_is_fetched_by_who_may(fleet: Rig) -> None:
    with writing(fleet.service.engine) as db:
        room.add_box(db, "box1")
        room.arrive(db, room.shift_of_parts("box1", 20, 2))
    client, span = fleet.app.test_client(), "since=2026-11-27&until=2026-11-28"
    answer = client.get(f"/v1/export/parts.csv?{span}&outcome=OK", headers=fleet.bearer("export"))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="parts-20261127.csv"'
    assert 10 < len(answer.text.splitlines()) <= 21
    assert client.get(f"/v1/export/parts.xls?{span}", headers=fleet.bearer("export")).status_code == 422
    assert client.get(f"/v1/export/parts.csv?{span}", headers=fleet.bearer("look")).status_code == 403
    assert client.get(f"/v1/export/parts.csv?{span}").status_code == 401
