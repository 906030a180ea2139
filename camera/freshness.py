"""How old a frame may be that came out of a pipe: a stale one must never be taken for a new one. Pure.

Where a stream dates its frames by the camera's clock (RTP), a frame that was held up on its way comes late against the
quickest ones of late; what lies in buffers when the stream is opened comes ever quicker, until it does not any more.
Without such dates, a frame nobody had to wait for may have lain in a buffer for any time.
"""

from ..bus.clock import MS, SECOND

BEHIND_NS = 2 * SECOND
"""Held up for longer than this, or nothing waited for during this time: the stream is not what happens now."""
SETTLED_NS = 250 * MS
"""As long after a frame that was much quicker than all before, nothing is known of how quick they can be."""
_QUICKER_NS = 5 * MS
_WINDOW_NS = 10 * SECOND
"""The quickest frame is looked for among those of the last one to two windows: clocks drift apart."""
_LEAST_WAIT_NS, _MOST_WAIT_NS = 1 * MS, 10 * MS


class Freshness:
    """Frames of one stream, in the order they came."""

    def __init__(self, period_ns: int) -> None:
        """period_ns: from frame to frame, as far as it is known; 0: not."""
        self._least_wait_ns = min(max(period_ns // 4, _LEAST_WAIT_NS), _MOST_WAIT_NS) if period_ns else _MOST_WAIT_NS
        self._least_ns: int | None = None
        self._before_ns: int | None = None
        self._window_ns = self._quicker_ns = 0
        self._waited_ns: int | None = None

    def held_ns(self, waited_ns: int, arrived_ns: int, stamp_ns: int | None) -> int | None:
        """Return how long a frame was held up on its way beyond the usual; None: for any time.

        waited_ns: how long nothing was there. arrived_ns: when it came. stamp_ns: by the camera's clock; None: not
        dated.
        """
        if stamp_ns is not None:
            self._waited_ns = arrived_ns
            return self._late_ns(arrived_ns, arrived_ns - stamp_ns)
        waited = waited_ns >= self._least_wait_ns
        if waited or self._waited_ns is None:
            self._waited_ns = arrived_ns
        return 0 if waited else None

    def fault(self, arrived_ns: int, held_ns: int | None) -> str:
        """Why the stream is no longer believed and must be opened afresh; empty: it is."""
        if held_ns is not None and held_ns > BEHIND_NS:
            return f"its frames come {held_ns / SECOND:.1f} s late"
        if held_ns is None and self._waited_ns is not None and arrived_ns - self._waited_ns > BEHIND_NS:
            return "its frames cannot be read as fast as they come"
        return ""

    def _late_ns(self, arrived_ns: int, delay_ns: int) -> int | None:
        usual_ns = delay_ns if self._least_ns is None else min(self._least_ns, self._before_ns or self._least_ns)
        if self._least_ns is None or delay_ns < usual_ns - _QUICKER_NS:
            self._quicker_ns = arrived_ns
        if self._least_ns is None or arrived_ns - self._window_ns > _WINDOW_NS:
            self._before_ns, self._least_ns, self._window_ns = self._least_ns, delay_ns, arrived_ns
        self._least_ns = min(self._least_ns, delay_ns)
        late_ns = max(delay_ns - usual_ns, 0)
        return late_ns if arrived_ns - self._quicker_ns >= SETTLED_NS or late_ns > BEHIND_NS else None
