"""What leaves the box: each row has its number in its own transaction, and its event says the same at each reading."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import apsw
import pytest

from okng.bus.asks import new_id
from okng.bus.part import Why
from okng.records import schema
from okng.records.check import check
from okng.records.leaving import DIFFERING, Leaving, Priority
from okng.records.ledger import Ledger, LedgerDamaged, LedgerStuck, Ripe
from okng.records.outbox_read import OutboxReader, Outgoing, StreamHead
from okng.records.outgoing import STREAMS
from okng.records.restore import restore
from okng.records.rows import as_json, sha256
from okng.records.salvage import Salvage, unfinished
from okng.records.schema_outgoing import OUTGOING
from okng.records.uplink_note import FILE as NOTE
from okng.records.uplink_note import beside
from okng.tests.nth import NTH, each_failure, failing

from .conftest import Room
from .shelf import Store

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PICTURES = Leaving("pictures", ok_sample_percent=100.0)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A desk with a folder beside its store that is its own, as on a box."""
    made = Room(tmp_path / "store", Leaving())
    yield made
    made.backups.close()
    made.ledger.close()


@pytest.fixture
def line(room: Any, maker: ModuleType) -> Any:
    """Staff, and five parts: 2 and 4 NG."""
    room.staff()
    fill(room, maker, 1, 5)
    return room


def fill(room: Any, maker: ModuleType, first: int, last: int) -> None:
    for part in range(first, last + 1):
        why = Why.OK if part % 2 else Why.NG
        room.ledger.store(
            [Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part, why))]
        )


def read(store: Path, stream: str, epoch: int | None = None, rule: Leaving | None = None) -> list[Outgoing]:
    found = OutboxReader(store, rule).outgoing(stream, 0, 1000, epoch)
    assert [one.seq for one in found] == list(range(1, len(found) + 1))
    for one in found:
        assert sha256(one.body) == one.sha256
        assert as_json(json.loads(one.body)).encode() == one.body
    return found


def bodies(store: Path, stream: str, epoch: int | None = None) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in read(store, stream, epoch)]


def heads(store: Path) -> dict[tuple[str, int], int]:
    return {(one.name, one.epoch): one.newest for one in OutboxReader(store).streams()}


def acked(store: Path, pictures: dict[int, int] | None = None, **streams: int) -> None:
    folder = beside(store)
    folder.mkdir(exist_ok=True)
    epochs = {stream: {"1": n} for stream, n in streams.items()}
    said = {"box": "b", "epochs": epochs, "pictures": {str(one): n for one, n in (pictures or {}).items()}}
    (folder / NOTE).write_text(json.dumps(said))


def test_every_part_goes_out_with_all_that_is_joined_to_it(line: Any, maker: ModuleType) -> None:
    found = read(line.store, "records")
    assert [(one.kind, one.at) for one in found] == [("part", maker.TAKEN)] * 5
    said = json.loads(found[1].body)
    posted = {json.loads(body)["part"]: json.loads(body) for (body,) in line.rows("select body from outbox")}
    # All that the reject's event of before said, but what is only of this disk, or may change.
    gone = {"picture", "picture_sha256", "picture_kept", "serial_before"}
    assert said == {name: value for name, value in posted[2].items() if name not in gone}
    assert [json.loads(one.body)["outcome"] for one in found] == ["OK", "NG", "OK", "NG", "OK"]
    assert said["epoch"] == "run-1"
    assert check(line.store).problems == []


def test_nothing_that_happens_later_changes_what_an_event_says(line: Any) -> None:
    before = {stream: read(line.store, stream) for stream in STREAMS}
    line.done("label.set", "oli", seq=2, truth="good")
    line.done("escape.set", "oli", seq=3, found_at="customer", what="leaks")
    line.done("drawing.set", "eve", seq=4, body=None)
    with line.ledger.transaction() as db:
        db.execute("update part set picture_kept = 0, serial_before = 1").fetchall()
    line.restart()
    for stream, events in before.items():
        assert read(line.store, stream)[: len(events)] == events


def test_what_people_say_goes_out_with_the_part_it_is_of(line: Any) -> None:
    n = line.done("label.set", "oli", seq=2, truth="defect", kind="dent")["n"]
    line.done("label.undo", "oli", n=n)
    line.done("part.reviewed", "pia", seqs=[4])
    line.done("escape.set", "oli", seq=3, found_at="customer", what="leaks")
    line.done("escape.set", "oli", serial="S-1", found_at="customer", what="bent")
    found = bodies(line.store, "labels")
    assert [(one["what"], one["seq"], one["part"], one["who"]) for one in found] == [
        ("label", 2, 2, "oli"),
        ("undone", 2, 2, "oli"),
        ("reviewed", 4, 4, "pia"),
        ("escape", 3, 3, "oli"),
        ("escape", None, 0, "oli"),
    ]
    assert (found[0]["truth"], found[0]["defect"], found[0]["epoch"], found[0]["part_epoch"]) == (
        "defect",
        "dent",
        "run-1",
        1,
    )
    assert (found[3]["found_at"], found[3]["told"], found[4]["serial"]) == ("customer", "leaks", "S-1")


def test_alarms_audit_and_heads_have_streams_of_their_own(line: Any) -> None:
    line.done("journal.add", stream="alarm", key="camera.lost:top", event="raised", body={"kind": "camera.lost"})
    line.done("journal.add", stream="lot", key="L1", event="begun", body={})
    (alarm,) = bodies(line.store, "alarms")
    assert (alarm["key"], alarm["event"], alarm["kind"], alarm["who"]) == (
        "camera.lost:top",
        "raised",
        "camera.lost",
        "",
    )
    line.done("audit.head")
    (head,) = bodies(line.store, "heads")
    assert set(head) == {"body", "signature", "key"}
    trail = line.rows("select n, body, hash from audit order by n")
    sent = bodies(line.store, "audit")
    told = [(one["entry"]["n"], one["hash"]) for one in sent]
    assert told == [(n, digest) for n, _, digest in trail][-len(told) :]
    assert len(told) >= 6  # all since the box joined


def test_a_step_of_the_ladder_is_one_line_of_the_trail_and_one_event(line: Any) -> None:
    step = {"bundle": "ab" * 32, "recipe": "cap", "from": "SHADOW", "to": "CANARY", "reason": "", "figures": {"n": 9}}
    again = new_id()
    first = line.ask("ladder.step", again=again, **step)
    line.restart()
    assert line.ask("ladder.step", again=again, **step).body == first.body
    (event,) = bodies(line.store, "ladder")
    assert {**step, "n": first.body["n"]} == {name: event[name] for name in (*step, "n")}
    assert line.trail()[-1] == "ladder"
    assert "bundle: String should match" in line.refused("ladder.step", bundle="x", recipe="", to="GOLDEN")
    assert "to: Input should be" in line.refused("ladder.step", bundle="ab" * 32, recipe="", to="TOP")


def differing(*seqs: int, bundle: str = "cd" * 32, **more: Any) -> dict[str, Any]:
    part = {"role": "shadow", "champion": "OK", "challenger": "NG", "champion_score": 0.9, "challenger_score": 1.25}
    parts = [{"seq": seq, **part, **more} for seq in seqs]
    return {"bundle": bundle, "champion": "ab" * 32, "recipe": "cap", "parts": parts}


def test_a_part_that_a_challenger_differs_on_is_told_once(line: Any) -> None:
    step = {"bundle": "cd" * 32, "recipe": "cap", "to": "SHADOW"}
    line.done("ladder.step", **step)
    assert line.done("ladder.differs", **differing(1, 3)) == {"told": 2, "most": 500}
    line.restart()
    trail = line.trail()
    assert line.done("ladder.differs", **differing(3, 4, 99)) == {"told": 3, "most": 500}  # 99 is not there
    assert line.done("ladder.differs", **differing(3, bundle="ef" * 32))["told"] == 1  # another one's
    assert line.done("ladder.differs", **differing(5, challenger="OK"))["told"] == 3  # they agree
    assert line.trail() == trail  # nobody did anything
    _, *told = bodies(line.store, "ladder")
    assert [(one["bundle"][:2], one["seq"], one["n"]) for one in told] == [
        *(("cd", 1, 1), ("cd", 3, 2), ("cd", 4, 3)),
        ("ef", 3, 1),
    ]
    event = {name: told[0][name] for name in told[0] if name not in ("at", "taken_at")}
    assert event == {
        "what": "differs",
        "bundle": "cd" * 32,
        "champion": "ab" * 32,
        "recipe": "cap",
        "seq": 1,
        "part": 1,
        "epoch": "run-1",
        "part_epoch": 1,
        "role": "shadow",
        "champion_outcome": "OK",
        "challenger_outcome": "NG",
        "champion_score": 0.9,
        "challenger_score": 1.25,
        "n": 1,
        "most": 500,
    }
    assert [one.kind for one in read(line.store, "ladder")] == ["ladder"] * 5
    assert check(line.store).problems == []
    assert "champion: Input should be" in line.refused("ladder.differs", **differing(1, champion="UNJUDGED"))
    assert "finite number" in line.refused("ladder.differs", **differing(1, challenger_score=float("inf")))
    assert "at most 50" in line.refused("ladder.differs", **differing(*range(1, 52)))


def test_of_a_challenger_that_differs_everywhere_the_first_parts_are_told_then_none(
    line: Any, maker: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("okng.records.ladder.MOST_DIFFERING", 7)
    fill(line, maker, 6, 12)
    assert line.done("ladder.differs", **differing(1, 2, 3, 4, 5))["told"] == 5
    for _ in range(2):
        assert line.done("ladder.differs", **differing(5, 6, 7, 8, 9)) == {"told": 7, "most": 7}
    assert [one["seq"] for one in bodies(line.store, "ladder")] == [1, 2, 3, 4, 5, 6, 7]
    assert line.done("ladder.differs", **differing(9, bundle="ef" * 32))["told"] == 1


def test_pictures_of_differing_parts_leave_where_they_were_kept(tmp_path: Path, maker: ModuleType) -> None:
    room = Room(tmp_path / "store", Leaving("pictures", ok_sample_percent=0.0))
    store = Store(room.store, maker, room.ledger)
    seqs = [store.add(kind, NOW) for kind in ("ok", "reject", "ok", "challenge")]
    reader = OutboxReader(room.store, Leaving("pictures", ok_sample_percent=0.0))
    assert reader.pictures_to_send(0, 10, DIFFERING) == []
    room.done("ladder.differs", **differing(seqs[0], seqs[1], seqs[3]))
    found = reader.pictures_to_send(0, 10, DIFFERING)
    # The reject goes by itself, too; what was shown for the challenge test is no part.
    assert [(one.part_seq, one.priority, one.kind) for one in found] == [
        (seqs[0], 3, "picture"),
        (seqs[1], 3, "picture"),
    ]
    assert sha256(found[0].path.read_bytes()) == found[0].sha256
    assert [one.part_seq for one in reader.pictures_to_send(0, 10)] == [seqs[1]]
    assert reader.pictures_to_send(seqs[1], 10, DIFFERING) == []
    assert OutboxReader(room.store, Leaving("records")).pictures_to_send(0, 10, DIFFERING) == []
    room.backups.close()
    room.ledger.close()


def test_what_a_box_without_a_fleet_sees_differ_is_told_to_nobody(room: Any, maker: ModuleType) -> None:
    room.leaving = Leaving("nothing")
    room.restart()
    fill(room, maker, 1, 2)
    assert room.done("ladder.differs", **differing(1))["told"] == 0
    room.leaving = Leaving()
    room.restart()
    assert room.done("ladder.differs", **differing(1))["told"] == 0  # the fleet knows nothing of that part
    assert room.rows("select count(*) as n from outgoing where stream = 'ladder'") == [(0,)]


def test_the_floor_of_a_channel_never_goes_down(line: Any) -> None:
    reader = OutboxReader(line.store)
    assert reader.floor("line1/cap") == 0
    assert line.done("ladder.floor", channel="line1/cap", seq=7) == {"seq": 7}
    assert line.done("ladder.floor", channel="line1/cap", seq=3) == {"seq": 7}
    line.restart()
    assert (reader.floor("line1/cap"), reader.floor("line1/lid")) == (7, 0)
    assert line.trail()[-1] == "ladder floor"


def test_a_box_without_a_fleet_numbers_nothing_and_begins_when_it_joins(room: Any, maker: ModuleType) -> None:
    room.leaving = Leaving("nothing")
    room.restart()
    fill(room, maker, 1, 3)
    assert OutboxReader(room.store, Leaving("nothing")).streams() == ()
    assert room.rows("select count(*) from outgoing where stream = 'records'") == [(0,)]
    room.leaving = Leaving()
    room.restart()
    fill(room, maker, 4, 5)
    assert [one["part"] for one in bodies(room.store, "records")] == [4, 5]
    room.leaving = None  # as who only mends something opens it: all goes on as it was
    room.restart()
    fill(room, maker, 6, 6)
    assert [one["part"] for one in bodies(room.store, "records")] == [4, 5, 6]
    assert OutboxReader(room.store, Leaving("nothing")).outgoing("records", 0, 10) == []


def test_an_older_ledger_gets_its_streams(tmp_path: Path, maker: ModuleType) -> None:
    """The file of the version before, with parts: they stay on the box, new ones go out."""
    store = tmp_path / "store"
    ledger = Ledger(store)
    ledger.store([Ripe(maker.trigger_entry(1, 1)), Ripe(maker.record_entry(2, 1, Why.NG))])
    ledger.close()
    at = schema.MIGRATIONS.index(OUTGOING)
    db = apsw.Connection(str(store / schema.FILE))
    db.execute("drop table outgoing; drop table sending; drop table floor; drop table dead_letter")
    db.pragma("user_version", at)
    db.close()
    ledger = Ledger(store, leaving=Leaving())
    ledger.store([Ripe(maker.trigger_entry(3, 2)), Ripe(maker.record_entry(4, 2))])
    ledger.close()
    assert [one["part"] for one in bodies(store, "records")] == [2]
    assert heads(store)["records", 1] == 1
    assert check(store).problems == []


def test_a_restored_ledger_goes_on_under_a_new_epoch_with_new_numbers(line: Any, maker: ModuleType) -> None:
    copy = Path(line.store / line.done("backup.make", "ann")["file"])
    line.backups.close()
    before, newest = read(line.store, "records"), heads(line.store)["records", 1]
    fill(line, maker, 6, 7)
    line.ledger.mark()
    line.ledger.close()
    restore(line.store, copy)
    line.open()
    fill(line, maker, 6, 8)
    assert heads(line.store)["records", 1] == newest == 5
    assert read(line.store, "records", 1) == before
    again = bodies(line.store, "records")
    assert [one["part"] for one in again] == [6, 7, 8]
    assert min(one["seq"] for one in again) > 7  # 6 and 7 were other parts, and may be known elsewhere
    assert list(heads(line.store)).index(("records", 1)) < list(heads(line.store)).index(("records", 2))
    assert check(line.store).problems == []


def test_a_copy_that_somebody_put_back_is_known_by_what_the_service_has(line: Any, maker: ModuleType) -> None:
    line.ledger.rest()
    line.ledger.close()
    shutil.copyfile(line.store / schema.FILE, line.store.parent / "copy.db")
    note = (line.store / "lineage.json").read_bytes()
    line.open()
    fill(line, maker, 6, 7)
    acked(line.store, records=7)
    line.ledger.close()
    for ending in ("-wal", "-shm"):
        (line.store / (schema.FILE + ending)).unlink(missing_ok=True)
    shutil.copyfile(line.store.parent / "copy.db", line.store / schema.FILE)
    (line.store / "lineage.json").write_bytes(note)  # the note too
    line.open()
    fill(line, maker, 6, 6)
    assert heads(line.store)["records", 2] == 1
    line.ledger.close()
    for file in (schema.FILE, "lineage.json"):
        (line.store / file).unlink()
    for ending in ("-wal", "-shm"):
        (line.store / (schema.FILE + ending)).unlink(missing_ok=True)
    acked(line.store, records=7)
    line.open()  # nothing of the store was left
    assert {epoch for _, epoch in heads(line.store)} == {2}


def test_a_part_that_gave_way_says_what_it_said_and_is_withdrawn(room: Any, maker: ModuleType) -> None:
    room.ledger.store([Ripe(maker.trigger_entry(1, 1))])
    room.ledger.store([Ripe(maker.trigger_entry(1, 9, "run-2"))])
    room.ledger.recover("run-1")
    (before,) = read(room.store, "records")
    room.ledger.store([Ripe(maker.record_entry(2, 1, Why.NG))])
    first, second = read(room.store, "records")
    assert first == before
    assert (json.loads(first.body)["recovered"], json.loads(second.body)["recovered"]) == (True, False)
    (said,) = bodies(room.store, "labels")
    assert (said["what"], said["seq"], said["by"]) == (
        "withdrawn",
        json.loads(first.body)["seq"],
        json.loads(second.body)["seq"],
    )
    assert [text for text in check(room.store).problems if "event" in text] == []


def test_after_a_rescue_the_old_epoch_is_whole(line: Any, maker: ModuleType) -> None:
    line.done("label.set", "oli", seq=2, truth="good")
    line.done("ladder.step", bundle="ab" * 32, recipe="cap", to="OFFERED")
    line.done("ladder.floor", channel="line1/cap", seq=9)
    before = {stream: read(line.store, stream) for stream in STREAMS}
    line.ledger.mark()
    line.ledger.rest()
    line.ledger.close()
    data = bytearray((line.store / schema.FILE).read_bytes())
    data[:4096] = bytes(4096)
    (line.store / schema.FILE).write_bytes(data)
    line.open()
    fill(line, maker, 6, 7)
    assert {epoch for _, epoch in heads(line.store)} == {2}  # the old one waits for the rescue
    line.done("ladder.floor", channel="line1/cap", seq=3)
    work = Salvage(line.ledger, line.store)
    while unfinished(line.store):
        work.turn(idle=True)
    work.close()
    for stream, events in before.items():
        assert read(line.store, stream, 1) == events, stream
    assert [one["part"] for one in bodies(line.store, "records", 2)] == [6, 7]
    assert OutboxReader(line.store).floor("line1/cap") == 9
    assert check(line.store).problems == []


def test_a_number_whose_row_is_gone_comes_as_dropped(line: Any) -> None:
    with line.ledger.transaction() as db:
        db.execute("delete from outgoing where stream = 'records' and seq = 2").fetchall()
        db.execute("update outgoing set kind = 'dropped' where stream = 'records' and seq = 4").fetchall()
    found = read(line.store, "records")
    assert [one.kind for one in found] == ["part", "dropped", "part", "dropped", "part"]
    assert [json.loads(one.body) for one in found if one.kind == "dropped"] == [{"seq_part": None}, {"seq_part": 4}]
    with pytest.raises(ValueError, match=r"expected 1\.\.1000"):
        OutboxReader(line.store).outgoing("records", 0, 1001)
    assert OutboxReader(line.store).outgoing("records", 5, 10) == []
    assert OutboxReader(line.store).outgoing("strange", 0, 10) == []


def test_pictures_are_named_only_where_they_leave(tmp_path: Path, maker: ModuleType) -> None:
    for rule, named in (("records", 0), ("crops", 0), ("pictures", 2)):
        ledger = Ledger(tmp_path / rule / "store", leaving=Leaving(rule, ok_sample_percent=0.0))  # type: ignore[arg-type]
        store = Store(ledger.path.parent, maker, ledger)
        for kind in ("ok", "uncertain", "reject", "challenge"):
            store.add(kind, NOW)
        told = [one.get("picture_sha256") for one in bodies(store.folder, "records")]
        assert sum(one is not None for one in told) == named
        assert (told[1] is not None, told[2] is not None) == (bool(named), bool(named))
        ledger.close()


def test_the_pictures_that_leave_come_by_their_weight(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path / "store", leaving=PICTURES)
    store = Store(ledger.path.parent, maker, ledger)
    seqs = [store.add(kind, NOW) for kind in ("ok", "uncertain", "reject", "challenge", "reject", "ok")]
    reader = OutboxReader(store.folder, PICTURES)
    found = reader.pictures_to_send(0, 100)
    assert [(one.part_seq, one.priority, one.kind) for one in found] == [
        (seqs[0], 2, "picture"),
        (seqs[1], 1, "picture"),
        (seqs[2], 0, "picture"),
        (seqs[4], 0, "picture"),
        (seqs[5], 2, "picture"),
    ]
    for one in found:
        assert (sha256(one.path.read_bytes()), one.path.stat().st_size) == (one.sha256, one.size)
        assert one.epoch == 1
    assert [one.part_seq for one in reader.pictures_to_send(seqs[2], 1, Priority.REJECT)] == [seqs[4]]
    few = OutboxReader(store.folder, Leaving("pictures", ok_sample_percent=0.0))
    assert [one.priority for one in few.pictures_to_send(0, 100)] == [1, 0, 0]
    assert OutboxReader(store.folder, Leaving("records")).pictures_to_send(0, 100) == []
    ledger.close()


def test_a_sample_is_drawn_by_the_part_itself() -> None:
    part = {"action": "PASS", "why": "ok", "outcome": "OK", "score": 1.0, "threshold": 4.0, "taken_at": "t"}
    rule = Leaving("pictures", ok_sample_percent=10.0)
    drawn = [rule.priority({**part, "part": n, "triggered_ns": n * 7}) for n in range(5000)]
    assert drawn == [rule.priority({**part, "part": n, "triggered_ns": n * 7}) for n in range(5000)]
    assert 400 < sum(one is not None for one in drawn) < 600
    near = {**part, "part": 1, "triggered_ns": 1}
    assert Leaving("pictures", 0.0, 0.1).priority({**near, "score": 3.61}) is Priority.UNCERTAIN
    assert Leaving("pictures", 0.0, 0.1).priority({**near, "score": 3.59}) is None


def test_a_row_of_a_stream_is_cheap(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path, leaving=Leaving())
    for first in range(1, 3001, 100):
        batch: list[Ripe] = []
        for part in range(first, first + 100):
            batch += [Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part))]
        ledger.store(batch)
    ledger.rest()
    with OutboxReader(tmp_path).asking() as ask:
        sql = "select sum(pgsize) as n from dbstat where name in ('outgoing', 'outgoing_part')"
        (size,) = ask(sql)
        (whole,) = ask("select sum(pgsize) as n from dbstat")
    assert size["n"] / 3000 < 64
    assert size["n"] < whole["n"] / 10
    ledger.close()


@pytest.fixture
def failing_disk() -> Iterator[None]:
    with failing():
        yield


@pytest.mark.usefixtures("failing_disk")
def test_whatever_operation_fails_no_number_is_lost_or_used_twice(tmp_path: Path, maker: ModuleType) -> None:
    template = tmp_path / "template"
    Ledger(template, leaving=Leaving()).close()

    def put(ledger: Ledger, part: int) -> None:
        for _ in range(5):
            try:
                ledger.store([Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part))])
            except (LedgerStuck, LedgerDamaged):
                ledger.reopen()
            else:
                return

    def opened(store: Path) -> Ledger:
        for _ in range(5):
            try:
                return Ledger(store, leaving=Leaving())
            except LedgerStuck:
                continue
        raise AssertionError("it never opens")

    def work(point: int) -> Path:
        NTH.armed = False
        store = shutil.copytree(template, tmp_path / str(point))
        NTH.armed = True
        ledger = opened(store)
        for part in range(1, 5):
            put(ledger, part)
        ledger.close()
        return store

    def judge(point: int, store: Path, failed: bool) -> None:
        found = OutboxReader(store).streams()
        parts = [
            json.loads(one.body)["part"]
            for head in found
            if head.name == "records"
            for one in OutboxReader(store).outgoing("records", 0, 100, head.epoch)
        ]
        assert parts == [1, 2, 3, 4]
        assert check(store).problems == []
        shutil.rmtree(store)

    assert each_failure(work, partial(judge)) > 10


def test_an_empty_ledger_has_all_streams(tmp_path: Path) -> None:
    Ledger(tmp_path, leaving=Leaving()).close()
    found = OutboxReader(tmp_path).streams()
    assert [one.name for one in found] == list(STREAMS)
    assert found[3] == StreamHead("records", 1, 0)
