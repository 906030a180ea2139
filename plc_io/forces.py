"""Outputs that a person holds on for a while, pure: lamps, messages to the PLC, a gate's air. All end by themselves.

Nothing can be forced that could let a part pass: only the on-state of what warns, rejects or stops is to be had, never
READY, OK or the result's validity. What decides does not know of it: forces lie over what goes out.
"""

from dataclasses import dataclass

from ..bus.clock import MS, SECOND
from ..bus.errors import Refused
from .signals import NO_STATUS, Status

FORCIBLE: dict[str, Status] = {
    str(flag.name): flag
    for flag in (
        Status.BUSY,
        Status.NG,
        Status.UNJUDGED,
        Status.FAULT,
        Status.MISSED_TRIG,
        Status.OVERRUN,
        Status.LINE_STOP_REQ,
        Status.DEGRADED,
    )
}
"""Bits of the status that may be held on: none of them makes a PLC let a part by."""
MOST_S = 60.0
HOLD_MS = 500
"""A test pulse has to be asked for again within this: it ends when the hand, the page or its process is gone."""
MOST_PULSE_NS = 10 * SECOND
"""One test pulse at most, however long it is held: a valve is no heater."""


@dataclass(slots=True)
class _Force:
    until_ns: int
    since_ns: int
    who: str
    pulse: bool


class Forces:
    """What is forced on one link."""

    def __init__(self, outputs: frozenset[str], gates: frozenset[str]) -> None:
        """outputs: status bits this link shows. gates: valves this link fires."""
        self._outputs, self._gates = outputs, gates
        self._held: dict[str, _Force] = {}
        self._tired: dict[str, int] = {}  # gates whose pulse was ended for its length, and when

    def set(self, output: str, on: bool, seconds: float, who: str, now_ns: int, *, busy: bool) -> None:
        """Hold an output on, or let it go. busy: parts are under way. Refused: it is none, or may not be."""
        if not on:
            if self._held.pop(output, None) is None:
                raise Refused(f"{output} is not forced; only the on-state of an output can be")
            return
        self._look_at(output, busy=busy)
        if not 0 < seconds <= MOST_S:
            raise Refused(f"{seconds:g} s: expected more than 0 and at most {MOST_S:g}")
        self._held[output] = _Force(now_ns + int(seconds * SECOND), now_ns, who, pulse=False)

    def pulse(self, gate: str, hold_ms: float, who: str, now_ns: int, *, busy: bool) -> None:
        """Keep a gate's air on for so long from now; to be asked again and again while it is held."""
        if not self._gates:
            raise Refused("this link fires no gates: test pulses are the PLC's")
        if gate not in self._gates:
            raise Refused(f"there is no gate {gate}: expected one of {', '.join(sorted(self._gates))}")
        if not 0 < hold_ms <= HOLD_MS:
            raise Refused(f"{hold_ms:g} ms: expected more than 0 and at most {HOLD_MS}")
        self._look_at(gate, busy=busy)
        held = self._held.get(gate)
        since_ns = held.since_ns if held is not None and held.pulse else now_ns
        rested = now_ns - self._tired.get(gate, -MOST_PULSE_NS) >= SECOND
        if now_ns - since_ns >= MOST_PULSE_NS or not rested:
            self._tired[gate] = self._tired.get(gate, now_ns) if not rested else now_ns
            self._held.pop(gate, None)
            raise Refused(f"gate {gate} was on for {MOST_PULSE_NS // SECOND} s: let go and begin again")
        self._held[gate] = _Force(now_ns + int(hold_ms * MS), since_ns, who, pulse=True)

    def turn(self, now_ns: int, *, busy: bool) -> None:
        """End what has run out, and every gate's as soon as parts are under way."""
        for name, force in list(self._held.items()):
            if now_ns >= force.until_ns or (busy and name in self._gates):
                del self._held[name]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Bits that may be held on here, in the order of the status."""
        return tuple(name for name in FORCIBLE if name in self._outputs)

    @property
    def gates(self) -> tuple[str, ...]:
        """Gates that a test pulse may be asked for."""
        return tuple(sorted(self._gates))

    @property
    def status(self) -> Status:
        """Bits that are held on."""
        bits = NO_STATUS
        for name in self._held:
            bits |= FORCIBLE.get(name, NO_STATUS)
        return bits

    @property
    def valves(self) -> frozenset[str]:
        """Gates that are held on."""
        return self._gates & self._held.keys()

    def shown(self, now_ns: int) -> tuple[str, ...]:
        """For the screens: `NAME=1, 12 s left`."""
        left = {name: -(-(force.until_ns - now_ns) // SECOND) for name, force in sorted(self._held.items())}
        return tuple(f"{name}=1, {max(0, seconds)} s left" for name, seconds in left.items())

    def _look_at(self, output: str, *, busy: bool) -> None:
        if output in self._gates:
            if busy:
                raise Refused(f"gate {output}: parts are under way; stop the inspection first")
            return
        if output in self._outputs and output in FORCIBLE:
            return
        if output in Status.__members__ and output not in FORCIBLE:
            raise Refused(f"{output} is never forced: it could let a part pass")
        known = sorted(self._gates | (self._outputs & FORCIBLE.keys()))
        raise Refused(
            f"there is no output {output} on this link: expected one of {', '.join(known)}"
            if known
            else "this link has no output that can be forced"
        )
