"""Whose a frame of a camera that runs free is: the newest in free run, each trigger's own with software triggers. Pure.

A frame is a trigger's when it began after it, and after the trigger before has its own. All others pass by.
"""

from collections import deque
from dataclasses import dataclass

from ..imaging.picture import Picture

WAITING = 64
"""Triggers that may wait for their frame, or to be taken; one more is lost."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame that is somebody's."""

    number: int
    """Free run: of the frame; else of the trigger. From 1 in each stream."""
    captured_ns: int
    """When all of it was here, less what it is known to have been held up."""
    picture: Picture | None
    """BGR or grey. None: broken on its way."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to one frame."""

    stream: int
    number: int


class Claims:
    """The streams of one camera, one after the other. The caller keeps threads apart."""

    def __init__(self) -> None:
        self.live = False
        self._triggered = False
        self._since_ns = 0
        self._stream = self._number = 0
        self._pending: deque[tuple[int, int]] = deque()
        """Triggers without a frame: number, moment after which their frame must begin."""
        self._room = 1
        self.seen: deque[Seen] = deque()
        """Not yet taken; the caller takes from the left."""
        self.dropped = 0
        """Frames nobody took in time, and triggers beyond the bound, this stream."""

    def begin(self, since_ns: int, room: int, *, triggered: bool) -> None:
        """Start a stream; what began before since_ns is nobody's. room: answered triggers that may wait to be taken."""
        self.end()
        self._triggered, self._since_ns = triggered, since_ns
        self._room = room if triggered else 1
        self._stream += 1
        self._number = self.dropped = 0
        self.live = True

    def end(self) -> None:
        """End the stream: nobody waits any more."""
        self.live = False
        self._pending.clear()
        self.seen.clear()

    def trigger(self, at_ns: int) -> None:
        """The next frame that begins at that moment or later is this trigger's."""
        self._number += 1
        if len(self._pending) + len(self.seen) >= WAITING:
            self.dropped += 1
        else:
            self._pending.append((self._number, at_ns))

    def claim(self, began_ns: int) -> Claim | None:
        """Whose a frame is that began at that moment; None: nobody's."""
        if not self.live or began_ns < self._since_ns:
            return None
        if not self._triggered:
            self._number += 1
            return Claim(self._stream, self._number)
        if not self._pending or began_ns < self._pending[0][1]:
            return None
        return Claim(self._stream, self._pending.popleft()[0])

    def give(self, claim: Claim, captured_ns: int, picture: Picture | None) -> None:
        """Keep the frame; where too many wait the oldest goes. Of a stream that has ended: nothing."""
        if not self.live or claim.stream != self._stream:
            return
        while len(self.seen) >= self._room:
            self.seen.popleft()
            self.dropped += 1
        self.seen.append(Seen(claim.number, captured_ns, picture))
