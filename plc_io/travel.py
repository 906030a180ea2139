"""How far the belt has gone: from a count that goes round, falls in reverse, and may be lost. Pure."""

import math
from collections import deque

from .belt import CLOSE_MM, Belt

TURN_MM = 1.0
"""The belt has turned when it went so far the other way: less is the machine shaking."""
_SAMPLES = 6
"""Speed is taken over so many samples: one alone is coarse by a count a tick."""
_SLACK_NS = 4_000_000
"""A sample may be taken this much earlier or later than it says."""
_TOO_FAST = 1.5
"""One step: faster than any belt, so the count is wrong."""
_OVER_SPEED, _PACE_NS = 1.05, 50_000_000
"""So much above the top speed over so long: the belt is faster than every distance was computed for."""
_EXACT_NS = 100_000


class Travel:
    """The belt's travel in mm since the first sample. All distances are modular differences of the count."""

    def __init__(self, belt: Belt) -> None:
        self._belt = belt
        self._turn = 1 << belt.encoder_bits
        self._sign = -1 if belt.reversed else 1
        self._raw: int | None = None
        self._total = 0.0
        self._samples: deque[tuple[int, float]] = deque(maxlen=_SAMPLES)
        self._history: deque[tuple[int, float]] = deque()  # for the pace, and for edges that are told late
        self._edge_ns = round(belt.edge_ms * 1e6)
        self._peak = 0.0
        self._came_back_from = -math.inf
        self._extreme = 0.0
        self.forward = True
        """The belt goes forward, or stands after it went forward."""
        self.told_mm = 0.0
        """Travel up to which every edge has been told by now."""

    @property
    def mm(self) -> float:
        """Travel at the last sample."""
        return self._total

    @property
    def speed_mm_s(self) -> float:
        """Speed over the last samples; below 0 in reverse, 0 before two of them."""
        if len(self._samples) < 2:
            return 0.0
        (began, start), (ended, end) = self._samples[0], self._samples[-1]
        return (end - start) / (ended - began) * 1e9 if ended > began else 0.0

    def at(self, counts: int) -> float:
        """Travel at a latched count, less than half a turn from the last sample. Without a sample it is the first."""
        if self._raw is None:
            self._raw = counts
        return self._total + self._difference(counts) / self._belt.counts_per_mm

    def strays(self, at_mm: float) -> str:
        """Why an edge cannot lie at that travel; empty: it can. A latch that sticks, or a count lost in between."""
        if not self._samples:
            return ""
        belt = self._belt
        behind = belt.travel_mm(_OVER_SPEED * (belt.edge_ms + 2 * belt.tick_ms)) + CLOSE_MM
        ahead = belt.travel_mm(_TOO_FAST * belt.tick_ms) + CLOSE_MM
        off = at_mm - self._total
        if -behind <= off <= ahead:
            return ""
        where = "ahead of" if off > 0 else "behind"
        return (
            f"eye: an edge {abs(off):.1f} mm {where} the belt, expected at most {ahead if off > 0 else behind:.1f} mm"
        )

    @property
    def sampled_ns(self) -> int | None:
        """When the last sample was; None: there was none."""
        return self._samples[-1][0] if self._samples else None

    def is_old_ground(self, at_mm: float) -> bool:
        """True when the belt has come back over this travel: what an eye sees there, it sees again."""
        return at_mm < self._came_back_from - CLOSE_MM

    def move(self, counts: int, now_ns: int) -> str:
        """Take a sample. Returns what is wrong with it, empty: nothing.

        A count that cannot be is not believed: the belt is taken to have gone on at its speed.
        """
        if self._raw is None:
            self._raw = counts
        moved = self._difference(counts) / self._belt.counts_per_mm
        self._raw = counts
        trouble, passed_ns = "", 0
        if self._samples:
            passed_ns = now_ns - self._samples[-1][0]
            fastest = self._belt.max_speed_mm_s * _TOO_FAST * (passed_ns + _SLACK_NS) / 1e9 + CLOSE_MM
            if abs(moved) > self._belt.jump_mm:
                trouble = f"encoder: jumped by {moved:.1f} mm, expected at most {self._belt.jump_mm:g} mm at once"
            elif abs(moved) > fastest:
                trouble = f"encoder: {moved:.1f} mm in {passed_ns / 1e6:.1f} ms, expected at most {fastest:.1f} mm"
            elif fastest * self._belt.counts_per_mm >= self._turn / 2:
                trouble = f"encoder: not read for {passed_ns / 1e6:.0f} ms, in which it may have gone round"
        if trouble:
            speed = self.speed_mm_s
            moved = speed * passed_ns / 1e9
            self._samples.clear()
            self._samples.append((now_ns - passed_ns, self._total))
        self._total += moved
        self._samples.append((now_ns, self._total))
        self._peak = max(self._peak, self._total)
        if self._total < self._peak - CLOSE_MM:
            self._came_back_from = self._peak
        self._follow()
        return trouble or self._paced(now_ns)

    def _difference(self, counts: int) -> int:
        raw = 0 if self._raw is None else self._raw
        half = self._turn // 2
        return self._sign * ((counts - raw + half) % self._turn - half)

    def _paced(self, now_ns: int) -> str:
        """Keep the history; return what is wrong with the pace, empty: nothing."""
        history = self._history
        history.append((now_ns, self._total))
        keep_ns = max(_PACE_NS, self._edge_ns)
        while len(history) > 1 and history[1][0] <= now_ns - keep_ns:
            history.popleft()
        told_ns = now_ns - self._edge_ns + _EXACT_NS
        self.told_mm = max((mm for at_ns, mm in history if at_ns <= told_ns), default=self.told_mm)
        span_ns, gone_mm = now_ns - history[0][0], self._total - history[0][1]
        fastest = self._belt.max_speed_mm_s * _OVER_SPEED
        if span_ns >= _PACE_NS and gone_mm > fastest * span_ns / 1e9 + CLOSE_MM:
            return f"belt: {gone_mm / span_ns * 1e9:.0f} mm/s, expected at most {self._belt.max_speed_mm_s:.0f}"
        return ""

    def _follow(self) -> None:
        """Notice a change of direction."""
        if self.forward:
            self._extreme = max(self._extreme, self._total)
            turned = self._total < self._extreme - TURN_MM
        else:
            self._extreme = min(self._extreme, self._total)
            turned = self._total > self._extreme + TURN_MM
        if turned:
            self.forward = not self.forward
            self._extreme = self._total
