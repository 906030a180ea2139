"""What a box that fires its gates itself needs of the machine, and the same over pins and an encoder.

The tracker thinks in gates that fire; the wires say which gates let pass. A gate lets pass only as long as it is told
so anew: when the caller falls silent for `affirm_ms`, when an edge or a count is lost, when the chip is gone or the box
ends, no gate lets pass and the line may not run; `on_lost` says why.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadSettings, Fault, LinkLost
from .encoder import CounterFile, Encoder, Trail
from .pins import Pins
from .pins_options import PinsOptions

SIGNALS = frozenset({"ready", "ok", "run", "hb"})
"""Outputs that are no gates."""

OnEdge = Callable[[str, bool, int, int], None]
"""Called in the event loop with the input's name, whether it became active, the count at that moment, the moment."""
OnLost = Callable[[str], None]
"""Called once, in the event loop, with the reason; all outputs are inactive. The field is to be closed then."""


class Field(Protocol):
    """The machine around the belt. One event loop owns it."""

    def counts(self) -> int:
        """The encoder now, modulo its width. LinkLost."""

    def levels(self) -> frozenset[str]:
        """The inputs that are active now. LinkLost."""

    def set_gates(self, firing: frozenset[str]) -> None:
        """Let these gates reject and all others pass, until the next call or `affirm_ms`. ValueError: no such gate."""

    def signal(self, active: frozenset[str]) -> None:
        """Make exactly these of `SIGNALS` active; those that have no wire are passed over. ValueError: no signal."""

    def close(self) -> None:
        """Everything rejects, then let go. Never raises; a second call does nothing."""


class PinField:
    """`Field` over pins and an encoder."""

    def __init__(self, options: PinsOptions, pins: Pins, encoder: Encoder, on_edge: OnEdge, on_lost: OnLost) -> None:
        """Inside the event loop. It owns pins and encoder from now on."""
        self.gates = frozenset(options.outputs) - SIGNALS
        self._signals = frozenset(options.outputs) & SIGNALS
        self._affirm_ns = options.affirm_ms * MS
        self._pins, self._encoder = pins, encoder
        self._on_edge, self._on_lost = on_edge, on_lost
        self._trail = Trail(encoder.bits)
        self._passing: frozenset[str] = frozenset()
        self._active: frozenset[str] = frozenset()
        self._affirmed_ns = 0
        self._over = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._fd = pins.fileno()
        self._loop.add_reader(self._fd, self._look)

    def counts(self) -> int:
        """See `Field`."""
        try:
            counts = self._encoder.counts()
        except LinkLost as error:
            self._lost(str(error))
            raise
        self._trail.add(now_ns(), counts)
        return counts

    def levels(self) -> frozenset[str]:
        """See `Field`."""
        return self._pins.levels()

    def set_gates(self, firing: frozenset[str]) -> None:
        """See `Field`."""
        unknown = sorted(firing - self.gates)
        if unknown:
            raise ValueError(f"gates {', '.join(unknown)}: expected some of {', '.join(sorted(self.gates)) or 'none'}")
        self._passing = self.gates - firing
        self._affirmed_ns = now_ns()
        self._show()
        if self._timer is None and not self._over:
            self._timer = self._loop.call_later(self._affirm_ns / SECOND, self._affirmed)

    def signal(self, active: frozenset[str]) -> None:
        """See `Field`."""
        unknown = sorted(active - SIGNALS)
        if unknown:
            raise ValueError(f"signals {', '.join(unknown)}: expected some of {', '.join(sorted(SIGNALS))}")
        self._active = active & self._signals
        self._show()

    def close(self) -> None:
        """See `Field`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._fd = -1
        self._over = True
        self._pins.close()
        self._encoder.close()

    def _show(self) -> None:
        if self._over:
            return
        try:
            self._pins.set(self._passing | self._active)
        except LinkLost as error:
            self._lost(str(error))

    def _affirmed(self) -> None:
        """Take back what was not said anew."""
        self._timer = None
        left_ns = self._affirmed_ns + self._affirm_ns - now_ns()
        if left_ns > 0:
            self._timer = self._loop.call_later(left_ns / SECOND, self._affirmed)
        else:
            self._lost(f"the gates were not told anew for {self._affirm_ns // MS} ms")

    def _look(self) -> None:
        """Tell the edges that have come."""
        try:
            edges = self._pins.edges()
            if edges:
                self.counts()
        except (Fault, LinkLost) as error:
            self._lost(str(error))
            return
        for edge in edges:
            if self._over:
                return
            self._on_edge(edge.name, edge.active, self._trail.at(edge.at_ns), edge.at_ns)

    def _lost(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        self._passing = self._active = frozenset()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._fd = -1
        self._pins.close()  # which makes all of them inactive
        self._loop.call_soon(self._on_lost, reason)


def open_field(options: PinsOptions, on_edge: OnEdge, on_lost: OnLost) -> PinField:
    """Claim the lines and the counter of the settings, inside the event loop. BadSettings: they cannot be had."""
    from .pins_gpiod import GpioPins

    if not options.counter:
        raise BadSettings("plc.pins.counter: expected the file of the encoder's count")
    encoder = CounterFile(options.counter, options.counter_bits)
    try:
        pins = GpioPins(options)
    except BadSettings:
        encoder.close()
        raise
    return PinField(options, pins, encoder, on_edge, on_lost)
