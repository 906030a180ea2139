"""The camera's clock, mapped onto the host's.

The camera is asked for its time between two looks at the host's clock; of a burst of tries the narrowest is kept, and a
line through the last bursts gives offset and drift. Pure: no clock and no camera of its own.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ..bus.clock import MS

BURSTS = 16
"""Bursts the line is drawn through."""
_JUMP_NS = 1 * MS
_DRIFT_LIMIT = 500e-6
"""No quartz is off by more; a camera that differs by more has had its clock set."""


@dataclass(frozen=True, slots=True)
class Latch:
    """One try: the host's clock before and after, the camera's in between."""

    before_ns: int
    device_ns: int
    after_ns: int

    @property
    def window_ns(self) -> int:
        """How long the question took."""
        return self.after_ns - self.before_ns

    @property
    def offset_ns(self) -> int:
        """Host minus device, in the middle of the window."""
        return (self.before_ns + self.after_ns) // 2 - self.device_ns


class DeviceClock:
    """Offset and drift of one camera's clock in one stream epoch."""

    def __init__(self) -> None:
        self._best: deque[Latch] = deque(maxlen=BURSTS)
        self._slope = 0.0

    @property
    def known(self) -> bool:
        """True once there was a burst."""
        return bool(self._best)

    @property
    def error_ns(self) -> int:
        """Half the window of the last burst kept; 0 while nothing is known."""
        return (self._best[-1].window_ns + 1) // 2 if self._best else 0

    def learn(self, burst: Iterable[Latch]) -> bool:
        """Take in one burst of at least one try. Returns False, and keeps nothing, where the clock has jumped."""
        best = min(burst, key=lambda latch: latch.window_ns)
        if self._best and not self._agrees(best):
            return False
        self._best.append(best)
        self._slope = self._drift()
        return True

    def to_host(self, device_ns: int) -> int | None:
        """The host's time at that device time; None while nothing is known."""
        if not self._best:
            return None
        last = self._best[-1]
        return device_ns + last.offset_ns + round(self._slope * (device_ns - last.device_ns))

    def _agrees(self, latch: Latch) -> bool:
        last = self._best[-1]
        elapsed = abs(latch.before_ns - last.after_ns)
        slack = _JUMP_NS + (latch.window_ns + last.window_ns) // 2 + elapsed * _DRIFT_LIMIT
        return abs(latch.offset_ns - last.offset_ns) <= slack

    def _drift(self) -> float:
        """Slope of the offset over device time, least squares; 0 from one burst alone."""
        zero = self._best[0]
        xs = [float(latch.device_ns - zero.device_ns) for latch in self._best]
        ys = [float(latch.offset_ns - zero.offset_ns) for latch in self._best]
        mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
        spread = sum((x - mean_x) ** 2 for x in xs)
        if spread == 0.0:
            return 0.0
        slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread
        return max(-_DRIFT_LIMIT, min(_DRIFT_LIMIT, slope))
