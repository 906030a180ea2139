"""Which frame is whose: triggers and frames joined by time, frame number and trigger count. Pure: no clock, no I/O.

A trigger opens a window in which its exposure must have started. A frame is a part's when it lies in that part's
window and in no other, when no other frame lies there, and when every frame number skipped before it is accounted for
by a part that is lost. Everything else is lost: one trigger, one frame, one part, or UNJUDGED. Frames come in order, so
a part that is still open when a later part has its frame gets none any more.

A camera that counts its triggers tells more (`trigger_count.py`): a count skipped without a frame number is a trigger
that it did not take; a frame whose count has not moved on is nobody's; and where only its arrival dates a frame, the
count tells one that comes late from the next part's.

No part is given another one's frame as long as the window is shorter than the time between two parts.
"""

from collections import deque
from dataclasses import replace
from typing import Generic, TypeVar

from .trigger_count import TriggerCount
from .waiting import Arrived, Expected, Match, Missing

T = TypeVar("T")
_KEPT = 64
"""Stamps of used frames and windows of lost parts kept, to see doubts; far more than fit into one window."""


class Pairing(Generic[T]):
    """Parts without a frame and frames without a part, in one stream epoch."""

    def __init__(self, held_limit: int, hold_ns: int) -> None:
        """held_limit: frames that may wait for their trigger. hold_ns: how long, from the start of their exposure."""
        self._open: deque[Expected] = deque()
        self._held: deque[Arrived[T]] = deque()
        self._used: deque[int] = deque(maxlen=_KEPT)
        self._gone: deque[Expected] = deque(maxlen=_KEPT)
        """Parts lost without their frame: it may still come, and must not be another's."""
        self._held_limit, self._hold_ns = held_limit, hold_ns
        self._before_ns = 0
        """Start of the last window that is settled."""
        self.strays = 0
        """Frames that were nobody's."""
        self.unasked = 0
        """Of strays: those that no lost part accounts for."""
        self.early = 0
        """Parts lost because the camera did not take their trigger."""
        self._forget()

    def _forget(self) -> None:
        self._order = TriggerCount()
        self._unexplained = self._unexplained_asked = 0
        """Parts lost since the last frame: so many numbers may be skipped before the next one. Of those: no ghosts."""
        self._excused = 0
        """Parts lost since then whose frame came, but without a number of its own."""
        self.in_doubt = False
        """True: time and trigger count disagree which frame is whose. A new epoch makes it clear again."""

    @property
    def waiting(self) -> int:
        """Parts without a frame yet."""
        return len(self._open)

    @property
    def first_part(self) -> int:
        """Number of the part that waits longest; 0: none, or nobody's."""
        return self._open[0].part if self._open else 0

    @property
    def due_ns(self) -> int | None:
        """When the next part is lost; None: none waits."""
        return min((part.due_ns for part in self._open), default=None)

    @property
    def oldest_ns(self) -> int:
        """Trigger moment of the oldest waiting part; 0: none waits."""
        return next((part.triggered_at_ns for part in self._open if not part.ghost), 0)

    def expect(self, part: Expected) -> list[Match[T] | Missing]:
        """A trigger has come; triggers come in order."""
        self._open.append(part)
        self._order.ask(part.from_ns)
        if any(part.from_ns <= stamp <= part.until_ns for stamp in self._used):
            return self._lose([part], "pairing")  # a frame in its window was another part's: whose is it really?
        return self._settle()

    def arrive(self, frame: Arrived[T]) -> list[Match[T] | Missing]:
        """A frame has come; frames come in order."""
        edges = self._order.step(frame.count)
        if edges == 0:  # no trigger has made it
            self.strays += 1
            self.unasked += 1
            return []
        if edges is not None:
            early = max(edges - 1 - frame.gap, 0)
            frame = replace(frame, early=max(early - self._excused, 0))
        self._excused = 0
        self._held.append(frame)
        answers = self._settle()
        while len(self._held) > self._held_limit:
            self._stray(self._held.popleft())
        return answers

    def spoil(self, reason: str, *, numbered: bool = True) -> list[Match[T] | Missing]:
        """A frame came that is no picture and cannot be dated: the part that waits longest has lost it.

        numbered: it had a number of its own, which the next frame will show as skipped (an incomplete one); False: it
        had the number of the frame before (a repeated one).
        """
        if not self._open:
            return []
        only = len(self._open) == 1
        lost = self._lose([self._open[0]], reason)
        if only:
            self._gone.pop()  # its frame is known to have come
        if not numbered:
            self._unexplained -= 1
            self._unexplained_asked -= not lost[0].expected.ghost
            self._excused += 1
        return lost

    def expire(self, now_ns: int) -> list[Match[T] | Missing]:
        """Give up the parts that are due and the frames that nobody asked for."""
        while self._held and self._held[0].exposed_at_ns + self._hold_ns <= now_ns:
            self._stray(self._held.popleft())
        return self._lose([part for part in self._open if part.due_ns <= now_ns], "timeout")

    def reset(self, reason: str) -> list[Match[T] | Missing]:
        """The epoch is over: no frame of it will come any more."""
        lost = self._lose(list(self._open), reason)
        self._held.clear()
        self._used.clear()
        self._gone.clear()
        self._forget()
        return lost

    def _stray(self, frame: Arrived[T]) -> None:
        """Nobody's frame: it and the numbers before it may be those of parts that are lost already."""
        self.strays += 1
        if not self._unexplained:
            self.unasked += 1
            self._order.pass_over()
        self._explain(frame.gap + 1)
        self._count_early(frame.early)

    def _explain(self, frames: int) -> None:
        """So many of the parts lost since the last frame are accounted for."""
        self._unexplained = max(self._unexplained - frames, 0)
        self._unexplained_asked = min(self._unexplained_asked, self._unexplained)

    def _count_early(self, triggers: int) -> int:
        """So many triggers were not taken: those of parts that are lost already. Returns how many are left."""
        known = min(triggers, self._unexplained_asked)
        self.early += known
        self._explain(min(triggers, self._unexplained))
        return triggers - known

    def _lose(self, parts: list[Expected], reason: str) -> list[Match[T] | Missing]:
        for part in parts:
            self._open.remove(part)
            self._before_ns = max(self._before_ns, part.from_ns)
            self._unexplained_asked += not part.ghost
        self._gone.extend(parts)
        self._unexplained += len(parts)
        return [Missing(part, reason) for part in parts]

    def _settle(self) -> list[Match[T] | Missing]:
        """Join what can be joined."""
        answers: list[Match[T] | Missing] = []
        waiting, self._held = self._held, deque()
        while waiting:
            frame = waiting.popleft()
            owners = [part for part in self._open if _holds(part, frame.exposed_at_ns)]
            rivals = [other for other in waiting if owners and _holds(owners[0], other.exposed_at_ns)]
            doubt = any(_holds(part, frame.exposed_at_ns) for part in self._gone) or len(owners) > 1 or bool(rivals)
            if owners and not doubt and not frame.dated and not self._order.agrees(frame.count, owners[0].from_ns):
                doubt = self.in_doubt = True
            if doubt:
                doubtful = [frame, *rivals]
                answers += self._lose(owners, "pairing")
                self._used.extend(each.exposed_at_ns for each in doubtful)
                for each in doubtful:
                    self._stray(each)
                waiting = deque(other for other in waiting if other not in rivals)
            elif owners:
                self._used.append(frame.exposed_at_ns)
                answers += self._take(owners[0], frame)
            else:
                self._held.append(frame)
        return answers

    def _take(self, part: Expected, frame: Arrived[T]) -> list[Match[T] | Missing]:
        """Give the frame to the part, once the numbers and triggers before it are accounted for."""
        passed = [other for other in self._open if other.from_ns < part.from_ns]
        skipped = max(frame.gap - self._unexplained, 0)
        """Skipped numbers that no part lost before accounts for: those of the parts passed over, the first ones."""
        self._explain(frame.gap)
        early = _closest(passed, self._count_early(frame.early), self._before_ns)
        others = [other for other in passed if other not in early]
        answers = self._lose(early, "missed trigger")
        answers += self._lose(others[:skipped], "gap") + self._lose(others[skipped:], "timeout")
        self.early += sum(not other.ghost for other in early)
        if skipped > len(others):  # an exposure nobody asked for is missing: this frame may not be the part's
            self.strays += 1
            answers += self._lose([part], "gap")
        else:
            self._open.remove(part)
            self._before_ns = part.from_ns
            self._order.join(frame.count, part.from_ns)
            answers.append(Missing(part, frame.fault) if frame.fault else Match(part, frame.what))
        self._unexplained = self._unexplained_asked = 0
        return answers


def _holds(part: Expected, exposed_at_ns: int) -> bool:
    return part.from_ns <= exposed_at_ns <= part.until_ns


def _closest(passed: list[Expected], count: int, before_ns: int) -> list[Expected]:
    """So many of the parts passed over, those that followed soonest on the trigger before them."""
    starts = [before_ns, *(part.from_ns for part in passed)]
    ranked = sorted(range(len(passed)), key=lambda at: (starts[at + 1] - starts[at], at))
    return [passed[at] for at in sorted(ranked[:count])]
