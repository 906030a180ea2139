"""The judge goes first: who proves a model beside it waits before each inference until the judge has nothing to do."""

import threading
import time

from ..bus.clock import MS, now_ns

MOST_WAIT_S = 0.5
"""A judge that is never idle is not waited for longer, before one inference."""
EARLY_NS = 40 * MS
"""A part that is due within this time is waited for."""
LATE_NS = 60 * MS
"""And so long after it was due."""


class Courtesy:
    """Shared by the judge's thread, which says how it stands, and the one that gives way."""

    def __init__(self) -> None:
        self._idle = threading.Event()
        self._idle.set()
        self._due_ns = 0

    def busy(self) -> None:
        """A picture is judged."""
        self._idle.clear()

    def idle(self, due_ns: int) -> None:
        """Nothing is. due_ns: when the next picture can come at the earliest; 0: nobody knows."""
        self._due_ns = due_ns
        self._idle.set()

    def give_way(self) -> None:
        """Return when there is time, or after half a second."""
        end = time.monotonic() + MOST_WAIT_S
        while time.monotonic() < end:
            if not self._idle.wait(MOST_WAIT_S):
                return
            at_ns, due_ns = now_ns(), self._due_ns
            if not due_ns - EARLY_NS < at_ns < due_ns + LATE_NS:
                return
            time.sleep(0.002)
