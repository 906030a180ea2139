"""The phases of a teaching: each named, its progress and what is left of it told, its time kept."""

import time
from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with the phase and its share done, 0..1. What it raises ends the teaching and leaves nothing behind."""


class Phases:
    """Names the phases, tells progress, keeps the time of each."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._name, self._since = "", time.monotonic()
        self.seconds: dict[str, float] = {}

    def begin(self, name: str) -> Callable[[float], None]:
        """End the phase before and start one; returns what tells its progress, 0..1."""
        self.end()
        self._name, self._since = name, time.monotonic()
        self._tell(name, 0.0)
        return lambda share: self._tell(name, share)

    def end(self) -> None:
        """End the phase there is."""
        if self._name:
            took = time.monotonic() - self._since
            self.seconds[self._name] = round(self.seconds.get(self._name, 0.0) + took, 3)
            self._tell(self._name, 1.0)
            self._name = ""

    def _tell(self, name: str, share: float) -> None:
        if self._progress is not None:
            self._progress(name, share)
