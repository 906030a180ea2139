"""Lines of text over a serial line, the descriptor in the event loop.

A device that is unplugged is looked for again; a PLC that is not at the other end cannot be told from a silent one, so
the dialect's heartbeat is what says that it lives. The port is opened as every serial line; what is sent is not: a line
of text may have gaps, so it waits here for a PLC that holds CTS, where a Modbus frame is whole at once or lost.
"""

import asyncio
import os
import termios

import serial

from ..bus.clock import now_ns
from ..bus.errors import BadSettings, LinkLost
from .ascii_lines import LineReader
from .ascii_link import AT_ONCE_BYTES, STALLED_NS, AsciiLink
from .serial_line import open_port

_WATCH_S = 0.1
_FIRST_WAIT_S, _LAST_WAIT_S = 0.1, 1.0
_UNSENT_BYTES = 2048


class AsciiSerial(AsciiLink):
    """A serial line of this box."""

    _port: serial.Serial | None = None
    _closed = True

    @property
    def _where(self) -> str:
        return f"{self._options.device} at {self._options.baud} baud"

    async def open(self) -> None:
        """Open the device. BadSettings: it is no serial line, not allowed, or another program holds it.

        A device that is not there is looked for until it comes.
        """
        self._reader = LineReader(self.counts)
        self._unsent = bytearray()
        self._stuck_ns = 0  # since when the oldest unsent byte waits; 0: none
        self._wait_s = _FIRST_WAIT_S
        self._timer: asyncio.TimerHandle | None = None
        self._closed = self._choked = False
        self._try(first=True)

    async def close(self) -> None:
        """Let go. Never raises; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._release()
        self._over(None)

    def _try(self, *, first: bool = False) -> None:
        options = self._options
        loop = asyncio.get_running_loop()
        try:
            self._port = open_port("plc.ascii", options, rts_cts=options.rts_cts)
        except (LinkLost, BadSettings) as error:  # later it may be another program that holds it for a while
            if first and isinstance(error, BadSettings):
                raise
            self.health.timeouts += 1
            self._timer = loop.call_later(self._wait_s, self._try)
            self._wait_s = min(2 * self._wait_s, _LAST_WAIT_S)
            return
        self._wait_s = _FIRST_WAIT_S
        self.health.connections = 1
        loop.add_reader(self._port.fileno(), self._readable)
        self._begin()
        self._watch()

    def _readable(self) -> None:
        port = self._port
        if port is None:
            return
        try:
            data = os.read(port.fileno(), AT_ONCE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(error.strerror or str(error))
            return
        if not data:  # readable and nothing to read: the other end of the descriptor is gone
            self._lost("the device is gone")
            return
        for line in self._reader.feed(data):
            if self._port is not port:
                return
            self._heard(line)

    def _send(self, data: bytes) -> None:
        if len(self._unsent) + len(data) > _UNSENT_BYTES:
            self._unsent.clear()
            self._choked = True  # the next look tells the loss; nothing more is sent before
        if self._choked:
            return
        self._unsent += data
        self._push()

    def _push(self) -> None:
        port = self._port
        if port is None:
            return
        loop = asyncio.get_running_loop()
        try:
            taken = os.write(port.fileno(), self._unsent)
        except (BlockingIOError, InterruptedError):
            taken = 0
        except OSError as error:
            loop.call_soon(self._lost_port, port, error.strerror or str(error))
            return
        del self._unsent[:taken]
        if not self._unsent:
            self._stuck_ns = 0
            loop.remove_writer(port.fileno())
            return
        if taken or not self._stuck_ns:
            self._stuck_ns = now_ns()
        loop.add_writer(port.fileno(), self._push)

    def _watch(self) -> None:
        """Look whether the other side takes what we send."""
        self._timer = None
        port = self._port
        if port is None:
            return
        try:
            waiting_ns = port.out_waiting * 11 * 1_000_000_000 // self._options.baud
        except (OSError, serial.SerialException) as error:
            self._lost(str(error))
            return
        if self._choked or waiting_ns > STALLED_NS or (self._stuck_ns and now_ns() - self._stuck_ns > STALLED_NS):
            self.health.broken += 1
            self._lost("it does not take what is sent")
            return
        self._timer = asyncio.get_running_loop().call_later(_WATCH_S, self._watch)

    def _lost_port(self, port: serial.Serial, reason: str) -> None:
        if port is self._port:
            self._lost(reason)

    def _lost(self, reason: str) -> None:
        self._release()
        self._over(f"{self._options.device}: {reason}")
        if not self._closed:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(self._wait_s, self._try)

    def _release(self) -> None:
        port, self._port = self._port, None
        self.health.connections = 0
        self._unsent.clear()
        self._stuck_ns, self._choked = 0, False
        self._reader.clear()
        if port is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(port.fileno())
        loop.remove_writer(port.fileno())
        try:
            port.reset_output_buffer()  # what the driver still holds would be old
        except (OSError, serial.SerialException, termios.error):
            self.health.broken += 1  # it is gone with the device
        port.close()
