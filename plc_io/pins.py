"""Discrete inputs and outputs, and a twin of them without hardware.

An output is active only while the box says so. When the box closes, dies, or loses the chip, all outputs are inactive,
and every output is named for what inactive makes safe: a gate that lets pass, `run`, `ready`, `ok`. What Linux makes of
a line whose process died is the chip driver's affair, so a guard beside us takes them back (`pins_guard.py`), also from
a process that hangs. After that the resistor at the line decides (`OutputLine`). A kernel that hangs keeps its levels:
the machine has to watch `hb`.
"""

import os
from collections import deque
from dataclasses import dataclass
from select import select
from typing import Protocol

from ..bus.clock import MS, now_ns
from ..bus.errors import Fault, LinkLost
from .pins_options import PinsOptions

MOST_EDGES = 1024
"""Edges that may wait to be read; at 600 mm/s some minutes of parts."""


@dataclass(frozen=True, slots=True)
class PinEdge:
    """An input changed."""

    name: str
    active: bool
    """It became active; False: inactive."""
    at_ns: int
    """When, `time.monotonic_ns()`, by the kernel; with a debouncer the moment the new level began."""


class Pins(Protocol):
    """The lines of one chip. One event loop owns them."""

    def set(self, active: frozenset[str]) -> None:
        """Make exactly these outputs active and all others inactive, in one go.

        It holds until the next call, and no longer than twice `affirm_ms`: then all are inactive and the pins are lost.
        ValueError: no such output. LinkLost.
        """

    def edges(self) -> list[PinEdge]:
        """What the inputs did since the last call, in order of time. Never waits.

        Fault: edges were lost, more came than could be kept. LinkLost: the chip is gone.
        """

    def levels(self) -> frozenset[str]:
        """The inputs that are active now. LinkLost."""

    def fileno(self) -> int:
        """Readable when `edges` has something to tell, or the chip is gone."""

    def close(self) -> None:
        """All outputs inactive, then let go. Never raises; a second call does nothing."""


def check_outputs(options: PinsOptions, active: frozenset[str]) -> None:
    """ValueError where a name is no output."""
    unknown = sorted(active - options.outputs.keys())
    if unknown:
        known = ", ".join(sorted(options.outputs)) or "none"
        raise ValueError(f"outputs {', '.join(unknown)}: expected some of {known}")


class FakePins:
    """The twin: same options, no hardware. The other side of the wires is `drive` and `volts`."""

    def __init__(self, options: PinsOptions) -> None:
        """All outputs are inactive; an input stands where its bias pulls it, at low voltage without one."""
        self.options = options
        self._active: frozenset[str] = frozenset()
        self._wire = {name: one.bias == "pull_up" for name, one in options.inputs.items()}
        self._level = dict(self._wire)  # after the debouncer
        self._since = dict.fromkeys(options.inputs, 0)
        self._waiting: deque[PinEdge] = deque()
        self._lost_edges = 0
        self._gone = ""
        self._set_ns = 0
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    # -- the box's side ----------------------------------------------------------------------------------------------

    def set(self, active: frozenset[str]) -> None:
        """See `Pins`."""
        check_outputs(self.options, active)
        self._present()
        self._active, self._set_ns = active, now_ns()

    def edges(self) -> list[PinEdge]:
        """See `Pins`."""
        self._present()
        self._debounce(now_ns())
        if self._lost_edges:
            lost, self._lost_edges = self._lost_edges, 0
            self._waiting.clear()
            raise Fault(f"{lost} edges of the inputs were lost: more than {MOST_EDGES} came at once")
        told = sorted(self._waiting, key=lambda edge: edge.at_ns)
        self._waiting.clear()
        settled = self._wire == self._level
        if settled and select([self._event], [], [], 0)[0]:  # a level that does not stand yet wakes us again
            os.eventfd_read(self._event)
        return told

    def levels(self) -> frozenset[str]:
        """See `Pins`."""
        self._present()
        self._debounce(now_ns())
        return frozenset(n for n, high in self._level.items() if high != self.options.inputs[n].active_low)

    def fileno(self) -> int:
        """See `Pins`."""
        self._present()
        return self._event

    def close(self) -> None:
        """See `Pins`."""
        self._release("closed")

    # -- the other side of the wires ---------------------------------------------------------------------------------

    def drive(self, name: str, *, high: bool, at_ns: int | None = None) -> None:
        """Put a voltage on an input. at_ns: when; not before the last one."""
        if self._gone or self._wire[name] == high:
            return
        at = now_ns() if at_ns is None else at_ns
        self._debounce(at)
        self._wire[name] = high
        self._since[name] = at
        self._debounce(at)
        os.eventfd_write(self._event, 1)

    def volts(self, name: str) -> bool:
        """Whether an output is at high voltage. After the end every output is where inactive is."""
        self._expire()
        return (name in self._active) != self.options.outputs[name].active_low

    def unplug(self) -> None:
        """The chip is gone."""
        if not self._gone:
            os.eventfd_write(self._event, 1)
            self._active, self._gone = frozenset(), "unplugged"

    def die(self) -> None:
        """What the kernel does when the process is killed."""
        self._release("killed")

    # -- inside ------------------------------------------------------------------------------------------------------

    def _expire(self) -> None:
        if self._set_ns and now_ns() - self._set_ns > 2 * self.options.affirm_ms * MS:
            self.unplug()

    def _present(self) -> None:
        self._expire()
        if self._gone:
            raise LinkLost(f"the pins of {self.options.chip} are {self._gone}")

    def _release(self, why: str) -> None:
        if self._gone in ("", "unplugged"):
            self._active, self._gone = frozenset(), why
            os.close(self._event)

    def _debounce(self, now: int) -> None:
        for name, high in self._wire.items():
            one = self.options.inputs[name]
            if high == self._level[name] or now - self._since[name] < one.debounce_us * 1000:
                continue
            self._level[name] = high
            if len(self._waiting) >= MOST_EDGES:
                self._waiting.popleft()
                self._lost_edges += 1
            self._waiting.append(PinEdge(name, high != one.active_low, self._since[name]))
