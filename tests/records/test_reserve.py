"""A disk filled to the brim by others still gives up pictures: the room for saying so was held back."""

from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from types import ModuleType

import pytest

from okng.records.ledger import LedgerStuck
from okng.records.reserve import FILE, Reserve
from okng.records.retention import Retention
from okng.records.retention_options import RetentionOptions

from .shelf import Store

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_it_is_held_where_there_is_plenty_and_given_once(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, 1 << 16)
    reserve.hold()
    assert (tmp_path / FILE).stat().st_blocks * 512 >= 1 << 16
    reserve.hold()
    reserve.rescue()  # the disk is not full
    assert reserve.is_held()
    assert reserve.give()
    assert not reserve.is_held()
    assert not reserve.give()
    Reserve(tmp_path, 1 << 60).hold()
    assert not reserve.is_held()


def _takes(file: FileIO) -> bool:
    try:
        return file.write(bytes(4096)) > 0
    except OSError:
        return False


def _settle(retention: Retention) -> None:
    while retention.step():
        pass


def test_a_disk_that_others_filled_is_emptied_of_pictures(full_disk: Path, maker: ModuleType) -> None:
    store = Store(full_disk / "store", maker)
    reserve = Reserve(store.folder, 128 << 10, roomy=2)
    for n in range(4):
        store.add("reject", NOW - timedelta(days=400 - n), size=30_000)
    reserve.hold()
    assert reserve.is_held()
    store.ledger.rest()
    with (full_disk / "others").open("wb", buffering=0) as others:
        while _takes(others):
            pass
    retention = Retention(store.folder, RetentionOptions(), store.write, now=lambda: NOW)
    with pytest.raises(LedgerStuck):
        _settle(retention)
    assert len(store.rows("select 1 from part where picture_kept")) == 4
    reserve.rescue()
    store.ledger.reopen()
    _settle(retention)
    assert store.rows("select 1 from part where picture_kept") == []
    reserve.hold()  # and it is there again for the next time
    store.ledger.close()
