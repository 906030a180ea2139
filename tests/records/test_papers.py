"""Back-ups made by hand go by their age, the last one never, and none before it was announced."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from okng.bus.clock import utc_stamp, utc_text
from okng.records.copy_names import FOLDER, copies, made_at
from okng.records.keep_read import StorageReader
from okng.records.papers import PAPER, Due, Papers
from okng.records.people_read import PeopleReader
from okng.records.retention import Retention
from okng.records.retention_options import RetentionOptions
from okng.records.retention_plan import Disk

from .shelf import Store

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
RULES = RetentionOptions(papers_days=100, warn_days=7)


@pytest.fixture
def store(tmp_path: Path, maker: ModuleType) -> Iterator[Store]:
    made = Store(tmp_path / "store", maker)
    yield made
    made.ledger.close()


def backup(store: Store, days: float, size: int = 10) -> str:
    """A copy made so many days ago."""
    at = NOW - days * DAY
    file = store.folder / FOLDER / f"ledger-{at:%Y%m%dT%H%M%S}000000Z.db"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(bytes(size))
    return file.name


def papers(store: Store, rules: RetentionOptions = RULES, doubt: str = "") -> Papers:
    return Papers(store.folder, rules, store.write, lambda: doubt)


def there(store: Store) -> set[str]:
    return {one.name for one in (store.folder / FOLDER).iterdir()}


def trail(store: Store) -> list[tuple[str, list[str]]]:
    found = PeopleReader(store.folder).audit_page()
    return [(one.what, one.object["files"]) for one in reversed(found) if one.what.startswith("backups ")]


def test_the_name_of_a_copy_tells_when_it_was_made(tmp_path: Path) -> None:
    file = tmp_path / f"ledger-{utc_stamp()}.db"
    file.touch()
    (tmp_path / "ledger-99999999T999999Z.db").touch()
    (tmp_path / "ledger-mine.db").touch()
    assert copies(tmp_path) == [file]
    assert abs(made_at(file) - datetime.now(UTC)) < timedelta(minutes=1)


def test_one_is_announced_before_it_goes_and_the_last_one_never_goes(store: Store) -> None:
    first, last = backup(store, 93), backup(store, 92)
    looking = papers(store)
    looking.step(NOW)
    assert looking.due == Due(1, 7)
    assert trail(store) == [("backups will be deleted", [first])]
    looking.step(NOW + 4 * DAY)
    assert (there(store), looking.due) == ({first, last}, Due(1, 3))
    looking.step(NOW + 7 * DAY)
    assert there(store) == {last}
    assert trail(store)[1:] == [("backups deleted", [first])]
    looking.step(NOW + 900 * DAY)
    assert there(store) == {last}
    assert len(trail(store)) == 2
    (gone,) = store.rows("select * from given_up where class = ?", PAPER)
    assert (gone["pictures"], gone["bytes"]) == (1, 10)


def test_what_is_found_too_old_has_its_time_from_the_announcement_on_and_over_a_restart(store: Store) -> None:
    old = [backup(store, days) for days in (800, 500)]
    last = backup(store, 1)
    papers(store).step(NOW)
    assert there(store) == {*old, last}
    later = papers(store)
    later.step(NOW + 6 * DAY)
    assert (there(store), later.due) == ({*old, last}, Due(2, 1))
    papers(store).step(NOW + 7 * DAY)
    assert there(store) == {last}
    assert [what for what, _ in trail(store)] == ["backups will be deleted", "backups deleted"]


def test_without_a_rule_or_by_a_clock_that_is_not_believed_nothing_goes(store: Store) -> None:
    kept = {backup(store, days) for days in (900, 800, 700)}
    papers(store, RetentionOptions(papers_days=0)).step(NOW)
    doubting = papers(store, RetentionOptions(papers_days=1, warn_days=0), doubt="it is 1970")
    doubting.step(NOW)
    assert there(store) == kept
    assert trail(store) == []
    papers(store, RetentionOptions(papers_days=1, warn_days=0)).step(NOW)  # nobody wants to be told
    assert len(there(store)) == 1
    assert [what for what, _ in trail(store)] == ["backups deleted"]


def test_a_rule_that_is_made_longer_takes_the_announcement_back(store: Store) -> None:
    first, last = backup(store, 99), backup(store, 1)
    papers(store).step(NOW)
    longer = papers(store, RetentionOptions(papers_days=400))
    longer.step(NOW + 9 * DAY)
    assert (there(store), longer.due) == ({first, last}, Due())
    papers(store).step(NOW + 10 * DAY)
    assert there(store) == {first, last}, "it is announced anew"


def test_nothing_is_deleted_where_the_trail_cannot_be_written(store: Store) -> None:
    kept = {backup(store, days) for days in (900, 800)}

    def refuses(_do: Any) -> Any:
        raise OSError("the disk is full")

    looking = Papers(store.folder, RetentionOptions(papers_days=1, warn_days=0), refuses)
    with pytest.raises(OSError, match="full"):
        looking.step(NOW)
    assert there(store) == kept


def test_retention_does_it_and_tells_and_the_screen_counts_them(store: Store) -> None:
    for days in (95, 1):
        backup(store, days)
    reader = StorageReader(store.folder)
    assert (reader.backups().copies, reader.backups().bytes) == (2, 20)
    assert reader.backups().oldest_at == utc_text(NOW - 95 * DAY)
    retention = Retention(store.folder, RULES, store.write, disk=lambda: Disk(10**12, 9 * 10**11), now=lambda: NOW)
    for _ in range(3):
        retention.step()
    assert retention.told.papers == Due(1, 7), "announced late it has its whole time"
