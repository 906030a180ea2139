"""The one writer: what it says is stored is stored, once, and damage is put aside."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import apsw
import pytest

from okng.bus.errors import BadLedger
from okng.bus.part import Action, Disposition, Why
from okng.records import schema
from okng.records.audit import audit_problems
from okng.records.check import check
from okng.records.ledger import Ledger, LedgerStuck, Ripe, check_sqlite
from okng.records.lineage import read_lineage
from okng.records.read import LedgerReader

WRITER = Path(__file__).with_name("write_parts.py")


def ask(store: Path, sql: str) -> list[tuple[object, ...]]:
    with LedgerReader(store).asking() as asked:
        return [tuple(row.values()) for row in asked(sql)]


def fill(ledger: Ledger, maker: ModuleType, parts: int) -> list[Ripe]:
    """Every third part NG; counters last."""
    batch = []
    for part in range(1, parts + 1):
        why = Why.NG if part % 3 == 0 else Why.OK
        batch += [Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part, why))]
    ng = parts // 3
    batch.append(Ripe(maker.counters_entry(2 * parts + 1, ok=parts - ng, ng=ng)))
    ledger.store(batch)
    return batch


def test_a_resend_changes_nothing(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    batch = fill(ledger, maker, 9)
    before = {
        name: ask(tmp_path, f"select * from {name}") for name in ("trigger", "part", "outbox", "counter_snapshot")
    }
    ledger.store(batch)
    ledger.store(batch[:5])
    assert before == {name: ask(tmp_path, f"select * from {name}") for name in before}
    assert len(before["part"]) == 9
    assert len(before["outbox"]) == 3
    assert check(tmp_path).balanced
    ledger.close()


def test_an_older_snapshot_does_not_replace_a_newer_one(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    ledger.store([Ripe(maker.counters_entry(7, ok=5, last=False)), Ripe(maker.counters_entry(3, ok=2, last=False))])
    assert ask(tmp_path, "select number, ok from counter_snapshot") == [(7, 5)]
    ledger.close()


def test_a_batch_is_stored_whole_or_not_at_all(
    tmp_path: Path, maker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)

    def full(*_: object) -> None:
        raise apsw.FullError("disk full")

    monkeypatch.setattr("okng.records.ledger.put_counters", full)
    with pytest.raises(LedgerStuck, match="disk full"):
        fill(ledger, maker, 3)
    assert ask(tmp_path, "select count(*) from trigger") == [(0,)]
    assert ask(tmp_path, "select count(*) from outbox") == [(0,)]
    monkeypatch.undo()
    fill(ledger, maker, 3)
    assert check(tmp_path).balanced
    ledger.close()


def test_an_old_sqlite_is_refused() -> None:
    check_sqlite()
    check_sqlite("3.51.3")
    with pytest.raises(BadLedger, match=r"SQLite 3\.40\.1: expected 3\.51\.3"):
        check_sqlite("3.40.1")


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with pytest.raises(BadLedger, match="another okng is writing"):
        Ledger(tmp_path)
    ledger.close()
    Ledger(tmp_path).close()


def test_durable_settings(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger._db is not None
    found = {name: ledger._db.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    ledger.close()


@pytest.mark.parametrize("where", ["header", "pages", "cut short"])
def test_a_damaged_file_is_put_aside_with_its_wal(tmp_path: Path, maker: ModuleType, where: str) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, maker, 300)
    ledger.rest()
    ledger.close()
    box, lineage = LedgerReader(tmp_path).identity().box, 1
    file = tmp_path / schema.FILE
    data, pick = bytearray(file.read_bytes()), random.Random(7)
    if where == "header":
        data[:100] = pick.randbytes(100)
    elif where == "pages":
        for _ in range(20):
            begin = pick.randrange(4096, len(data) - 600)
            data[begin : begin + 600] = pick.randbytes(600)
    else:
        del data[len(data) // 2 :]
    file.write_bytes(data)

    ledger = Ledger(tmp_path)
    assert len(list(tmp_path.glob("ledger.db.corrupt-*"))) == 1
    assert len(list(tmp_path.glob("ledger.db-wal.corrupt-*"))) == 1
    assert LedgerReader(tmp_path).summary()["parts"] == 0
    named = LedgerReader(tmp_path).identity()
    assert (named.box, named.lineage) == (box, lineage + 1)
    fill(ledger, maker, 3)
    ledger.close()
    assert any("put aside" in problem for problem in check(tmp_path).problems)


def test_a_wal_without_its_file_is_not_replayed_into_a_new_one(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, maker, 6)
    ledger.close()
    (tmp_path / schema.FILE).unlink()  # stopped between the renames of putting aside
    Ledger(tmp_path).close()
    assert LedgerReader(tmp_path).summary()["parts"] == 0
    assert list(tmp_path.glob("ledger.db-wal.corrupt-*"))


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    db = apsw.Connection(str(tmp_path / schema.FILE))
    db.execute("pragma user_version = 99")
    db.close()
    with pytest.raises(BadLedger, match=f"of version 99, this okng knows up to {schema.VERSION}"):
        Ledger(tmp_path)
    with pytest.raises(BadLedger, match="of version 99"):
        LedgerReader(tmp_path).rows(1)
    assert not list(tmp_path.glob("*.corrupt-*"))


def test_a_restored_copy_goes_on_under_a_new_lineage(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    ledger.rest()
    ledger.close()
    copy = (tmp_path / schema.FILE).read_bytes()
    ledger = Ledger(tmp_path)
    fill(ledger, maker, 9)
    ledger.mark()
    ledger.close()
    noted = read_lineage(tmp_path)
    assert noted is not None
    assert (noted.lineage, noted.reached) == (1, 3)
    for ending in ("-wal", "-shm"):
        (tmp_path / (schema.FILE + ending)).unlink()
    (tmp_path / schema.FILE).write_bytes(copy)
    Ledger(tmp_path).close()
    assert LedgerReader(tmp_path).identity().lineage == 2
    Ledger(tmp_path).close()
    assert LedgerReader(tmp_path).identity().lineage == 2


def test_the_audit_chain_takes_no_change(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    db = apsw.Connection(str(tmp_path / schema.FILE))
    for sql in ("update audit set body = ''", "delete from audit"):
        with pytest.raises(apsw.ConstraintError, match="append-only"):
            db.execute(sql)
    entries = [(int(str(n)), str(body), str(link)) for n, body, link in db.execute("select * from audit")]
    db.close()
    assert audit_problems(entries) == []
    number, body, link = entries[0]
    assert audit_problems([(number, body.replace("ledger made", "ledger mode"), link)]) == ["audit: broken at entry 1"]
    assert audit_problems([(2, body, link)]) == ["audit: broken at entry 1"]


def test_parts_left_open_by_a_dead_io_are_closed_once(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, maker, 3)
    ledger.store([Ripe(maker.trigger_entry(1, 50, "run-2")), Ripe(maker.trigger_entry(2, 51, "run-2"))])
    assert ledger.abandoned() == []  # run-2 is the newest and may be alive
    ledger.store([Ripe(maker.trigger_entry(1, 52, "run-3"))])
    assert ledger.abandoned() == ["run-2"]
    assert ledger.recover("run-2") == [50, 51]
    assert ledger.abandoned() == []
    assert ledger.recover("run-2") == []
    found = ask(tmp_path, "select part, outcome, action, why, delivery, recovered from part where number < 0")
    assert found == [(part, "UNJUDGED", "REJECT", "fault", "unconfirmed", 1) for part in (50, 51)]
    assert LedgerReader(tmp_path).rows(1)[0].reasons == ("box restarted",)
    balance = check(tmp_path)
    assert (balance.recovered, balance.open) == (2, 1)
    assert balance.problems[0] == "1 triggered, but without a record: part 52 (epoch run-3)"

    ledger.store([Ripe(maker.record_entry(3, 50, Why.NG, "run-2"))])  # it was under way after all
    assert ask(tmp_path, "select outcome, recovered from part where part = 50") == [("NG", 0)]
    ledger.close()


def test_an_ok_that_the_plc_was_shown_before_io_died_stays_one(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    entries = [maker.trigger_entry(1, 50, "run-1"), maker.trigger_entry(2, 51, "run-1")]
    ledger.store([Ripe(each) for each in entries])
    ledger.store([Ripe(maker.trigger_entry(1, 52, "run-2"))])
    at_ns = entries[0].trigger.at_ns
    shown = Disposition(50, Action.PASS, Why.OK, at_ns + 1, at_ns + 2, 7)
    assert ledger.recover("run-1", lambda trigger: shown if trigger.part == 50 else None) == [50, 51]
    found = ask(tmp_path, "select part, outcome, action, why, delivery, published_ns, sequence from part order by part")
    assert found[0] == (50, "OK", "PASS", "ok", "unconfirmed", at_ns + 2, 7)
    assert found[1][:5] == (51, "UNJUDGED", "REJECT", "fault", "unconfirmed")
    balance = check(tmp_path)
    assert (balance.ok, balance.unjudged, balance.recovered) == (1, 1, 2)
    assert balance.problems[0] == "1 triggered, but without a record: part 52 (epoch run-2)"
    ledger.close()


def test_readers_of_another_user_read_after_a_clean_close(maker: ModuleType, run_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    run_dir.chmod(0o755)
    ledger = Ledger(run_dir)
    fill(ledger, maker, 3)
    ledger.close()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            status = 0 if LedgerReader(run_dir).summary()["parts"] == 3 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_reader_reads_while_the_writer_runs_and_after_it_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, WRITER, tmp_path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        acked = [int(writer.stdout.readline()) for _ in range(40)]
        live = LedgerReader(tmp_path).summary()["parts"]
        writer.send_signal(signal.SIGKILL)
    parts = {row.part for row in LedgerReader(tmp_path).rows(1000)}
    assert live >= 40
    assert parts >= set(acked)
    assert all((tmp_path / row.picture).is_file() for row in LedgerReader(tmp_path).rows(1000) if row.picture)
    balance = check(tmp_path, full=True)
    assert not [problem for problem in balance.problems if "picture" in problem]
