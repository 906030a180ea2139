"""What the line's two processes have in common: they end with their parent and wake up on time."""

import contextlib
import ctypes
import gc
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_TIMERSLACK = 29
_PRIORITY = 5


def take_leash(parent: int, realtime: bool) -> bool:
    """End with the parent, sleep exactly, and run ahead of others if asked and allowed.

    Ctrl-C reaches the whole group of processes: only the parent acts on it, and asks these two by a wire.
    Returns False where the parent is gone already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_TIMERSLACK, 1000)  # ns; a thread that another one starts inherits it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if realtime:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    gc.freeze()
    return os.getppid() == parent
