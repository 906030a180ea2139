"""What a camera's own count of its triggers tells: those it did not take, and frames nobody fired. Pure.

The count stands in each frame and includes triggers that came while an exposure was under way (SFNC: Counter0 on the
trigger's edges, read as ChunkCounterValue, latched when the frame starts).
"""

from collections import deque

_KEPT = 256
"""Triggers remembered since the last frame that had its part; after more than these the two counts begin anew."""


class TriggerCount:
    """The camera's count held against the triggers that io told of, in one stream epoch."""

    def __init__(self) -> None:
        self._last: int | None = None
        """Count in the last frame."""
        self._anchor: int | None = None
        """Count in the last frame that had its part."""
        self._asked: deque[int] = deque(maxlen=_KEPT)
        """Start of the window of each trigger since then."""
        self._moves = False
        """True once the count has moved on: until then the camera may have a counter that does not count."""

    def ask(self, from_ns: int) -> None:
        """A trigger has come, in order."""
        if len(self._asked) == _KEPT:
            self._anchor = None
        self._asked.append(from_ns)

    def step(self, count: int | None) -> int | None:
        """Return the triggers counted since the frame before, this frame's own included; None: it cannot be told.

        A count that went back was set back, or is full: nothing is concluded from it, nor from one that never moves.
        """
        last, self._last = self._last, count
        if last is None or count is None:
            return None
        if count < last:
            self._anchor = None
            return None
        self._moves = self._moves or count > last
        return count - last if self._moves else None

    def agrees(self, count: int | None, from_ns: int) -> bool:
        """False where so many triggers cannot lie between the last frame that had its part and the part at from_ns."""
        if count is None or self._anchor is None or not self._moves:
            return True
        return count - self._anchor == sum(1 for asked_ns in self._asked if asked_ns <= from_ns)

    def join(self, count: int | None, from_ns: int) -> None:
        """The frame with that count is the part's whose window begins at from_ns."""
        self._anchor = count
        while self._asked and self._asked[0] <= from_ns:
            self._asked.popleft()

    def pass_over(self) -> None:
        """A frame came whose trigger nobody told of."""
        if self._anchor is not None:
            self._anchor += 1
