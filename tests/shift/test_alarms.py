"""Alarms by ISA-18.2: what may become of one, and that nothing is lost on the way."""

import re

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from okng.bus.clock import SECOND
from okng.bus.errors import Refused
from okng.bus.shift import Alarm, AlarmState
from okng.shift.alarms import AlarmBook, AlarmEvent
from okng.shift.catalogue import KINDS

UTC = "2026-01-01T00:00:00.000Z"
QUICK, LATCHED, HARD, CHILD, PARENT = "ng.consecutive", "records.lost", "verify.failed", "inspect.silent", "io.silent"


class Book:
    """A book and its clock."""

    def __init__(self) -> None:
        self.book = AlarmBook()
        self.now = 0
        self.events: list[AlarmEvent] = []

    def look(self, *keys: str, seconds: float = 0) -> None:
        """Time passes while these causes stand."""
        for _ in range(2):
            self.book.update({key: {} for key in keys}, self.now, UTC)
            self.now += int(seconds * SECOND)
        self.book.update({key: {} for key in keys}, self.now, UTC)
        self.events += self.book.events()

    def state(self, key: str) -> AlarmState | None:
        return next((alarm.state for alarm in self.book.alarms() if alarm.key == key), None)

    def alarm(self, key: str) -> Alarm:
        return next(alarm for alarm in self.book.alarms() if alarm.key == key)


@pytest.fixture
def book() -> Book:
    return Book()


def test_seen_then_gone(book: Book) -> None:
    book.look(QUICK)
    assert book.state(QUICK) is AlarmState.UNACKNOWLEDGED
    book.book.acknowledge(QUICK, "ann", UTC)
    assert book.state(QUICK) is AlarmState.ACKNOWLEDGED
    assert book.alarm(QUICK).active
    assert book.alarm(QUICK).who == "ann"
    book.look()
    assert book.state(QUICK) is None
    assert [event.event for event in book.events] == ["raised", "acknowledged", "cleared"]


def test_gone_before_it_was_seen(book: Book) -> None:
    book.look(QUICK)
    book.look()
    assert book.state(QUICK) is AlarmState.RETURNED
    book.book.acknowledge(QUICK, "ann", UTC)
    assert book.state(QUICK) is None


def test_a_latched_one_waits_for_a_reset(book: Book) -> None:
    book.look(HARD)
    book.book.acknowledge(HARD, "ann", UTC)
    with pytest.raises(Refused, match="only a latched one whose cause is gone"):
        book.book.reset(HARD, "ann", UTC)
    book.look()
    assert book.state(HARD) is AlarmState.LATCHED
    with pytest.raises(Refused, match="nothing to acknowledge"):
        book.book.acknowledge(HARD, "ann", UTC)
    book.book.reset(HARD, "ann", UTC)
    assert book.state(HARD) is None


def test_delays(book: Book) -> None:
    book.look(CHILD, seconds=0.9)
    assert book.state(CHILD) is None
    book.look(CHILD, seconds=1)
    assert book.state(CHILD) is AlarmState.UNACKNOWLEDGED
    book.book.acknowledge(CHILD, "ann", UTC)
    book.look(seconds=0.9)
    assert book.state(CHILD) is AlarmState.ACKNOWLEDGED
    book.look(seconds=1)
    assert book.state(CHILD) is None


def test_shelving_ends_by_itself_and_what_stands_speaks_again(book: Book) -> None:
    book.look(QUICK)
    book.book.shelve(QUICK, 30, "lea", book.now, UTC, "later")
    assert (book.state(QUICK), book.alarm(QUICK).until) == (AlarmState.SHELVED, "later")
    book.look(QUICK, seconds=899)
    assert book.state(QUICK) is AlarmState.SHELVED
    book.look(QUICK, seconds=1)
    assert book.state(QUICK) is AlarmState.UNACKNOWLEDGED
    with pytest.raises(Refused, match="at most 30"):
        book.book.shelve(QUICK, 31, "lea", book.now, UTC, "")
    with pytest.raises(Refused, match="not shelved"):
        book.book.unshelve(QUICK, "lea", UTC)


def test_some_may_not_be_kept_quiet(book: Book) -> None:
    book.look(HARD)
    with pytest.raises(Refused, match="may not be shelved"):
        book.book.shelve(HARD, 5, "lea", book.now, UTC, "")
    with pytest.raises(Refused, match="may not be taken out of service"):
        book.book.service(HARD, True, "lea", UTC)
    with pytest.raises(Refused, match="there is no alarm"):
        book.book.service("nonsense", True, "lea", UTC)


def test_out_of_service_until_it_is_put_back(book: Book) -> None:
    book.book.service(QUICK, True, "lea", UTC)
    book.look(QUICK)
    assert book.state(QUICK) is AlarmState.OUT_OF_SERVICE
    assert "raised" in [event.event for event in book.events], "it is journaled all the same"
    book.book.service(QUICK, False, "lea", UTC)
    assert book.state(QUICK) is AlarmState.UNACKNOWLEDGED


def test_what_another_alarm_explains_is_suppressed(book: Book) -> None:
    book.look("plc.lost", seconds=2)
    assert book.state("plc.lost") is AlarmState.UNACKNOWLEDGED
    book.look("plc.lost", PARENT, seconds=2)
    assert book.state("plc.lost") is AlarmState.SUPPRESSED
    book.look("plc.lost", seconds=2)
    assert book.state("plc.lost") is AlarmState.UNACKNOWLEDGED


def test_unacknowledged_come_first_then_priority(book: Book) -> None:
    book.look("escape.reported:1", QUICK, HARD)
    assert [alarm.kind for alarm in book.book.alarms()] == [HARD, QUICK, "escape.reported"]
    book.book.acknowledge(HARD, "ann", UTC)
    assert [alarm.kind for alarm in book.book.alarms()] == [QUICK, "escape.reported", HARD]


def test_a_flood_is_counted(book: Book) -> None:
    for _ in range(12):
        book.look(QUICK)
        book.look()
    assert book.book.hourly(book.now) == 12
    assert book.alarm(QUICK).count == 12
    assert book.book.hourly(book.now + 3600 * SECOND) == 0


def test_it_comes_back_as_it_was(book: Book) -> None:
    book.look(QUICK, HARD, "drift:top", "clock.wrong", seconds=3)
    book.book.acknowledge(HARD, "ann", UTC)
    book.book.shelve("clock.wrong", 10, "lea", book.now, UTC, "later")
    book.look(QUICK, HARD, "clock.wrong", seconds=10)
    before = {alarm.key: alarm for alarm in book.book.alarms()}
    again = AlarmBook()
    again.restore(book.book.snapshot(book.now), 5)
    assert {alarm.key: alarm for alarm in again.alarms()} == before
    again.update({QUICK: {}, HARD: {}, "clock.wrong": {}}, 5 + 601 * SECOND, UTC)
    states = {alarm.key: alarm.state for alarm in again.alarms()}
    assert states["clock.wrong"] is AlarmState.UNACKNOWLEDGED, "shelving went on"
    again.restore([{"key": "nonsense"}, {"key": QUICK}], 0)


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_says_what_why_and_what_to_do(name: str) -> None:
    found = KINDS[name]
    assert found.priority in (1, 2, 3, 4)
    fill = dict.fromkeys(found.fills, "x")
    for text in (found.what, found.why, found.todo):
        assert re.search(r"\w", text % fill)
    assert set(found.explained_by) <= set(KINDS)


QUIET = (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
AFTER: dict[AlarmState | None, set[AlarmState | None]] = {
    None: {AlarmState.UNACKNOWLEDGED, AlarmState.OUT_OF_SERVICE},
    AlarmState.UNACKNOWLEDGED: {AlarmState.ACKNOWLEDGED, AlarmState.RETURNED, *QUIET},
    AlarmState.ACKNOWLEDGED: {None, AlarmState.LATCHED, *QUIET},
    AlarmState.RETURNED: {None, AlarmState.LATCHED, AlarmState.UNACKNOWLEDGED, *QUIET} - {AlarmState.SUPPRESSED},
    AlarmState.LATCHED: {None, AlarmState.UNACKNOWLEDGED, AlarmState.OUT_OF_SERVICE},
    AlarmState.SHELVED: {None, AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED, AlarmState.OUT_OF_SERVICE},
    AlarmState.SUPPRESSED: {None, AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED, AlarmState.OUT_OF_SERVICE},
    AlarmState.OUT_OF_SERVICE: {None, AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED},
}
KEYS = st.sampled_from((QUICK, LATCHED, HARD, CHILD, PARENT, "plc.lost", "camera.lost:top"))


class Anything(RuleBasedStateMachine):
    """Causes come and go, people do what they like."""

    @initialize()
    def begin(self) -> None:
        self.book, self.now = AlarmBook(), 0
        self.causes: set[str] = set()
        self.was_active: dict[str, int] = {}
        self.raised: dict[str, int] = {}
        self.told: dict[str, AlarmState | None] = {}
        self.before: dict[str, Alarm] = {}

    def settle(self) -> None:
        self.before = {alarm.key: alarm for alarm in self.book.alarms()}
        for event in self.book.events():
            old, new = self.told.get(event.key), None if event.state == "normal" else AlarmState(event.state)
            assert old is new or new in AFTER[old], f"{event.key}: {old} became {new} by {event.event}"
            self.told[event.key] = new
            if event.event == "raised":
                self.raised[event.key] = self.raised.get(event.key, 0) + 1

    def look(self) -> None:
        self.book.update({key: {} for key in self.causes}, self.now, UTC)
        for alarm in self.book.alarms():
            if alarm.active and not getattr(self.before.get(alarm.key), "active", False):
                self.was_active[alarm.key] = self.was_active.get(alarm.key, 0) + 1

    @rule(key=KEYS, stands=st.booleans(), ms=st.sampled_from([0, 100, 3000, 700_000]))
    def cause(self, key: str, stands: bool, ms: int) -> None:
        (self.causes.add if stands else self.causes.discard)(key)
        self.look()
        self.now += ms * 1_000_000
        self.check()
        self.look()

    @rule(key=KEYS)
    def acknowledge(self, key: str) -> None:
        before = self.before.get(key)
        try:
            self.book.acknowledge(key, "ann", UTC)
        except Refused:
            assert before is None or before.state not in (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED)
            return
        assert before is not None
        after = {alarm.key: alarm for alarm in self.book.alarms()}.get(key)
        if before.active:
            assert after is not None, "acknowledging cleared it"
            assert after.active

    @rule(key=KEYS)
    def reset(self, key: str) -> None:
        before = self.before.get(key)
        try:
            self.book.reset(key, "lea", UTC)
        except Refused:
            assert before is None or before.state is not AlarmState.LATCHED
        else:
            assert before is not None
            assert not before.active

    @rule(key=KEYS, minutes=st.sampled_from([1, 30, 31, 0, -1]))
    def shelve(self, key: str, minutes: int) -> None:
        try:
            self.book.shelve(key, minutes, "lea", self.now, UTC, "later")
        except Refused:
            return
        assert 0 < minutes <= 30

    @rule(key=KEYS)
    def unshelve(self, key: str) -> None:
        try:
            self.book.unshelve(key, "lea", UTC)
        except Refused:
            assert key not in self.before or self.before[key].state is not AlarmState.SHELVED

    @rule(key=KEYS, out=st.booleans())
    def service(self, key: str, out: bool) -> None:
        try:
            self.book.service(key, out, "lea", UTC)
        except Refused:
            return

    @rule()
    def restart(self) -> None:
        kept = self.book.snapshot(self.now)
        again = AlarmBook()
        again.restore(kept, self.now)
        states = {alarm.key: (alarm.state, alarm.active) for alarm in self.book.alarms()}
        assert {alarm.key: (alarm.state, alarm.active) for alarm in again.alarms()} == states

    @invariant()
    def check(self) -> None:
        if not hasattr(self, "book"):
            return
        after = {alarm.key: alarm for alarm in self.book.alarms()}
        for alarm in after.values():
            if alarm.state is AlarmState.LATCHED:
                assert not alarm.active
            if alarm.state in (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED):
                assert alarm.active
            if alarm.state is AlarmState.RETURNED:
                assert not alarm.active
        self.settle()
        told = {key: state for key, state in self.told.items() if state is not None}
        assert told == {key: alarm.state for key, alarm in after.items()}, "not all of it is in the journal"
        for key, times in self.was_active.items():
            assert self.raised.get(key, 0) >= times, f"{key} was active and is not in the journal"


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
