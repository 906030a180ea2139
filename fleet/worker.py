"""One piece of work of the process `sync` in a thread of its own."""

import logging
import os
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Worker(threading.Thread):
    """One piece of work of the process `sync` in a thread of its own: `step` again and again, with its own pauses."""

    def __init__(self, name: str, step: Callable[[], float], stop: threading.Event, *, yields: bool = False) -> None:
        """step: returns the seconds until its next turn. What it raises is logged, and it goes on a minute later.

        yields: whoever else on the box wants to run has the core at once. A nice thread goes on to the end of its slice
        of some milliseconds, and a verdict waits that long at each process it goes through (bench/uplink.py).
        """
        super().__init__(name=name, daemon=True)
        self._step, self._stop_asked, self._yields = step, stop, yields

    def run(self) -> None:
        """Until told to stop."""
        if self._yields:
            try:
                os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))
            except OSError as error:
                log.warning("%s: stays at the priority of its process: %s", self.name, error)
        while not self._stop_asked.is_set():
            try:
                waits = self._step()
            except Exception:
                log.exception("%s", self.name)  # nobody on the line notices; the next turn may do better
                waits = 60.0
            self._stop_asked.wait(max(0.0, waits))
