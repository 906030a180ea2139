"""Does the time between eye and gate suffice? The budget of one part, stage by stage, against distance and top speed.

Pure. A stage is measured (p99.9 over the newest parts of the ledger) where enough parts were seen, and otherwise what
the recipe allows for it: the deadline for the decision, the margin for link, PLC scan and valve. What a box was allowed
is never less than what it may use: the check is on the safe side before the first part, exact after a thousand.

A verdict that comes after the deadline is a reject, so the decision never counts for more than the deadline.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ENOUGH = 1000
"""Parts from which a p99.9 says something: below, it is only the longest seen."""


@dataclass(frozen=True, slots=True)
class Way:
    """What the machine builder fixed, and what was promised for this product."""

    distance_mm: float
    """Eye to gate."""
    max_speed_mm_s: float
    deadline_ms: float
    """From the trigger to the decision."""
    margin_ms: float
    """Allowed for link, PLC scan and valve together."""
    valve_ms: float
    """Coil to air at the part, worst case: from the valve's data sheet."""
    spare_ms: float = 0.0
    """Kept free on top of everything measured."""

    @property
    def has_ms(self) -> float:
        """Time from eye to gate at top speed."""
        return 1000 * self.distance_mm / self.max_speed_mm_s


@dataclass(frozen=True, slots=True)
class Taken:
    """How long the newest parts took, milliseconds. None: that moment is not known of the part."""

    picture_ms: float | None
    """Trigger to the picture in the ring."""
    inspection_ms: float | None
    """Picture in the ring to the verdict."""
    decision_ms: float | None
    """Trigger to the decision; at most the deadline."""
    answer_ms: float | None
    """Decision to the PLC's acknowledgement: link and PLC scan, there and back."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the budget."""

    name: str
    p999_ms: float
    source: str
    """`measured over N parts`, `deadline of the recipe`, `margin of the recipe`, `data sheet`, `settings`."""
    part_of_sum: bool
    """False: shown for information, it is contained in another line."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The sum, and what follows from it."""

    way: Way
    stages: tuple[Stage, ...]
    measured: int
    """Parts that the figures come from; 0: none, all of it is allowed for."""

    @property
    def sum_ms(self) -> float:
        """What one part needs from eye to gate."""
        return sum(stage.p999_ms for stage in self.stages if stage.part_of_sum)

    @property
    def needs_mm(self) -> float:
        """Distance that would just do at top speed."""
        return self.sum_ms * self.way.max_speed_mm_s / 1000

    @property
    def short_mm(self) -> float:
        """How much too short the distance is; 0: it does."""
        return max(0.0, self.needs_mm - self.way.distance_mm)

    @property
    def top_speed_mm_s(self) -> float:
        """Speed at which this distance would just do."""
        return 1000 * self.way.distance_mm / self.sum_ms

    @property
    def fits(self) -> bool:
        """The gate is far enough away."""
        return self.short_mm == 0

    @property
    def words(self) -> str:
        """The outcome for people."""
        way = self.way
        if self.fits:
            return (
                f"the gate is {way.distance_mm:.0f} mm from the eye and {self.needs_mm:.0f} mm are needed "
                f"at {way.max_speed_mm_s:.0f} mm/s; it would do up to {math.floor(self.top_speed_mm_s)} mm/s"
            )
        return (
            f"the gate is {math.ceil(self.short_mm)} mm too near: {way.distance_mm:.0f} mm from the eye, "
            f"{math.ceil(self.needs_mm)} mm needed ({self.sum_ms:.0f} ms at {way.max_speed_mm_s:.0f} mm/s); "
            f"it would do at up to {math.floor(self.top_speed_mm_s)} mm/s"
        )


def p999(values: Sequence[float]) -> float:
    """Nearest-rank 99.9th percentile of one or more values."""
    return sorted(values)[math.ceil(0.999 * len(values)) - 1]


def allowed(way: Way) -> Budget:
    """Return the budget before anything was measured: what the recipe allows."""
    return Budget(
        way,
        (
            Stage("trigger to decision", way.deadline_ms, "deadline of the recipe", part_of_sum=True),
            Stage("link, PLC scan and valve", way.margin_ms, "margin of the recipe", part_of_sum=True),
        ),
        0,
    )


def budget(way: Way, taken: Sequence[Taken], enough: int = ENOUGH) -> Budget:
    """Return the budget of the newest parts. Fewer than `enough` with both a decision and an answer: `allowed`.

    The sum is the p99.9 of what decision and answer took together in the same part, not the sum of two p99.9s: the two
    are not at their worst in the same part. The valve and what is kept free come on top.
    """
    whole = [
        min(each.decision_ms, way.deadline_ms) + each.answer_ms
        for each in taken
        if each.decision_ms is not None and each.answer_ms is not None
    ]
    if len(whole) < enough:
        return allowed(way)
    source = f"measured over {len(whole)} parts"
    shown = {
        "trigger to picture": [each.picture_ms for each in taken if each.picture_ms is not None],
        "picture to verdict": [each.inspection_ms for each in taken if each.inspection_ms is not None],
        "trigger to decision": [each.decision_ms for each in taken if each.decision_ms is not None],
        "decision to acknowledgement (link and PLC scan)": [e.answer_ms for e in taken if e.answer_ms is not None],
    }
    stages = [
        Stage(name, p999(values), f"measured over {len(values)} parts", part_of_sum=False)
        for name, values in shown.items()
        if values
    ]
    stages.append(Stage("trigger to acknowledgement", p999(whole), source, part_of_sum=True))
    stages.append(Stage("valve", way.valve_ms, "data sheet", part_of_sum=True))
    if way.spare_ms:
        stages.append(Stage("kept free", way.spare_ms, "settings", part_of_sum=True))
    return Budget(way, tuple(stages), len(whole))
