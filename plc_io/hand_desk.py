"""What may be asked of io: look at the signals, hold an output on, test a gate, work out a timing. Small things only.

Everything here is done within the turn of the loop in which it was asked.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ..bus.asks import Ask, Desk, Handler
from ..bus.clock import now_ns
from ..bus.errors import Refused
from .budget import Way
from .check_options import CheckOptions
from .commissioning import read_commissioned, standing
from .forces import Forces
from .signal_table import SignalTable

_WAY = ("distance_mm", "max_speed_mm_s", "deadline_ms", "margin_ms")


def hand_desk(
    forces: Forces,
    table: SignalTable,
    check: CheckOptions,
    *,
    busy: Callable[[], bool],
    revision: Callable[[], str],
    levels: Callable[[], Mapping[tuple[str, str], bool]],
    wire: Callable[[], Mapping[str, Any]] = dict,
    more: Mapping[str, Handler] | None = None,
) -> Desk:
    """The desk of one io. more: what else it answers.

    busy: parts are under way while READY. levels: wires by direction and name, without a PLC. wire: role, place and
    figures of the link.
    """

    def force(ask: Ask) -> dict[str, Any]:
        """{"output", "on": true or false, "seconds": up to 60 where on}."""
        on = ask.body.get("on")
        if not isinstance(on, bool):
            raise Refused(f"force.set: on = {on!r}: expected true or false")
        seconds = _number(ask, "seconds", 0.0 if not on else None)
        forces.set(_text(ask, "output"), on, seconds, ask.who, now_ns(), busy=busy())
        return {"forced": list(forces.shown(now_ns()))}

    def pulse(ask: Ask) -> dict[str, Any]:
        """{"gate", "hold_ms": up to 500}: to be repeated while the hand is on the button."""
        gate = _text(ask, "gate")
        forces.pulse(gate, _number(ask, "hold_ms", 500.0), ask.who, now_ns(), busy=busy())
        return {"forced": list(forces.shown(now_ns()))}

    def timing(ask: Ask) -> dict[str, Any]:
        """{"distance_mm", "max_speed_mm_s", "deadline_ms", "margin_ms"}, and "valve_ms", "spare_ms" if not as set."""
        figures = {name: _number(ask, name, None) for name in _WAY}
        if figures["distance_mm"] <= 0 or figures["max_speed_mm_s"] <= 0:
            raise Refused("timing.check: distance_mm, max_speed_mm_s: expected more than 0")
        valve = _number(ask, "valve_ms", check.valve_ms)
        way = Way(**figures, valve_ms=valve, spare_ms=_number(ask, "spare_ms", check.spare_ms))
        found = standing(way, read_commissioned(check.file).get(revision()))
        if found.sum_ms <= 0:
            raise Refused("timing.check: deadline_ms, margin_ms: expected more than 0")
        return {
            "fits": found.fits,
            "words": found.words,
            "has_ms": way.has_ms,
            "needs_ms": found.sum_ms,
            "spare_ms": way.has_ms - found.sum_ms,
            "needs_mm": found.needs_mm,
            "top_speed_mm_s": found.top_speed_mm_s,
            "measured": found.measured,
            "stages": [[s.name, s.p999_ms, s.source, s.part_of_sum] for s in found.stages],
        }

    def look(ask: Ask) -> dict[str, Any]:
        """{}."""
        at = now_ns()
        for (direction, name), on in levels().items():
            table.level(direction, name, on, at)
        offered = {"outputs": list(forces.outputs), "gates": list(forces.gates)}
        return {"signals": table.rows(at), "forced": list(forces.shown(at)), **offered, "wire": dict(wire())}

    return Desk(
        "io", {"force.set": force, "pulse.hold": pulse, "timing.check": timing, "io.look": look, **(more or {})}
    )


def _text(ask: Ask, name: str) -> str:
    value = ask.body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 64:
        raise Refused(f"{ask.name}: {name} = {value!r}: expected a name")
    return value


def _number(ask: Ask, name: str, default: float | None) -> float:
    value = ask.body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise Refused(f"{ask.name}: {name} = {value!r}: expected a number of 0 or more")
    return float(value)
