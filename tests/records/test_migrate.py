"""An older ledger is copied before it is brought up to date; stopped anywhere it is old or new, never neither."""

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import apsw
import pytest

from okng.bus.errors import BadLedger
from okng.records import migrate, schema
from okng.records.check import check
from okng.records.ledger import Ledger, LedgerStuck
from okng.records.read import LedgerReader
from okng.records.restore import restore
from okng.tests.nth import KILL, NTH, WHOLE, armed, failing

OLD = Path(__file__).with_name("ledger_v1.sql")


def old_store(folder: Path, times: int = 1) -> Path:
    """A store whose ledger is of version 1. times: how often its parts are in it."""
    folder.mkdir()
    db = apsw.Connection(str(folder / schema.FILE))
    db.execute(OLD.read_text(encoding="utf-8"))
    names = [str(row[1]) for row in db.execute("pragma table_info(part)")]
    copied = ", ".join("number + ?" if name == "number" else name for name in names if name != "seq")
    listed = ", ".join(name for name in names if name != "seq")
    top = int(str(db.execute("select max(number) from part").fetchall()[0][0]))
    db.execute("begin")
    for turn in range(1, times):
        sql = f"insert into part ({listed}) select {copied} from part where number between 1 and ?"
        db.execute(sql, (turn * (top + 1), top))
    db.execute("commit")
    db.close()
    return folder


def version(file: Path) -> int:
    db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        return int(str(db.execute("pragma user_version").fetchall()[0][0]))
    finally:
        db.close()


def trail(store: Path) -> list[Any]:
    with LedgerReader(store).asking() as ask:
        return [row["what"] for row in ask("select json_extract(body, '$.what') as what from audit order by n")]


def test_a_checked_copy_lies_beside_and_an_older_okng_takes_it_back(tmp_path: Path) -> None:
    store = old_store(tmp_path / "store")
    Ledger(store).close()
    (copy,) = store.glob("ledger.db.before-v1-*")
    assert (version(copy), version(store / schema.FILE)) == (1, schema.VERSION)
    assert trail(store)[-1] == "ledger migrated"
    with LedgerReader(store).asking() as ask:
        (told,) = ask("select json_extract(body, '$.object.copy') as copy from audit order by n desc limit 1")
    assert told["copy"] == copy.name
    Ledger(store).close()
    assert len(list(store.glob("*.before-*"))) == 1  # once is enough
    restore(tmp_path / "other", copy)
    Ledger(tmp_path / "other").close()
    assert check(tmp_path / "other").triggers == check(store).triggers


def test_old_copies_are_pruned(tmp_path: Path) -> None:
    store = old_store(tmp_path / "store")
    for stamp in range(3):
        (store / f"ledger.db.before-v1-2020010{stamp + 1}T000000000000Z").write_bytes(b"old")
    Ledger(store).close()
    left = sorted(one.name for one in store.glob("*.before-*"))
    assert len(left) == migrate.KEPT
    assert left[0] == "ledger.db.before-v1-20200103T000000000000Z"


def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = old_store(tmp_path / "store")
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("okng.records.migrate.shutil.disk_usage", lambda _: type(real)(real.total, real.used, 1000))
    with pytest.raises(LedgerStuck, match=r"from version 1 to \d+ it is copied first: that needs 1 MB, 0 MB are free"):
        Ledger(store)
    assert version(store / schema.FILE) == 1
    assert not list(store.glob("*.before-*"))
    monkeypatch.undo()
    Ledger(store).close()
    assert version(store / schema.FILE) == schema.VERSION


def test_a_disk_that_fills_up_meanwhile_changes_nothing(full_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = old_store(full_disk / "store", times=300)
    (full_disk / "other").write_bytes(bytes(700 << 10))
    monkeypatch.setattr(migrate, "_ROOM", 0.0)
    with pytest.raises(LedgerStuck, match="full"):
        Ledger(store)
    assert version(store / schema.FILE) == 1
    assert not list(store.glob("*.before-*"))


def test_a_newer_ledger_is_refused_and_not_touched(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    db = apsw.Connection(str(tmp_path / schema.FILE))
    db.execute(f"pragma user_version = {schema.VERSION + 1}")
    db.close()
    with pytest.raises(BadLedger, match=rf"of version {schema.VERSION + 1}, this okng knows up to {schema.VERSION}"):
        Ledger(tmp_path)
    assert version(tmp_path / schema.FILE) == schema.VERSION + 1
    assert not list(tmp_path.glob("*.before-*"))


def test_killed_at_any_operation_it_is_old_or_new(tmp_path: Path) -> None:
    """kill -9 before each operation of the disk in turn; all of them with OKNG_NTH=all, else some."""
    template = old_store(tmp_path / "template", times=30)
    seen, at, killed = set(), 0, True
    with failing(), armed(0, KILL):
        Ledger(shutil.copytree(template, tmp_path / "whole")).close()
        total = NTH.count
    parts = len(LedgerReader(tmp_path / "whole").rows(1000))
    step = 1 if WHOLE else max(1, total // 24)
    while killed:
        at += step
        store = shutil.copytree(template, tmp_path / "store")
        child = os.fork()
        if child == 0:
            with failing(), armed(at, KILL):
                Ledger(store).close()
            os._exit(0)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        assert killed or at > total - total // 20  # waiting for a lock is an operation or two more or less
        reading = apsw.Connection(str(store / schema.FILE))  # as the next start does, with what lies beside
        seen.add(reading.pragma("user_version"))
        reading.close()
        Ledger(store).close()
        assert version(store / schema.FILE) == schema.VERSION
        assert len(LedgerReader(store).rows(1000)) == parts
        for copy in store.glob("*.before-*Z"):
            assert version(copy) == 1
        shutil.rmtree(store)
    assert seen == {1, schema.VERSION}
