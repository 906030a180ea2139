"""Inferences before READY, until their time no longer falls: the first ones plan, allocate and page in."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

MS = 1_000_000
_WINDOW = 5
_SETTLED = 1.1
"""A window counts as settled when its middle is within a tenth of the best one so far."""


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How the times fell."""

    runs: int
    first_ns: int
    """Duration of the very first inference."""
    settled_ns: int
    """Middle one of the last window."""
    settled: bool
    """False: the bound came first; the times were still falling, or the box is busy."""


def warm_up(
    run: Callable[[], object],
    most_runs: int = 300,
    most_ms: int = 5_000,
    clock_ns: Callable[[], int] = time.monotonic_ns,
) -> WarmUp:
    """Call run until two windows in a row are no faster than the best one before, or a bound is reached.

    run: one inference; what it raises goes on to the caller. most_runs: 1 or more. most_ms: for all runs together.
    """
    began = clock_ns()
    times: list[int] = []
    best = calm = 0
    while True:
        before = clock_ns()
        run()
        after = clock_ns()
        times.append(after - before)
        if len(times) % _WINDOW == 0:
            middle = int(statistics.median(times[-_WINDOW:]))
            calm = calm + 1 if best and best / _SETTLED <= middle <= best * _SETTLED else 0
            best = min(best or middle, middle)
        if calm >= 2 or len(times) >= most_runs or after - began >= most_ms * MS:
            return WarmUp(len(times), times[0], int(statistics.median(times[-_WINDOW:])), calm >= 2)
