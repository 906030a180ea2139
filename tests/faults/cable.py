"""The cable between PLC and box, which meets one fault when it is told to.

    python -m okng.tests.faults.cable LISTEN_PORT HOST PORT

A line on stdin names a fault of `simline/faults.py`; the next message meets it. `end` ends it.
"""

import asyncio
import subprocess
import sys
from typing import Self

from okng.simline.fault_proxy import FaultProxy
from okng.simline.faults import Fault, Faults

STALL_MS = 700.0
"""Longer than the PLC waits for an answer, and than the box waits for the PLC's heartbeat."""


class _Told(FaultProxy):
    """A proxy that draws what it was told."""

    told: Fault | None = None

    def draw(self) -> Fault | None:
        """The fault of the next message."""
        self.messages += 1
        fault, self.told = self.told, None
        if fault is not None:
            self.counts[fault] += 1
        return fault


class Cable:
    """The proxy as a process of its own, so that it takes no time from whoever watches the line."""

    def __init__(self, listen: int, port: int) -> None:
        self._command = [sys.executable, "-m", __name__, str(listen), "127.0.0.1", str(port)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def meet(self, fault: Fault) -> None:
        """Let the next message meet it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{fault.value}\n")
        self._process.stdin.flush()

    def __exit__(self, *about: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


async def _serve(listen: int, host: str, port: int) -> None:
    proxy = _Told(host, port, Faults(stall_ms=(STALL_MS, STALL_MS), delay_ms=(STALL_MS / 2, STALL_MS / 2)))
    await proxy.open(listen)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def hear() -> None:
        word = sys.stdin.readline().strip()
        if word in ("", "end"):
            loop.remove_reader(sys.stdin)
            ended.set()
        else:
            proxy.told = Fault(word)

    loop.add_reader(sys.stdin, hear)
    await ended.wait()
    await proxy.close()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
