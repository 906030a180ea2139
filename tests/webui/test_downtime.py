"""When the line was ready: spans from the journal cover all of the time, each minute once."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okng.records.figures_read import FiguresReader, Span, Sums
from okng.records.ledger import Ledger
from okng.webui.downtime import uptime_of
from okng.webui.oee import oee_of


def moment(minute: float) -> str:
    return f"2026-11-23T{int(minute) // 60:02d}:{int(minute) % 60:02d}:{round(minute % 1 * 60):02d}.000Z"


SPAN = Span(moment(60), moment(120))
Event = tuple[float, str, dict[str, object]]


def reader_of(store: Path, events: list[Event]) -> FiguresReader:
    ledger = Ledger(store)
    with ledger.transaction() as db:
        for minute, event, body in events:
            sql = "insert into journal (at, stream, key, event, who, body) values (?, 'line', '', ?, '', ?)"
            db.execute(sql, (moment(minute), event, json.dumps({"since": moment(minute), **body})))
    ledger.close()
    return FiguresReader(store)


def test_ready_and_not_ready_with_reasons(tmp_path: Path) -> None:
    lost: dict[str, object] = {"reasons": ["camera top is lost: gone", "inspect is silent"]}
    events: list[Event] = [
        (10, "ready", {}),
        (70, "not ready", lost),
        (75, "ready", {}),
        (80, "not ready", {"reasons": ["inspect is silent"]}),
        (81, "not ready", lost),
        (90, "silent", {}),
        (100, "ready", {}),
    ]
    found = uptime_of(reader_of(tmp_path, events), SPAN)
    assert (found.ready_min, found.down_min, found.unknown_min) == (35, 15, 10)
    assert found.stops == (("camera top is lost: gone", 2, 14.0), ("inspect is silent", 1, 1.0))
    assert found.told(str)[0][0] == "Camera top is disconnected"
    told = oee_of(Sums(triggered=70, ok=70), 60, 40, 4, found)
    assert (told.availability, told.performance, told.rate_per_min) == (35 / 50, 0.5, 2)


def test_time_in_which_nobody_looked_is_not_known(tmp_path: Path) -> None:
    events: list[Event] = [(50, "ready", {}), (100, "not ready", {"unseen since": moment(65)})]
    found = uptime_of(reader_of(tmp_path, events), SPAN)
    assert (found.ready_min, found.down_min, found.unknown_min) == (5, 20, 35)


def test_without_a_word_nothing_is_known_and_parts_tell(tmp_path: Path) -> None:
    found = uptime_of(reader_of(tmp_path, []), SPAN)
    assert (found.availability, found.unknown_min) == (None, 60)
    assert oee_of(Sums(), 60, 30, 0, found).availability == 0.5


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 150),
            st.sampled_from(["ready", "not ready", "silent"]),
            st.one_of(st.none(), st.integers(0, 150)),
        ),
        max_size=12,
    )
)
def test_every_minute_is_counted_once(
    tmp_path_factory: pytest.TempPathFactory, course: list[tuple[int, str, int | None]]
) -> None:
    events: list[Event] = [
        (minute, event, {} if unseen is None else {"unseen since": moment(unseen)})
        for minute, event, unseen in sorted(course, key=lambda one: one[0])
    ]
    found = uptime_of(reader_of(tmp_path_factory.mktemp("store"), events), SPAN)
    assert found.ready_min + found.down_min + found.unknown_min == pytest.approx(60)
    assert min(found.ready_min, found.down_min, found.unknown_min) >= 0
