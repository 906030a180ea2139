"""Real time is asked for by every thread of io: what it hands to the bus must not wait behind a busy machine."""

import subprocess
import sys

import pytest

CLAIM = """
import os, sys, threading
from okng.plc_io.realtime import claim
stay = threading.Event()
threading.Thread(target=stay.wait, daemon=True).start()
refused = claim(10)
print(*refused, sep="; ")
print(*{os.sched_getscheduler(int(thread)) == os.SCHED_FIFO for thread in os.listdir("/proc/self/task")})
"""


def test_every_thread_that_is_there_gets_it() -> None:
    done = subprocess.run([sys.executable, "-c", CLAIM], capture_output=True, text=True, check=True)
    refused, fifo = done.stdout.split("\n")[:2]
    if "SCHED_FIFO" in refused:
        pytest.skip(f"this machine does not allow it: {refused}")
    assert fifo == "True"


def test_what_is_refused_is_said_in_words() -> None:
    code = "from okng.plc_io.realtime import claim; print(claim(1000))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "SCHED_FIFO 1000: " in done.stdout
