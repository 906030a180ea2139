"""A frozen sensor: new frames, new stamps, the very pixels of the frame before.

The noise of a real sensor makes every picture another one. A source without noise (a simulation, a replay) may rightly
send the same picture twice. So, unless somebody decides it, the pictures must prove first that they are noisy: over a
run of pictures every band of the picture differs a little from the one before, and no picture comes twice. What moves
does not look like that: without noise the background does not change at all.
"""

import zlib
from collections import deque

import numpy as np
import numpy.typing as npt

from .options import MustDiffer

Bytes = npt.NDArray[np.uint8]
SAMPLES = 8192
"""Bytes compared, spread over the whole picture: equal by chance in less than one of 10**6 pictures where as few as one
pixel in five hundred differs from picture to picture."""
PROOF = 16
"""So many pictures in a row with noise all over: from then on two equal ones are a fault."""
_BANDS = 32
_SMALL = 8.0
"""Mean difference of a band up to which it is noise, not movement, in levels of 8 bits."""
_CLIPPED = 0.9
"""A band with more than this share of its pixels at 0 or 255 has no noise to show."""
_REMEMBERED = 256
_AT_FIRST, _EVERY = 256, 8
"""So many pictures are each held against the one before; after that, two of so many are."""


class FrozenWatch:
    """Looks at each picture of one camera. One thread."""

    def __init__(self, must_differ: MustDiffer) -> None:
        self._rule = must_differ
        self._size = 0
        self._begin(0)

    def _begin(self, size: int) -> None:
        self._size = size
        self._last = 0
        self._high: npt.NDArray[np.int16] | None = None
        self._noisy = 0
        self._looked = 0
        self._seen: deque[int] = deque(maxlen=_REMEMBERED)
        self._repeats = False

    @property
    def armed(self) -> bool:
        """True: a picture equal to the one before is a fault."""
        return self._rule == "on" or (self._rule == "auto" and self._noisy >= PROOF and not self._repeats)

    def is_frozen(self, pixels: Bytes, high: Bytes) -> bool:
        """Take in one picture. True: it is the one before again, and this camera never sends one twice.

        pixels: all its raw bytes. high: the 8 high bits of pixels from all over it, from above to below.
        """
        if self._rule == "off":
            return False
        if pixels.size != self._size:
            self._begin(pixels.size)
        digest = zlib.crc32(_spread(pixels, SAMPLES).data)
        last, self._last = self._last, digest
        same = bool(self._seen) and digest == last
        if not same and digest in self._seen:
            self._repeats = True  # an earlier picture again: no sensor does that
        armed = self.armed
        if not same:
            self._seen.append(digest)
        if self._rule == "auto" and not armed:
            self._learn(high, same)
        return same and armed

    def _learn(self, high: Bytes, same: bool) -> None:
        self._looked += 1
        turn = self._looked % _EVERY if self._looked > _AT_FIRST else 1
        if turn > 1:
            return
        if turn == 0:
            self._high = None  # the next one is held against this, not against one of long before
        bands = _spread(high, SAMPLES).astype(np.int16)
        bands = bands[: bands.size // _BANDS * _BANDS].reshape(_BANDS, -1)
        before, self._high = self._high, bands
        if same:
            self._noisy = 0
        elif before is not None and before.shape == bands.shape:
            self._noisy = self._noisy + 1 if _is_noise(before, bands) else 0


def _is_noise(before: npt.NDArray[np.int16], now: npt.NDArray[np.int16]) -> bool:
    """True when every band that can show noise differs, and most of them only a little."""
    clipped = np.mean((now == 0) | (now == 255), axis=1) > _CLIPPED
    if clipped.all():
        return False
    difference = np.abs(now - before).mean(axis=1)[~clipped]
    return bool((difference > 0).all() and np.mean(difference < _SMALL) >= 0.5)


def _spread(values: Bytes, count: int) -> Bytes:
    step = max(values.size // count, 1) | 1
    return np.ascontiguousarray(values[::step])
