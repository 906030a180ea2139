"""Has a box that was updated shown that it works? Pure: fed with what io says, and with the time.

    proved     READY without a break for a while, and either so many parts were judged or it was READY for minutes
    failed     for so long all that it needs was there, the PLC among it, and it was not READY
    waiting    neither: the PLC is off, the plant asleep

The last proves nothing and is nobody's fault.
"""

from dataclasses import dataclass
from enum import StrEnum

from ..bus.clock import SECOND
from ..bus.messages import StationState


class Word(StrEnum):
    """What is to be said of the update."""

    WAITING = "waiting"
    PROVED = "proved"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the box."""

    unbroken_s: float = 60.0
    """READY at a stretch. A golden picture has scored as stored before it is READY at all."""
    parts: int = 20
    """Judged OK or NG in time, counted from the begin: one that was late or could not be judged shows nothing."""
    minutes: float = 10.0
    """Or READY for so long in all, where no parts come."""
    within_min: float = 30.0
    """Not READY for so long although the PLC is there, or without a word from io: failed."""


class Proof:
    """One update on trial."""

    def __init__(self, asked: Asked, now_ns: int) -> None:
        self._asked = asked
        self._seen_ns = now_ns
        self._ready_since: int | None = None
        self._ready_ns = 0
        self._bad_ns = 0
        self._epoch = ""
        self._first = self._last = 0
        self._before = 0
        self.why = "nothing is heard of io"
        """What is missing, for people."""

    @property
    def parts(self) -> int:
        """Judged so far, runs of io that are over included."""
        return self._before + self._last - self._first

    def take(self, state: StationState | None, now_ns: int) -> Word:
        """Take what io said since the last time, None for nothing; return the word on the update."""
        passed, self._seen_ns = now_ns - self._seen_ns, now_ns
        if state is not None:
            self._count(state)
        ready = state is not None and state.ready
        if ready:
            self._ready_since = self._seen_ns if self._ready_since is None else self._ready_since
            self._ready_ns += passed
            self.why = ""
        else:
            self._ready_since = None
            if state is None or state.plc_alive:
                self._bad_ns += passed
            self.why = "nothing is heard of io" if state is None else "; ".join(state.reasons) or state.state
        return self._word(now_ns)

    def _count(self, state: StationState) -> None:
        counters = state.counters
        done = counters.ok + counters.ng
        if state.epoch != self._epoch:
            self._before, self._first = self.parts, done if not self._epoch else 0
            self._epoch = state.epoch
        self._last = done

    def _word(self, now_ns: int) -> Word:
        asked = self._asked
        stretch_ns = 0 if self._ready_since is None else now_ns - self._ready_since
        if stretch_ns >= asked.unbroken_s * SECOND and (
            self.parts >= asked.parts or self._ready_ns >= asked.minutes * 60 * SECOND
        ):
            return Word.PROVED
        return Word.FAILED if self._bad_ns >= asked.within_min * 60 * SECOND else Word.WAITING
