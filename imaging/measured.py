"""What a measuring tool found in one box: values with their limits, and the places they were found at."""

import math
from dataclasses import dataclass

from .picture import Box

_OUTSIDE = 1.0 + 1e-6
"""The least ratio of a value beyond its limit: above 1 in float32, too."""
_MOST = 1e6
"""The largest: a limit may be next to nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value and what is allowed."""

    name: str
    """For example `width`, `width min`, `count`."""
    value: float
    """Finite."""
    unit: str
    """px, mm, px2, mm2, count, share, level, deg, deltaE; empty: a figure without one."""
    low: float | None = None
    """The least that is OK; None: no limit. Without both limits it is for people only."""
    high: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.name} = {self.value}: expected a finite number")

    @property
    def ratio(self) -> float:
        """How far it is from what is asked for, 0..1e6; above 1 exactly where it is beyond a limit.

        Two limits: distance from their middle over half their distance. One limit: 1 at it, growing by 1 for each
        |limit| beyond it (by each unit where the limit is 0). Numbers of things are whole: their limits lie half a
        thing further out.
        """
        low, high = self.low, self.high
        if low is None and high is None:
            return 0.0
        spare = 0.5 if self.unit == "count" else 0.0
        if low is not None and high is not None:
            half = (high - low) / 2 + spare
            found = abs(self.value - (low + high) / 2) / half if half > 0 else 0.0
        elif high is not None:
            limit = high + spare
            found = 1 + (self.value - limit) / (abs(limit) or 1.0)
        else:
            assert low is not None
            limit = low - spare
            found = 1 + (limit - self.value) / (abs(limit) or 1.0)
        inside = (low is None or self.value >= low) and (high is None or self.value <= high)
        return min(max(found, 0.0), 1.0) if inside else min(max(found, _OUTSIDE), _MOST)


@dataclass(frozen=True, slots=True)
class Place:
    """Something found."""

    kind: str
    """The rule's name."""
    box: Box
    """x, y, width, height in px of the picture that was measured in."""
    score: float
    """Ratio to the limit: above 1 it is NG."""


MOST_PLACES = 100
"""Places of one measurement that are kept, the worst first. Values count all of them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one tool says of one box."""

    rule: str
    """The rule's name."""
    readings: tuple[Reading, ...] = ()
    places: tuple[Place, ...] = ()
    """At most MOST_PLACES."""
    trouble: str = ""
    """Why it could not be measured, for people: judges nothing, the part is UNJUDGED. Empty: measured."""

    @property
    def sound(self) -> bool:
        """True when it may be judged by."""
        return not self.trouble

    @property
    def score(self) -> float:
        """Above 1: NG. `inf` where it could not be measured, so that nothing passes."""
        if self.trouble:
            return math.inf
        return max([0.0, *(each.ratio for each in self.readings), *(each.score for each in self.places)])


class NotMeasured(Exception):
    """The value cannot be told from what is seen; the text says why. The Ruler makes it `Measured.trouble`."""
