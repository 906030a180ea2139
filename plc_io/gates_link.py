"""The machine's side of a box that fires its gates itself: every 2 ms the encoder, and what the gates are to do.

It is a `Link` without a PLC: `publish` shows READY, HB and run on the pins. Wires that are lost are opened afresh; the
belt station is in FAULT until a person resets it, because nobody saw what passed meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadSettings, LinkLost
from .field import OnEdge, OnLost, PinField
from .images import OutImage
from .link import LinkHealth
from .signals import Status
from .tracker import Outputs

_LOG = logging.getLogger(__name__)
TICK_NS = 2 * MS
FIRST_WAIT_NS, LONGEST_WAIT_NS = 50 * MS, SECOND
OpenField = Callable[[OnEdge, OnLost], PinField]
"""Claims the wires, inside the event loop. BadSettings: they cannot be had."""


class BeltCore(Protocol):
    """What the machine's side needs of the core."""

    def edge(self, name: str, active: bool, counts: int, at_ns: int, now_ns: int) -> None:
        """See `BeltStation`."""

    def levels(self, active: frozenset[str], now_ns: int) -> None:
        """See `BeltStation`."""

    def move(self, counts: int, now_ns: int) -> None:
        """See `BeltStation`."""

    def outputs(self, now_ns: int) -> Outputs:
        """See `BeltStation`."""


class GatesLink:
    """Eyes, encoder and gates of one belt."""

    def __init__(
        self, core: BeltCore, open_field: OpenField, place: str, *, flush: Callable[[int], None], on_lost: OnLost
    ) -> None:
        """flush: called after each thing the machine told, with the moment; it publishes what follows from it."""
        self.health = LinkHealth()
        self.place = place
        self._core, self._open_field = core, open_field
        self._flush, self._on_lost = flush, on_lost
        self.forced: frozenset[str] = frozenset()
        """Gates whose air a person holds on: what passes under them is rejected."""
        self._field: PinField | None = None
        self._valves: frozenset[str] = frozenset()
        self._inputs: set[str] = set()
        self._signals: frozenset[str] = frozenset()
        self._run = False
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0
        self._wait_ns = FIRST_WAIT_NS
        self._loop = asyncio.get_running_loop()

    @property
    def connected(self) -> bool:
        """The wires are there."""
        return self._field is not None

    def levels(self) -> dict[tuple[str, str], bool]:
        """How the wires stand, by direction and name; empty while they are lost. An input is known once it was on."""
        if self._field is None:
            return {}
        active = self._field.levels()
        self._inputs |= active
        inputs = {("in", name): name in active for name in self._inputs}
        return inputs | {("out", name): name in self._valves for name in self._field.gates}

    async def open(self) -> None:
        """Claim the wires. BadSettings: they cannot be had."""
        self._connect()

    async def close(self) -> None:
        """Everything rejects, then let go."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        field, self._field = self._field, None
        if field is not None:
            field.close()

    def publish(self, image: OutImage) -> None:
        """Show READY and HB. Gates and run follow the tracker, every tick."""
        pairs = (("ready", Status.READY), ("hb", Status.HB))
        self._signals = frozenset(name for name, flag in pairs if flag in image.status)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._field = self._open_field(self._edge, self._lost)
        self._wait_ns = FIRST_WAIT_NS
        self.health.accepted += 1
        self.health.connections = 1
        self._core.levels(self._field.levels(), now_ns())
        self._due_ns = now_ns()
        self._tick()

    def _edge(self, name: str, active: bool, counts: int, at_ns: int) -> None:
        self.health.requests += 1
        at = now_ns()
        self._core.edge(name, active, counts, at_ns, at)
        self._flush(at)

    def _tick(self) -> None:
        """One look at the encoder, one word to the gates. Late ones are not made up for."""
        field = self._field
        if field is None:
            return
        at = now_ns()
        try:
            self._core.move(field.counts(), at)
            out = self._core.outputs(at)
            self._valves = (out.valves | self.forced) & field.gates
            field.set_gates(self._valves)
            field.signal(self._signals if out.line_stop else self._signals | {"run"})
        except LinkLost as error:
            self._lost(str(error))
            return
        if out.line_stop == self._run:  # it changed
            self._run = not out.line_stop
            self._flush(at)
        self.health.last_ok_ns = at
        self._due_ns = max(self._due_ns + TICK_NS, at)
        self._timer = self._loop.call_at(self._due_ns / SECOND, self._tick)

    def _lost(self, reason: str) -> None:
        field, self._field = self._field, None
        if field is None or self._ended:
            return
        field.close()
        if self._timer is not None:
            self._timer.cancel()
        self.health.connections = 0
        self.health.broken += 1
        self._on_lost(reason)
        self._timer = self._loop.call_later(self._wait_ns / SECOND, self._again)

    def _again(self) -> None:
        if self._ended:
            return
        try:
            self._connect()
        except (BadSettings, LinkLost) as error:
            if self._wait_ns == FIRST_WAIT_NS:
                _LOG.warning("%s: %s; trying again", self.place, error)
            self._wait_ns = min(2 * self._wait_ns, LONGEST_WAIT_NS)
            self._timer = self._loop.call_later(self._wait_ns / SECOND, self._again)
