"""How the uplink stands: what the screen, the service and the alarms are told of it."""

from dataclasses import dataclass, field

from .uplink_cursor import Halt


@dataclass(frozen=True, slots=True)
class Status:
    """How the uplink stands, for the screen and for the service."""

    trouble: str = ""
    """Why nothing gets through; empty: it does."""
    since: str = ""
    """UTC since when."""
    refused: bool = False
    """A person has to act: the box is revoked, or what answers is not the service."""
    owed: dict[str, int] = field(default_factory=dict)
    """Events that the service has not, by stream."""
    halted: dict[str, Halt] = field(default_factory=dict)
    """Streams that stand until a person says go on."""
    waits_for_hours: bool = False
    reached: str = ""
    """UTC of the last time that the service took something; empty: not since the process began."""
    events: int = 0
    pictures: int = 0
    """Sent since the process began."""
    had: int = 0
    missing: int = 0
