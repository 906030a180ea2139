"""What is written down: in order, once, and nothing waits for it."""

from collections import deque
from typing import Any

import pytest

from okng.bus.asks import Answer, Ask, Desk, new_id
from okng.bus.clock import SECOND
from okng.shift.diary import AGAIN_NS, MOST, Diary
from okng.shift.door import LIMIT_NS, PATIENCE_NS, Door


class Records:
    """records as the diary meets it: deaf, or answering."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self.answers: deque[Answer] = deque()
        self.deaf = False
        self.refuses = ""

    def send(self, ask: Ask) -> bool:
        self.asks.append(ask)
        if not self.deaf:
            self.answers.append(Answer(ask.id, not self.refuses, self.refuses))
        return True

    def receive(self) -> Answer | None:
        return self.answers.popleft() if self.answers else None


@pytest.fixture
def records() -> Records:
    return Records()


def pumped(diary: Diary, turns: int = 20, at: int = 0) -> None:
    for turn in range(turns):
        diary.pump(at + turn)


def test_in_order_and_the_newest_snapshot(records: Records) -> None:
    diary = Diary(records)
    records.deaf = True
    diary.add("alarm", "a", "raised", {})
    diary.keep("shift", {"n": 1})
    diary.add("alarm", "a", "returned", {}, "ann")
    last = diary.keep("shift", {"n": 2})
    diary.pump(0)
    records.deaf = False
    pumped(diary, at=AGAIN_NS)
    assert (diary.written, diary.waiting, diary.newest) == (last, 0, last)
    done = [ask for ask in records.asks[1:]]
    assert [ask.name for ask in done] == ["journal.add", "journal.add", "journal.state"]
    assert done[0].id == records.asks[0].id, "asked again under the same id"
    assert done[1].body == {"stream": "alarm", "key": "a", "event": "returned", "body": {}}
    assert done[1].who == "ann"
    assert done[2].body == {"name": "shift", "body": {"n": 2}}


def test_it_waits_as_long_as_it_takes_and_is_bounded(records: Records) -> None:
    diary = Diary(records)
    records.deaf = True
    tickets = [diary.add("alarm", "a", "raised", {"n": n}) for n in range(MOST + 2)]
    diary.pump(0)
    diary.pump(3600 * SECOND)
    assert (diary.waiting, diary.given_up, diary.written) == (MOST, 2, 0)
    assert set(diary.refused) == set(tickets[1:3]), "the oldest are given up, and never the one under way"


def test_what_records_refuses_is_not_asked_for_ever(records: Records) -> None:
    diary = Diary(records)
    records.refuses = "stream: too long"
    ticket = diary.add("x" * 99, "", "e", {})
    pumped(diary)
    assert diary.waiting == 0
    assert diary.refused == {ticket: "stream: too long"}


class Asked:
    """The door's socket."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[bytes, Ask]] = deque()
        self.given: list[tuple[bytes, Answer]] = []

    def take(self, timeout_ms: int = 0) -> tuple[bytes, Ask] | None:
        return self.waiting.popleft() if self.waiting else None

    def give(self, who: bytes, answer: Answer) -> None:
        self.given.append((who, answer))


class Office:
    """A door with its desk and diary."""

    def __init__(self, records: Records) -> None:
        self.diary, self.asked, self.did = Diary(records), Asked(), list[str]()
        names = {"alarm.ack": self.do, "bypass.set": self.do}
        self.door = Door(self.asked, Desk("shift", names), self.diary)

    def do(self, ask: Ask) -> dict[str, Any]:
        self.did.append(ask.name)
        self.diary.add("x", "", ask.name, {})
        return {}

    def ask(self, name: str) -> Ask:
        right = {"alarm.ack": "alarm.ack", "bypass.set": "bypass.set"}[name]
        ask = Ask(new_id(), name, "lea", right)
        self.asked.waiting.append((b"web", ask))
        return ask

    def turns(self, at: int, count: int = 6) -> None:
        for turn in range(count):
            self.door.serve(at + turn)
            self.diary.pump(at + turn)


def test_what_relaxes_is_on_disk_before_it_is_done(records: Records) -> None:
    office = Office(records)
    records.deaf = True
    ask = office.ask("bypass.set")
    office.turns(0)
    assert (office.did, office.asked.given) == ([], [])
    office.asked.waiting.append((b"web2", ask))
    records.deaf = False
    office.turns(AGAIN_NS)
    assert office.did == ["bypass.set"], "asked twice, done once"
    assert [(who, answer.done) for who, answer in office.asked.given] == [(b"web2", True)]
    office.asked.waiting.append((b"web3", ask))
    office.turns(2 * AGAIN_NS)
    assert len(office.did) == 1
    assert office.asked.given[-1][0] == b"web3"


def test_without_the_ledger_nothing_is_relaxed_and_who_asks_is_told(records: Records) -> None:
    office = Office(records)
    records.deaf = True
    office.ask("bypass.set")
    office.turns(0)
    office.turns(LIMIT_NS)
    (given,) = office.asked.given
    assert not given[1].done
    assert given[1].detail.startswith("records does not answer")
    assert office.did == []
    records.deaf = False
    office.turns(LIMIT_NS + AGAIN_NS)
    assert office.did == [], "a late ledger does not do it after all"


def test_who_has_no_right_to_it_is_told_at_once(records: Records) -> None:
    office = Office(records)
    office.asked.waiting.append((b"web", Ask(new_id(), "bypass.set", "olga", "alarm.ack")))
    office.turns(0)
    assert office.asked.given[0][1].detail == "bypass.set needs the right bypass.set, not alarm.ack"
    assert records.asks == []


def test_a_refusal_of_the_ledger_is_told(records: Records) -> None:
    office = Office(records)
    records.refuses = "disk full"
    office.ask("bypass.set")
    office.turns(0)
    assert office.asked.given[0][1].detail == "it cannot be written down, so it was not done: disk full"


def test_done_means_on_disk_but_nobody_is_left_without_a_word(records: Records) -> None:
    office = Office(records)
    records.deaf = True
    office.ask("alarm.ack")
    office.turns(0)
    assert office.did == ["alarm.ack"]
    assert office.asked.given == []
    office.turns(PATIENCE_NS)
    assert office.asked.given[0][1].done
