"""A bad cable for any TCP line: a proxy that delays, stalls, slices, corrupts, resets, half-closes and orphans.

    python -m okng.simline.fault_proxy LISTEN_PORT HOST PORT '{"seed": 1, "reset": 0.001, ...}'

It knows neither who talks nor what is said; a message is what one read brought, which for a request and its answer is
that request or that answer. Each message meets at most one fault, drawn from the seed: the same seed, connections and
messages give the same faults. Lines on stdin: `on` and `off` (it begins off), `end`; at the end it writes what it did
to stdout as one line of JSON.
"""

import asyncio
import json
import random
import signal
import sys
from collections import Counter

from .fault_line import End, Line
from .faults import Fault, Faults, read_faults


class FaultProxy:
    """The proxy: one listener, one server behind it."""

    def __init__(self, host: str, port: int, faults: Faults) -> None:
        """host, port: the server. No fault happens before `active` is set."""
        self.host, self.port, self.faults = host, port, faults
        self.active = False
        self.dice = random.Random(faults.seed)
        self.counts: Counter[Fault] = Counter()
        """Faults so far."""
        self.messages = 0
        self.accepted = 0
        self.unreachable = 0
        self.lines: set[Line] = set()
        self._steps: list[tuple[float, Fault]] = []
        total = 0.0
        for fault in Fault:
            total += faults.of(fault)
            self._steps.append((total, fault))
        self._listener: asyncio.Server | None = None

    async def open(self, port: int) -> None:
        """Listen on 127.0.0.1. OSError: the port cannot be had."""
        self._listener = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", port)

    async def close(self) -> None:
        """End all connections and the listener. A second call does nothing."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        for line in tuple(self.lines):
            line.reset()
        await asyncio.sleep(0)
        await listener.wait_closed()

    def draw(self) -> Fault | None:
        """The fault of the next message, counted; None: none."""
        self.messages += 1
        if not self.active:
            return None
        value = self.dice.random()
        if value >= self._steps[-1][0]:
            return None
        fault = next(fault for limit, fault in self._steps if value < limit)
        self.counts[fault] += 1
        return fault

    def report(self) -> dict[str, int]:
        """What was done, by name."""
        done = {fault.value: self.counts[fault] for fault in Fault if self.counts[fault]}
        return {"messages": self.messages, "accepted": self.accepted, "unreachable": self.unreachable, **done}

    def _accept(self) -> End:
        self.accepted += 1
        return Line(self).client


async def serve(listen: int, proxy: FaultProxy) -> dict[str, int]:
    """Run until `end` comes on stdin, stdin ends, or SIGTERM; return the report."""
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    await proxy.open(listen)

    def order() -> None:
        word = sys.stdin.readline()
        if word.strip() in ("on", "off"):
            proxy.active = word.strip() == "on"
        elif word.strip() == "end" or not word:
            loop.remove_reader(sys.stdin)
            end.set()

    loop.add_reader(sys.stdin, order)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await end.wait()
    await proxy.close()
    return proxy.report()


def main(words: list[str]) -> int:
    """Run the program; return its exit status."""
    if len(words) != 4:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    listen, host, port, text = words

    async def run() -> dict[str, int]:
        return await serve(int(listen), FaultProxy(host, int(port), read_faults(text)))

    sys.stdout.write(json.dumps(asyncio.run(run())) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
