"""What a station tells, in the order it happened."""

from dataclasses import dataclass

from ..bus.messages import Counters, JobAnswer
from ..bus.part import Disposition, Record, Trigger
from .job_dialogue import JobKept, JobWanted
from .signals import FaultCode


@dataclass(frozen=True, slots=True)
class PeerLost:
    """The PLC went silent or its connection closed."""

    reason: str
    rejected: int
    """Open parts that were rejected for it."""


@dataclass(frozen=True, slots=True)
class PeerBack:
    """The PLC's heartbeat moves again."""


@dataclass(frozen=True, slots=True)
class FaultRaised:
    """The station went to FAULT."""

    code: FaultCode
    part: int
    """The part that caused it; 0: none."""


@dataclass(frozen=True, slots=True)
class FaultCleared:
    """The PLC reset a fault."""


@dataclass(frozen=True, slots=True)
class CounterReset:
    """The PLC began its counters anew; these are the totals at that moment."""

    counters: Counters


@dataclass(frozen=True, slots=True)
class JobRequest:
    """The PLC asks for a job."""

    number: int
    token: int


JobEvent = JobRequest | JobWanted | JobKept | JobAnswer
Event = Trigger | Disposition | Record | PeerLost | PeerBack | FaultRaised | FaultCleared | CounterReset | JobEvent
"""What `Station.events` tells."""
