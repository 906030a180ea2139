"""The journal: nothing owed is forgotten, nothing waits, nothing grows without bound."""

import random

from okng.bus.clock import SECOND
from okng.bus.entries import CountersEntry
from okng.bus.messages import Counters, Stored
from okng.bus.part import Trigger
from okng.plc_io.journal import Journal

NONE = Counters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def trigger(part: int) -> Trigger:
    return Trigger(part, "cell", part, None, part + 1, "cap")


class Door:
    """The ledger's door: open, shut or forgetful."""

    def __init__(self) -> None:
        self.open = True
        self.came: list[int] = []

    def send(self, entry: object) -> bool:
        if self.open:
            self.came.append(entry.number)  # type: ignore[attr-defined]
        return self.open


def test_what_is_stored_is_forgotten_and_the_rest_sent_again() -> None:
    journal, door = Journal("e", "boot"), Door()
    for part in (1, 2, 3):
        journal.trigger(trigger(part))
    journal.pump(door.send, 0)
    journal.pump(door.send, 1)
    assert door.came == [1, 2, 3]
    journal.stored(Stored("other", (1, 2, 3)), 2)
    assert journal.waiting == 3
    journal.stored(Stored("e", (1, 3)), 2)
    journal.pump(door.send, SECOND - 1)
    assert door.came == [1, 2, 3]
    journal.pump(door.send, SECOND)
    assert door.came == [1, 2, 3, 2]


def test_a_silent_door_is_asked_with_one_entry() -> None:
    journal, door = Journal("e", "boot"), Door()
    for part in range(1, 101):
        journal.trigger(trigger(part))
    journal.pump(door.send, 0)
    journal.pump(door.send, 1)
    assert len(door.came) == 100
    for second in range(1, 11):
        journal.pump(door.send, second * SECOND)
    assert door.came[100:] == [1] * 10
    journal.stored(Stored("e", (1,)), 11 * SECOND)
    journal.pump(door.send, 11 * SECOND)
    journal.pump(door.send, 11 * SECOND)
    assert set(door.came[110:]) == set(range(2, 101))


def test_a_full_journal_counts_what_it_drops_and_leaves_a_gap() -> None:
    journal, door = Journal("e", "boot", bound=3), Door()
    for part in range(1, 6):
        journal.trigger(trigger(part))
    assert (journal.waiting, journal.lost) == (3, 2)
    journal.counters(NONE, last=True)
    journal.pump(door.send, 0)
    assert door.came == [1, 2, 3, 6]


def test_counters_do_not_pile_up() -> None:
    journal = Journal("e", "boot")
    for _ in range(5):
        journal.counters(NONE)
    assert journal.waiting == 1
    journal.stored(Stored("e", (1,)), 0)
    journal.counters(NONE)
    journal.counters(NONE, last=True)
    assert journal.waiting == 2


def test_every_entry_arrives_whatever_the_door_does() -> None:
    """A door that shuts, forgets what it took and answers late: at the end each number came at least once."""
    chance = random.Random(7)
    journal, door = Journal("e", "boot", window=16), Door()
    disk: set[int] = set()
    now = 0
    for step in range(4000):
        now += SECOND // 50
        if step < 2000 and chance.random() < 0.3:
            journal.trigger(trigger(step + 1))
        door.open = chance.random() < 0.7
        journal.pump(door.send, now)
        if chance.random() < 0.05:
            door.came.clear()  # killed with what it had in its hands
        if chance.random() < 0.2:
            disk.update(door.came)
            journal.stored(Stored("e", tuple(door.came)), now)
            door.came.clear()
    assert journal.waiting == 0
    assert disk == set(range(1, len(disk) + 1))
    assert journal.lost == 0


def test_the_last_entry_says_so() -> None:
    journal = Journal("e", "boot")
    journal.counters(NONE, last=True)
    sent: list[object] = []

    def send(entry: object) -> bool:
        sent.append(entry)
        return True

    journal.pump(send, 0)
    assert sent == [CountersEntry("e", 1, NONE, last=True)]
