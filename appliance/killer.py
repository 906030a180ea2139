"""kill -9 at random instants: proof that a dead process costs yield, never an escape."""

import logging
import os
import random
import signal
from dataclasses import dataclass, field

from .supervisor import Supervisor

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Killer:
    """Kills each named process `times` times, at instants drawn with the seed over the run's parts."""

    names: tuple[str, ...]
    times: int
    parts: int
    seed: int
    done: dict[str, int] = field(default_factory=dict)
    _due: list[tuple[float, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        draw = random.Random(self.seed)
        span = self.parts * 0.9 / max(1, self.times)
        # One kill in each stretch of the run, at a random place of it: random instants, yet not all at once.
        self._due = sorted(
            (self.parts * 0.03 + (turn + draw.random()) * span, name)
            for name in self.names
            for turn in range(self.times)
        )
        self.done = dict.fromkeys(self.names, 0)

    def look(self, parts: int, supervisor: Supervisor) -> None:
        """Kill what is due after that many parts. A process that is down just then is killed when it is up again."""
        pids = supervisor.pids()
        waiting = []
        while self._due and self._due[0][0] <= parts:
            due, name = self._due.pop(0)
            if name not in pids:
                waiting.append((due, name))
                continue
            os.kill(pids.pop(name), signal.SIGKILL)
            self.done[name] += 1
        self._due = waiting + self._due
