"""Parts as files: the same parts in each format, only those asked for, and nothing a spreadsheet would run."""

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from okng.__main__ import cli
from okng.bus.errors import Refused
from okng.bus.part import CodeRead, Why
from okng.records import export, export_files
from okng.records.export import Chosen, lines
from okng.records.export_files import Format, export_parts, guarded
from okng.records.ledger import Ledger, Ripe


@pytest.fixture
def store(tmp_path: Path, maker: ModuleType) -> Path:
    """Six parts, one an hour; the fourth has a serial number like a formula, the second a label."""
    ledger = Ledger(tmp_path)
    for part in range(1, 7):
        entry = maker.record_entry(2 * part, part, Why.NG if part == 2 else Why.OK)
        entry = replace(entry, record=replace(entry.record, taken_at=f"2026-11-23T0{part}:15:00.000Z"))
        codes = (CodeRead("serial", "=1+1", "QRCode", True),) if part == 4 else ()
        ledger.store([Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(entry, codes=codes)])
    with ledger.transaction() as db:
        insert = "insert into label (seq, truth, kind, who, at, second, undone_at) values (2, ?, ?, 'ann', 'now', ?, ?)"
        for values in (("defect", "dent", 0, None), ("unsure", "", 1, None), ("good", "", 0, "now")):
            db.execute(insert, values)
    ledger.close()
    return tmp_path


def exported(store: Path, kind: Format, chosen: Chosen = export.ALL) -> bytes:
    out = io.BytesIO()
    export_parts(store, out, kind, chosen)
    return out.getvalue()


def test_all_formats_hold_the_same_parts(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(export, "_PAGE", 2)
    monkeypatch.setattr(export_files, "_GROUP", 4)
    rows = list(lines(store))
    assert [row["part"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [(row["label"], row["label_kind"]) for row in rows[:2]] == [(None, None), ("defect", "dent")]
    assert [json.loads(line) for line in exported(store, "jsonl").splitlines()] == rows
    sheet = list(csv.DictReader(io.StringIO(exported(store, "csv").decode("utf-8-sig"))))
    table = parquet.read_table(io.BytesIO(exported(store, "parquet"))).to_pylist()
    for cells, flat, row in zip(sheet, table, rows, strict=True):
        assert set(cells) == set(flat) == set(row)
        assert (int(cells["part"]), float(cells["score"]), cells["why"]) == (row["part"], row["score"], row["why"])
        assert json.loads(cells["reasons"]) == json.loads(flat["reasons"]) == row["reasons"]
        assert {name: flat[name] for name in ("part", "score", "missed", "acked_ns", "label")} == {
            name: row[name] for name in ("part", "score", "missed", "acked_ns", "label")
        }


def test_only_the_span_and_the_lot_asked_for(store: Path) -> None:
    chosen = Chosen("2026-11-23T02", "2026-11-23T05:15:00.000Z")
    assert [row["part"] for row in lines(store, chosen)] == [2, 3, 4]
    assert list(lines(store, Chosen(lot="L7"))) == []


def test_a_spreadsheet_runs_nothing(store: Path) -> None:
    assert "'=1+1" in exported(store, "csv").decode()
    assert [row["serial"] for row in lines(store) if row["serial"]] == ["=1+1"]
    for text in ("=cmd", "+1", "-1", "@x", "\tx"):
        assert guarded(text) == f"'{text}"
    assert [guarded(value) for value in ("fine", -0.5, None, ["=1"])] == ["fine", -0.5, None, '["=1"]']


def test_parquet_without_its_library_says_what_to_install(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Refused, match=r"install okng\[export\]"):
        exported(store, "parquet")


def test_the_door_writes_what_was_asked_for(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    door = ["ledger", "export", "--store", str(store), "--format", "csv", "--since", "2026-11-23T06", str(out)]
    assert CliRunner().invoke(cli, door).exit_code == 0
    assert out.read_text(encoding="utf-8-sig").splitlines()[1].startswith("6,")
    assert len(out.read_text().splitlines()) == 2
