"""Retention: what goes, in what order, what never does, and what a kill leaves behind."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from okng.bus.clock import SECOND, now_ns
from okng.records import retention as module
from okng.records import sweep
from okng.records.check import check
from okng.records.ledger import Ripe
from okng.records.retention import Retention
from okng.records.retention_options import RetentionOptions
from okng.records.retention_plan import Disk, Growth, Stock, Wish, days_left, drains, next_wish, too_soon
from okng.records.rows import thumb_path
from okng.records.schema import FILE
from okng.records.seal_verify import verify

from .shelf import Store

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ROOMY = Disk(10**12, 9 * 10**11)


@pytest.fixture
def store(tmp_path: Path, maker: ModuleType) -> Iterator[Store]:
    made = Store(tmp_path / "store", maker)
    yield made
    made.ledger.close()


def looking(
    store: Store, options: RetentionOptions | None = None, disk: Callable[[], Disk] = lambda: ROOMY, **more: object
) -> Retention:
    return Retention(
        store.folder,
        options or RetentionOptions(),
        store.write,
        disk=disk,
        now=lambda: NOW,
        **more,  # type: ignore[arg-type]
    )


def settle(retention: Retention) -> None:
    for _ in range(500):
        if not retention.step():
            return
    raise AssertionError("it never comes to rest")


def kept(store: Store) -> list[int]:
    return [row["seq"] for row in store.rows("select seq from part where picture_kept order by seq")]


def small_disk(store: Store, total: int, other: int = 0) -> Callable[[], Disk]:
    """A disk on which nothing but pictures, and so many other bytes, take room."""

    def disk() -> Disk:
        used = other + sum((store.folder / name).stat().st_size for name in store.files())
        return Disk(total, max(0, total - used))

    return disk


def test_pictures_have_their_class_and_a_label_changes_it(store: Store) -> None:
    seqs = {kind: store.add(kind, NOW) for kind in ("ok", "uncertain", "reject", "challenge")}
    said = {row["seq"]: row["class"] for row in store.rows("select seq, class from picture")}
    assert said == {seq: kind for kind, seq in seqs.items()}
    store.label(seqs["ok"])
    assert store.rows("select class from picture where seq = ?", seqs["ok"]) == [{"class": "golden"}]
    store.write(lambda db: db.execute("update label set undone_at = 'now'").fetchall())
    assert store.rows("select class from picture where seq = ?", seqs["ok"]) == [{"class": "ok"}]
    settle(looking(store))
    sums = {row["class"]: row["pictures"] for row in store.rows("select * from picture_sum where pictures")}
    assert sums == {"ok": 1, "uncertain": 1, "reject": 1, "challenge": 1}
    assert all(row["unmeasured"] == 0 for row in store.rows("select * from picture_sum"))


def test_age_takes_what_has_had_its_days_and_a_reject_leaves_a_small_picture(store: Store) -> None:
    old_ok, new_ok = store.add("ok", NOW - 31 * DAY), store.add("ok", NOW - 29 * DAY)
    old_reject = store.add("reject", NOW - 366 * DAY)
    labelled = store.add("reject", NOW - 3000 * DAY)
    store.label(labelled)
    (row,) = store.rows("select picture from part where seq = ?", old_reject)
    settle(looking(store))
    assert kept(store) == [new_ok, labelled]
    assert thumb_path(row["picture"]) in store.files()
    assert row["picture"] not in store.files()
    gone = store.rows("select class, pictures, unsent from given_up order by class")
    assert gone == [
        {"class": "ok", "pictures": 1, "unsent": 0},
        {"class": "reject", "pictures": 1, "unsent": 0},
    ]
    (said,) = store.rows("select body from audit where json_extract(body, '$.what') = 'retention'")
    assert json.loads(said["body"])["object"]["gone"] == {"age": {"ok": 1, "reject": 1}}
    assert check(store.folder, full=True).problems == []
    assert old_ok not in kept(store)


def test_a_small_picture_goes_by_its_own_days(store: Store) -> None:
    store.add("reject", NOW - 400 * DAY)
    settle(looking(store))
    assert len(store.files()) == 1
    settle(looking(store, RetentionOptions(thumb_days=399)))
    assert store.files() == set()
    assert store.rows("select * from picture") == []


def test_nothing_goes_by_its_age_while_the_clock_is_not_believed(store: Store) -> None:
    seq = store.add("ok", NOW - 31 * DAY)
    settle(looking(store, doubt=lambda: "it is 1970"))
    assert kept(store) == [seq]


def test_a_quota_takes_the_oldest_of_its_class_alone(store: Store) -> None:
    for age in range(5, 0, -1):
        store.add("reject", NOW - age * DAY, size=400_000)
    store.add("ok", NOW - 9 * DAY, size=400_000)
    settle(looking(store, RetentionOptions(reject_gb=0.001)))
    assert kept(store) == [4, 5, 6]
    (held,) = store.rows("select bytes from picture_sum where class = 'reject'")
    assert held["bytes"] <= 1_000_000


def test_a_full_disk_takes_passed_parts_first_and_stops_at_the_low_mark(store: Store) -> None:
    for kind in ("reject", "ok", "uncertain", "ok", "reject", "ok"):
        store.add(kind, NOW - DAY, size=100_000)
    retention = looking(store, disk=small_disk(store, 700_000))  # 600 of 700 kB: 86 %
    settle(retention)
    assert kept(store) == [1, 3, 4, 5, 6]
    assert not retention.told.draining
    assert retention.told.used_percent <= 75


def test_a_full_disk_never_takes_what_a_person_spoke_of(store: Store) -> None:
    for _ in range(3):
        store.label(store.add("reject", NOW - DAY, size=100_000))
    retention = looking(store, disk=small_disk(store, 310_000))
    settle(retention)
    assert kept(store) == [1, 2, 3]


def cloud(folder: Path, acked: int, lineage: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    said = {"box": "b", "lineage": lineage, "acked": acked, "planned": acked}
    (folder / "push-rejects.json").write_text(json.dumps(said))
    return folder


def test_what_the_cloud_is_owed_goes_over_the_hard_cap_only_and_is_counted(store: Store, tmp_path: Path) -> None:
    for _ in range(4):
        store.add("reject", NOW - DAY, size=100_000)
    notes = cloud(tmp_path / "sync", 1)
    retention = looking(store, disk=small_disk(store, 440_000), cloud=notes)  # 90 %
    settle(retention)
    assert kept(store) == [2, 3, 4]
    assert (retention.told.unsent, retention.told.given_up) == (3, 0)
    full = looking(store, disk=small_disk(store, 450_000, other=140_000), cloud=notes)  # 98 %
    settle(full)
    full.step()
    assert kept(store) == [3, 4]
    assert full.told.given_up == 1
    (gone,) = store.rows("select * from given_up where unsent")
    assert (gone["class"], gone["pictures"], gone["unsent"]) == ("reject", 2, 1)


def test_while_rows_are_rescued_every_reject_may_be_owed(store: Store, tmp_path: Path) -> None:
    """Parts come in before their events: the outbox says nothing of them yet."""
    for _ in range(3):
        store.add("reject", NOW - 400 * DAY)
    notes, options = cloud(tmp_path / "sync", 3), RetentionOptions(rows_days=365, reject_gb=0)
    damaged = store.folder / f"{FILE}.corrupt-20261001T000000000000Z"
    damaged.write_bytes(b"x")
    settle(looking(store, options, cloud=notes))
    assert kept(store) == [1, 2, 3]
    store.write(lambda db: db.execute("update part set picture_kept = 0").fetchall())
    settle(looking(store, options, cloud=None))
    assert store.rows("select count(*) as n from part") == [{"n": 3}]
    damaged.unlink()
    settle(looking(store, options, cloud=notes))
    assert store.rows("select count(*) as n from part") == [{"n": 0}]


def test_a_note_of_another_ledger_says_nothing_of_this_one(store: Store, tmp_path: Path) -> None:
    store.add("reject", NOW - 400 * DAY)
    settle(looking(store, cloud=cloud(tmp_path / "sync", 1, lineage=2)))
    assert kept(store) == [1]
    settle(looking(store, cloud=cloud(tmp_path / "sync", 1)))
    assert kept(store) == []


@pytest.mark.parametrize("killed_at", ["make_thumb", "clear", "drop"])
def test_a_kill_at_any_step_leaves_no_row_without_its_file(
    store: Store, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    for _ in range(3):
        store.add("reject", NOW - 400 * DAY)

    class Killed(Exception):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(module, killed_at, die)
        with pytest.raises(Killed):
            settle(looking(store))
    assert check(store.folder, full=True).problems == []
    for file in store.files():  # what a kill leaves is told from what waits for its row by its age
        os.utime(store.folder / file, (NOW.timestamp() - 3600,) * 2)
    settle(looking(store))
    assert kept(store) == []
    assert {name.endswith(".thumb.jpg") for name in store.files()} == {True}
    assert len(store.files()) == 3


def test_the_sweep_gives_a_file_that_no_row_names_its_time(store: Store) -> None:
    seq = store.add("reject", NOW - DAY)
    (row,) = store.rows("select picture from part where seq = ?", seq)
    folder = (store.folder / row["picture"]).parent
    left = {name: folder / name for name in ("9-9-cam0.png", "9-9-cam0.thumb.jpg", "8-8-cam0.png.tmp", "notes.txt")}
    for file in left.values():
        file.write_bytes(b"x")
        os.utime(file, ((NOW - 20 * DAY).timestamp(),) * 2)
    settle(looking(store))
    assert [name for name, file in left.items() if file.exists()] == ["9-9-cam0.png", "9-9-cam0.thumb.jpg", "notes.txt"]
    later = Retention(store.folder, RetentionOptions(), store.write, disk=lambda: ROOMY, now=lambda: NOW + 15 * DAY)
    settle(later)
    assert [name for name, file in left.items() if file.exists()] == []
    assert kept(store) == [seq]
    (stray,) = store.rows("select sum(pictures) as n from given_up where class = 'stray'")
    assert stray["n"] == 4


def stray(store: Store, name: str, at: datetime) -> Path:
    """A file that no row names."""
    folder = store.folder / "pictures" / "2026"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x")
    os.utime(folder / name, (at.timestamp(),) * 2)
    return folder / name


def test_no_file_is_stray_by_a_clock_that_is_not_believed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [stray(store, "9-9-cam0.png", NOW - 60 * DAY), stray(store, "8-8-cam0.png.tmp", NOW - DAY)]
    doubt, now = ["the clock stood at 1970"], [datetime(1970, 1, 1, tzinfo=UTC)]
    retention = looking(store, doubt=lambda: doubt[0])
    retention._now = lambda: now[0]
    settle(retention)
    assert store.rows("select * from ledger_since") == []
    doubt[0], now[0] = "", NOW
    settle(retention)
    assert all(file.exists() for file in left)  # one that is being written by the wrong time seems old
    monkeypatch.setattr(sweep, "now_ns", lambda: now_ns() + 601 * SECOND)
    settle(retention)
    assert [file.exists() for file in left] == [True, False]
    assert store.rows("select at from ledger_since")[0]["at"].startswith("2026")


def test_what_no_row_names_stays_as_long_as_a_rescue_may_name_it(store: Store) -> None:
    file = stray(store, "9-9-cam0.png", NOW - 60 * DAY)
    damaged = store.folder / f"{FILE}.corrupt-20261001T000000000000Z"
    damaged.write_bytes(b"x")
    settle(looking(store))
    for days in (1, 20):
        later = looking(store)
        later._now = partial(NOW.__add__, days * DAY)
        settle(later)
    assert file.exists()
    damaged.unlink()
    settle(Retention(store.folder, RetentionOptions(), store.write, disk=lambda: ROOMY, now=lambda: NOW + 21 * DAY))
    assert not file.exists()


def test_rows_go_when_asked_for_and_the_sums_and_the_balance_stay(store: Store, maker: ModuleType) -> None:
    for n in range(6):
        store.add(("ok", "reject")[n % 2], NOW - (100 - n) * DAY)
    young = store.add("reject", NOW - DAY)
    spoken = store.add("reject", NOW - 90 * DAY)
    store.label(spoken)
    store.ledger.store([Ripe(maker.counters_entry(1000, ok=3, ng=5))])
    before = store.rows("select sum(triggered) as n, sum(ng) as ng from tally")
    options = RetentionOptions(rows_days=50, reject_days=20, uncertain_days=20)
    settle(looking(store, options))
    assert [row["seq"] for row in store.rows("select seq from part order by seq")] == [young, spoken]
    assert store.rows("select sum(triggered) as n, sum(ng) as ng from tally") == before
    assert len(store.rows("select * from outbox")) == 2
    assert len(store.rows("select * from trigger")) == 2
    assert check(store.folder, full=True).problems == []
    proof = verify(store.folder / FILE)
    assert (proof.problems, proof.parts, proof.retired) == ([], 2, 6)
    store.write(lambda db: db.execute("delete from part where seq = ?", (young,)).fetchall())
    assert any(f"part seq {young}" in text for text in verify(store.folder / FILE).problems)
    sums = store.rows("select sum(ok) as ok, sum(ng) as ng from run")
    assert sums == [{"ok": 3, "ng": 5}]


def test_what_was_said_of_a_part_and_taken_back_goes_with_its_row(store: Store) -> None:
    seq = store.add("reject", NOW - 500 * DAY)
    store.label(seq)
    store.write(lambda db: db.execute("update label set undone_at = at, undone_by = who").fetchall())
    settle(looking(store, RetentionOptions(rows_days=400)))
    assert store.rows("select seq from part") == []
    assert store.rows("select * from label") == []
    assert not [text for text in check(store.folder).problems if "labelled" in text]


def test_rows_stay_for_ever_unless_somebody_says_otherwise(store: Store) -> None:
    store.add("reject", NOW - 9000 * DAY)
    settle(looking(store))
    assert len(store.rows("select * from part")) == 1


# -- the plan, pure ---------------------------------------------------------------------------------------------------

OPTIONS = RetentionOptions(reject_gb=0.001)


def test_the_order_is_age_quota_water_cap() -> None:
    held = {"ok": Stock(5, 5000, 0, True), "reject": Stock(5, 2_000_000, 0, True), "golden": Stock(1, 10**9, 0, True)}
    full = Disk(10**9, 10**7)
    assert next_wish(held, frozenset({"reject"}), full, OPTIONS, draining=True) == Wish("reject", "age", 0)
    assert next_wish(held, frozenset(), full, OPTIONS, draining=True) == Wish("reject", "quota", 1_000_000)
    within = {**held, "reject": Stock(5, 2000, 0, False)}
    assert next_wish(within, frozenset(), full, OPTIONS, draining=True) == Wish("ok", "water", 240_000_000)
    owed = {"reject": Stock(5, 2000, 0, False), "golden": held["golden"]}
    assert next_wish(owed, frozenset(), full, OPTIONS, draining=True) == Wish("reject", "cap", 40_000_000, owed=True)
    golden = {"golden": held["golden"]}
    assert next_wish(golden, frozenset(), full, OPTIONS, draining=True) is None
    assert next_wish(held, frozenset(), ROOMY, RetentionOptions(), draining=False) is None


def test_the_high_mark_begins_it_and_the_low_one_ends_it() -> None:
    marks = [(86, False, True), (80, False, False), (80, True, True), (75, True, False)]
    for percent, was, then in marks:
        assert drains(Disk(1000, 1000 - percent * 10), RetentionOptions(), draining=was) is then


def test_an_alarm_comes_before_pictures_go_before_their_time() -> None:
    held = {"ok": Stock(10, 10**9, 0, True), "reject": Stock(10, 4 * 10**9, 0, True)}
    disk = Disk(100 * 10**9, 17 * 10**9)  # 83 %: 2 GB below the mark
    growth = Growth({"ok": 0.5e9, "reject": 0.4e9}, 0.1e9)
    options = RetentionOptions()
    assert days_left("ok", held, disk, growth, options) == pytest.approx(2)
    assert days_left("reject", held, disk, growth, options) == pytest.approx(3)
    assert days_left("golden", held, disk, growth, options) is None
    assert too_soon("ok", 5, held, disk, growth, options) == 2
    assert too_soon("ok", 29, held, disk, growth, options) is None  # by then they have had their days
    assert too_soon("ok", 5, held, disk, growth, RetentionOptions(warn_days=0)) is None
    assert days_left("reject", held, disk, growth, RetentionOptions(reject_gb=4.4)) == pytest.approx(1)


def test_marks_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="low_percent = 90, high_percent = 85"):
        RetentionOptions(low_percent=90)
