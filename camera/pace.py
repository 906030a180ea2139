"""How fast a free-running camera sends its pictures, against the rate it is set to. Pure: no clock."""

from collections import deque

from ..bus.clock import SECOND

_DATED, _DATED_SHARE = 8, 0.6
_ARRIVED, _ARRIVED_SHARE = 32, 0.65
"""So many intervals in less than this share of their time are too fast. Arrivals come in bunches, exposures do not."""


class Pace:
    """The last moments of one stream."""

    def __init__(self, rate_hz: float, frames: int) -> None:
        """rate_hz: of the camera's frames; a picture has `frames` of them."""
        self._period_ns = frames * SECOND / rate_hz
        self._moments_ns: deque[int] = deque(maxlen=_ARRIVED + 1)

    def is_too_fast(self, moment_ns: int, *, dated: bool) -> bool:
        """Take in one picture. moment_ns: of its exposure where dated, else of its arrival."""
        self._moments_ns.append(moment_ns)
        count, share = (_DATED, _DATED_SHARE) if dated else (_ARRIVED, _ARRIVED_SHARE)
        if len(self._moments_ns) <= count:
            return False
        return moment_ns - self._moments_ns[-1 - count] < count * self._period_ns * share
