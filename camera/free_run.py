"""The camera runs by itself, for set-up and live view: no frame is anybody's, and each part is told so."""

from ..bus.part import Trigger
from .announcer import Announcer
from .intake import SLICE_NS, Intake


class FreeRun:
    """Takes what comes. One thread."""

    wait_ms = 0
    oldest_ns = 0

    def __init__(self, intake: Intake, announcer: Announcer) -> None:
        self._intake, self._announcer = intake, announcer

    def take(self, trigger: Trigger) -> None:
        """A trigger of io: there is no picture for it."""
        if not trigger.missed:
            self._announcer.lost(trigger.part, trigger.at_ns, "pairing")

    def turn(self) -> None:
        """Take one frame. CameraLost."""
        self._intake.take(SLICE_NS)

    def lose(self, reason: str) -> None:
        """Nothing waits here."""
