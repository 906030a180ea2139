"""The wall clock is set back and ahead between parts: their order, their sums and their history stay right."""

import json
from contextlib import closing
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import ModuleType

import apsw
import pytest

from okng.bus.part import Why
from okng.records.bookkeeping import Ripe
from okng.records.check import check
from okng.records.export import export_jsonl
from okng.records.figures_read import FiguresReader, Span
from okng.records.gallery_read import GalleryReader, Wanted
from okng.records.ledger import Ledger
from okng.records.read import LedgerReader

STEPS = (
    "2026-11-20T10:00:00.000Z",
    "2026-11-21T10:00:01.000Z",  # a day ahead
    "2026-11-21T10:00:02.000Z",
    "2026-11-20T10:00:03.000Z",  # and right again
    "1970-01-01T00:00:04.000Z",  # the battery is dead
    "2026-11-20T10:00:05.000Z",
)


@pytest.fixture
def stepped(tmp_path: Path, maker: ModuleType) -> Path:
    """Six parts in the order of their numbers, with the times of a clock that was set four times."""
    ledger = Ledger(tmp_path)
    for part, at in enumerate(STEPS, 1):
        entry = maker.record_entry(2 * part, part, Why.NG)
        entry = replace(entry, record=replace(entry.record, taken_at=at))
        ledger.store([Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(entry)])
    ledger.store([Ripe(maker.counters_entry(13, ng=6))])
    ledger.close()
    return tmp_path


def test_order_is_that_of_the_line_and_not_of_the_clock(stepped: Path) -> None:
    assert [row.part for row in LedgerReader(stepped).rows(10)] == [6, 5, 4, 3, 2, 1]
    out = StringIO()
    export_jsonl(stepped, out)
    assert [json.loads(line)["part"] for line in out.getvalue().splitlines()] == [1, 2, 3, 4, 5, 6]
    events = [json.loads(event.body)["part"] for event in LedgerReader(stepped).events("rejects", 0, 10)]
    assert events == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("day", "parts"), [("2026-11-20", {1, 4, 6}), ("2026-11-21", {2, 3}), ("1970-01-01", {5})])
def test_a_day_has_the_parts_that_the_clock_gave_it_each_once(stepped: Path, day: str, parts: set[int]) -> None:
    since, until = f"{day}T00:00:00.000Z", f"{day}T23:59:59.999Z"
    assert FiguresReader(stepped).sums(Span(since, until)).ng == len(parts)
    page = GalleryReader(stepped).page(Wanted(since=since, until=until), 50)
    assert {row.part for row in page.rows} == parts


def test_the_ledger_balances_whatever_the_clock_said(stepped: Path) -> None:
    balance = check(stepped)
    assert balance.balanced, balance.problems
    assert (balance.triggers, balance.ng) == (6, 6)


def test_each_row_can_be_put_in_its_place_by_boot_and_monotonic_clock(stepped: Path) -> None:
    """What a person needs to tell the true order and the true distances, with the clock as it was."""
    with closing(apsw.Connection(str(stepped / "ledger.db"))) as db:
        found = db.execute(
            "select p.part, t.boot_id, p.triggered_ns, p.taken_at from part p join trigger t"
            " on t.epoch = p.epoch and t.part = p.part and t.at_ns = p.triggered_ns order by t.boot_id, p.triggered_ns"
        ).fetchall()
    assert [row[0] for row in found] == [1, 2, 3, 4, 5, 6]
    assert {row[1] for row in found} == {"boot"}
    assert [row[3] for row in found] == list(STEPS)
