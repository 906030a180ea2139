"""Is the line being inspected right now? Answered from progress that others stamped, never from this process's own life."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..bus.clock import MS, SECOND
from ..bus.heartbeat import Beat
from ..bus.messages import Health
from .board import Board

SILENT_NS = 1500 * MS
"""io speaks every 250 ms: after this long without a word the last one is worth nothing."""
TURN_LIMIT_NS = 1 * SECOND
"""io itself drops READY after 250 ms; a person needs no flicker, so the screen waits this long."""
WORK_LIMIT_NS = 2 * SECOND


@dataclass(frozen=True, slots=True)
class Line:
    """What the top bar, the alarm band and the heartbeat say."""

    state: str
    """`inspecting`, `notready`, `fault`, or `silent`: io says nothing."""
    inspecting: bool
    """True only while io, inspect and every camera make progress and io vouches for the line."""
    moving: Mapping[str, bool]
    """Progress of `camera` (all of them), `inspect` and `io`."""
    reasons: tuple[str, ...]
    """Why not, the first thing to mend first. Empty while inspecting."""


def assess(board: Board, beats: Mapping[str, Beat], cameras: tuple[str, ...], at_ns: int) -> Line:
    """Judge the line at one moment."""
    moved = {name: _moves(beats.get(name), at_ns) for name in ("io", "inspect", *(f"camera-{c}" for c in cameras))}
    moving = {
        "camera": all(moved[f"camera-{name}"] for name in cameras),
        "inspect": moved["inspect"],
        "io": moved["io"],
    }
    station = board.station
    silent = station is None or at_ns - board.station_at_ns > SILENT_NS or not moving["io"]
    still = [f"camera {name} is silent" for name in cameras if not moved[f"camera-{name}"]]
    still += [] if moving["inspect"] else ["inspect is silent"]
    if station is None or silent:
        return Line("silent", False, moving, ("io is silent", *still))
    if station.ready and not still:
        return Line("inspecting", True, moving, ())
    own = tuple(reason for reason in station.reasons if reason)
    reasons = own or tuple(still) or ("not ready",)
    state = "fault" if station.fault or station.state == "FAULT" else "notready"
    return Line(state, False, moving, reasons)


def _moves(beat: Beat | None, at_ns: int) -> bool:
    return beat is not None and beat.health is Health.READY and beat.has_moved(at_ns, WORK_LIMIT_NS, TURN_LIMIT_NS)
