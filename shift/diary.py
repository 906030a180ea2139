"""What shift has to have written down: events in order, and the newest snapshot. Nothing here waits for the disk.

records writes. While it does not answer, events wait in order and are asked again under their id, so none is written
twice. A snapshot replaces one of the same name that was not sent yet.
"""

import logging
from collections import deque
from typing import Any, Protocol

from ..bus.asks import Answer, Ask, new_id
from ..bus.clock import MS, SECOND

_LOG = logging.getLogger(__name__)
MOST = 4096
"""Entries that wait. Full: the oldest event is given up and counted; it stays in the log and on the screen."""
AGAIN_NS = 500 * MS
"""An entry without an answer is asked again after so long."""
TOLD_NS = 5 * SECOND
ADD, STATE = "journal.add", "journal.state"


class Asking(Protocol):
    """What the diary needs of the way to records."""

    def send(self, ask: Ask) -> bool:
        """See `bus.channel.Asker`."""

    def receive(self) -> Answer | None:
        """See `bus.channel.Asker`."""


class Diary:
    """The queue to records. One thread; `pump` each turn."""

    def __init__(self, asker: Asking) -> None:
        self._asker = asker
        self._queue: deque[tuple[int, Ask]] = deque()
        self._sent_ns = 0
        self._since_ns = 0
        self._told = False
        self._tickets = 0
        self.written = 0
        """Ticket up to which everything is on disk (or was refused by records, or given up)."""
        self.refused: dict[int, str] = {}
        """Why records did not take an entry, by ticket; the newest few."""
        self.given_up = 0

    def add(self, stream: str, key: str, event: str, body: dict[str, Any], who: str = "") -> int:
        """Put one event behind the others; return its ticket."""
        return self._put(ADD, {"stream": stream, "key": key, "event": event, "body": body}, who)

    def keep(self, name: str, body: dict[str, Any]) -> int:
        """Put a snapshot behind the others in place of an older one of that name that was not sent yet."""
        for at, (_, ask) in enumerate(self._queue):
            if at and ask.name == STATE and ask.body["name"] == name:
                del self._queue[at]
                break
        return self._put(STATE, {"name": name, "body": body}, "")

    def pump(self, now_ns: int) -> None:
        """Send what is next and take the answers."""
        while (answer := self._asker.receive()) is not None:
            if self._queue and self._queue[0][1].id == answer.id:
                ticket, ask = self._queue.popleft()
                self.written = ticket
                self._sent_ns = 0
                self._since_ns = now_ns
                if not answer.done:
                    self._refuse(ticket, ask, answer.detail)
                elif self._told:
                    _LOG.info("records writes the journal again")
                    self._told = False
        if not self._queue:
            self._since_ns = now_ns
            return
        if not self._sent_ns or now_ns - self._sent_ns >= AGAIN_NS:
            self._asker.send(self._queue[0][1])
            self._sent_ns = now_ns
        if now_ns - self._since_ns > TOLD_NS and not self._told:
            _LOG.warning("records does not answer: %d entries of the journal wait", len(self._queue))
            self._told = True

    @property
    def newest(self) -> int:
        """Ticket of the newest entry; 0: there was none."""
        return self._tickets

    @property
    def waiting(self) -> int:
        """Entries that are not on disk yet."""
        return len(self._queue)

    def _put(self, name: str, body: dict[str, Any], who: str) -> int:
        self._tickets += 1
        self._queue.append((self._tickets, Ask(new_id(), name, who, "", "", body)))
        if len(self._queue) > MOST:
            ticket, ask = self._queue[1]
            del self._queue[1]
            self.given_up += 1
            self._refuse(ticket, ask, "too many wait")
        return self._tickets

    def _refuse(self, ticket: int, ask: Ask, detail: str) -> None:
        _LOG.error("not written: %s: %s", ask.name, detail)
        self.refused[ticket] = detail
        while len(self.refused) > 64:
            del self.refused[next(iter(self.refused))]
