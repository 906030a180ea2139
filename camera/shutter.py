"""When a replayed camera exposes, which picture it sees then, and what it has no buffer for. Pure: no clock of its own.

Pictures go by as the world does: one that was exposed without a buffer is not seen later instead.
"""

import bisect
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvenPace:
    """Exposures at a steady rate, the first one at 0."""

    period_ns: int

    def moment(self, number: int) -> int:
        """When exposure `number`, from 0, starts, in ns."""
        return number * self.period_ns

    def count(self, until_ns: int) -> int:
        """How many have started by that moment; it is one of them."""
        return max(until_ns // self.period_ns + 1, 0)


@dataclass(frozen=True, slots=True)
class RecordedPace:
    """Exposures as they were recorded, round and round."""

    at_ns: tuple[int, ...]
    """The first is 0, none is less than the one before."""
    pause_ns: int
    """From the last one to the first one of the next round; above 0."""

    @property
    def _round_ns(self) -> int:
        return self.at_ns[-1] + self.pause_ns

    def moment(self, number: int) -> int:
        """As EvenPace."""
        rounds, at = divmod(number, len(self.at_ns))
        return rounds * self._round_ns + self.at_ns[at]

    def count(self, until_ns: int) -> int:
        """As EvenPace."""
        rounds, rest = divmod(until_ns, self._round_ns)
        return max(rounds * len(self.at_ns) + bisect.bisect_right(self.at_ns, rest), 0)


@dataclass(frozen=True, slots=True)
class Exposure:
    """One frame that was exposed and has its buffer."""

    number: int
    """From 1 in each stream; a number that is missing had no buffer."""
    at_ns: int
    """Start of exposure; each is later than the one before."""
    picture: int
    strip: int
    """Which part of the picture, from above."""


class Shutter:
    """The exposures of one camera before a sequence of pictures."""

    def __init__(self, pictures: int, *, loop: bool) -> None:
        """pictures: how many there are. loop: begin again after the last; else nothing more is exposed."""
        self._pictures, self._loop = pictures, loop
        self._at = 0
        """Frames gone by, of this round."""
        self._last_ns = 0
        self._strips = 1
        self.waiting: deque[Exposure] = deque()
        """Not yet taken; the caller takes from the left."""
        self.begin(1, 1, EvenPace(1), 0)

    def begin(self, strips: int, buffers: int, pace: EvenPace | RecordedPace, at_ns: int) -> None:
        """Start a stream; it goes on with the picture that comes next.

        strips: frames to one picture. buffers: frames that may wait. pace: of free run, its 0 is at_ns for the first
        picture of the sequence.
        """
        self._at = self._at // self._strips * strips
        self._strips, self._buffers, self._pace = strips, buffers, pace
        self._base = self._at
        self._began_ns = at_ns - pace.moment(self._base)
        self._begun = 0
        self.dropped = 0
        """Exposures without a buffer, this stream."""
        self.waiting.clear()

    def rewind(self) -> None:
        """The next exposure is of the first picture."""
        self._at = 0

    @property
    def more(self) -> bool:
        """False when the last picture was exposed, and it does not begin again."""
        return self._loop or self._at < self._pictures * self._strips

    @property
    def due_ns(self) -> int:
        """When the next exposure of free run starts."""
        return self._began_ns + self._pace.moment(self._base + self._begun)

    def catch_up(self, at_ns: int) -> None:
        """Expose all that was due by that moment: buffers take the first ones, the others are dropped."""
        due = self._pace.count(at_ns - self._began_ns) - self._base - self._begun
        if not self._loop:
            due = min(due, self._pictures * self._strips - self._at)
        fit = max(min(due, self._buffers - len(self.waiting)), 0)
        for _ in range(fit):
            self.expose(self.due_ns, self._buffers)
        if due > fit:
            self._pass_by(due - fit)

    def expose(self, at_ns: int, room: int) -> None:
        """One exposure now. room: frames that may wait; where they do already, this one is dropped."""
        if not self.more:
            return
        at = self._at
        self._pass_by(1)
        if len(self.waiting) < room:
            self.dropped -= 1
            self._last_ns = max(at_ns, self._last_ns + 1)
            self.waiting.append(Exposure(self._begun, self._last_ns, *divmod(at, self._strips)))

    def _pass_by(self, count: int) -> None:
        """So many frames go by; the reader may have been away for long, so without a loop over them."""
        self._begun += count
        self.dropped += count
        self._at += count
        if self._loop:
            self._at %= self._pictures * self._strips
