"""A serial line in the event loop: bytes in by callback, bytes out without waiting, opened afresh when it is gone."""

import asyncio
import errno
import os
import termios
from collections.abc import Callable
from typing import Protocol

import serial
from serial.rs485 import RS485Settings

from ..bus.clock import MS, now_ns
from ..bus.errors import BadSettings, LinkLost
from .serial_options import SerialLineOptions

_AT_ONCE_BYTES = 4096
_ECHO_NS = 50 * MS
"""Adapters hand bytes over in bunches: an echo that has not come so long after its last bit will not come."""
_PARITY = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}
_ABSENT = frozenset((errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EIO))
"""The device is not there: it may come."""


class PortSettings(Protocol):
    """What a port has to know."""

    @property
    def device(self) -> str:
        """Path of the device."""

    @property
    def baud(self) -> int:
        """Bits a second."""

    @property
    def parity(self) -> str:
        """`none`, `even` or `odd`."""

    @property
    def stop_bits(self) -> int:
        """1 or 2."""


class SerialLine:
    """One opened line."""

    def __init__(
        self, options: SerialLineOptions, on_bytes: Callable[[bytes], None], on_gone: Callable[[str], None]
    ) -> None:
        """Open it, inside the event loop. LinkLost: the device is not there. BadSettings: it cannot be had.

        on_bytes: what came, as it comes. on_gone: once, when the device is gone; the line is closed then.
        """
        self._on_bytes, self._on_gone = on_bytes, on_gone
        self._echo = bytearray()
        self._echoes, self._character_ns = options.echo, options.character_ns
        self._echo_until_ns = 0
        self._loop = asyncio.get_running_loop()
        self._port: serial.Serial | None = _opened(options)
        self._loop.add_reader(self._port.fileno(), self._readable)

    def send(self, data: bytes) -> None:
        """Send a frame. LinkLost: the device is gone, or does not take it all at once (a frame must not have gaps)."""
        port = self._port
        if port is None:
            raise LinkLost("the line is closed")
        try:
            taken = os.write(port.fileno(), data)
        except OSError as error:
            raise LinkLost(error.strerror or str(error)) from error
        if taken != len(data):
            raise LinkLost(f"{taken} of {len(data)} bytes were taken")
        if self._echoes:
            self._echo += data
            self._echo_until_ns = now_ns() + len(self._echo) * self._character_ns + _ECHO_NS

    def flush(self) -> None:
        """Throw away what has come and was not read, and what was not sent."""
        self._echo.clear()
        if self._port is not None:
            try:
                self._port.reset_input_buffer()
                self._port.reset_output_buffer()
            except (OSError, serial.SerialException, termios.error) as error:
                self._gone(str(error))

    def close(self) -> None:
        """Let go. Never raises; a second call does nothing."""
        port, self._port = self._port, None
        if port is not None:
            self._loop.remove_reader(port.fileno())
            try:
                port.reset_output_buffer()  # what the driver still holds would be old
            except (OSError, serial.SerialException, termios.error):
                self._echo.clear()  # it is gone with the device
            port.close()

    def _readable(self) -> None:
        port = self._port
        if port is None:
            return
        try:
            data = os.read(port.fileno(), _AT_ONCE_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._gone(error.strerror or str(error))
            return
        if not data:  # readable and nothing to read: the other end of the descriptor is gone
            self._gone("the device is gone")
            return
        data = self._without_echo(data)
        if data:
            self._on_bytes(data)

    def _without_echo(self, data: bytes) -> bytes:
        """Pass over our own bytes, as far as they come back as they were sent."""
        echo = self._echo
        if now_ns() > self._echo_until_ns:
            echo.clear()  # it was lost; a master that asks the same again must be heard
        same = 0
        while same < min(len(echo), len(data)) and echo[same] == data[same]:
            same += 1
        if same < len(data):
            echo.clear()  # a collision, or no echo: what comes is of somebody else
        else:
            del echo[:same]
        return data[same:]

    def _gone(self, reason: str) -> None:
        if self._port is not None:
            self.close()
            self._on_gone(reason)


def open_port(section: str, settings: PortSettings, *, rts_cts: bool = False) -> serial.Serial:
    """Open a serial port that nobody else may open. LinkLost: the device is not there. BadSettings: it cannot be had.

    section: of the settings, for the words of an error.
    """
    device = settings.device
    try:
        return serial.Serial(
            device,
            settings.baud,
            parity=_PARITY[settings.parity],
            stopbits=settings.stop_bits,
            rtscts=rts_cts,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
    except (serial.SerialException, OSError, termios.error) as error:
        number = getattr(error, "errno", None)
        if number in _ABSENT:
            raise LinkLost(f"{device}: {os.strerror(number)}") from error
        raise BadSettings(f"{section}.device = {device!r}: {_words(error, number)}") from error
    except ValueError as error:
        raise BadSettings(f"{section}.baud = {settings.baud}: {device} does not take it: {error}") from error


def _opened(options: SerialLineOptions) -> serial.Serial:
    port = open_port("plc.serial", options)
    if options.rs485:
        try:
            port.rs485_mode = RS485Settings()
        except (ValueError, OSError) as error:
            port.close()
            raise BadSettings(f"plc.serial.rs485: {options.device} has no transmitter switch: {error}") from error
    return port


def _words(error: Exception, number: int | None) -> str:
    if number in (errno.EACCES, errno.EPERM):
        return "not allowed; the user of okng io has to be in the group dialout"
    if number in (errno.EAGAIN, errno.EWOULDBLOCK):
        return "another program holds it"
    return f"expected a serial line: {error}"
