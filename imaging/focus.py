"""The focus meter: how sharp a chosen region is while a person turns the lens, with the peak held."""

from collections import deque
from dataclasses import dataclass
from typing import Literal

from .grey import cut, grey_of
from .picture import Box, Picture
from .sharpness import SMALLEST_PX, contrast_sharpness, quiet_noise

Trend = Literal["rising", "steady", "falling", "past the peak"]
_STEADY = 0.03
"""Change of the value that counts as none, as a share."""
_PAST = 0.92
"""Below this share of the peak, and with the peak behind, the person has turned too far."""
_LOOK = 3
"""Pictures before the present one that it is compared with: their middle."""


@dataclass(frozen=True, slots=True)
class FocusReading:
    """What the meter shows for one picture."""

    value: float
    """Sharpness, 0 or more, comparable only within one region and one scene."""
    peak: float
    """The highest value since the last reset."""
    share: float
    """Value as a share of the peak, 0..1; 0.0 while nothing was sharp yet."""
    trend: Trend


class FocusMeter:
    """Follows one region. One thread."""

    def __init__(self, box: Box | None = None) -> None:
        """box: x, y, width, height in px, at least 20 each way (ValueError); None: the whole picture."""
        if box is not None and min(box[2:]) < SMALLEST_PX:
            raise ValueError(f"box of {box[2]}x{box[3]} px: expected {SMALLEST_PX} or more each way")
        self._box = box
        self._recent: deque[float] = deque(maxlen=_LOOK + 1)  # full: the oldest picture is forgotten
        self._noise = float("inf")
        self._peak = 0.0

    def reset(self) -> None:
        """Forget the peak: another region, lens or scene."""
        self._recent.clear()
        self._noise = float("inf")
        self._peak = 0.0

    def add(self, picture: Picture) -> FocusReading:
        """Measure one picture, grey or RGB. ValueError: the box reaches out of it."""
        grey = grey_of(picture if self._box is None else cut(picture, self._box))
        # A sharp fine pattern looks like noise, a blurred one does not: the least seen so far is the noise.
        self._noise = min(self._noise, quiet_noise(grey))
        value = 100.0 * contrast_sharpness(grey, self._noise)
        self._recent.append(value)
        self._peak = max(self._peak, value)
        return FocusReading(value, self._peak, value / self._peak if self._peak > 0 else 0.0, self._trend())

    def _trend(self) -> Trend:
        *before_now, now = self._recent
        if not before_now:
            return "steady"
        before = sorted(before_now)[len(before_now) // 2]
        if now < before * (1 - _STEADY):
            return "past the peak" if now < _PAST * self._peak else "falling"
        if now > before * (1 + _STEADY):
            return "rising"
        return "past the peak" if now < _PAST * self._peak else "steady"
