"""How the grey levels of a picture are spread, and how much of it lies at the ends of the scale."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from .grey import cut
from .picture import Box, Picture

ChannelName = Literal["grey", "red", "green", "blue"]


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel. Shares are of its pixels, 0..1."""

    name: ChannelName
    counts: tuple[int, ...]
    """Pixels at each of the levels 0..255."""

    @property
    def low(self) -> float:
        """Share at level 0: nothing is seen there."""
        return self.counts[0] / sum(self.counts)

    @property
    def high(self) -> float:
        """Share at level 255: clipped."""
        return self.counts[255] / sum(self.counts)

    @property
    def mean(self) -> float:
        """Mean level, 0..255."""
        return sum(level * count for level, count in enumerate(self.counts)) / sum(self.counts)

    def level(self, share: float) -> int:
        """Return the level that this share of the pixels does not exceed. ValueError: share is not in 0..1."""
        if not 0 <= share <= 1:
            raise ValueError(f"share {share}: expected 0..1")
        sums = np.cumsum(self.counts)
        return int(np.searchsorted(sums, share * int(sums[-1]) - 1e-9))


def histogram_of(picture: Picture, box: Box | None = None) -> tuple[Channel, ...]:
    """Return one channel for a grey picture, three for an RGB one.

    box: only what lies in it; ValueError where it reaches out of the picture.
    """
    seen = np.ascontiguousarray(picture if box is None else cut(picture, box))
    names: tuple[ChannelName, ...] = ("grey",) if seen.ndim == 2 else ("red", "green", "blue")
    channels = []
    for at, name in enumerate(names):
        counts = cv2.calcHist([seen], [at], None, [256], [0, 256])
        channels.append(Channel(name, tuple(int(count) for count in np.asarray(counts).reshape(256))))
    return tuple(channels)
