"""What the process asks of a wire to one PLC, whatever the role and the protocol.

A link copies process images whole and decides nothing. It lives in the event loop of the process, calls `on_image` for
each thing the PLC said and `on_lost` when the PLC is gone, and never waits: a wire that has to wait (a poll, a serial
line) does so in a task of its own and shows the newest image it was given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .images import InImage, OutImage

OnImage = Callable[[InImage], None]
"""Called inside the event loop with what the PLC said, as soon as it is known, in the order it was said."""
OnLost = Callable[[str], None]
"""Called once for each loss, with the reason in words. What the PLC said before is void; edges start anew."""


@dataclass(slots=True)
class LinkHealth:
    """Figures of the wire since start."""

    requests: int = 0
    """Whole exchanges: requests answered by us, or by the PLC where we ask."""
    refused: int = 0
    """Answered by an exception."""
    broken: int = 0
    """Closed by us or not understood: not this protocol, too many, a bad check sum, a peer that does not read."""
    connections: int = 0
    """Open now."""
    accepted: int = 0
    """Opened since start."""
    timeouts: int = 0
    """The PLC did not answer in time (roles that ask)."""
    stale: int = 0
    """Answers that were not to the question: late ones, found and thrown away."""
    last_ok_ns: int = 0
    """End of the last whole exchange, monotonic; 0: none yet."""
    worst_ns: int = 0
    """Longest whole exchange of the last minute (roles that ask); 0: none."""


class Link(Protocol):
    """One wire to one PLC. One event loop owns it."""

    health: LinkHealth

    @property
    def place(self) -> str:
        """Where the PLC is looked for, in words: `127.0.0.1 port 502`, `/dev/ttyS0 at 115200 baud`."""

    @property
    def connected(self) -> bool:
        """Something is at the other end. Whether it is alive is for the heartbeat to say."""

    async def open(self) -> None:
        """Claim what is ours (port, device). BadSettings: it cannot be had. A PLC that is not there is no error."""

    async def close(self) -> None:
        """Let go. Never raises; a second call does nothing; `on_lost` is not called for it."""

    def publish(self, image: OutImage) -> None:
        """Show an image from now on. Never waits; an image that was not sent yet is replaced whole."""
