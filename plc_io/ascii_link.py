"""The wire that carries lines of text: what is the same over TCP and over a serial line.

A subclass opens and closes the wire and hands bytes over; here they become images, and images bytes. Everything happens
in one event loop and nothing waits. What is sent while the wire is gone is forgotten.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable

from ..bus.clock import now_ns
from .ascii_dialogue import Dialogue, Step
from .ascii_lines import LineCounts
from .ascii_options import AsciiOptions
from .images import InImage, OutImage
from .link import LinkHealth, OnImage, OnLost

BEAT_S = 0.05
"""A PLC without heartbeat lines is said to be alive this often while the connection stands."""
AT_ONCE_BYTES = 4096
"""More than this at once is no PLC: some 160 lines. The connection is closed."""
STALLED_NS = 500_000_000
"""A peer that does not take our bytes for this long is gone."""


class AsciiLink(ABC):
    """Common to `AsciiServer`, `AsciiClient` and `AsciiSerial`; each of them is a `Link`."""

    def __init__(self, options: AsciiOptions, on_image: OnImage, on_lost: OnLost) -> None:
        """on_image: called for each step of a line; what the box says then is published before it returns."""
        self.health = LinkHealth()
        self.dialect = options.spoken()
        self._options = options
        self._on_image, self._on_lost = on_image, on_lost
        self._dialogue = Dialogue(
            self.dialect,
            buffer=options.buffer,
            enable_at_once=options.trig_enable == "always",
            quiet_ns=options.quiet_ns,
        )
        self._standing = False
        self._beat: asyncio.TimerHandle | None = None
        self._settling = False

    @property
    def place(self) -> str:
        """Where the PLC is looked for, in words, and what has to be known of the dialect."""
        note = self.compatibility
        return f"{self._where} ({note})" if note else self._where

    @property
    def compatibility(self) -> str:
        """What the screen has to say of the dialect: `no id: only one part in flight`; empty: nothing."""
        return self.dialect.compatibility

    @property
    def counts(self) -> LineCounts:
        """What came in, by kind of line."""
        return self._dialogue.counts

    @property
    @abstractmethod
    def _where(self) -> str:
        """The wire in words."""

    @property
    def connected(self) -> bool:
        """Something is at the other end."""
        return self._standing

    @abstractmethod
    async def open(self) -> None:
        """Claim what is ours. BadSettings: it cannot be had. A PLC that is not there is no error."""

    @abstractmethod
    async def close(self) -> None:
        """Let go. Never raises; a second call does nothing."""

    @abstractmethod
    def _send(self, data: bytes) -> None:
        """Send without waiting. Where the wire is gone, the loss is told later, from the event loop."""

    def publish(self, image: OutImage) -> None:
        """Say what is new in an image."""
        self._dialogue.show(image)
        self._flush()
        if self._dialogue.owes and not self._settling:
            self._settling = True
            asyncio.get_running_loop().call_soon(self._settle)

    # -- for the subclasses ------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """The wire stands."""
        self._standing = True
        self.health.accepted += 1
        self._act(self._dialogue.begin(now_ns()))
        if not self.dialect.beat:
            self._beat = asyncio.get_running_loop().call_later(BEAT_S, self._alive)

    def _over(self, reason: str | None) -> None:
        """The wire is gone; None: we closed it, nobody is told. Not to be called while an image is being shown."""
        if not self._standing:
            return
        self._standing = False
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None
        self._dialogue.end()
        if reason is not None:
            self._on_lost(reason)

    def _heard(self, line: str) -> None:
        """A whole line came over the wire that stands."""
        before = self.counts.lines, self.counts.bad_crc, self.counts.unknown
        now = now_ns()
        self._act(self._dialogue.hear(line, now))
        if self.counts.lines != before[0]:
            self.health.requests += 1
            self.health.last_ok_ns = now
        elif (self.counts.bad_crc, self.counts.unknown) != before[1:]:
            self.health.broken += 1

    # -- inside ------------------------------------------------------------------------------------------------------

    def _act(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if isinstance(step, InImage):
                self._on_image(step)
            else:
                self._on_lost(step.reason)
        self._flush()

    def _flush(self) -> None:
        data = self._dialogue.lines(now_ns())
        if data and self._standing:
            self._send(data)

    def _settle(self) -> None:
        self._settling = False
        if self._standing:
            self._act(self._dialogue.settle(now_ns()))

    def _alive(self) -> None:
        self._beat = None
        if self._standing:
            self._act(self._dialogue.beat(now_ns()))
            self._beat = asyncio.get_running_loop().call_later(BEAT_S, self._alive)


def open_ascii_link(options: AsciiOptions, on_image: OnImage, on_lost: OnLost) -> AsciiLink:
    """Return the link of the settings, not yet opened."""
    if options.over == "serial":
        from .ascii_serial import AsciiSerial

        return AsciiSerial(options, on_image, on_lost)
    from .ascii_tcp import AsciiClient, AsciiServer

    return (AsciiServer if options.over == "tcp_server" else AsciiClient)(options, on_image, on_lost)
