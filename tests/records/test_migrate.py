"""An older ledger is copied before it is brought up to date; stopped anywhere it is old or new, never neither."""

import shutil
import subprocess
import sys
import time
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

OLD = Path(__file__).with_name("ledger_v1.sql")
OPEN = "import sys; from pathlib import Path; from okng.records.ledger import Ledger; Ledger(Path(sys.argv[1])).close()"


def old_store(folder: Path, times: int = 1) -> Path:
    """A store whose ledger is of version 1. times: how often its parts are in it."""
    folder.mkdir()
    db = apsw.Connection(str(folder / schema.FILE))
    db.execute(OLD.read_text(encoding="utf-8"))
    names = [str(row[1]) for row in db.execute("pragma table_info(part)")]
    copied = ", ".join("number + ?" if name == "number" else name for name in names if name != "seq")
    listed = ", ".join(name for name in names if name != "seq")
    top = int(db.execute("select max(number) from part").fetchall()[0][0])
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
        return int(db.execute("pragma user_version").fetchall()[0][0])
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
    monkeypatch.setattr(migrate.shutil, "disk_usage", lambda _: type(real)(real.total, real.used, 1000))
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


def test_killed_at_any_instant_it_is_old_or_new(tmp_path: Path) -> None:
    """kill -9 a little later each time, until one comes through."""
    template = old_store(tmp_path / "template", times=400)
    seen, killed = set(), 0
    with subprocess.Popen([sys.executable, "-c", OPEN, shutil.copytree(template, tmp_path / "first")]) as child:
        begun = time.monotonic()
        assert child.wait(50) == 0
        whole_s = time.monotonic() - begun
    for step in range(24):
        store = shutil.copytree(template, tmp_path / f"store{step}")
        with subprocess.Popen([sys.executable, "-c", OPEN, store]) as child:
            # Most of the time the child imports; the file is worked on in the last third.
            time.sleep(whole_s * (0.4 + 0.6 * step / 24))
            killed += child.poll() is None
            child.kill()
        seen.add(version(store / schema.FILE))
        Ledger(store).close()
        assert version(store / schema.FILE) == schema.VERSION
        balance = check(store)
        assert balance.pictures == check(tmp_path / "first").pictures
        shutil.rmtree(store)
    assert killed > 10
    assert seen <= {1, schema.VERSION}
