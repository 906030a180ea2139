"""Real time as far as this machine allows it: SCHED_FIFO, locked memory, no collection while a part is open."""

import contextlib
import ctypes
import gc
import os
from pathlib import Path

from ..bus.clock import SECOND

_MCL_CURRENT, _MCL_FUTURE = 1, 2
_COLLECT_NS = 10 * SECOND
_COLLECT_BUSY_NS = 120 * SECOND


def claim(priority: int) -> tuple[str, ...]:
    """Ask for SCHED_FIFO at this priority and for locked memory; return what was refused, in words."""
    refused = []
    try:
        for thread in _threads():
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        refused.append(f"SCHED_FIFO {priority}: {error.strerror}")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE):
        refused.append(f"locked memory: {os.strerror(ctypes.get_errno())}")
    return tuple(refused)


def _threads() -> list[int]:
    """All threads of this process: what io hands to the bus leaves by one of the library's own.

    Where that thread waits for a busy machine, an io that is killed takes with it what the PLC knows already.
    """
    with contextlib.suppress(OSError):
        return [int(entry.name) for entry in Path("/proc/self/task").iterdir()]
    return [0]


class Collection:
    """Garbage collection when the line is idle."""

    def __init__(self, now_ns: int) -> None:
        """Freeze what is there and switch the automatic collection off."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._last_ns = now_ns

    def idle(self, now_ns: int, open_parts: int) -> None:
        """Collect if it is time and no part is open (or if that has not happened for two minutes)."""
        if now_ns - self._last_ns >= (_COLLECT_BUSY_NS if open_parts else _COLLECT_NS):
            gc.collect()
            self._last_ns = now_ns
