"""Results on their way to a broker, pure: oldest first, each handed over until the broker has acknowledged it.

`Outbox` keeps them in memory, bounded: full, the oldest result that is not under way is dropped and counted; the ledger
of the box has it all the same. Where nothing may be dropped they are read from the ledger itself: `mqtt_ledger.py`.
"""

from collections import deque
from typing import Protocol

from .part_report import Json


class Results(Protocol):
    """What waits, and what is under way. One thread."""

    dropped: int
    """Results dropped because nobody took them in time, since the process began."""
    taken: int
    """Results that a broker has acknowledged."""

    @property
    def waiting(self) -> int:
        """Results that nobody has been handed yet."""

    @property
    def under_way(self) -> int:
        """Results handed over and not yet acknowledged."""

    def put(self, result: Json) -> bool:
        """One more has come. False: the oldest was dropped for it."""

    def next(self) -> Json | None:
        """The result to hand over now; it stays here until `sent`. None: nothing waits, or the window is full."""

    def sent(self, token: int) -> None:
        """The result of `next` is under way under this token, unique among those under way."""

    def acknowledged(self, token: int) -> None:
        """The broker has it. A token that is not under way counts for nothing (states have theirs too)."""

    def again(self) -> None:
        """What is under way waits again, in its order: nobody knows whether it arrived."""

    def close(self) -> None:
        """Keep what has to be found again after a restart. Never raises."""


class Outbox:
    """Results in memory."""

    def __init__(self, bound: int, window: int) -> None:
        """bound: results that may wait, at least 1. window: results that may be under way, at least 1."""
        self._waiting: deque[Json] = deque()
        self._under_way: dict[int, Json] = {}
        self._bound, self._window = bound, window
        self.dropped = 0
        self.taken = 0

    @property
    def waiting(self) -> int:
        """See `Results`."""
        return len(self._waiting)

    @property
    def under_way(self) -> int:
        """See `Results`."""
        return len(self._under_way)

    def put(self, result: Json) -> bool:
        """See `Results`."""
        self._waiting.append(result)
        if len(self._waiting) <= self._bound:
            return True
        self._waiting.popleft()
        self.dropped += 1
        return False

    def next(self) -> Json | None:
        """See `Results`."""
        if len(self._under_way) >= self._window or not self._waiting:
            return None
        return self._waiting[0]

    def sent(self, token: int) -> None:
        """See `Results`."""
        self._under_way[token] = self._waiting.popleft()

    def acknowledged(self, token: int) -> None:
        """See `Results`."""
        if self._under_way.pop(token, None) is not None:
            self.taken += 1

    def again(self) -> None:
        """See `Results`."""
        self._waiting.extendleft(reversed(self._under_way.values()))
        self._under_way.clear()

    def close(self) -> None:
        """See `Results`."""
