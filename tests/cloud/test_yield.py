"""Counts by the hour are those of the parts, exactly, and shares come with their intervals."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from okng.cloud import yields
from okng.cloud.causes import wilson
from okng.cloud.database import reading, writing
from okng.cloud.search_terms import BadTerms, Terms, terms_of
from okng.cloud.tables import Part
from okng.cloud.tables_rollout import Hourly, HourlyFigure

from . import pages_room as room

DAY = Terms(room.NOW - timedelta(hours=24), room.NOW + timedelta(hours=1))


def totals(engine: Engine) -> Counter[str]:
    with reading(engine) as db:
        row = db.execute(sa.select(*(sa.func.sum(getattr(Hourly, name)) for name in yields.COUNTS.values()))).one()
    return Counter({name: int(n or 0) for name, n in zip(yields.COUNTS, row, strict=True)})


def test_hourly_counts_are_those_of_the_parts(database: Engine) -> None:
    room.filled(database, boxes=2, parts=300)
    with reading(database) as db:
        parts = Counter(dict(db.execute(sa.select(Part.outcome, sa.func.count()).group_by(Part.outcome)).all()))
        hours = list(db.scalars(sa.select(Hourly.hour).distinct()))
    assert totals(database) == parts
    assert len(hours) >= 8
    assert all(hour.minute == hour.second == 0 for hour in hours)


def test_counts_that_came_in_many_requests_add_up(database: Engine) -> None:
    rows = room.shift_of_parts("box1", 100, 5)
    with writing(database) as db:
        room.add_box(db, "box1")
    for start in range(0, 100, 7):
        with writing(database) as db:
            room.arrive(db, rows[start : start + 7])
    assert totals(database).total() == 100
    assert totals(database) == Counter(row["outcome"] for row in rows)


def test_a_request_that_fails_counts_nothing(database: Engine) -> None:
    with writing(database) as db:
        room.add_box(db, "box1")

    def twice() -> None:
        with writing(database) as db:
            for _ in range(2):
                room.arrive(db, room.shift_of_parts("box1", 5, 5))

    with pytest.raises(sa.exc.IntegrityError):
        twice()
    assert totals(database).total() == 0


def test_a_withdrawn_part_does_not_count_any_more(database: Engine) -> None:
    with writing(database) as db:
        room.add_box(db, "box1")
        room.arrive(db, [room.part("box1", n, room.NOW, "UNJUDGED" if n == 2 else "OK") for n in (1, 2, 3)])
        room.add_events(db, "box1", "labels", [{"what": "withdrawn", "seq": 2, "part_epoch": 1, "by": 3}])
        assert db.get(Part, ("box1", 1, 2)) is None
    assert totals(database) == Counter(OK=2)
    with writing(database) as db:  # told again with another number: it is gone already
        room.add_events(db, "box1", "labels", [{"what": "withdrawn", "seq": 2, "part_epoch": 1, "by": 3}], first=2)
    assert totals(database) == Counter(OK=2)


def test_counting_anew_changes_nothing(database: Engine) -> None:
    room.filled(database, boxes=2, parts=200)
    before = totals(database)
    with writing(database) as db:
        assert yields.recount(db, "box1", room.NOW - timedelta(hours=9), room.NOW) == 200
    assert totals(database) == before
    with writing(database) as db:
        db.execute(sa.update(Hourly).where(Hourly.box == "box1").values(good=99))
        yields.recount(db, "box1", room.NOW - timedelta(hours=9), room.NOW)
    assert totals(database) == before


@pytest.mark.parametrize("what", yields.BY)
def test_every_grouping_sums_to_the_same(database: Engine, what: str) -> None:
    room.filled(database, boxes=2, parts=120)
    with reading(database) as db:
        rows = yields.by(db, DAY, what)
        if what == "box":
            assert {row.label for row in rows} == {"Press 1", "Press 2"}
        lined = yields.by(db, DAY.with_(line="line7"), what)
        assert yields.by(db, DAY.with_(line="line8"), what) == []
    assert sum(row.total for row in rows) == 240
    assert [row.total for row in lined] == [row.total for row in rows]


def test_yield_by_something_else_is_refused(database: Engine) -> None:
    with reading(database) as db, pytest.raises(ValueError, match="by = 'moon': expected one of recipe, line"):
        yields.by(db, DAY, "moon")


def test_a_tool_is_told_by_its_code(database: Engine) -> None:
    with writing(database) as db:
        room.add_box(db, "box1")
        codes = [{"name": "Cavity", "text": "C7", "kind": "DataMatrix", "serial": False}]
        room.arrive(db, [room.part("box1", 1, room.NOW, codes=codes), room.part("box1", 2, room.NOW, codes="odd")])
    with reading(database) as db:
        assert {row.name for row in yields.by(db, DAY, "tool")} == {"C7", ""}


def test_figures_of_an_hour_are_summed(database: Engine) -> None:
    with writing(database) as db:
        room.add_box(db, "box1")
        for n, focus in enumerate((1.0, 2.0, 6.0), 1):
            image = [
                {"camera": "top", "focus": focus, "noise": None, "shift_x_px": 3.0, "shift_y_px": 4.0, "alarms": []}
            ]
            room.arrive(db, [room.part("box1", n, room.NOW, image=image, score=n * 1.0)])
    with reading(database) as db:
        found = {row.figure: row for row in db.scalars(sa.select(HourlyFigure))}
    assert (found["focus"].n, found["focus"].total, found["focus"].squares) == (3, 9.0, 41.0)
    assert (found["focus"].low, found["focus"].high) == (1.0, 6.0)
    assert found["shift_px"].total == 15.0
    assert found["score"].total == pytest.approx(6.0 / 4.0)
    assert "noise" not in found


def test_interval_of_a_share() -> None:
    low, high = wilson(0, 200)
    assert low == 0.0
    assert high == pytest.approx(0.0188, abs=2e-4)
    assert wilson(10, 100) == pytest.approx((0.0552, 0.1744), abs=2e-4)  # Wilson 1927, worked out by hand
    assert wilson(0, 0) == (0.0, 1.0)


def test_terms_of_an_address() -> None:
    terms = terms_of({"span": "7d", "recipe": " cap "}, room.NOW)
    assert (terms.since, terms.until, terms.recipe) == (room.NOW - timedelta(days=7), room.NOW, "cap")
    assert terms_of({"since": "2026-11-20", "until": "2026-11-21T00:00:00Z"}).until - terms_of(
        {"since": "2026-11-20", "until": "2026-11-21T00:00:00Z"}
    ).since == timedelta(days=1)
    for wrong, said in (
        ({"span": "9y"}, "span = '9y': expected one of 8h"),
        ({"since": "yesterday"}, "since = 'yesterday': expected a moment"),
        ({"since": "2026-11-20T00:00:00"}, "expected a time zone"),
        ({"since": "2026-11-21", "until": "2026-11-20"}, "expected a moment before until"),
        ({"recipe": "x" * 201}, "recipe: expected at most 200"),
    ):
        with pytest.raises(BadTerms, match=said):
            terms_of(wrong, datetime(2026, 11, 22, tzinfo=UTC))
