"""What the fleet service lacks is held back from retention, within a bound; samples lose their place first."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from okng.records.check import check
from okng.records.leaving import Leaving
from okng.records.ledger import Ledger
from okng.records.outbox_read import OutboxReader
from okng.records.retention import Retention
from okng.records.retention_options import RetentionOptions
from okng.records.retention_plan import Disk
from okng.records.uplink_note import FILE, beside, taken

from .shelf import Store

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ROOMY, TIGHT, FULL = Disk(1000, 900), Disk(1000, 200), Disk(1000, 10)
EVERY = Leaving("pictures", ok_sample_percent=100.0, quota_gb=0.0)


@pytest.fixture
def new_store(tmp_path: Path, maker: ModuleType) -> Iterator[Callable[[Leaving], Store]]:
    made: list[Store] = []

    def make(rule: Leaving) -> Store:
        folder = tmp_path / str(len(made)) / "store"
        made.append(Store(folder, maker, Ledger(folder, leaving=rule)))
        return made[-1]

    yield make
    for one in made:
        one.ledger.close()


def noted(store: Store, records: int, **pictures: int) -> None:
    folder = beside(store.folder)
    folder.mkdir(exist_ok=True)
    weights = {"reject": "0", "uncertain": "1", "ok": "2"}
    said = {
        "box": "b",
        "epochs": {"records": {"1": records}},
        "pictures": {weights[name]: seq for name, seq in pictures.items()},
    }
    (folder / FILE).write_text(json.dumps(said))


def settle(store: Store, rule: Leaving, disk: Disk, options: RetentionOptions | None = None) -> Retention:
    retention = Retention(
        store.folder, options or RetentionOptions(), store.write, disk=lambda: disk, now=lambda: NOW, leaving=rule
    )
    for _ in range(100):
        if not retention.step():
            return retention
    raise AssertionError("it never comes to rest")


def kept(store: Store) -> list[int]:
    return [row["seq"] for row in store.rows("select seq from part where picture_kept order by seq")]


def test_what_was_not_sent_stays_and_what_was_goes_by_its_days(new_store: Callable[[Leaving], Store]) -> None:
    store = new_store(EVERY)
    seqs = [store.add(kind, NOW - 400 * DAY) for kind in ("ok", "uncertain", "reject", "ok", "uncertain", "reject")]
    assert settle(store, EVERY, ROOMY).told.unsent > 6
    assert kept(store) == seqs
    noted(store, 3, ok=seqs[0], uncertain=seqs[1], reject=seqs[2])
    settle(store, EVERY, ROOMY)
    assert kept(store) == seqs[3:]
    settle(store, Leaving("records"), ROOMY)  # no picture leaves: none is owed
    assert kept(store) == []


def test_where_cut_outs_leave_a_part_without_a_defect_is_owed_nobody(new_store: Callable[[Leaving], Store]) -> None:
    rule = Leaving("crops", ok_sample_percent=100.0, quota_gb=0.0)
    store = new_store(rule)
    seqs = [store.add(kind, NOW - 400 * DAY) for kind in ("ok", "uncertain", "reject")]
    settle(store, rule, ROOMY)
    assert kept(store) == seqs[2:]


def test_beyond_the_quota_samples_lose_their_place_before_uncertain_ones_and_rejects_last(
    new_store: Callable[[Leaving], Store],
) -> None:
    size = 10_000
    for pictures, left in ((6, "all"), (4, "no samples"), (3, "the newer uncertain one"), (1, "the newer reject")):
        rule = Leaving("pictures", ok_sample_percent=100.0, quota_gb=(pictures + 0.5) * size / 1e9)
        store = new_store(rule)
        old = NOW - 400 * DAY
        seqs = [store.add(one, old, size) for one in ("ok", "uncertain", "reject", "ok", "uncertain", "reject")]
        settle(store, rule, ROOMY)
        expected = {
            "all": seqs,
            "no samples": [seqs[1], seqs[2], seqs[4], seqs[5]],
            "the newer uncertain one": [seqs[2], seqs[4], seqs[5]],
            "the newer reject": [seqs[5]],
        }
        assert kept(store) == expected[left], left
        gone = store.rows("select coalesce(sum(pictures), 0) as n from given_up where class != 'thumb'")
        assert gone == [{"n": 6 - len(expected[left])}]


def test_a_disk_above_its_cap_takes_unsent_pictures_and_counts_them(new_store: Callable[[Leaving], Store]) -> None:
    store = new_store(EVERY)
    seqs = [store.add(kind, NOW) for kind in ("reject", "ok")]
    settle(store, EVERY, TIGHT)
    assert kept(store) == seqs  # above the high-water mark only what is not owed goes
    settle(store, EVERY, FULL)
    assert kept(store) == []
    assert store.rows("select sum(unsent) as n from given_up") == [{"n": 2}]


def test_rows_that_the_service_lacks_stay_until_the_cap_and_leave_their_number(
    new_store: Callable[[Leaving], Store],
) -> None:
    rule, options = Leaving("records"), RetentionOptions(rows_days=10, thumb_days=1)
    store = new_store(rule)
    for _ in range(4):
        store.add("reject", NOW - 400 * DAY)
    noted(store, 2)
    settle(store, rule, ROOMY, options)
    assert [row["seq"] for row in store.rows("select seq from part order by seq")] == [3, 4]
    reader = OutboxReader(store.folder)
    assert [one.kind for one in reader.outgoing("records", 0, 9)] == ["dropped", "dropped", "part", "part"]
    sure = reader.outgoing("records", 2, 9)
    settle(store, rule, FULL, options)
    assert store.rows("select seq from part") == []
    found = reader.outgoing("records", 2, 9)
    assert [(one.kind, json.loads(one.body)) for one in found] == [("dropped", {"seq_part": n}) for n in (3, 4)]
    assert [one.seq for one in found] == [one.seq for one in sure]
    assert store.rows("select unsent from given_up where class = 'row'") == [{"unsent": 2}]
    assert [text for text in check(store.folder).problems if "event" in text or "stream" in text] == []


@pytest.mark.parametrize("said", ["", "{", "[]", '{"epochs": {"records": 7}}', '{"epochs": {"records": {"x": 1}}}'])
def test_a_note_that_does_not_read_leaves_all_owed(tmp_path: Path, said: str) -> None:
    (tmp_path / FILE).write_text(said)
    found = taken(tmp_path)
    assert (found.acked("records", 1), found.newest_epoch, dict(found.pictures)) == (0, 0, {})
