"""What io hands to records. Each entry is kept by io until records says `Stored`: killing records loses none."""

from dataclasses import dataclass

from .messages import Counters
from .part import Record, Trigger


@dataclass(frozen=True, slots=True)
class TriggerEntry:
    """A part was triggered. Written before its record, so that a part without one can be named."""

    epoch: str
    """Names the run of io."""
    number: int
    """Counts the entries of one epoch from 1."""
    trigger: Trigger
    boot_id: str


@dataclass(frozen=True, slots=True)
class RecordEntry:
    """A part is closed: it has its one disposition and its receipt."""

    epoch: str
    number: int
    record: Record


@dataclass(frozen=True, slots=True)
class CountersEntry:
    """What io counted itself; the ledger must come to the same figures once nothing is in flight."""

    epoch: str
    number: int
    counters: Counters
    last: bool
    """True: io stopped cleanly, nothing follows in this epoch."""
