"""How a camera is, from what its pictures are: ready, or not and why, until a good picture passes. Pure: no clock."""

from collections import deque

from ..bus.clock import MS, SECOND
from ..bus.messages import Health
from .picture_faults import ADVICE

SELF_TEST_EVERY_NS = 500 * MS
SILENT_AFTER = 5
"""So many parts in a row without a picture, and the camera is not ready until one comes."""
DISTRUST_NS = 500 * MS
"""After pictures that nobody asked for, none is believed to be a part's for this long."""
_ASKED_WITHIN_NS = SECOND
_AFRESH_AFTER, _AFRESH_CAP = 5, 80
_ANEW_NS = 100 * MS
"""Bad pictures closer together than this count as one: a burst is one fault."""
_HEALED_BY_SETUP = ("repeated", "frozen", "wrong size", "unasked", "too fast", "silent")
_TRIAL_NS, _TRIAL_CAP_NS = 2 * SECOND, 64 * SECOND


class Condition:
    """Health of one camera in one stream. One thread."""

    def __init__(self, *, self_testing: bool) -> None:
        """self_testing: a picture can be taken without a part; else the first part is its own test."""
        self._self_testing = self_testing
        self.health, self.detail = Health.STARTING, "waiting for the first picture"
        if not self_testing:
            self.health, self.detail = Health.READY, ""
        self._missing = 0
        self._bad = 0
        self._bad_ns = 0
        self._afresh_after = _AFRESH_AFTER
        self._trial_ns = _TRIAL_NS
        self._unasked_ns: deque[int] = deque(maxlen=16)
        self._distrust_until_ns = 0
        self.test_ns = 0
        """When the next picture may be taken to see how it is."""
        self.wants_setup = False
        """True: set the camera up afresh, that may heal it."""

    def passed(self, at_ns: int) -> None:
        """A good picture has come."""
        self._missing = 0
        if at_ns < self._distrust_until_ns:
            return
        self._bad = 0
        self._afresh_after, self._trial_ns = _AFRESH_AFTER, _TRIAL_NS
        self.health, self.detail = Health.READY, ""

    def blame(self, fault: str, at_ns: int) -> None:
        """A picture has come that is none. fault: one of ADVICE."""
        self.health, self.detail = Health.FAULT, ADVICE[fault]
        before_ns, self._bad_ns = self._bad_ns, at_ns
        self.test_ns = max(self.test_ns, at_ns + SELF_TEST_EVERY_NS)
        if fault in _HEALED_BY_SETUP and (not self._bad or at_ns - before_ns >= _ANEW_NS):
            self._bad += 1
            if self._bad >= self._afresh_after:
                self.wants_setup = True

    def missing(self, at_ns: int) -> None:
        """A picture that was asked for has not come, or not whole."""
        self._missing += 1
        if self._missing >= SILENT_AFTER and (self.health is not Health.FAULT or self.detail == ADVICE["silent"]):
            self.blame("silent", at_ns)

    def unasked(self, at_ns: int, limit: int) -> None:
        """A picture has come that nobody asked for. limit: so many within a second are a fault."""
        self._unasked_ns.append(at_ns)
        recent = [each for each in self._unasked_ns if at_ns - each < _ASKED_WITHIN_NS]
        if len(recent) >= limit:
            self._distrust_until_ns = at_ns + DISTRUST_NS
            self.blame("unasked", at_ns)

    def distrusts(self, at_ns: int) -> bool:
        """True: no picture is believed to be a part's now."""
        return at_ns < self._distrust_until_ns

    def turn(self, at_ns: int) -> None:
        """What cannot be tested is tried on the next part, after a while that doubles each time."""
        if not self._self_testing and self.health is Health.FAULT and at_ns - self._bad_ns >= self._trial_ns:
            self._trial_ns = min(2 * self._trial_ns, _TRIAL_CAP_NS)
            self._missing = 0
            self.health, self.detail = Health.READY, ""

    def set_up_again(self, at_ns: int) -> None:
        """The camera has been set up afresh; it is as it was until a good picture passes."""
        self.wants_setup = False
        self._bad = 0
        self._afresh_after = min(2 * self._afresh_after, _AFRESH_CAP)
        self._bad_ns = at_ns
