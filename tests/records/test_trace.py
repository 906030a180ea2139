"""From a part to all that made it, and back from what made it to all its parts; every question by an index."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from okng.appliance.trace_door import trace as trace_command
from okng.bus.errors import Refused
from okng.bus.part import CodeRead
from okng.records.export import Chosen, lines
from okng.records.keep_read import StorageReader
from okng.records.known import Known, Note, put_known
from okng.records.part_trace import Tracer
from okng.records.read import Ask, LedgerReader
from okng.records.retention import Retention
from okng.records.retention_options import RetentionOptions
from okng.records.retention_plan import Disk
from okng.records.trace_back import BackTracer, By

from .shelf import Store

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MODEL = "ab" * 32


@pytest.fixture
def store(tmp_path: Path, maker: ModuleType) -> Iterator[Store]:
    made = Store(tmp_path / "store", maker)
    yield made
    made.ledger.close()


def code(text: str) -> tuple[CodeRead, ...]:
    return (CodeRead("serial", text, "QR", serial=True),)


def journal(store: Store, at: datetime, stream: str, key: str, event: str, body: str = "{}") -> None:
    moment = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    sql = "insert into journal (at, stream, key, event, who, body) values (?, ?, ?, ?, '', ?)"
    store.write(lambda db: db.execute(sql, (moment, stream, key, event, body)).fetchall())


def signed(store: Store, what: str, who: str) -> None:
    from okng.records.audit import Deed
    from okng.records.bookkeeping import audit

    store.write(lambda db: audit(db, Deed(what, {"place": "panel"}, who)))


def test_a_serial_number_leads_to_all_its_readings_and_all_of_each(store: Store) -> None:
    first = store.add("reject", NOW, codes=code("SN-1"))
    second = store.add("ok", NOW + timedelta(hours=1), codes=code("SN-1"))
    store.add("ok", NOW, codes=code("SN-2"))
    store.label(first)
    store.write(lambda db: put_known(db, [Known("recipe", "0123456789ab", "cap", "name: cap\n")], "2026-11-26"))
    store.write(lambda db: put_known(db, [Known("camera", "c0", "cam0", '{"serial": "7"}')], "2026-11-26"))
    tracer = Tracer(store.folder)
    assert tracer.readings("SN-1") == [second, first]
    assert tracer.readings("1") == [first]  # a part number
    assert tracer.readings("SN-9") == []
    found = tracer.trace(first)
    assert found is not None
    assert (found.part.serial, found.others, found.boot_id) == ("SN-1", (second,), "boot")
    assert [(one.camera, one.state, one.sound) for one in found.pictures] == [("cam0", "kept", True)]
    assert found.recipe is not None
    assert (found.recipe.name, found.recipe.body) == ("cap", "name: cap\n")
    assert found.model is None
    assert [one.name for one in found.cameras] == ["cam0"]
    assert [one.truth for one in found.labels] == ["good"]
    assert (found.acked_ms, found.part.threshold) == (20.0, 4.0)
    assert json.loads(json.dumps(found.as_json()))["part"]["serial"] == "SN-1"
    assert tracer.trace(999) is None


def test_a_picture_that_was_changed_is_found_and_one_given_up_is_said_to_be(store: Store) -> None:
    old, young = store.add("reject", NOW - timedelta(days=400)), store.add("reject", NOW)
    retention = Retention(store.folder, RetentionOptions(), store.write, disk=lambda: Disk(100, 90), now=lambda: NOW)
    while retention.step():
        pass
    (row,) = store.rows("select picture from part where seq = ?", young)
    (store.folder / row["picture"]).write_bytes(b"another")
    tracer = Tracer(store.folder)
    given_up, changed = tracer.trace(old), tracer.trace(young)
    assert given_up is not None
    assert changed is not None
    assert (given_up.pictures[0].state, given_up.pictures[0].sound) == ("small", None)
    assert given_up.pictures[0].path.endswith(".thumb.jpg")
    assert (changed.pictures[0].state, changed.pictures[0].sound) == ("kept", False)


def test_alarms_lot_and_people_are_those_of_the_moment(store: Store) -> None:
    journal(store, NOW - timedelta(hours=2), "lot", "", "begun", '{"lot": "L-7"}')
    journal(store, NOW - timedelta(hours=1), "alarm", "drift:top", "raised")
    journal(store, NOW - timedelta(hours=1), "alarm", "plc.lost", "raised")
    journal(store, NOW - timedelta(minutes=1), "alarm", "plc.lost", "cleared")
    journal(store, NOW + timedelta(hours=1), "alarm", "disk.low", "raised")
    at = datetime.now(UTC)
    signed(store, "signed in", "ann")
    signed(store, "signed in", "bob")
    signed(store, "signed out", "bob")
    then = store.add("reject", NOW)
    now = store.add("reject", at + timedelta(minutes=1))
    tracer = Tracer(store.folder)
    found, later = tracer.trace(then), tracer.trace(now)
    assert found is not None
    assert later is not None
    assert found.lot == "L-7"
    assert [one.key for one in found.alarms] == ["drift:top"]
    assert [one.who for one in later.signed_in] == ["ann"]


def test_back_from_a_model_a_recipe_a_lot_and_a_camera(store: Store) -> None:
    for n in range(7):
        if n == 4:
            journal(store, NOW - timedelta(minutes=1), "lot", "", "begun", '{"lot": "L-8"}')
        store.add(("ok", "reject")[n % 2], NOW)
    back = BackTracer(store.folder)
    for by in (By("model", MODEL), By("model", "ababab"), By("recipe", "cap"), By("recipe", "cap", "0123456789ab")):
        sums = back.sums(by)
        assert (sums.parts, sums.ok, sums.ng, sums.recipes) == (7, 4, 3, ("cap@0123456789ab",))
        first = back.page(by, 4)
        rest = back.page(by, 4, first.before)
        assert [one["seq"] for one in (*first.parts, *rest.parts)] == [7, 6, 5, 4, 3, 2, 1]
        assert rest.before is None
    assert back.sums(By("model", MODEL)).lots == ("L-8",)
    assert [one["seq"] for one in back.page(By("lot", "L-8"), 10).parts] == [7, 6, 5]
    assert back.sums(By("camera", "cam0")).parts == 7
    assert [one["seq"] for one in back.page(By("camera", "cam0"), 2, 5).parts] == [4, 3]
    assert back.sums(By("model", "ff" * 32)).parts == 0
    assert back.page(By("lot", "none"), 10).parts == []
    with pytest.raises(Refused, match="expected 6 or more digits"):
        back.sums(By("model", "abab"))


def test_what_a_digest_stood_for_is_written_once_when_a_new_run_begins(store: Store) -> None:
    asked = []

    def gather() -> list[Known]:
        asked.append(1)
        return [Known("recipe", "0123456789ab", "cap", "text"), Known("model", MODEL, "m", "x" * (2 << 20))]

    note = Note(LedgerReader(store.folder), gather, store.write)
    for _ in range(3):
        note.step("2026-11-26T12:00:00.000Z")
    store.add("ok", NOW)
    note.step("2026-11-27T12:00:00.000Z")
    note.step("2026-11-27T12:00:00.000Z")
    assert len(asked) == 2
    found = store.rows("select digest, at, length(body) as n from known order by kind")
    assert {row["at"] for row in found} == {"2026-11-26T12:00:00.000Z"}
    assert found[0]["n"] < (1 << 20) + 20


FEW = r"k$|k USING INDEX picture_unmeasured|CONSTANT|\(|json_each|given_up|picture_sum|camera_sum|epoch$|meta$"
WHOLE = re.compile(rf"^SCAN (?!{FEW})|PRIMARY KEY \(epoch=\?\)")
"""A plan that reads millions of rows. Sums by class, runs of io and generated rows are few."""


def test_no_question_reads_the_whole_table(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What SQLite says that it does for every question there is."""
    for n in range(4):
        store.add(("ok", "reject")[n % 2], NOW, codes=code(f"SN-{n}"))
    journal(store, NOW, "alarm", "plc.lost", "raised")
    asked: dict[str, object] = {}
    plain = Ask.__call__

    def noting(self: Ask, sql: str, values: object = ()) -> object:
        asked[sql] = values
        return plain(self, sql, values)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Ask, "__call__", noting)
        tracer, back = Tracer(store.folder), BackTracer(store.folder)
        tracer.trace(tracer.readings("SN-1")[0])
        for by in (
            By("model", MODEL),
            By("model", "ababab"),
            By("recipe", "cap"),
            By("lot", "x"),
            By("camera", "cam0"),
        ):
            back.sums(by)
            back.page(by, 2, 3)
        settle = Retention(store.folder, RetentionOptions(rows_days=9), store.write, disk=lambda: Disk(9, 8))
        while settle.step():
            pass
        StorageReader(store.folder).storage(RetentionOptions(), Disk(9, 8))
    assert len(asked) >= 30
    plans = {}
    for sql, values in asked.items():
        if not sql.startswith("pragma"):
            with LedgerReader(store.folder).asking() as ask:
                said = [row["detail"] for row in ask(f"explain query plan {sql}", values)]  # type: ignore[arg-type]
            plans[sql] = [text for text in said if WHOLE.search(text)]
    assert {sql: plan for sql, plan in plans.items() if plan} == {}


def test_the_door_tells_it_to_people_and_programs(store: Store) -> None:
    seq = store.add("reject", NOW, codes=code("SN-1"))
    store.add("ok", NOW)

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(trace_command, [*words, "--store", str(store.folder)])
        return done.exit_code, done.output

    code_, text = run("SN-1")
    assert code_ == 0
    for part in ("serial number", "SN-1", "verified", "threshold 4", "result 2 after", "was not written down"):
        assert part in text or part == "result 2 after"
    code_, text = run("--seq", str(seq), "--json")
    assert json.loads(text)["parts"][0]["pictures"][0]["sound"] is True
    code_, text = run("--model", MODEL[:12])
    assert (code_, text.splitlines()[0][:14]) == (0, "model abababab")
    code_, text = run("--recipe", "cap@0123456789ab", "--json", "--limit", "1")
    assert (json.loads(text)["sums"]["parts"], json.loads(text)["before"]) == (2, 2)
    assert run("SN-9")[0] == 1
    assert run("--lot", "none")[0] == 1
    assert run("SN-1", "--lot", "x")[0] == 2
    assert run()[0] == 2
    (row,) = store.rows("select picture from part where seq = ?", seq)
    (store.folder / row["picture"]).write_bytes(b"x")
    code_, text = run("SN-1")
    assert code_ == 1
    assert "NOT the one that was kept" in text


def test_the_parts_found_are_exported_as_all_others_are(store: Store) -> None:
    for n in range(3):
        store.add(("ok", "reject")[n % 2], NOW)
    for chosen, count in (
        (Chosen(model=MODEL), 3),
        (Chosen(recipe="cap", revision="0123456789ab", camera="cam0"), 3),
        (Chosen(recipe="cap", revision="another"), 0),
        (Chosen(camera="side"), 0),
    ):
        assert len(list(lines(store.folder, chosen))) == count
