"""The wire: the box as Modbus RTU master. Recovery after a time-out is ours.

An RTU answer carries no number of its question. One that comes after the time-out is taken by common masters for the
answer to the next question: once where they clear their buffer before each (pymodbus, minimalmodbus), for ever where
they do not. Here:

1 After a time-out, a broken frame or an answer to something else nothing is asked until the PLC's longest answer time
  has passed since the question, and since the last byte that came; what came is thrown away, the buffers are flushed.
2 With `cycle_echo` each write carries a number that the PLC copies into what we read. A read is believed only with a
  number that was written after the last such recovery.
"""

import asyncio
import logging
from collections.abc import Sequence

from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadSettings, LinkLost
from . import client_pdu
from .client_block import RESULT_WORDS
from .client_cycle import ClientCycle, NoAnswer
from .link import LinkHealth, OnImage, OnLost
from .modbus_client import plan_of
from .regmap import WordOrder
from .rtu_frame import find_answer, seal
from .serial_line import SerialLine
from .serial_options import RtuClientOptions, SerialLineOptions

_LOG = logging.getLogger(__name__)
_LAST_CYCLE = 0xFFFF
_WINDOW = 256
"""No number older than so many writes is believed: numbers come round again."""
_NOISY = 5
"""Recovery is given up after so many of the longest answer times."""
_WRITE_COIL = 5
_FUNCTION_FRAME = 8
"""Unit, function, address, count or value, check sum: answers to FC05 and FC16."""


class RtuWire:
    """A line to one slave."""

    def __init__(self, line: SerialLineOptions, options: RtuClientOptions, health: LinkHealth) -> None:
        """health: refused, broken and stale are counted in it."""
        self._line_options, self._options, self._health = line, options, health
        self._line: SerialLine | None = None
        self._buffer = bytearray()
        self._heard = asyncio.Event()
        self._heard_ns = 0
        self._asked_ns = 0
        self._gone = ""
        self._complained = ""
        self._cycle = 0
        self._trusted = 0  # first cycle number that was written after the last recovery; 0: none was

    @property
    def place(self) -> str:
        """Where, in words."""
        return f"{self._line_options.device} at {self._line_options.baud} baud, unit {self._options.unit}"

    async def connect(self) -> None:
        """Open the device afresh, and wait until nothing of an earlier question can come any more."""
        await self.close()
        try:
            self._line = SerialLine(self._line_options, self._came, self._lost)
        except BadSettings as error:  # the settings were right once: the device is another, or somebody holds it
            if str(error) != self._complained:
                _LOG.error("%s", error)
            self._complained = str(error)
            raise LinkLost(str(error)) from error
        self._gone = self._complained = ""
        # A first time, too: before it was started anew this box may have asked what is answered now.
        self._asked_ns = self._asked_ns or now_ns()
        await self._recover()

    async def close(self) -> None:
        """Let go."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    async def write_registers(self, address: int, words: Sequence[int]) -> None:
        """FC16, with the cycle number behind the words where the PLC echoes it."""
        if not self._options.cycle_echo:
            await self._checked(client_pdu.write_registers(address, words), _FUNCTION_FRAME)
            return
        self._cycle = self._cycle % _LAST_CYCLE + 1
        if self._trusted and self._behind(self._trusted) > _WINDOW:
            self._trusted = self._trusted % _LAST_CYCLE + 1
        await self._checked(client_pdu.write_registers(address, (*words, self._cycle)), _FUNCTION_FRAME)
        self._trusted = self._trusted or self._cycle

    async def write_coil(self, address: int, on: bool) -> None:
        """FC05."""
        await self._checked(client_pdu.write_coil(address, on), _FUNCTION_FRAME)

    async def read_registers(self, address: int, count: int) -> tuple[int, ...]:
        """FC03, believed only with a cycle number that was written after the last recovery."""
        more = int(self._options.cycle_echo)
        if more and not self._trusted:
            await self.write_registers(self._options.result_at + RESULT_WORDS, ())
        request = client_pdu.read_registers(address, count + more)
        words = client_pdu.words_of(request, await self._ask(request, 5 + 2 * (count + more)))
        if not more:
            return words
        if not words[-1] or self._behind(words[-1]) > self._behind(self._trusted):
            self._health.stale += 1
            trusted = self._trusted
            await self._recover()  # the answer to this question is still to come, unless the PLC copies slowly
            self._trusted = trusted
            raise NoAnswer(f"the answer carries cycle {words[-1]}, expected {self._trusted}..{self._cycle}")
        return words[:-1]

    def _behind(self, cycle: int) -> int:
        return (self._cycle - cycle) % _LAST_CYCLE

    # -- inside ------------------------------------------------------------------------------------------------------

    async def _checked(self, request: bytes, length: int) -> None:
        answer = await self._ask(request, length)
        try:
            client_pdu.confirm(request, answer)
        except LinkLost as error:  # it is the answer to another question
            self._health.stale += 1
            await self._recover()
            raise NoAnswer(str(error)) from error

    async def _ask(self, request: bytes, length: int) -> bytes:
        line = self._line
        if line is None or self._gone:
            raise LinkLost(self._gone or "not connected")
        await self._silence()
        self._buffer.clear()
        frame = seal(self._options.unit, request)
        line.send(frame)
        self._asked_ns = now_ns()
        wire_ns = (len(frame) + length) * self._line_options.character_ns + self._line_options.silence_ns
        until_ns = self._asked_ns + wire_ns + self._options.timeout_ms * MS
        while True:
            if self._gone:
                raise LinkLost(self._gone)
            if request[0] != _WRITE_COIL and self._buffer.startswith(frame):
                # The answer to FC05 is what was asked, and so it would be believed of a PLC that never heard it.
                raise LinkLost("what is sent comes back: the adapter hears itself, plc.serial.echo = true tells so")
            answer = find_answer(bytes(self._buffer), self._options.unit, request[0], length)
            if answer is not None:
                break
            self._heard.clear()
            try:
                async with asyncio.timeout((until_ns - now_ns()) / SECOND):
                    await self._heard.wait()
            except TimeoutError as error:
                self._health.broken += bool(self._buffer)
                await self._recover()
                raise NoAnswer(f"no answer within {self._options.timeout_ms} ms and the wire's own time") from error
        if code := client_pdu.exception_of(answer):
            self._health.refused += 1
            words = client_pdu.refusal(request, code)
            raise (NoAnswer if code in client_pdu.BUSY else LinkLost)(words)
        return answer

    async def _silence(self) -> None:
        """Leave the line the silence that ends the frame before."""
        rest_ns = self._heard_ns + self._line_options.silence_ns - now_ns()
        if rest_ns > 0:
            await asyncio.sleep(rest_ns / SECOND)

    async def _recover(self) -> None:
        """Wait until no answer to what was asked can come any more, and throw away what came."""
        longest_ns = self._options.longest_answer_ms * MS
        until_ns = now_ns() + _NOISY * longest_ns
        line = self._line
        while line is self._line and line is not None and not self._gone:
            due_ns = max(self._asked_ns, self._heard_ns) + longest_ns
            rest_ns = due_ns - now_ns()
            if rest_ns <= 0:
                break
            if now_ns() >= until_ns:
                raise LinkLost("the line is never silent: another master, or a bad cable")
            self._heard.clear()
            before = len(self._buffer)
            try:
                async with asyncio.timeout(rest_ns / SECOND):
                    await self._heard.wait()
            except TimeoutError:
                continue
            self._health.stale += before == 0 and bool(self._buffer)
        if line is not None:
            line.flush()
        self._buffer.clear()
        self._trusted = 0

    def _came(self, data: bytes) -> None:
        self._buffer += data
        del self._buffer[:-1024]
        self._heard_ns = now_ns()
        self._heard.set()

    def _lost(self, reason: str) -> None:
        self._gone = f"{self._line_options.device}: {reason}"
        self._heard.set()


def rtu_client(
    line: SerialLineOptions, options: RtuClientOptions, order: WordOrder, *, on_image: OnImage, on_lost: OnLost
) -> ClientCycle:
    """The link of the settings, not yet opened."""
    health = LinkHealth()
    wire = RtuWire(line, options, health)
    return ClientCycle(wire, plan_of(options, order), on_image=on_image, on_lost=on_lost, health=health)
