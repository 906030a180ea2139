"""How fast and when the box speaks to the service: a token bucket, hours of the day, a back-off with full jitter.

Pure: whoever asks brings the time (monotonic seconds; for the hours the box's own clock and zone).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time

FIRST_S, LONGEST_S = 1.0, 300.0
LONGEST_AFTER_S = 3600.0
"""A service that asks for a longer pause than this is asked again all the same."""
LEAST_SLICE, MOST_SLICE = 1024, 65_536


class Bucket:
    """Bytes that may leave: filled at a constant rate, never by more than a second's worth. One thread."""

    def __init__(self, kbit_per_s: int, now_s: float) -> None:
        self.rate = kbit_per_s * 125.0
        """Bytes a second."""
        self.slice = int(min(MOST_SLICE, max(LEAST_SLICE, self.rate / 4)))
        """Bytes that are handed to the network at once: about a quarter of a second's worth, and no more than so many
        stand in an alarm's way."""
        self._room, self._at_s = float(self.slice), now_s

    def wait_s(self, size: int, now_s: float) -> float:
        """Seconds until size bytes may go; 0: now. More than a second's worth waits for the bucket to be full."""
        self._fill(now_s)
        missing = min(float(size), self._most) - self._room
        return max(0.0, missing / self.rate)

    def take(self, size: int, now_s: float) -> None:
        """They go, whether there was room or not: what does not wait is owed by what comes after it."""
        self._fill(now_s)
        self._room -= size

    @property
    def _most(self) -> float:
        return max(self.rate, float(self.slice))

    def _fill(self, now_s: float) -> None:
        self._room = min(self._most, self._room + max(0.0, now_s - self._at_s) * self.rate)
        self._at_s = max(self._at_s, now_s)


def is_open(hours: Sequence[str], at: datetime) -> bool:
    """Whether that moment lies within one of the spans `HH:MM-HH:MM`; none: always. A span may pass midnight."""
    if not hours:
        return True
    minute = at.hour * 60 + at.minute
    for span in hours:
        begin, end = (_minute(text) for text in span.split("-"))
        if begin < end:
            if begin <= minute < end:
                return True
        elif minute >= begin or minute < end:
            return True
    return False


def _minute(text: str) -> int:
    if text == "24:00":
        return 24 * 60
    found = time.fromisoformat(text)
    return found.hour * 60 + found.minute


@dataclass(slots=True)
class BackOff:
    """When something that failed may be tried again. Full jitter, so that a hundred boxes do not come in one wave."""

    draw: Callable[[float, float], float] = random.uniform
    tries: int = 0
    """Failures in a row."""
    _until_s: float = field(default=float("-inf"))

    def failed(self, now_s: float, after_s: float = 0.0) -> float:
        """One more failure; after_s: the least pause that the other side asked for. Return the seconds to wait."""
        self.tries += 1
        longest = min(LONGEST_S, FIRST_S * 2 ** min(self.tries - 1, 16))
        waits = max(self.draw(0.0, longest), min(after_s, LONGEST_AFTER_S))
        self._until_s = now_s + waits
        return waits

    def refused(self, now_s: float) -> None:
        """Trying again at once is useless; somebody may mend it, so it is tried again after the longest wait."""
        self.tries += 1
        self._until_s = now_s + LONGEST_S

    def worked(self) -> None:
        """It works again."""
        self.tries, self._until_s = 0, float("-inf")

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next try; 0: now."""
        return max(0.0, self._until_s - now_s)
