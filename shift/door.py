"""Asks that relax something wait until the ledger has them; answers wait until it has what follows from them."""

from dataclasses import dataclass
from typing import Protocol

from ..bus.asks import Answer, Ask, Desk
from ..bus.clock import MS
from ..bus.rights import COMMANDS
from .desk import relaxes
from .diary import Diary

LIMIT_NS = 1500 * MS
"""Shorter than whoever asks waits: it hears that nothing was done, not nothing at all."""
PATIENCE_NS = 400 * MS
"""What relaxes nothing is answered after so long although the ledger has it not yet; it is in the diary."""
MOST = 32


class AskedOf(Protocol):
    """What this needs of `bus.channel.AskDoor`."""

    def take(self, timeout_ms: int = 0) -> tuple[bytes, Ask] | None:
        """See there."""

    def give(self, who: bytes, answer: Answer) -> None:
        """See there."""


@dataclass(slots=True)
class _Done:
    """An answer that is given when what follows from it is on disk."""

    who: bytes
    answer: Answer
    since_ns: int
    ticket: int | None = None


@dataclass(slots=True)
class _Waiting:
    who: bytes
    ask: Ask
    ticket: int
    since_ns: int


class Door:
    """The asks of one process. One thread."""

    def __init__(self, door: AskedOf, desk: Desk, diary: Diary) -> None:
        self._door, self._desk, self._diary = door, desk, diary
        self._waiting: dict[str, _Waiting] = {}
        self._done: list[_Done] = []

    def serve(self, now_ns: int, most: int = 16) -> int:
        """Answer what can be answered; return how many asks came. To be called once a turn."""
        came = 0
        self._give(now_ns)
        while came < most and (asked := self._door.take()) is not None:
            came += 1
            who, ask = asked
            if ask.id in self._waiting:
                self._waiting[ask.id].who = who
            elif not relaxes(ask) or ask.right != COMMANDS[ask.name].right or self._desk.knows(ask):
                self._answer(who, ask, now_ns)
            elif len(self._waiting) >= MOST:
                self._door.give(who, Answer(ask.id, False, "too many asks wait for the ledger"))
            else:
                body = {"body": ask.body, "reason": ask.reason, "id": ask.id}
                ticket = self._diary.add("asked", ask.name, "asked", body, ask.who)
                self._waiting[ask.id] = _Waiting(who, ask, ticket, now_ns)
        for key, waits in list(self._waiting.items()):
            refusal = self._diary.refused.get(waits.ticket)
            if refusal is not None:
                answer = Answer(key, False, f"it cannot be written down, so it was not done: {refusal}")
                self._door.give(waits.who, answer)
            elif self._diary.written >= waits.ticket:
                self._answer(waits.who, waits.ask, now_ns)
            elif now_ns - waits.since_ns >= LIMIT_NS:
                answer = Answer(key, False, "records does not answer: it is not written down, so it was not done")
                self._diary.add("asked", waits.ask.name, "not done", {"id": key}, waits.ask.who)
                self._door.give(waits.who, answer)
            else:
                continue
            del self._waiting[key]
        return came

    def _answer(self, who: bytes, ask: Ask, now_ns: int) -> None:
        answer = self._desk.answer(ask)
        if answer.done:
            self._done.append(_Done(who, answer, now_ns))
        else:
            self._door.give(who, answer)

    def _give(self, now_ns: int) -> None:
        """Give what is on disk by now, and after a while what is not: people are not left without a word."""
        for done in self._done[:]:
            if done.ticket is None:
                done.ticket = self._diary.newest  # a turn has passed: all that follows from it is in the diary
            if self._diary.written >= done.ticket or now_ns - done.since_ns >= PATIENCE_NS:
                self._done.remove(done)
                self._door.give(done.who, done.answer)
