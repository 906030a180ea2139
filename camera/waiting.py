"""A part that waits for its frame, a frame that waits for its part, and what has become of them."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Expected:
    """A part whose exposure is under way or due. Moments are the host's monotonic nanoseconds."""

    part: int
    """Part number; 0: nobody's (a self-test shot)."""
    triggered_at_ns: int
    """`Trigger.at_ns`."""
    from_ns: int
    """Earliest start of its exposure."""
    until_ns: int
    """Latest start of its exposure."""
    due_ns: int
    """When its frame must be here; at this very nanosecond it is lost."""
    ghost: bool = False
    """True: it uses up its frame, but nobody asks for it (a trigger that came while the box was not ready)."""

    def __post_init__(self) -> None:
        if self.from_ns > self.until_ns:
            raise ValueError(f"window {self.from_ns}..{self.until_ns}: expected the earlier moment first")


@dataclass(frozen=True, slots=True)
class Arrived(Generic[T]):
    """A frame that is here."""

    exposed_at_ns: int
    gap: int
    """Pictures skipped just before it, by their numbers."""
    what: T
    """Whatever the caller needs to announce it."""
    fault: str = ""
    """Why it is no picture: its part is lost with this reason. Empty: it is one."""
    count: int | None = None
    """Triggers the camera had seen when it began; None: it does not tell."""
    dated: bool = True
    """False: only its arrival dates it, so it may be one that comes late."""
    early: int = 0
    """Filled in here: triggers that the camera did not take between the frame before and this one."""


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """This frame is that part's."""

    expected: Expected
    what: T


@dataclass(frozen=True, slots=True)
class Missing:
    """There will be no frame of this part."""

    expected: Expected
    reason: str
    """As `FrameLost.reason`."""
