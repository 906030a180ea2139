"""Is the line being inspected right now? Told from progress that others stamped, never from our own being alive."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..bus.clock import MS, SECOND
from ..bus.heartbeat import Beat
from ..bus.messages import Health, StationState
from .board import Board

SILENT_NS = 1500 * MS
"""io speaks every 250 ms: after this long without a word the last one is worth nothing."""
TURN_LIMIT_NS = 1 * SECOND
"""io itself drops READY after 250 ms; a person needs no flicker, so the screen waits this long."""
UNDER_WAY = ("ACQUIRING", "INSPECTING", "RESULT_VALID")
"""States of a station that works on a part."""
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
    """What is wrong, the first thing to mend first. While inspecting: what does not stop the line."""


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
    own = tuple(reason for reason in station.reasons if reason)
    if not still and _vouches(station):
        return Line("inspecting", True, moving, own)
    state = "fault" if station.fault or station.state == "FAULT" else "notready"
    return Line(state, False, moving, own or tuple(still) or ("not ready",))


def _vouches(station: StationState) -> bool:
    """READY also falls while a part is under way, without a reason: that is no interruption."""
    under_way = station.state in UNDER_WAY and not station.reasons
    return not station.fault and station.state != "FAULT" and (station.ready or under_way)


def _moves(beat: Beat | None, at_ns: int) -> bool:
    return beat is not None and beat.health is Health.READY and beat.has_moved(at_ns, WORK_LIMIT_NS, TURN_LIMIT_NS)


def started_at(pid: int) -> str | None:
    """UTC since when a process of this machine runs, for example `2026-11-23T08:15:04Z`; None: it does not."""
    try:
        # The name stands in brackets and may hold blanks; field 22 is counted from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks = int(fields[19])
    except (OSError, IndexError, ValueError):
        return None
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(time.time() - age_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
