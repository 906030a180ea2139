"""One connection through the bad cable: a client, a server, and what each direction does to a message."""

import asyncio
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable
from typing import Protocol, cast

from .faults import Fault, Faults

MOST_WAITING_BYTES = 262_144
"""Held back in one direction; then nothing more is read from its sender."""
_RESET = struct.pack("ii", 1, 0)
_HEADER_BYTES = 6


class Bench(Protocol):
    """What a line needs of the proxy it belongs to."""

    host: str
    port: int
    faults: Faults
    dice: random.Random
    counts: Counter[Fault]
    unreachable: int
    lines: "set[Line]"

    def draw(self) -> Fault | None:
        """The fault of the next message, counted; None: none."""


class End(asyncio.Protocol):
    """One of the two sockets of a line."""

    def __init__(self, line: "Line") -> None:
        self.line = line
        self.transport: asyncio.Transport | None = None
        self.sends: Way
        """What it says."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the line."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.line.made(self)

    def data_received(self, data: bytes) -> None:
        """Hand a message on."""
        self.sends.carry(data)

    def eof_received(self) -> bool:
        """Hand the end on."""
        self.sends.finish()
        return True  # the other direction may go on

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the line."""
        self.line.lost(self)

    def drop(self, *, reset: bool = False) -> None:
        """Close at once, on demand by a reset."""
        if self.transport is not None:
            if reset:
                self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()


class Way:
    """One direction: what is held back leaves in the order it came."""

    def __init__(self, line: "Line", source: End, sink: End, from_server: bool) -> None:
        self.line, self.source, self.sink, self.from_server = line, source, sink, from_server
        self.dead, self.ended = False, False
        self._free_s = 0.0  # loop time before which nothing may leave
        self._waiting = 0

    def carry(self, data: bytes) -> None:
        """Take a message, with the fault that it meets."""
        if self.dead:
            return
        proxy = self.line.proxy
        fault = proxy.draw()
        if fault is not None and not self._meet(fault, data):
            return
        if fault in (Fault.HEADER, Fault.SPOT, Fault.ANYWHERE):
            data = self._corrupted(fault, data)
        if fault is Fault.SLICE:
            for piece in _pieces(data, proxy.dice):
                self._later(piece, proxy.dice.random() * 0.002)
        else:
            self._later(data, 0.0)

    def finish(self) -> None:
        """The source says nothing more; once both have ended the line is over."""
        self.ended = True
        self._at(self._free_s, self._over)

    def _over(self) -> None:
        self._end()
        if self.sink.sends.ended:
            self.line.close()

    def _meet(self, fault: Fault, data: bytes) -> bool:
        """Do what concerns the line. False: the message is gone."""
        faults, dice = self.line.proxy.faults, self.line.proxy.dice
        now = self.line.loop.time()
        if fault is Fault.DELAY:
            self._free_s = max(self._free_s, now) + dice.uniform(*faults.delay_ms) / 1000
        elif fault is Fault.STALL:
            self._free_s = max(self._free_s, now) + dice.uniform(*faults.stall_ms) / 1000
        elif fault is Fault.RESET:
            self.line.reset()
            return False
        elif fault is Fault.HALF_CLOSE:
            self.dead = True
            self._end()
            return False
        elif fault is Fault.ORPHAN:
            self.line.orphan(faults.orphan_ms / 1000)
            return False
        elif fault is Fault.SWALLOW:
            self.dead = True
            return False
        return True

    def _corrupted(self, fault: Fault, data: bytes) -> bytes:
        proxy = self.line.proxy
        if fault is Fault.HEADER:
            places = list(range(min(_HEADER_BYTES, len(data))))
        elif fault is Fault.SPOT:
            places = [at for length, at in proxy.faults.spots if self.from_server and length == len(data)]
        else:
            places = list(range(len(data)))
        if not places:
            proxy.counts[fault] -= 1  # nothing of this message can be changed: it met none
            return data
        changed = bytearray(data)
        changed[proxy.dice.choice(places)] ^= proxy.dice.randrange(1, 256)
        return bytes(changed)

    def _later(self, data: bytes, after_s: float) -> None:
        now = self.line.loop.time()
        if after_s == 0.0 and self._free_s <= now and self._waiting == 0:
            self._send(data)
            return
        self._free_s = max(self._free_s, now) + after_s
        self._waiting += len(data)
        if self._waiting > MOST_WAITING_BYTES and self.source.transport is not None:
            self.source.transport.pause_reading()
        self._at(self._free_s, lambda: self._leave(data))

    def _at(self, when: float, what: Callable[[], None]) -> None:
        self.line.loop.call_at(when, what)

    def _leave(self, data: bytes) -> None:
        self._waiting -= len(data)
        if self._waiting == 0 and self.source.transport is not None and not self.source.transport.is_closing():
            self.source.transport.resume_reading()
        self._send(data)

    def _send(self, data: bytes) -> None:
        if self.sink.transport is not None and not self.sink.transport.is_closing():
            self.sink.transport.write(data)

    def _end(self) -> None:
        sink = self.sink.transport
        if sink is None or sink.is_closing():
            return
        try:
            sink.write_eof()
        except OSError:  # its other end has reset it, and asyncio does not know yet
            self.sink.drop()


def _pieces(data: bytes, dice: random.Random) -> list[bytes]:
    found = []
    while data:
        size = dice.randrange(1, max(2, len(data)))
        found.append(data[:size])
        data = data[size:]
    return found


class Line:
    """A client, a server and the two directions between them."""

    def __init__(self, proxy: "Bench") -> None:
        self.proxy, self.loop = proxy, asyncio.get_running_loop()
        self.client, self.server = End(self), End(self)
        self.client.sends = Way(self, self.client, self.server, from_server=False)
        self.server.sends = Way(self, self.server, self.client, from_server=True)
        self._orphan = False
        self._task: asyncio.Task[None] | None = None

    def made(self, end: End) -> None:
        """The client came: go to the server. The server is there: the client may speak."""
        if end is self.client:
            self.proxy.lines.add(self)
            cast(asyncio.Transport, end.transport).pause_reading()
            self._task = self.loop.create_task(self._connect())
        elif self.client.transport is not None and not self.client.transport.is_closing():
            self.client.transport.resume_reading()

    async def _connect(self) -> None:
        try:
            await self.loop.create_connection(lambda: self.server, self.proxy.host, self.proxy.port)
        except OSError:
            self.proxy.unreachable += 1
            self.client.drop(reset=True)
            return
        if self.client.transport is None or self.client.transport.is_closing():
            self.server.drop()

    def lost(self, end: End) -> None:
        """One socket is gone: so is the other, unless the cable was pulled."""
        end.transport = None
        other = self.server if end is self.client else self.client
        if not self._orphan:
            other.drop()
        if self.client.transport is None and self.server.transport is None:
            self.proxy.lines.discard(self)

    def close(self) -> None:
        """End both."""
        self.client.drop()
        self.server.drop()

    def reset(self) -> None:
        """End both by a reset."""
        self.client.drop(reset=True)
        self.server.drop(reset=True)

    def orphan(self, after_s: float) -> None:
        """The client is cut off; the server is told nothing for a while."""
        self._orphan = True
        self.client.sends.dead = self.server.sends.dead = True
        self.client.drop()
        self.loop.call_later(after_s, self.server.drop)
