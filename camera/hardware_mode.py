"""The eye is wired to the camera: frames come by themselves, and are joined to the triggers that io tells of."""

from ..bus.clock import now_ns
from ..bus.part import Trigger
from .announcer import Announcer
from .intake import DRAIN_NS, SLICE_NS, Intake
from .waiting import Expected

_IDLE_MS, _ARRIVAL_MS = 100, 2


class HardwareMode:
    """Waits for the frames of one camera. One thread."""

    def __init__(self, intake: Intake, announcer: Announcer) -> None:
        self._intake, self._announcer = intake, announcer

    @property
    def wait_ms(self) -> int:
        """How long the next trigger may be waited for. A frame dated by its arrival must not lie in the driver."""
        if self._intake.waiting:
            return 0
        return _IDLE_MS if self._intake.dated else _ARRIVAL_MS

    @property
    def oldest_ns(self) -> int:
        """Trigger moment of the oldest part without an answer; 0: there is none."""
        return self._intake.oldest_ns

    def take(self, trigger: Trigger) -> None:
        """A trigger of io. The eye has fired the camera whether the box could use it or not: that frame is its own."""
        too_late = not trigger.missed and trigger.deadline_ns <= now_ns()
        if too_late:
            self._announcer.lost(trigger.part, trigger.at_ns, "too late")
        ghost = trigger.missed or too_late
        intake = self._intake
        opened_ns = trigger.at_ns + round(intake.profile.trigger_delay_us * 1000)
        due_ns = trigger.at_ns + intake.after_ns + intake.patience_ns
        intake.expect(
            Expected(
                part=trigger.part,
                triggered_at_ns=trigger.at_ns,
                from_ns=opened_ns - intake.before_ns,
                until_ns=opened_ns + intake.after_ns,
                due_ns=due_ns if ghost else min(due_ns, trigger.deadline_ns),
                ghost=ghost,
            )
        )

    def turn(self) -> None:
        """Take what has come. CameraLost."""
        if self._intake.waiting:
            self._intake.take(SLICE_NS // 4)  # the next trigger's message may come at any time
            return
        for _ in range(self._intake.options.buffers):  # frames that came before their trigger's message
            if not self._intake.take(DRAIN_NS):
                return

    def lose(self, reason: str) -> None:
        """Nothing waits here but what the intake knows."""
