"""Lines of text over TCP: the PLC connects to the box, or the box to the PLC."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from .ascii_dialects import Heard, Kind
from .ascii_lines import LineCounts, LineReader
from .ascii_link import AT_ONCE_BYTES, STALLED_NS, AsciiLink
from .listener import bind

MOST_CONNECTIONS = 4
"""PLC, its spare, and a technician. One more is closed at once."""
_UNSENT_BYTES = 2048
_BUFFER_BYTES = 4096
_CONNECT_S = 1.0
_FIRST_WAIT_S, _LAST_WAIT_S = 0.1, 1.0


def _tune(wire: socket.socket) -> None:
    """Send at once, keep little, and let a peer that is gone be gone within half a second."""
    for level, option, value in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_NS // 1_000_000),
        (socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    ):
        wire.setsockopt(level, option, value)


class _Wire(asyncio.Protocol):
    """One connection."""

    def __init__(self, owner: "AsciiServer | AsciiClient", counts: LineCounts) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._reader = LineReader(counts)
        self.peer = "?"
        self.reason = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set up the socket."""
        self._transport = cast(asyncio.Transport, transport)
        address = transport.get_extra_info("peername")
        self.peer = str(address[0]) if address else "?"
        self._transport.set_write_buffer_limits(high=_UNSENT_BYTES)
        _tune(transport.get_extra_info("socket"))
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Hand whole lines over."""
        if len(data) > AT_ONCE_BYTES:
            self._owner.health.broken += 1
            self.drop(f"{len(data)} bytes at once")
            return
        for line in self._reader.feed(data):
            self._owner.heard(self, line)

    def pause_writing(self) -> None:
        """The other side does not read: what waits would be old when it does."""
        self._owner.health.broken += 1
        self.drop("it does not read")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the link."""
        self._transport = None
        self._owner.closed(self, self.reason or (str(exc) if exc else ""))

    def send(self, data: bytes) -> None:
        """Send without waiting."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def drop(self, reason: str) -> None:
        """Close at once, unsent bytes are lost. `closed` is called later, from the event loop."""
        if self._transport is not None:
            self.reason = self.reason or reason
            self._transport.abort()


class _OneWire(AsciiLink):
    """The connection that is the PLC."""

    _plc: _Wire | None = None

    def _send(self, data: bytes) -> None:
        if self._plc is not None:
            self._plc.send(data)

    def _take(self, wire: _Wire) -> None:
        self._plc = wire
        self._begin()

    def _lose(self, reason: str) -> None:
        wire, self._plc = self._plc, None
        if wire is not None:
            self._over(f"connection of {wire.peer} closed{f' ({reason})' if reason else ''}")


class AsciiServer(_OneWire):
    """The PLC connects to the box.

    The first connection is the PLC. Another one stands by, unheard, until it gives the PLC's sign of life (a heartbeat
    line; in a dialect without one, any line that is understood): then it takes the place, the old one is closed and all
    that was open is rejected.
    """

    _server: asyncio.Server | None = None

    @property
    def _where(self) -> str:
        return f"{self._options.host} port {self._options.port}"

    @property
    def connected(self) -> bool:
        """Somebody is connected."""
        return self._plc is not None

    async def open(self) -> None:
        """Bind and listen. BadSettings: the address cannot be had."""
        self._wires: list[_Wire] = []
        listener = bind(self._options.host, self._options.port, MOST_CONNECTIONS, "plc.ascii")
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Wire(self, self.counts), sock=listener)

    async def close(self) -> None:
        """Close listener and connections. Never raises; a second call does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self._over(None)
            self._plc = None
            for wire in tuple(self._wires):
                wire.drop("closed by us")
            await asyncio.sleep(0)

    def opened(self, wire: _Wire) -> None:
        """A connection came."""
        self._wires.append(wire)
        self.health.connections = len(self._wires)
        if self._options.peer not in (None, wire.peer) or len(self._wires) > MOST_CONNECTIONS:
            self.health.refused += 1
            wire.drop("not the PLC")
        elif self._plc is None:
            self._take(wire)

    def closed(self, wire: _Wire, reason: str) -> None:
        """A connection went; one that stands by takes its place, the newest first."""
        self._wires.remove(wire)
        self.health.connections = len(self._wires)
        if wire is self._plc:
            self._lose(reason)
            waiting = [other for other in self._wires if not other.reason]
            if waiting and self._server is not None:
                self._take(waiting[-1])

    def heard(self, wire: _Wire, line: str) -> None:
        """A line came over one of them."""
        if wire.reason:
            return
        if wire is not self._plc:
            said = self.dialect.understand(line)
            if not isinstance(said, Heard) or (self.dialect.beat and said.kind is not Kind.BEAT):
                return
            if self._plc is not None:
                old = self._plc
                self._lose(f"{wire.peer} took its place")
                old.drop("another took its place")
            self._take(wire)
        self._heard(line)


class AsciiClient(_OneWire):
    """The box connects to the PLC, and again after a loss: at once, then after 0.1 s, doubled up to 1 s."""

    _task: asyncio.Task[None] | None = None

    @property
    def _where(self) -> str:
        return f"{self._options.host} port {self._options.port}"

    async def open(self) -> None:
        """Begin to look for the PLC."""
        self._gone = asyncio.Event()
        self._task = asyncio.create_task(self._look(), name="ascii-client")

    async def close(self) -> None:
        """Let go. Never raises; a second call does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._over(None)
            wire, self._plc = self._plc, None
            if wire is not None:
                wire.drop("closed by us")
            await asyncio.sleep(0)

    async def _look(self) -> None:
        loop, wait_s = asyncio.get_running_loop(), _FIRST_WAIT_S
        make: Callable[[], _Wire] = lambda: _Wire(self, self.counts)  # noqa: E731
        while True:
            self._gone.clear()
            try:
                async with asyncio.timeout(_CONNECT_S):
                    await loop.create_connection(make, self._options.host, self._options.port)
            except (OSError, TimeoutError):
                self.health.timeouts += 1
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _LAST_WAIT_S)
                continue
            wait_s = _FIRST_WAIT_S
            await self._gone.wait()
            await asyncio.sleep(wait_s)

    def opened(self, wire: _Wire) -> None:
        """The PLC took the connection."""
        self.health.connections = 1
        self._take(wire)

    def closed(self, wire: _Wire, reason: str) -> None:
        """The connection went."""
        self.health.connections = 0
        if wire is self._plc:
            self._lose(reason)
        self._gone.set()

    def heard(self, wire: _Wire, line: str) -> None:
        """The PLC said a line."""
        if wire is self._plc and not wire.reason:
            self._heard(line)
