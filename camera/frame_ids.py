"""Frame numbers of GigE Vision 1.x have 16 bits and no 0; counted on beyond that. Pure.

Source: GigE Vision 1.2, 23.1: block_id is 16 bits, 0 is reserved, it wraps from 65535 to 1.
"""

_WRAP = 65535
_NEAR = 4096
"""A number that falls from this near to the end to this near to the beginning has wrapped; else it is what it is."""


class FrameIds:
    """The numbers of one stream."""

    def __init__(self) -> None:
        self._last = 0
        self._wraps = 0

    def number(self, frame_id: int) -> int:
        """Return the number of that frame: one that is skipped stays a gap, one that comes again comes again."""
        if _WRAP - _NEAR < self._last <= _WRAP and frame_id < _NEAR:
            self._wraps += 1
        elif self._wraps and self._last < _NEAR and _WRAP - _NEAR < frame_id <= _WRAP:
            return (self._wraps - 1) * _WRAP + frame_id  # of before the wrap, late
        self._last = frame_id
        return self._wraps * _WRAP + frame_id
