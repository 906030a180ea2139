"""Results on their way to a broker, pure: bounded, oldest first, each handed over until the broker has acknowledged it.

Full: the oldest result that is not under way is dropped and counted. The ledger of the box has it all the same.
"""

from collections import deque


class Outbox:
    """What waits, and what is under way. One thread."""

    def __init__(self, bound: int, window: int) -> None:
        """bound: results that may wait, at least 1. window: results that may be under way, at least 1."""
        self._waiting: deque[bytes] = deque()
        self._under_way: set[int] = set()
        self._bound, self._window = bound, window
        self.dropped = 0
        """Results dropped because nobody took them in time, since the process began."""
        self.taken = 0
        """Results that a broker has acknowledged."""

    @property
    def waiting(self) -> int:
        """Results that nobody has been handed yet."""
        return len(self._waiting)

    @property
    def under_way(self) -> int:
        """Results handed over and not yet acknowledged."""
        return len(self._under_way)

    def put(self, payload: bytes) -> bool:
        """Keep one result. False: the oldest was dropped for it."""
        self._waiting.append(payload)
        if len(self._waiting) <= self._bound:
            return True
        self._waiting.popleft()
        self.dropped += 1
        return False

    def next(self) -> bytes | None:
        """The result to hand over now; it stays here until `sent`. None: nothing waits, or the window is full."""
        if len(self._under_way) >= self._window or not self._waiting:
            return None
        return self._waiting[0]

    def sent(self, token: int) -> None:
        """The result of `next` is under way under this token, unique among those under way."""
        self._waiting.popleft()
        self._under_way.add(token)

    def acknowledged(self, token: int) -> None:
        """The broker has it. A token that is not under way counts for nothing (states have theirs too)."""
        if token in self._under_way:
            self._under_way.discard(token)
            self.taken += 1
