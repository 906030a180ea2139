"""Copies onto a second medium: whole, verified, pruned, a failure told once; one that is restored balances."""

import shutil
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from okng.bus.part import Why
from okng.records import hourly
from okng.records.check import check
from okng.records.copy_names import copies
from okng.records.hourly import Hourly
from okng.records.ledger import Ledger, Ripe
from okng.records.options import RecordsOptions
from okng.records.read import LedgerReader
from okng.records.restore import looked_at, restore
from okng.records.rows import Kept


def store_part(room: Any, maker: ModuleType, part: int) -> None:
    name = f"pictures/{part}.png"
    (room.store / "pictures").mkdir(exist_ok=True)
    (room.store / name).write_bytes(b"picture")
    said = maker.record_entry(2 * part, part, Why.NG)
    room.ledger.store([Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(said, kept=Kept(name, "0" * 64))])


def one_copy(room: Any, folder: Path, **options: Any) -> Hourly:
    """Made as by a process that starts when one is due."""
    made = Hourly(
        room.ledger, RecordsOptions(store=room.store, backup_to=folder, **{"backup_on_same_disk": True, **options})
    )
    made._due_ns = 0
    made.turn()
    end = time.monotonic() + 20
    while made._thread is not None and time.monotonic() < end:
        made.turn()
        time.sleep(0.01)
    assert made._thread is None
    return made


def test_a_copy_an_hour_the_oldest_go(room: Any, maker: ModuleType, tmp_path: Path) -> None:
    store_part(room, maker, 1)
    for _ in range(4):
        assert one_copy(room, tmp_path, backups_kept=2).trouble == ""
    assert len(copies(tmp_path)) == 2
    assert room.trail() == ["backup made"] * 4
    assert looked_at(copies(tmp_path)[-1])[2] == 1
    assert not list(tmp_path.glob("*.part*"))
    # A restart begins no new hour.
    after = Hourly(room.ledger, RecordsOptions(store=room.store, backup_to=tmp_path, backup_every_h=1))
    after.turn()
    assert after._thread is None


def test_a_medium_that_is_not_there_is_told_once_and_never_made(room: Any, maker: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "usb"
    made = one_copy(room, folder)
    assert "is its medium mounted" in made.trouble
    assert not folder.exists()
    made._due_ns = 0
    made.turn()
    assert made._thread is not None
    made._thread.join()
    made.turn()
    assert room.trail() == ["backup failed"]
    folder.mkdir()
    made._due_ns = 0
    made.turn()
    assert made._thread is not None
    made._thread.join()
    made.turn()
    assert made.trouble == ""
    assert room.trail() == ["backup failed", "backup made"]


def test_the_empty_place_of_a_medium_is_no_medium(room: Any, tmp_path: Path) -> None:
    assert "on the disk of the ledger itself" in one_copy(room, tmp_path, backup_on_same_disk=False).trouble
    assert copies(tmp_path) == []


def test_a_full_medium_gives_up_the_oldest_copy_but_not_the_last(
    room: Any, maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        one_copy(room, tmp_path)
    before = copies(tmp_path)
    free = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("okng.records.hourly.shutil.disk_usage", lambda _: type(free)(free.total, free.total, 0))
    assert "are free in" in one_copy(room, tmp_path).trouble
    assert copies(tmp_path) == before[-1:]


def test_a_copy_that_does_not_verify_gets_no_name(
    room: Any, maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(file: Path) -> None:
        with file.open("r+b") as handle:
            handle.seek(8192)
            handle.write(b"\xff" * 3000)

    monkeypatch.setattr(hourly, "_from_the_medium", torn)
    assert one_copy(room, tmp_path).trouble
    assert copies(tmp_path) == []
    assert room.trail() == ["backup failed"]


def test_a_byte_that_is_no_text_any_more_is_told_and_the_next_copy_is_due(room: Any, tmp_path: Path) -> None:
    """SQLite finds nothing wrong with it."""
    room.staff()
    room.ledger.rest()
    data = (room.store / "ledger.db").read_bytes()
    room.ledger.close()
    (room.store / "ledger.db").write_bytes(data.replace(b'"user created"', b'"user \xffreated"'))
    room.open()
    made = one_copy(room, tmp_path)
    assert "no ledger of okng" in made.trouble
    assert copies(tmp_path) == []
    assert room.rows("select 1 from audit where body like '%backup failed%'") == [(1,)]


def test_copies_of_a_clock_that_ran_ahead_do_not_push_out_the_new_ones(room: Any, tmp_path: Path) -> None:
    for day in (1, 2, 3):
        (tmp_path / f"ledger-2099010{day}T000000000000Z.db").write_bytes(b"x")
    for _ in range(3):
        assert one_copy(room, tmp_path, backups_kept=3).trouble == ""
        assert copies(tmp_path)[-1].name < "ledger-2099"
    assert [one.name[:11] for one in copies(tmp_path)] != []
    assert not list(tmp_path.glob("ledger-2099*"))
    assert len(copies(tmp_path)) == 3


def test_whatever_ends_a_copy_is_told(room: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> None:
        raise RuntimeError("never thought of")

    with monkeypatch.context() as patched:
        patched.setattr(hourly, "looked_at", broken)
        assert one_copy(room, tmp_path).trouble == "never thought of"
    assert one_copy(room, tmp_path).trouble == ""


def test_a_restored_copy_balances_though_pictures_on_disk_are_newer(
    room: Any, maker: ModuleType, tmp_path: Path
) -> None:
    for part in (1, 2):
        store_part(room, maker, part)
    one_copy(room, tmp_path)
    for part in (3, 4):
        store_part(room, maker, part)  # their pictures stay on disk, their rows go with the ledger
    room.ledger.close()
    restore(room.store, copies(tmp_path)[-1])
    room.open()
    assert [row.part for row in LedgerReader(room.store).rows(10)] == [2, 1]
    balance = check(room.store)
    assert (balance.problems, balance.pictures) == ([], 2)
    (room.store / "pictures" / "2.png").unlink()
    assert check(room.store).problems == ["1 with a kept picture that is not there: part 2 (epoch run-1)"]
    Ledger.close(room.ledger)
