"""The sums over the parts: they equal the rows whatever is written, and no question scans the parts."""

import itertools
import random
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from okng.bus.part import Delivery, Outcome, Why
from okng.records import schema
from okng.records.check import check
from okng.records.figures_check import figure_problems
from okng.records.figures_read import FiguresReader, Span, Sums
from okng.records.ledger import Ledger, Ripe
from okng.records.read import LedgerReader
from okng.records.schema_figures import FIGURES, TALLIES

ALL = Span("2026-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z")
WHYS = (Why.OK, Why.OK, Why.OK, Why.NG, Why.LATE, Why.LOST, Why.FAULT, Why.GROUP, Why.CHALLENGE, Why.BYPASS)


def parts(maker: ModuleType, whys: list[Why], start: str = "2026-11-23T08:", epoch: str = "run-1") -> list[Ripe]:
    """One part each, 20 s apart."""
    batch = []
    for n, why in enumerate(whys, 1):
        entry = maker.record_entry(2 * n, n, why, epoch, missed=why is Why.LOST and n % 2 == 0)
        at = f"{start}{n // 3:02d}:{n % 3 * 20:02d}.000Z"
        entry = replace(entry, record=replace(entry.record, taken_at=at))
        batch += [Ripe(maker.trigger_entry(2 * n - 1, n, epoch)), Ripe(entry)]
    return batch


def problems(store: Path) -> list[str]:
    with LedgerReader(store).asking() as ask:
        return figure_problems(ask)


def test_every_part_is_counted_once_and_it_balances(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    whys = list(WHYS) * 9
    ledger.store(parts(maker, whys))
    ledger.store(parts(maker, whys))  # a resend
    reader = FiguresReader(tmp_path)
    sums = reader.sums(ALL)
    assert sums.balances
    assert (sums.triggered, sums.production) == (len(whys), len(whys) - 18)
    assert (sums.ok, sums.ng, sums.challenge, sums.bypass) == (27, 9, 9, 9)
    assert sums.lost + sums.missed == 9
    assert sums.unjudged == 36
    assert sums.quality == 27 / 72
    for step in (1, 10, 60):
        series = reader.series(ALL, step)
        assert sum(point.sums.triggered for point in series) == sums.triggered
        assert sum(point.sums.ng for point in series) == sums.ng
    assert sum(bar.parts for bar in reader.pareto(ALL)) == sums.ng
    assert [(bar.kind, bar.region) for bar in reader.pareto(ALL)] == [("anomaly", "cap")]
    scores = reader.scores(ALL)
    assert (sum(scores.ok), sum(scores.ng)) == (27, 9)
    assert scores.ok[5] == 27  # 1.0 of 4.0
    assert scores.ng[35] == 9  # 7.1 of 4.0
    assert reader.latency(ALL)[-1].parts == sums.timed
    assert sums.score_mean == 0.25
    assert reader.active_minutes(ALL) == len(reader.series(ALL, 1))
    assert problems(tmp_path) == []
    assert check(tmp_path).balanced
    ledger.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(WHYS), max_size=25), st.randoms())
def test_sums_equal_the_rows_whatever_comes(
    tmp_path_factory: pytest.TempPathFactory, maker: ModuleType, whys: list[Why], rng: random.Random
) -> None:
    store = tmp_path_factory.mktemp("store")
    ledger = Ledger(store)
    batch = parts(maker, whys)
    kept = [ripe for ripe in batch if rng.random() < 0.8 or "Trigger" in type(ripe.entry).__name__]
    ledger.store(kept)
    ledger.store([Ripe(maker.trigger_entry(1, 900, "run-2"))])
    ledger.recover("run-1")
    assert problems(store) == []
    ledger.store(batch)  # what was thought lost comes after all and takes the place of the recovered rows
    assert problems(store) == []
    assert FiguresReader(store).sums(ALL).balances
    ledger.close()


def test_a_row_changed_by_hand_is_found_by_its_sums(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    ledger.store(parts(maker, [Why.OK, Why.NG]))
    ledger.close()
    db = apsw.Connection(str(tmp_path / schema.FILE))
    db.execute("update part set why = 'ok', outcome = 'OK', verdict = 'OK', action = 'PASS' where why = 'ng'")
    db.close()
    found = problems(tmp_path)
    assert [text.split()[3] for text in found] == ["tally", "tally_reject", "tally_score"]
    assert "2026-11-23T08:00" in found[0]


def undo_later(db: apsw.Connection, version: int) -> None:
    """Take away what migrations after that version made, but for columns."""
    made = re.findall(r"^create (trigger|index|table) (\w+)", "".join(schema.MIGRATIONS[version:]), re.MULTILINE)
    for wanted in ("trigger", "index", "table"):
        for kind, name in reversed(made):
            if kind == wanted:
                db.execute(f"drop {kind} if exists {name}")


def test_an_older_ledger_gets_the_sums_of_its_rows(tmp_path: Path, maker: ModuleType) -> None:
    before = schema.MIGRATIONS.index(FIGURES)
    ledger = Ledger(tmp_path)
    ledger.store(parts(maker, list(WHYS) * 3))
    ledger.close()
    with LedgerReader(tmp_path).asking() as ask:
        held = {tally.name: list(ask(f"select * from {tally.name}")) for tally in TALLIES}
    db = apsw.Connection(str(tmp_path / schema.FILE))
    undo_later(db, before + 1)
    for tally in TALLIES:
        db.execute(f"drop trigger {tally.name}_add; drop trigger {tally.name}_take; drop table {tally.name}")
    db.execute(f"alter table part drop column lot; pragma user_version = {before}")
    db.close()
    Ledger(tmp_path).close()
    with LedgerReader(tmp_path).asking() as ask:
        assert {tally.name: list(ask(f"select * from {tally.name}")) for tally in TALLIES} == held
    assert problems(tmp_path) == []


def test_a_part_bears_the_lot_that_was_under_way_when_it_came(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    with ledger.transaction() as db:
        for at, event, body in (
            ("2026-11-23T08:01:00.000Z", "begun", '{"lot":"A-1"}'),
            ("2026-11-23T08:02:00.000Z", "begun", '{"lot":"A-2"}'),
            ("2026-11-23T08:03:00.000Z", "ended", '{"lot":""}'),
        ):
            sql = "insert into journal (at, stream, key, event, who, body) values (?, 'lot', '', ?, 'ann', ?)"
            db.execute(sql, (at, event, body))
    ledger.store(parts(maker, [Why.OK] * 11))
    reader = FiguresReader(tmp_path)
    assert [(lot.lot, lot.parts) for lot in reader.lots("2026-11-23T00:00")] == [("A-2", 3), ("A-1", 3)]
    assert reader.sums(replace(ALL, lot="A-1")).triggered == 3
    assert reader.sums(replace(ALL, lot="")).triggered == 5
    assert reader.lot("none") is None
    assert [event["body"]["lot"] for event in reader.happened("lot", ALL.since, ALL.until)] == ["A-1", "A-2", ""]
    ledger.close()


def test_spans_are_cut_to_the_minute_and_join_without_a_gap(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    ledger.store(parts(maker, [Why.OK] * 60))
    reader = FiguresReader(tmp_path)
    edges = [f"2026-11-23T08:{minute:02d}:00.000Z" for minute in range(0, 60, 10)] + ["2026-11-23T09:00:00.000Z"]
    spans = [Span(a, b) for a, b in itertools.pairwise(edges)]
    assert sum(reader.sums(span).triggered for span in spans) == 60
    assert sum(sum(reader.scores(span).ok) for span in spans) == 60
    assert reader.sums(Span(edges[0], "2026-11-23T08:00:30.000Z")).triggered == 2  # the running minute counts
    ledger.close()


def test_latency_is_told_to_the_millisecond_and_says_the_slowest(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    batch = parts(maker, [Why.OK] * 100)
    slow = []
    for ripe in batch:
        record = getattr(ripe.entry, "record", None)
        if record is not None:
            took = 2_000_000_000 if record.trigger.part == 100 else record.trigger.part * 1_000_000
            disposition = replace(record.disposition, published_ns=record.trigger.at_ns + took - 1000)
            ripe = Ripe(replace(ripe.entry, record=replace(record, disposition=disposition)))
        slow.append(ripe)
    ledger.store(slow)
    reader = FiguresReader(tmp_path)
    whole = reader.latency(ALL)[-1]
    assert (whole.at, whole.parts, whole.p50_ms, whole.p99_ms) == ("", 100, 50.0, 99.0)
    sums = reader.sums(ALL)
    assert (sums.fastest_us, sums.slowest_us) == (999, 1_999_999)
    ledger.close()


def test_nothing_yet_is_nothing_and_not_an_error(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    reader = FiguresReader(tmp_path)
    assert reader.sums(ALL) == Sums()
    assert (reader.series(ALL, 60), reader.pareto(ALL), reader.latency(ALL)) == ([], [], [])
    assert (Sums().quality, Sums().mean_ms, Sums().score_mean, Sums().score_spread) == (None, None, None, None)


def test_labels_and_escapes_of_a_span(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    ledger.store(parts(maker, [Why.OK, Why.NG, Why.NG, Why.NG, Why.CHALLENGE]))
    with ledger.transaction() as db:
        for seq, truth, second, undone in (
            (2, "defect", 0, None),
            (3, "defect", 0, None),
            (3, "good", 0, None),  # the newest counts
            (4, "good", 0, "2026-11-23T09:00:00.000Z"),  # taken back
            (2, "good", 1, None),  # a second person's
            (5, "good", 0, None),  # a test part
        ):
            sql = "insert into label (seq, truth, kind, second, who, at, undone_at) values (?, ?, '', ?, 'ann', ?, ?)"
            db.execute(sql, (seq, truth, second, "2026-11-23T08:30:00.000Z", undone))
        for missed in (1, None, 2):
            sql = "insert into \"escape\" (seq, found_at, what, who, at) values (?, 'packing', 'dent', 'ann', ?)"
            db.execute(sql, (missed, "2026-11-23T08:40:00.000Z"))
    found = FiguresReader(tmp_path).judged(ALL)
    assert (found.real, found.false, found.unsure) == (1, 1, 0)
    assert found.escapes == 2  # part 2 was a reject: no escape
    assert [line[1:4] for line in found.overrides] == [(2, "ann", "defect"), (3, "ann", "good")]
    ledger.close()


def test_seven_days_are_read_from_the_sums_alone(tmp_path: Path) -> None:
    """Ten million parts: a minute of 1000 each. What is asked never touches the parts."""
    ledger = Ledger(tmp_path)
    columns = ", ".join((*TALLIES[0].keys, *TALLIES[0].sums))
    with ledger.transaction() as db:
        for day in range(7):
            for minute in range(1440):
                at = f"2026-11-{day + 1:02d}T{minute // 60:02d}:{minute % 60:02d}"
                counts = {"triggered": 1000, "ok": 990, "ng": 10, "ordered": 10, "confirmed": 10, "timed": 1000}
                row = [at, "cap", "r1", "m", f"lot-{day}", *(counts.get(name, 0) for name in TALLIES[0].sums)]
                db.execute(f"insert into tally ({columns}) values ({', '.join('?' * len(row))})", tuple(row))
    asked: list[str] = []
    reader = FiguresReader(tmp_path)
    with LedgerReader(tmp_path).asking() as ask:
        db = ask.db
        real = db.execute
        for question in (
            "select substr(minute, 1, 13), sum(ok) from tally where minute >= ? and minute < ? group by 1",
            "select kind, sum(parts) from tally_reject where minute >= ? and minute < ? group by 1",
            "select bin, sum(parts) from tally_score where ten >= ? and ten < ? group by 1",
            "select bin, sum(parts) from tally_latency where ten >= ? and ten < ? group by 1",
        ):
            plan = [str(row[3]) for row in real("explain query plan " + question, ("2026-11-01", "2026-11-08"))]
            asked += plan
    assert all("SEARCH" in line or "TEMP B-TREE" in line for line in asked), asked
    assert not any(" part " in line for line in asked)
    sums = reader.sums(ALL)
    assert (sums.triggered, sums.ok, sums.ng) == (10_080_000, 9_979_200, 100_800)
    assert len(reader.series(ALL, 60)) == 168
    assert len(reader.lots("2026-11-01")) == 7
    ledger.close()


def test_delivery_and_eye_are_counted(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    lost = maker.record_entry(2, 1, Why.NG, delivery=Delivery.UNCONFIRMED)
    seen = maker.record_entry(4, 2, Why.NG)
    unseen = maker.record_entry(6, 3, Why.NG)
    seen = replace(seen, record=replace(seen.record, receipt=replace(seen.record.receipt, confirmed=True)))
    unseen = replace(unseen, record=replace(unseen.record, receipt=replace(unseen.record.receipt, confirmed=False)))
    ledger.store([Ripe(maker.trigger_entry(2 * n - 1, n)) for n in (1, 2, 3)] + [Ripe(lost), Ripe(seen), Ripe(unseen)])
    sums = FiguresReader(tmp_path).sums(ALL)
    assert (sums.ordered, sums.confirmed, sums.not_removed) == (3, 2, 1)
    assert Outcome.NG.value == "NG"
    ledger.close()
