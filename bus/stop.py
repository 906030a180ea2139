"""How a process is asked to stop: SIGTERM and SIGINT set a flag that the main loop looks at each turn."""

import signal
import threading
from types import FrameType


class Stop:
    """The flag. Make it in the main thread; `take` overrules a library that took SIGINT for itself."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.take()

    def take(self) -> None:
        """Install the handlers (again)."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked.set()
