"""The camera's clock, mapped onto the host's.

The camera is asked for its time between two looks at the host's clock; of a burst of tries the narrowest is kept, and a
line through the last bursts gives offset and drift. Pure: no clock and no camera of its own.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ..bus.clock import MS, SECOND

BURSTS = 16
"""Bursts the line is drawn through."""
_JUMP_NS = 1 * MS
_QUARTZ_RATE, _SETTLED_RATE, _SETTLED_NS = 50e-6, 2e-6, 10 * SECOND
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
        self._residual_ns = 0

    @property
    def known(self) -> bool:
        """True once there was a burst."""
        return bool(self._best)

    @property
    def drift_ppm(self) -> float:
        """How much faster the device's clock runs than the host's; 0 from one burst alone."""
        return -self._slope * 1e6

    def error_ns(self, at_ns: int) -> int:
        """Stated uncertainty of a moment mapped at that host time; 0 while nothing is known.

        Half the window of the last burst, the largest distance of a burst from the line, and what the clock may have
        drifted since: 50 ppm until the line rests on 10 s, then 2 ppm.
        """
        if not self._best:
            return 0
        first, last = self._best[0], self._best[-1]
        rate = _SETTLED_RATE if last.before_ns - first.before_ns >= _SETTLED_NS else _QUARTZ_RATE
        drifted = max(at_ns - last.after_ns, 0) * rate
        return (last.window_ns + 1) // 2 + self._residual_ns + round(drifted)

    def learn(self, burst: Iterable[Latch]) -> bool:
        """Take in one burst of at least one try. Returns False, and keeps nothing, where the clock has jumped."""
        best = min(burst, key=lambda latch: latch.window_ns)
        if self._best and not self._agrees(best):
            return False
        self._best.append(best)
        self._slope = self._drift()
        mapped = [(each, self.to_host(each.device_ns) or 0) for each in self._best]
        self._residual_ns = max(abs(each.offset_ns + each.device_ns - host) for each, host in mapped)
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


FEWEST = 16
"""Frames from which the least delay is taken for what the way really needs."""
_WINDOW = 256
_LATE_NS = 250 * MS
"""No frame that was not lost comes this late over and over: then the clock was set back."""
_LATE_FRAMES = 16


class LeastDelay:
    """The clock of a camera that stamps its frames but cannot be asked for its time.

    Host minus device is largest for a frame that was held up and least for one that came straight away: the least of
    the last frames is taken, so a stamp is mapped to the earliest moment it can mean, late by the transfer at most.
    """

    def __init__(self) -> None:
        self._seen: deque[int] = deque(maxlen=_WINDOW)
        self._least = 0
        self._late = 0

    @property
    def known(self) -> bool:
        """True once enough frames were seen."""
        return len(self._seen) >= FEWEST

    @property
    def error_ns(self) -> int:
        """Middle of how much later than the fastest the frames came; 0 while nothing is known."""
        if not self.known:
            return 0
        ordered = sorted(self._seen)
        return ordered[len(ordered) // 2] - self._least

    def learn(self, received_ns: int, device_ns: int) -> bool:
        """Take in one frame: when it came, and the device's stamp of the end of its exposure.

        Returns False, and keeps nothing, where the device's clock has jumped.
        """
        offset_ns = received_ns - device_ns
        if self.known and offset_ns < self._least - _LATE_NS:
            return False  # dated later than it can have been: the clock was set forward
        self._late = self._late + 1 if self.known and offset_ns > self._least + _LATE_NS else 0
        if self._late >= _LATE_FRAMES:
            return False
        self._seen.append(offset_ns)
        self._least = min(self._seen)
        return True

    def to_host(self, device_ns: int) -> int | None:
        """The host's time at that device time; None while nothing is known."""
        return device_ns + self._least if self.known else None
