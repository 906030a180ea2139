"""A backup takes the ledger's place: whole, under a lineage of its own, and what stood there is kept."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from okng.__main__ import cli
from okng.bus.errors import BadLedger
from okng.bus.part import Why
from okng.records.check import check
from okng.records.ledger import Ledger, Ripe
from okng.records.read import LedgerReader
from okng.records.restore import restore


def store_part(room: Any, maker: ModuleType, part: int) -> None:
    entries = (maker.trigger_entry(2 * part - 1, part), maker.record_entry(2 * part, part, Why.NG))
    room.ledger.store([Ripe(entry) for entry in entries])


def backed_up(room: Any) -> Path:
    file = room.done("backup.make", "ann")["file"]
    room.backups.close()
    return Path(room.store / file)


def test_a_backup_takes_the_place_of_the_ledger(room: Any, maker: ModuleType) -> None:
    room.staff()
    store_part(room, maker, 1)
    copy, before = backed_up(room), LedgerReader(room.store).identity()
    store_part(room, maker, 2)
    with pytest.raises(BadLedger, match="another okng is writing"):
        restore(room.store, copy)
    room.ledger.close()
    found = CliRunner().invoke(cli, ["ledger", "restore", "--store", str(room.store), str(copy)])
    assert found.exit_code == 0, found.output
    assert "1 parts" in found.output
    assert len(list(room.store.glob("ledger.db.replaced-*"))) == 1
    room.open()
    after = LedgerReader(room.store).identity()
    assert (after.box, after.lineage) == (before.box, before.lineage + 1)
    assert [row.part for row in LedgerReader(room.store).rows(10)] == [1]
    assert room.people.person("oli") is not None
    assert room.trail()[-1] == "ledger restored"
    store_part(room, maker, 2)
    assert check(room.store).problems == []


def test_on_a_new_box_too_no_number_of_the_outbox_is_used_twice(room: Any, maker: ModuleType, tmp_path: Path) -> None:
    room.staff()
    store_part(room, maker, 1)
    copy, before = backed_up(room), LedgerReader(room.store).identity()
    restore(tmp_path / "new", copy)
    Ledger(tmp_path / "new").close()
    after = LedgerReader(tmp_path / "new").identity()
    assert (after.box, after.lineage) == (before.box, before.lineage + 1)


def test_what_is_no_whole_ledger_is_refused_and_the_old_one_stands(
    room: Any, maker: ModuleType, tmp_path: Path
) -> None:
    room.staff()
    store_part(room, maker, 1)
    copy = backed_up(room)
    room.ledger.close()
    data = copy.read_bytes()
    (tmp_path / "cut.db").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.db").write_text("no ledger at all, but long enough to be looked at as a file")
    (tmp_path / "doctored.db").write_bytes(data.replace(b'"what":"user created"', b'"what":"user CREATED"'))
    for name in ("cut.db", "text.db", "doctored.db", "missing.db"):
        with pytest.raises(BadLedger):
            restore(room.store, tmp_path / name)
    room.open()
    assert [row.part for row in LedgerReader(room.store).rows(10)] == [1]
    assert "ledger restored" not in room.trail()
