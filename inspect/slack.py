"""How much time there is before the next part's picture: only then a model on trial may look. Pure."""

import heapq
from collections import deque

from ..bus.clock import MS
from ..bus.messages import FrameReady

WINDOW = 2000
"""Parts whose distance in time is known: one that comes sooner than nearly all of them is one in a thousand."""
LEAST = 16
"""Without so many nobody knows how fast the parts come."""
MARGIN_NS = 1 * MS


class Slack:
    """When the next picture can come at the earliest, told by those before it. One thread."""

    def __init__(self, cameras: int) -> None:
        """cameras: pictures of one part."""
        self._cameras = cameras
        self._gaps: deque[int] = deque(maxlen=WINDOW)
        self._delays: deque[int] = deque(maxlen=WINDOW)
        self._newest_ns = 0
        self._came = 0
        self.due_ns = 0
        """When the next part's picture can come at the earliest; 0: not known yet."""

    def heard(self, frame: FrameReady) -> bool:
        """Take a picture that has come. True: it is the first one of a part."""
        is_new = frame.triggered_at_ns != self._newest_ns
        if is_new:
            gap = frame.triggered_at_ns - self._newest_ns
            if self._newest_ns and gap > 0:
                self._gaps.append(gap)
            self._newest_ns, self._came = frame.triggered_at_ns, 0
            self._delays.append(max(0, frame.ready_ns - frame.triggered_at_ns))
            if len(self._gaps) >= LEAST:
                self.due_ns = self._newest_ns + self.period_ns + min(self._delays)
        self._came += 1
        return is_new

    @property
    def period_ns(self) -> int:
        """The shortest time from part to part, one in a thousand left out; 0: not known yet."""
        if len(self._gaps) < LEAST:
            return 0
        return heapq.nsmallest(1 + len(self._gaps) // 1000, self._gaps)[-1]

    @property
    def is_whole(self) -> bool:
        """All pictures of the newest part have come."""
        return self._came >= self._cameras

    def left_ns(self, at_ns: int) -> int:
        """Nanoseconds that are nobody's; 0 or less: a picture is due, one of this part is still to come, or unknown."""
        if not self.is_whole:
            return 0
        return self.due_ns - MARGIN_NS - at_ns
