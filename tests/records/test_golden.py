"""A part marked as golden by hand stays, whatever retention takes; taken back it goes with its class."""

from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from okng.appliance.trace_door import trace as trace_command
from okng.bus.asks import new_id
from okng.records.gallery_read import GalleryReader, Wanted
from okng.records.part_trace import Tracer
from okng.records.people_read import PeopleReader
from okng.records.people_rows import Golden
from okng.records.retention import Retention
from okng.records.retention_options import RetentionOptions
from okng.records.retention_plan import Disk

from .shelf import Store

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
FULL = Disk(1000, 10)


@pytest.fixture
def store(room: Any, maker: ModuleType) -> Store:
    """Parts of the room's ledger: 1 and 2 passed, 3 is a reject; all are old."""
    made = Store(room.store, maker, room.ledger)
    for kind in ("ok", "ok", "reject"):
        made.add(kind, NOW - timedelta(days=800))
    room.staff()
    return made


def kept_after(store: Store, options: RetentionOptions, disk: Disk) -> list[int]:
    retention = Retention(store.folder, options, store.write, disk=lambda: disk, now=lambda: NOW)
    while retention.step():
        pass
    return [row["seq"] for row in store.rows("select seq from part where picture_kept order by seq")]


def test_its_pictures_stay_by_age_and_on_a_full_disk_and_its_row_too(room: Any, store: Store) -> None:
    answer = room.ask("golden.set", "eve", why="limit sample", seq=1)
    assert answer.done, answer.detail
    assert kept_after(store, RetentionOptions(rows_days=30), FULL) == [1]
    assert [row["seq"] for row in store.rows("select seq from part order by seq")] == [1]
    (row,) = PeopleReader(room.store).golden()
    assert (row.seq, row.who, row.why) == (1, "eve", "limit sample")


def test_taken_back_it_goes_with_its_class(room: Any, store: Store) -> None:
    assert room.ask("golden.set", "eve", why="reference", seq=1).done
    assert room.ask("golden.end", "eve", why="a better one came", seq=1).done
    trail = [(one.what, one.who, one.why, one.old) for one in PeopleReader(room.store).audit_page(limit=2)]
    assert trail[1] == ("golden set", "eve", "reference", None)
    what, who, why, old = trail[0]
    assert (what, who, why) == ("golden taken back", "eve", "a better one came")
    assert (old[0], old[2]) == ("eve", "reference")
    assert PeopleReader(room.store).golden() == []
    assert kept_after(store, RetentionOptions(), Disk(1000, 900)) == []


def test_it_takes_the_right_a_reason_and_a_part(room: Any, store: Store) -> None:
    assert "has not the right label.draw" in room.ask("golden.set", "oli", why="x", seq=1).detail
    assert "expected a reason" in room.ask("golden.set", "eve", seq=1).detail
    assert "expected a reason" in room.ask("golden.set", "eve", why="  ", seq=1).detail
    assert "none of that number" in room.ask("golden.set", "eve", why="x", seq=99).detail
    assert "not marked" in room.ask("golden.end", "eve", why="x", seq=1).detail
    assert room.ask("golden.set", "eve", why="first", seq=1).done
    assert "golden already: eve" in room.ask("golden.set", "eve", why="again", seq=1).detail
    assert "expected a reason" in room.ask("golden.end", "eve", seq=1).detail
    assert [one.why for one in PeopleReader(room.store).golden()] == ["first"]


def test_what_a_study_holds_is_not_golden_by_hand_and_stays_held(room: Any, store: Store) -> None:
    study = ("gauge", '{"seqs": [1, 3]}', "lea", "2026-11-01T00:00:00.000Z")
    sql = "insert into study (name, body, who, at) values (?, ?, ?, ?)"
    store.write(lambda db: db.execute(sql, study).fetchall())
    assert PeopleReader(room.store).golden() == []
    assert "not marked" in room.ask("golden.end", "eve", why="x", seq=1).detail
    assert room.ask("golden.set", "eve", why="study it in class", seq=1).done
    assert [one.why for one in PeopleReader(room.store).golden()] == ["“study it in class”"]
    assert room.ask("golden.end", "eve", why="x", seq=1).done
    assert kept_after(store, RetentionOptions(), FULL) == [1, 3]
    assert {row["why"] for row in store.rows("select why from marked")} == {"study gauge"}


def test_it_is_found_by_its_filter_and_told_in_its_history(room: Any, store: Store) -> None:
    for seq in (2, 3):
        assert room.ask("golden.set", "eve", why="reference", seq=seq).done
    gallery = GalleryReader(room.store)
    assert [row.seq for row in gallery.page(Wanted(golden=True), 10).rows] == [3]
    assert [row.seq for row in gallery.page(Wanted("ok", golden=True), 10).rows] == [2]
    assert [row.seq for row in gallery.page(Wanted("ok", golden=True, unreviewed=True), 10).rows] == []
    story = gallery.story(3)
    assert story is not None
    assert isinstance(story.golden, Golden)
    assert gallery.story(1).golden is None  # type: ignore[union-attr]
    trace = Tracer(room.store).trace(3)
    assert trace is not None
    assert trace.as_json()["golden"]["who"] == "eve"
    found = CliRunner().invoke(trace_command, ["--store", str(room.store), "--seq", "3"])
    assert "golden:" in found.output
    assert "reference, eve, " in found.output


def test_a_repeat_of_the_same_ask_is_answered_and_not_done_twice(room: Any, store: Store) -> None:
    same = new_id()
    assert all(room.ask("golden.set", "eve", again=same, why="x", seq=1).done for _ in range(2))
    assert sum(what == "golden set" for what in room.trail()) == 1


def test_a_list_of_them_goes_page_by_page(room: Any, store: Store) -> None:
    for seq in (1, 2, 3):
        assert room.ask("golden.set", "eve", why="x", seq=seq).done
    reader = PeopleReader(room.store)
    assert [one.seq for one in reader.golden(2)] == [3, 2]
    assert [one.seq for one in reader.golden(2, before=2)] == [1]
