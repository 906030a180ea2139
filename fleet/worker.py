"""One piece of work of the process `sync` in a thread of its own."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Worker(threading.Thread):
    """One piece of work of the process `sync` in a thread of its own: `step` again and again, with its own pauses."""

    def __init__(self, name: str, step: Callable[[], float], stop: threading.Event) -> None:
        """step: returns the seconds until its next turn. What it raises is logged, and it goes on a minute later."""
        super().__init__(name=name, daemon=True)
        self._step, self._stop_asked = step, stop

    def run(self) -> None:
        """Until told to stop."""
        while not self._stop_asked.is_set():
            try:
                waits = self._step()
            except Exception:
                log.exception("%s", self.name)  # nobody on the line notices; the next turn may do better
                waits = 60.0
            self._stop_asked.wait(max(0.0, waits))
