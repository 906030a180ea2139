"""A damaged ledger is put aside and its rows come back: under their own numbers, once, and the sums balance."""

import json
import random
import shutil
import signal
import threading
import time
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import apsw
import pytest
from click.testing import CliRunner

from okng.__main__ import cli
from okng.bus.errors import BadLedger
from okng.bus.part import Why
from okng.records import ledger as ledger_module
from okng.records import salvage, salvage_shapes, schema, soundness
from okng.records.audit import Deed, audit_problems
from okng.records.bookkeeping import audit
from okng.records.check import check
from okng.records.ledger import LedgerDamaged, LedgerStuck, Ripe
from okng.records.read import LedgerReader
from okng.records.rows import Kept
from okng.records.salvage import Salvage, put_aside, report_of, salvage_now, unfinished
from okng.records.seal_verify import verify

PARTS = 300


def dump(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with LedgerReader(store).asking() as ask:
        return [tuple(row.values()) for row in ask(sql)]


def fill(room: Any, maker: ModuleType, first: int, last: int, epoch: str = "run-1") -> None:
    """Every third part NG, with a picture."""
    for begin in range(first, last + 1, 50):
        batch = []
        for part in range(begin, min(begin + 50, last + 1)):
            why = Why.NG if part % 3 == 0 else Why.OK
            kept = None
            if why is Why.NG:
                name = f"pictures/{part}.png"
                (room.store / "pictures").mkdir(exist_ok=True)
                (room.store / name).write_bytes(b"picture")
                kept = Kept(name, "0" * 64)
            batch += [
                Ripe(maker.trigger_entry(2 * part - 1, part, epoch)),
                Ripe(maker.record_entry(2 * part, part, why, epoch), kept=kept),
            ]
        room.ledger.store(batch)


def end_run(room: Any, maker: ModuleType, parts: int, epoch: str = "run-1") -> None:
    ng = parts // 3
    room.ledger.store([Ripe(maker.counters_entry(2 * parts + 1, epoch, ok=parts - ng, ng=ng))])


@pytest.fixture
def filled(room: Any, maker: ModuleType) -> Any:
    """A ledger with people, labels and parts, at rest."""
    room.staff()
    fill(room, maker, 1, PARTS)
    end_run(room, maker, PARTS)
    for seq in (3, 6, 9):
        room.done("label.set", "lea", seq=seq, truth="defect")
    room.ledger.mark()
    room.ledger.rest()
    room.ledger.close()
    return room


def spoil(file: Path, how: str) -> None:
    data, pick = bytearray(file.read_bytes()), random.Random(7)
    if how == "header":
        data[:4096] = pick.randbytes(4096)
    elif how in ("pages", "late pages"):
        for _ in range(40):
            begin = pick.randrange(2 * 4096 if how == "pages" else len(data) // 2, len(data) - 600)
            data[begin : begin + 600] = pick.randbytes(600)
    else:
        del data[len(data) * 3 // 4 :]
    file.write_bytes(data)


def rescue(room: Any) -> dict[str, Any]:
    work = Salvage(room.ledger, room.store)
    end = time.monotonic() + 50
    try:
        while unfinished(room.store) and time.monotonic() < end:
            work.turn(idle=True)
            time.sleep(0.001)
    finally:
        work.close()
    (damaged,) = put_aside(room.store)
    told: dict[str, Any] = json.loads(report_of(damaged).read_text())
    return told


SUMS = (
    *("tally", "tally_reject", "tally_score", "tally_latency", "part_kind", "unreviewed"),
    *("run", "picture", "camera_sum"),
)
WITHOUT = {"run": "recipe, revision, model, lot, first_seq, last_seq, first_at, last_at, ok, ng, unjudged, bare"}


def test_a_lost_header_loses_no_row(filled: Any, maker: ModuleType) -> None:
    tables = ("part", "label", "journal", "person", "role", "pepper", *SUMS)
    ask = {
        name: f"select {WITHOUT.get(name, '*')} from {name} order by {1 if name == 'unreviewed' else '1, 2'}"
        for name in tables
    }
    before = {name: dump(filled.store, sql) for name, sql in ask.items()}
    events = dump(filled.store, "select seq, body, sha256 from outbox order by seq")
    spoil(filled.store / schema.FILE, "header")
    filled.open()
    told = rescue(filled)
    after = {name: dump(filled.store, sql) for name, sql in ask.items()}
    column = [one.name for one in salvage_shapes.shapes(["part"])["part"].columns].index("epoch")
    after["part"] = [(*row[:column], 1, *row[column + 1 :]) for row in after["part"]]
    assert after == before
    assert dump(filled.store, "select seq, body, sha256 from outbox where stream = 'rejects@1' order by seq") == events
    assert told["state"] == "done"
    assert told["tables"]["part"] == {"found": PARTS, "rescued": PARTS, "lost": 0}
    assert told["trail"]["problems"] == []
    lines = (filled.store / told["trail"]["file"]).read_text().splitlines()
    assert audit_problems([tuple(json.loads(line)) for line in lines]) == []
    assert filled.trail()[-2:] == ["ledger salvage begun", "ledger salvaged"]
    filled.done("account.create", "ann", name="new", role="operator", pin="3690")  # ann may, as before
    assert check(filled.store).problems == []
    assert verify(filled.store / schema.FILE).problems == []


def test_new_parts_stand_above_rescued_ones(filled: Any, maker: ModuleType) -> None:
    spoil(filled.store / schema.FILE, "header")
    filled.open()
    fill(filled, maker, 1, 3, "run-2")
    rescue(filled)
    fill(filled, maker, 4, 6, "run-2")
    end_run(filled, maker, 6, "run-2")
    assert [row.part for row in LedgerReader(filled.store).rows(8)] == [6, 5, 4, 3, 2, 1, PARTS, PARTS - 1]
    assert [row[0] for row in dump(filled.store, "select name from epoch order by n")] == ["run-1", "run-2"]
    assert filled.ledger.abandoned() == []
    assert check(filled.store).problems == []
    runs = dump(filled.store, "select first_seq <= last_seq, ok + ng + unjudged from run order by n")
    assert [tuple(row) for row in runs] == [(1, PARTS), (1, 6)]


def test_a_run_that_lives_on_keeps_one_epoch(room: Any, maker: ModuleType) -> None:
    fill(room, maker, 1, 90)
    room.ledger.rest()
    room.ledger.close()
    spoil(room.store / schema.FILE, "header")
    room.open()
    fill(room, maker, 91, 120)
    rescue(room)
    end_run(room, maker, 120)
    assert dump(room.store, "select count(*) from epoch") == [(1,)]
    assert check(room.store).problems == []


@pytest.mark.parametrize("how", ["pages", "cut short"])
def test_what_is_lost_is_counted_and_named(filled: Any, maker: ModuleType, how: str) -> None:
    spoil(filled.store / schema.FILE, how)
    filled.open()
    told = rescue(filled)
    part = told["tables"]["part"]
    kept = {row[0] for row in dump(filled.store, "select seq from part")}
    assert len(kept) == part["rescued"]
    assert PARTS // 2 < part["rescued"] < PARTS
    assert part["lost"] >= (max(kept) - min(kept) + 1) - part["rescued"]
    # Nothing made up: each rescued row is what was written.
    for row in LedgerReader(filled.store).rows(1000):
        assert row.seq == row.part
        assert row.outcome == ("NG" if row.part % 3 == 0 else "OK")
        assert row.picture is None or (filled.store / row.picture).is_file()
    assert any("io counted" in problem or "without a record" in problem for problem in check(filled.store).problems)


def test_a_kill_at_any_step_doubles_nothing(filled: Any, maker: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken off after every transaction, noted or not, and begun again from what is on disk."""
    monkeypatch.setattr(salvage, "_NOTE_NS", 0)
    monkeypatch.setattr(salvage, "_IDLE_NS", 0)
    spoil(filled.store / schema.FILE, "header")
    filled.open()
    turns = 0
    while unfinished(filled.store):
        work = Salvage(filled.ledger, filled.store, 64)
        while unfinished(filled.store):
            work.turn(idle=True)
            if work._work is not None and work._work.taking is not None and work._work.place.table:
                break
            time.sleep(0.0005)
        if turns % 2:
            work.turn(idle=True)
        if work._work is not None and work._work.taking is not None:
            work._work.taking.close()  # killed: nothing is written down any more
        work._work = None
        filled.restart()
        turns += 1
        assert turns < 200
    assert turns > 5
    assert dump(filled.store, "select count(*), count(distinct seq) from part") == [(PARTS, PARTS)]
    assert filled.trail().count("ledger salvaged") == 1
    (damaged,) = put_aside(filled.store)
    told = json.loads(report_of(damaged).read_text())
    assert told["tables"]["part"] == {"found": PARTS, "rescued": PARTS, "lost": 0}
    assert check(filled.store).problems == []


def test_the_wal_counts_up_to_its_last_commit(room: Any, maker: ModuleType) -> None:
    fill(room, maker, 1, 30)
    room.ledger.rest()
    fill(room, maker, 31, 40)
    files = {end: (room.store / (schema.FILE + end)).read_bytes() for end in ("", "-wal")}
    room.ledger.close()
    for end, data in files.items():
        (room.store / (schema.FILE + end)).write_bytes(data)
    (room.store / (schema.FILE + "-shm")).unlink()
    (room.store / f"{schema.FILE}.corrupt-20260101T000000000000Z").write_bytes(files[""])
    (room.store / f"{schema.FILE}-wal.corrupt-20260101T000000000000Z").write_bytes(files["-wal"])
    for end in ("", "-wal"):
        (room.store / (schema.FILE + end)).unlink()
    room.open()
    assert rescue(room)["tables"]["part"]["rescued"] == 40


def test_what_is_no_ledger_is_told_and_not_tried_for_ever(room: Any) -> None:
    (room.store / f"{schema.FILE}.corrupt-20260101T000000000000Z").write_bytes(b"nothing of ours" * 5000)
    told = rescue(room)
    assert told["state"] == "done"
    assert told["tables"] == {}
    assert unfinished(room.store) == []


def test_while_people_are_being_rescued_nobody_makes_the_first_account(filled: Any) -> None:
    spoil(filled.store / schema.FILE, "header")
    filled.open()
    assert "rescued" in filled.refused("account.first", name="eva", password="correct horse")
    rescue(filled)
    assert filled.people.person("ann") is not None


def test_by_hand(filled: Any, maker: ModuleType) -> None:
    spoil(filled.store / schema.FILE, "pages")
    filled.open()
    with pytest.raises(BadLedger, match="another okng is writing"):
        salvage_now(filled.store)
    filled.ledger.close()
    shown = CliRunner().invoke(cli, ["ledger", "salvage", "--store", str(filled.store), "--json"])
    (told,) = json.loads(shown.stdout)
    assert told["state"] == "done"
    assert shown.exit_code == (1 if any(one["lost"] for one in told["tables"].values()) else 0)
    shown = CliRunner().invoke(cli, ["ledger", "salvage", "--store", str(filled.store)])
    assert (shown.exit_code, "nothing is put aside" in shown.stdout) == (0, True)
    (again,) = salvage_now(filled.store, again=True)
    assert again["tables"]["part"]["rescued"] == told["tables"]["part"]["rescued"]


def test_what_is_rescued_again_long_after_doubles_nothing(filled: Any) -> None:
    spoil(filled.store / schema.FILE, "header")
    filled.open()
    rescue(filled)
    runs = dump(filled.store, "select * from run order by n")
    assert runs
    with filled.ledger.transaction() as db:
        for _ in range(1001):
            audit(db, Deed("signed in", {}, "ann"))
    filled.ledger.close()
    salvage_now(filled.store, again=True)
    assert dump(filled.store, "select * from run order by n") == runs
    assert check(filled.store).problems == []


def test_every_table_is_rescued_or_left_on_purpose() -> None:
    known = salvage_shapes.all_tables() - {"sqlite_sequence", "sqlite_stat1", "sqlite_stat4"}
    said = {*salvage_shapes.RESCUED, *salvage_shapes.READ, *salvage_shapes.LEFT}
    assert known - said == set()


def test_damage_that_is_found_behind_the_line_is_put_aside_too(
    filled: Any, maker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file too large to be looked at before the line may begin."""
    monkeypatch.setattr(soundness, "_STEPS", 1)
    monkeypatch.setattr(ledger_module, "CHECK_S", -1.0)
    spoil(filled.store / schema.FILE, "late pages")
    filled.open()
    assert put_aside(filled.store) == []
    end = time.monotonic() + 45
    while not (found := filled.ledger.look_on()) and time.monotonic() < end:
        time.sleep(0.01)
    assert found
    filled.ledger.reopen()
    assert len(put_aside(filled.store)) == 1
    monkeypatch.undo()
    assert rescue(filled)["tables"]["part"]["rescued"] > PARTS // 2


def test_the_check_of_a_file_that_was_put_aside_says_nothing_of_the_fresh_one(
    filled: Any, maker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line met the damage before the check behind it did."""
    looks, real = threading.Event(), apsw.Connection

    def slow(*args: Any, **named: Any) -> apsw.Connection:
        if threading.current_thread().name == "soundness":
            looks.wait(20)
            raise apsw.CorruptError("of the old file")
        return real(*args, **named)

    with monkeypatch.context() as patched:
        patched.setattr(soundness, "_STEPS", 1)
        patched.setattr(ledger_module, "CHECK_S", -1.0)
        patched.setattr("okng.records.soundness.apsw.Connection", slow)
        filled.open()
    filled.ledger.rest()
    spoil(filled.store / schema.FILE, "header")
    filled.ledger.reopen()
    assert len(put_aside(filled.store)) == 1
    looks.set()
    end = time.monotonic() + 1
    while not (found := filled.ledger.look_on()) and time.monotonic() < end:
        time.sleep(0.01)
    assert found == ""
    fill(filled, maker, 1, 1, "run-9")
    filled.ledger.reopen()
    assert len(put_aside(filled.store)) == 1


def test_a_file_that_is_refused_twice_running_is_put_aside_though_it_looks_sound(
    filled: Any, maker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.open()

    def broken(*_: object) -> None:
        raise apsw.CorruptError("index")

    monkeypatch.setattr(ledger_module, "put_trigger", broken)
    for tries in (1, 2):
        with pytest.raises(LedgerDamaged):
            fill(filled, maker, 1, 1, "run-9")
        filled.ledger.reopen()
        assert len(put_aside(filled.store)) == tries - 1
    monkeypatch.undo()
    fill(filled, maker, 1, 1, "run-9")


def test_without_room_the_rescue_waits_and_the_line_goes_on(
    filled: Any, maker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(filled.store / schema.FILE, "header")
    filled.open()
    real = shutil.disk_usage(filled.store)
    monkeypatch.setattr("okng.records.salvage.shutil.disk_usage", lambda _: type(real)(real.total, real.used, 1000))
    work = Salvage(filled.ledger, filled.store)
    work.turn(idle=True)
    assert "waits for room on the disk" in work.text
    fill(filled, maker, 1, 3, "run-2")
    work.close()
    filled.ledger.close()
    with pytest.raises(LedgerStuck, match="waits for room"):
        salvage_now(filled.store)
    assert len(unfinished(filled.store)) == 1
    monkeypatch.undo()
    (told,) = salvage_now(filled.store)
    assert told["tables"]["part"]["rescued"] == PARTS


def test_a_reader_that_fails_is_told_and_one_that_met_a_full_disk_is_tried_again(
    filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(filled.store / schema.FILE, "header")
    filled.open()
    monkeypatch.setattr("okng.records.salvage.sys.executable", "/bin/false")  # ends with 1: told, and never tried again
    work, end = Salvage(filled.ledger, filled.store), time.monotonic() + 20
    while unfinished(filled.store) and time.monotonic() < end:
        work.turn(idle=True)
        time.sleep(0.002)
    assert "could not be rescued" in work.text
    assert filled.trail()[-1] == "ledger salvage failed"
    report_of(put_aside(filled.store)[0]).unlink()
    ends_75 = filled.store / "ends-75"
    ends_75.write_text("#!/bin/sh\nexit 75\n")
    ends_75.chmod(0o755)
    monkeypatch.setattr("okng.records.salvage.sys.executable", str(ends_75))
    work, end = Salvage(filled.ledger, filled.store), time.monotonic() + 20
    while not work.waits and time.monotonic() < end:
        work.turn(idle=True)
        time.sleep(0.002)
    assert "could not be read yet" in work.waits
    assert len(unfinished(filled.store)) == 1
    monkeypatch.undo()
    assert rescue(filled)["tables"]["part"]["rescued"] == PARTS


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_reader_that_is_killed_reads_again(
    filled: Any, how: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop of the unit ends every process of it, a lack of memory the largest: nothing is wrong with the file."""
    spoil(filled.store / schema.FILE, "header")
    filled.open()
    sleeps = tmp_path / "sleeps"
    sleeps.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeps.chmod(0o755)
    work = Salvage(filled.ledger, filled.store)
    with monkeypatch.context() as patched:
        patched.setattr("okng.records.salvage.sys.executable", str(sleeps))
        work.turn(idle=True)
    assert work.reading
    assert work._work is not None
    assert work._work.child is not None
    work._work.child.send_signal(how)
    end = time.monotonic() + 20
    while work.busy and time.monotonic() < end:
        work.turn(idle=True)
        time.sleep(0.002)
    assert len(unfinished(filled.store)) == 1
    assert "could not be read yet" in work.waits
    assert rescue(filled)["tables"]["part"]["rescued"] == PARTS


@pytest.mark.parametrize("table", ["part", "view", "seal", "audit", "run", "outbox"])
def test_what_was_read_is_damaged_before_it_is_taken_over(
    filled: Any, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read again, and the ledger, in whose transactions it is asked, is not blamed for it."""
    spoil(filled.store / schema.FILE, "header")
    filled.open()
    work, end, spoilt = Salvage(filled.ledger, filled.store), time.monotonic() + 40, 0
    while unfinished(filled.store) and time.monotonic() < end:
        if work.taking and not spoilt and work._work is not None:
            staged = work._work.staged
            with closing(apsw.Connection(str(staged))) as db:
                ((page,),) = db.execute("select rootpage from sqlite_schema where name = ?", (table,)).fetchall()
                ((size,),) = db.execute("pragma page_size").fetchall()
            with staged.open("rb+") as handle:
                handle.seek((int(str(page)) - 1) * int(str(size)))
                handle.write(b"\xff" * int(str(size)))
            spoilt += 1
        work.turn(idle=True)
        time.sleep(0.0005)
        if spoilt:
            work._look_ns = 0
    assert spoilt
    filled.ledger.reopen()
    (damaged,) = put_aside(filled.store)
    told = json.loads(report_of(damaged).read_text())
    assert (told["state"], told["tables"]["part"]) == ("done", {"found": PARTS, "rescued": PARTS, "lost": 0})
    assert filled.trail().count("ledger salvaged") == 1
    assert check(filled.store).problems == []


def test_a_damaged_ledger_from_elsewhere(filled: Any, tmp_path: Path) -> None:
    spoil(filled.store / schema.FILE, "header")
    shown = CliRunner().invoke(
        cli, ["ledger", "salvage", "--store", str(tmp_path / "new"), str(filled.store / schema.FILE)]
    )
    assert shown.exit_code == 0, shown.output
    assert f"{PARTS} parts rescued, 0 lost" in shown.output
    assert len(LedgerReader(tmp_path / "new").rows(1000)) == PARTS
    missing = [text for text in check(tmp_path / "new").problems if "picture that is not there" not in text]
    assert missing == []  # pictures are in the store they were taken in


def test_damaged_twice(filled: Any, maker: ModuleType) -> None:
    """What was rescued once is rescued again: numbers, runs of io and the lineage of events stay as they first were."""
    events = dump(filled.store, "select seq, sha256 from outbox where stream = 'rejects' order by seq")
    for turn in (2, 3):
        spoil(filled.store / schema.FILE, "header")
        filled.open()
        fill(filled, maker, 1, 30, f"run-{turn}")
        end_run(filled, maker, 30, f"run-{turn}")
        work, end = Salvage(filled.ledger, filled.store), time.monotonic() + 40
        while unfinished(filled.store) and time.monotonic() < end:
            work.turn(idle=True)
            time.sleep(0.001)
        assert check(filled.store).problems == []
        assert verify(filled.store / schema.FILE).problems == []
        filled.ledger.mark()
        filled.ledger.rest()
        filled.ledger.close()
    assert dump(filled.store, "select seq, sha256 from outbox where stream = 'rejects@1' order by seq") == events
    assert dump(filled.store, "select distinct stream from outbox order by 1") == [
        ("rejects",),
        ("rejects@1",),
        ("rejects@2",),
    ]
    assert dump(filled.store, "select name from epoch order by n") == [("run-1",), ("run-2",), ("run-3",)]
    assert dump(filled.store, "select count(*), min(seq) from part") == [(PARTS + 60, 1)]
    runs = dump(filled.store, "select first_seq, ok + ng + unjudged from run order by n")
    assert sum(parts for _, parts in runs) == PARTS + 60
    assert [first for first, _ in runs] == sorted(first for first, _ in runs)
    assert len(put_aside(filled.store)) == 2


def test_parts_whose_numbers_are_taken_are_not_mixed_with_others(filled: Any, new_room: Any, maker: ModuleType) -> None:
    """A damaged file of another box, or of a time when a fresh ledger began at 1 again."""
    other = new_room()
    fill(other, maker, 1, 3)
    spoil(filled.store / schema.FILE, "header")
    (filled.store / schema.FILE).rename(other.store / f"{schema.FILE}.corrupt-20260101T000000000000Z")
    told = rescue(other)
    assert told["state"] == "failed"
    assert "take a new store" in told["text"]
    assert dump(other.store, "select count(*) from part") == [(3,)]
    assert not list(other.store.glob("*.rescued.db"))


def test_numbers_that_no_part_has_had_are_no_loss(room: Any, maker: ModuleType) -> None:
    """The seal knows every part there was; without it a gap in the numbers would be called a loss."""
    fill(room, maker, 1, 60)
    with room.ledger.transaction() as db:
        db.execute("update sqlite_sequence set seq = seq + 5000 where name = 'part'")
    fill(room, maker, 61, 120)
    end_run(room, maker, 120)
    room.ledger.rest()
    room.ledger.close()
    spoil(room.store / schema.FILE, "header")
    room.open()
    assert rescue(room)["tables"]["part"] == {"found": 120, "rescued": 120, "lost": 0}
    assert check(room.store).problems == []
