"""The camera is fired from here: io's triggers in turn, one exposure at a time, and test shots while none is due."""

from collections import deque

from ..bus.clock import now_ns
from ..bus.messages import Health
from ..bus.part import Trigger
from .announcer import Announcer
from .condition import SELF_TEST_EVERY_NS
from .intake import DRAIN_NS, SLICE_NS, Intake
from .source import FrameSource
from .waiting import Expected

_IDLE_MS = 100
_SLACK_NS = 300_000
"""An exposure may seem to start this long before the command: the clocks are not the same."""


class SoftwareMode:
    """Fires one camera. One thread."""

    def __init__(self, source: FrameSource, intake: Intake, announcer: Announcer) -> None:
        self._source, self._intake, self._announcer = source, intake, announcer
        self._limit = intake.options.queue
        self._queue: deque[Trigger] = deque()

    @property
    def wait_ms(self) -> int:
        """How long the next trigger may be waited for."""
        return 0 if self._queue or self._intake.waiting else _IDLE_MS

    @property
    def oldest_ns(self) -> int:
        """Trigger moment of the oldest part without an answer; 0: there is none."""
        return self._intake.oldest_ns or (self._queue[0].at_ns if self._queue else 0)

    def take(self, trigger: Trigger) -> None:
        """A trigger of io; one that the box missed fires nothing. Full: the newest is lost, the others stay."""
        if trigger.missed:
            return
        if len(self._queue) >= self._limit:
            self._announcer.lost(trigger.part, trigger.at_ns, "too late")
        else:
            self._queue.append(trigger)

    def turn(self) -> None:
        """Fire what is next, and wait a little for its frame. CameraLost."""
        intake, condition = self._intake, self._intake.condition
        free = not intake.waiting and not intake.resting
        if free and self._queue:
            trigger = self._queue[0]
            if trigger.deadline_ns <= now_ns():
                self._announcer.lost(trigger.part, trigger.at_ns, "too late")
            else:
                self._fire(trigger.part, trigger.at_ns, trigger.deadline_ns)
            self._queue.popleft()  # not before: a camera lost at the command leaves the part to `lose`
        elif free and condition.health is not Health.READY and now_ns() >= condition.test_ns:
            condition.test_ns = now_ns() + SELF_TEST_EVERY_NS
            self._fire(0, 0, condition.test_ns)
        intake.take(SLICE_NS if intake.waiting or intake.resting else DRAIN_NS)

    def lose(self, reason: str) -> None:
        """Answer everything that waits for its turn."""
        while self._queue:
            trigger = self._queue.popleft()
            self._announcer.lost(trigger.part, trigger.at_ns, reason)

    def _fire(self, part: int, triggered_at_ns: int, deadline_ns: int) -> None:
        intake = self._intake
        intake.fire()
        fired_ns = self._source.trigger()
        done_ns = now_ns()
        due_ns = min(done_ns + intake.patience_ns, deadline_ns)
        delay_ns = round(intake.profile.trigger_delay_us * 1000)
        slack_ns = _SLACK_NS + self._source.health().clock_error_ns
        # Where only its arrival dates a frame, the window is open until the part is due.
        until_ns = done_ns + delay_ns + slack_ns if intake.dated else max(due_ns, done_ns)
        from_ns = min(max(fired_ns - slack_ns, intake.last_exposed_ns + 1), until_ns)
        intake.expect(Expected(part, triggered_at_ns, from_ns, until_ns, due_ns))
