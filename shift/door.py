"""Asks that relax something wait here until the ledger has them; all others are answered at once."""

from dataclasses import dataclass
from typing import Protocol

from ..bus.asks import Answer, Ask, Desk
from ..bus.clock import MS
from .desk import relaxes
from .diary import Diary

LIMIT_NS = 1500 * MS
"""Shorter than whoever asks waits: it hears that nothing was done, not nothing at all."""
MOST = 32


class AskedOf(Protocol):
    """What this needs of `bus.channel.AskDoor`."""

    def take(self, timeout_ms: int = 0) -> tuple[bytes, Ask] | None:
        """See there."""

    def give(self, who: bytes, answer: Answer) -> None:
        """See there."""


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

    def serve(self, now_ns: int, most: int = 16) -> int:
        """Answer what can be answered; return how many asks came."""
        came = 0
        while came < most and (asked := self._door.take()) is not None:
            came += 1
            who, ask = asked
            if ask.id in self._waiting:
                self._waiting[ask.id].who = who
            elif not relaxes(ask) or self._desk.knows(ask):
                self._door.give(who, self._desk.answer(ask))
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
            elif self._diary.written >= waits.ticket:
                answer = self._desk.answer(waits.ask)
            elif now_ns - waits.since_ns >= LIMIT_NS:
                answer = Answer(key, False, "records does not answer: it is not written down, so it was not done")
                self._diary.add("asked", waits.ask.name, "not done", {"id": key}, waits.ask.who)
            else:
                continue
            del self._waiting[key]
            self._door.give(waits.who, answer)
        return came
