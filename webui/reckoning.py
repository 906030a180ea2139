"""Does the time between eye and gate suffice? The sum as the screen shows it, with each figure it is made of. Pure.

The same rule as `plc_io/budget.py`: of parts that were acknowledged the p99.9 (with fewer than a thousand the longest
seen) of what decision and acknowledgement took together, and the valve and what is kept free on top. What the recipe
promises, deadline and margin, must be enough for that and must itself fit: io goes by it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..records.timing_read import Moments

ENOUGH = 1000
LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class Way:
    """What a person said. mm, mm/s, ms."""

    eye_to_camera_mm: float
    eye_to_gate_mm: float
    gate_to_confirm_mm: float
    max_speed_mm_s: float
    deadline_ms: float
    valve_ms: float
    pulse_ms: float
    spare_ms: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What parts took, ms after the trigger."""

    parts: int
    """With a decision and an acknowledgement; the figures are of these."""
    exact: bool
    """A p99.9; False: the longest of too few."""
    exposure_ms: float | None
    """Trigger to exposure, the middle one."""
    decision_ms: float
    answer_ms: float
    whole_ms: float
    """Trigger to acknowledgement."""


@dataclass(frozen=True, slots=True)
class Reckoned:
    """The sum."""

    has_ms: float
    promised_ms: float
    """Deadline and margin."""
    margin_ms: float
    """Allowed for acknowledgement, valve and what is kept free."""
    needs_ms: float
    """The larger of what is promised and what was measured."""
    left_ms: float
    """Below 0: too late at the gate."""
    decision_left_ms: float
    """Deadline less the worst decision."""
    camera_delay_us: int
    """From the trigger the camera gets to its exposure."""
    air_mm: float
    """Travel of a part while the air is on."""
    top_speed_mm_s: float

    @property
    def fits(self) -> bool:
        """It may be saved."""
        return self.left_ms >= 0


def measured(parts: Sequence[Moments]) -> Measured | None:
    """What the newest parts took; None: none of them was decided and acknowledged."""
    whole = [one for one in parts if one.committed_ms is not None and one.acked_ms is not None]
    if not whole:
        return None
    exact = len(whole) >= ENOUGH
    exposures = sorted(one.exposed_ms for one in whole if one.exposed_ms is not None)
    decisions = [min(one.committed_ms, one.deadline_ms) for one in whole if one.committed_ms is not None]
    acked = [one.acked_ms for one in whole if one.acked_ms is not None]
    answers = [ack - one.committed_ms for one, ack in zip(whole, acked, strict=True) if one.committed_ms is not None]
    sums = [decision + answer for decision, answer in zip(decisions, answers, strict=True)]
    middle = exposures[len(exposures) // 2] if exposures else None
    return Measured(len(whole), exact, middle, worst(decisions), worst(answers), worst(sums))


def worst(values: Sequence[float]) -> float:
    """Nearest-rank 99.9th percentile; of fewer than a thousand it is the longest."""
    return sorted(values)[math.ceil(0.999 * len(values)) - 1]


def reckon(way: Way, found: Measured | None, margin_ms: float | None = None) -> Reckoned:
    """Work it out. margin_ms: as promised so far, used where nothing was measured."""
    has_ms = 1000 * way.eye_to_gate_mm / way.max_speed_mm_s
    answer_ms = found.answer_ms if found is not None else max(0.0, (margin_ms or 0.0) - way.valve_ms - way.spare_ms)
    margin = math.ceil(answer_ms + way.valve_ms + way.spare_ms)
    promised = way.deadline_ms + margin
    seen = found.whole_ms + way.valve_ms + way.spare_ms if found is not None else 0.0
    needs = max(promised, seen)
    decision = found.decision_ms if found is not None else way.deadline_ms
    late_us = 1000 * (found.exposure_ms or 0.0) if found is not None else 0.0
    delay_us = max(0, round(1e6 * way.eye_to_camera_mm / way.max_speed_mm_s - late_us))
    return Reckoned(
        has_ms=has_ms,
        promised_ms=promised,
        margin_ms=margin,
        needs_ms=needs,
        left_ms=has_ms - needs,
        decision_left_ms=way.deadline_ms - decision,
        camera_delay_us=delay_us,
        air_mm=way.pulse_ms * way.max_speed_mm_s / 1000,
        top_speed_mm_s=1000 * way.eye_to_gate_mm / needs if needs > 0 else 0.0,
    )
