"""A sorter's belt: small parts, close together, fast, with valves as such machines have them."""

from typing import Any

LENGTH_MM, PITCH_MM = 5.0, 12.0
VIEW_PX, MODEL_PX = 96, 64
UNDER_WAY = 4
"""Parts that may wait for their result: enough to keep camera, judge and PLC busy, too few to queue."""
LAST = 2**32 - 1
"""The largest part number: after it comes 1."""


def belt_of(rate: float, deadline_ms: int) -> dict[str, Any]:
    """The belt that brings that many parts a second and leaves the gate late enough for the deadline."""
    speed = rate * PITCH_MM
    commit_mm = round(speed * 0.06 + 12.0, 1)
    return {
        "part_length_mm": LENGTH_MM,
        "pitch_mm": PITCH_MM,
        "pitch_jitter_mm": 0.2,
        "jet_mm": 0.5,
        "speed_mm_s": speed,
        "ramp_mm_s2": 20_000.0,
        "eye_to_gate_mm": round(speed * (deadline_ms + 300) / 1000 + commit_mm, 1),
        "gate_to_confirm_mm": 40.0,
        "commit_mm": commit_mm,
        "valve_on_ms": 2.0,
        "valve_off_ms": 2.0,
        "valve_jitter_ms": 0.2,
    }


def plan_of(parts: int, before: int, of: int) -> dict[str, Any]:
    """What the line of one segment is told beyond its belt.

    before: parts of the segments before. of: parts of the whole soak; half of them come before the number wraps.
    """
    return {
        "source": {"kind": "rendered", "defect_percent": 5.0},
        "count": parts,
        "width": VIEW_PX,
        "height": VIEW_PX,
        "first_part": (LAST - of // 2 + before - 1) % LAST + 1,
        "scan_ms": 1.0,
        "tick_ms": 1.0,
        "metered": UNDER_WAY,
        "prompt": True,
    }
