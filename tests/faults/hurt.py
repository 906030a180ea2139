"""A process of the box that can be made to stall: it installs two signal handlers and then is `okng`, unchanged.

    python -m okng.tests.faults.hurt io --settings okng.toml

The product has no such hook, and none of its code runs here other than it does by itself.
"""

import ctypes
import signal
import sys
import time
from types import FrameType

STALL, SPIN = signal.SIGRTMIN + 1, signal.SIGRTMIN + 2
"""STALL: the main thread sleeps and keeps the interpreter's lock, so that no thread of the process goes on.
SPIN: the main thread runs a loop that never ends; the other threads go on."""
LASTS_S = 60


def _stall(number: int, frame: FrameType | None) -> None:
    ctypes.PyDLL(None).usleep(LASTS_S * 1_000_000)


def _spin(number: int, frame: FrameType | None) -> None:
    end = time.monotonic() + LASTS_S
    while time.monotonic() < end:
        pass


if __name__ == "__main__":
    signal.signal(STALL, _stall)
    signal.signal(SPIN, _spin)
    from okng.__main__ import main

    sys.exit(main())  # type: ignore[func-returns-value]
