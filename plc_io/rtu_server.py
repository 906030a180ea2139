"""The wire: the box as Modbus RTU slave. The PLC is the master of the line and asks; requests are answered at once.

There is no connection: a master that asks nothing for `quiet_ms`, or a device that is unplugged, is a lost link, and
what the master wrote goes back to 0. Requests to other units are passed over without a word, as are their answers.
"""

import asyncio
import logging

from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadSettings, LinkLost
from .images import OutImage
from .link import LinkHealth, OnImage, OnLost
from .registers import Registers
from .regmap import WordOrder, unpack_in
from .rtu_frame import BROADCAST, Requests, seal
from .serial_line import SerialLine
from .serial_options import SerialLineOptions

_LOG = logging.getLogger(__name__)
_PATIENCE_NS = 20 * MS
"""Adapters hand bytes over in bunches: a frame counts as cut off only after so much more silence."""
FIRST_WAIT_NS, LONGEST_WAIT_NS = 100 * MS, SECOND


class RtuServer:
    """The link to the PLC on a serial line, in the role of a slave."""

    def __init__(
        self, options: SerialLineOptions, unit: int, order: WordOrder, *, on_image: OnImage, on_lost: OnLost
    ) -> None:
        """on_image: called inside each write, before it is answered."""
        self.health = LinkHealth()
        self._options, self._unit, self._order = options, unit, order
        self._on_image, self._on_lost = on_image, on_lost
        self._registers = Registers(order, self._written)
        self._requests = Requests(unit)
        self._line: SerialLine | None = None
        self._asked_ns = 0  # last request to us; 0: none since the last loss
        self._silence: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._wait_ns = FIRST_WAIT_NS
        self._ended = False
        self._loop = asyncio.get_running_loop()

    @property
    def place(self) -> str:
        """Where, in words."""
        return f"{self._options.device} at {self._options.baud} baud"

    @property
    def connected(self) -> bool:
        """A master has asked us lately."""
        return self._asked_ns > 0

    async def open(self) -> None:
        """Open the device. BadSettings: it cannot be had. One that is not there is looked for until it comes."""
        self._try()
        self._watch()

    async def close(self) -> None:
        """Let go."""
        self._ended = True
        for timer in (self._silence, self._timer, self._retry):
            if timer is not None:
                timer.cancel()
        self._release()

    def publish(self, image: OutImage) -> None:
        """Show an image: all its registers change at once."""
        self._registers.publish(image)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _try(self) -> None:
        try:
            self._line = SerialLine(self._options, self._came, self._gone)
        except LinkLost as error:
            if self._wait_ns == FIRST_WAIT_NS:
                _LOG.warning("%s; looked for until it comes", error)
            self._retry = self._loop.call_later(self._wait_ns / SECOND, self._again)
            self._wait_ns = min(2 * self._wait_ns, LONGEST_WAIT_NS)
            return
        self._wait_ns = FIRST_WAIT_NS
        self._requests.clear()
        self.health.accepted += 1
        self.health.connections = 1

    def _again(self) -> None:
        if self._ended or self._line is not None:
            return
        try:
            self._try()
        except BadSettings as error:  # another program took it, or it came back as something else
            _LOG.error("%s", error)
            self._retry = self._loop.call_later(LONGEST_WAIT_NS / SECOND, self._again)

    def _came(self, data: bytes) -> None:
        for unit, request in self._requests.feed(data):
            self._answer(unit, request)
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        if self._requests.waiting:
            wait_ns = self._options.silence_ns + _PATIENCE_NS
            self._silence = self._loop.call_later(wait_ns / SECOND, self._silent)

    def _silent(self) -> None:
        self._silence = None
        for unit, request in self._requests.silence():
            self._answer(unit, request)
        self.health.broken = self._requests.broken

    def _answer(self, unit: int, request: bytes) -> None:
        line = self._line
        if unit not in (self._unit, BROADCAST) or line is None:
            return
        self._asked_ns = now_ns()
        self.health.requests += 1
        self.health.last_ok_ns = self._asked_ns
        answer = self._registers.answer(request)
        self.health.refused += answer[0] >> 7
        if unit == BROADCAST:
            return  # nobody answers a broadcast
        try:
            line.send(seal(unit, answer))
        except LinkLost as error:
            line.close()
            self._gone(str(error))

    def _written(self, registers: Registers) -> None:
        self._on_image(unpack_in(registers.holding, now_ns(), registers.seen_seq, self._order))

    def _watch(self) -> None:
        quiet_ns = self._options.quiet_ms * MS
        if self._asked_ns and now_ns() - self._asked_ns >= quiet_ns:
            self._lose(f"nothing was asked for {self._options.quiet_ms} ms")
        if not self._ended:
            self._timer = self._loop.call_later(quiet_ns / SECOND / 10, self._watch)

    def _gone(self, reason: str) -> None:
        self._release()
        self._lose(f"{self._options.device}: {reason}")
        if not self._ended:
            self._retry = self._loop.call_later(self._wait_ns / SECOND, self._again)

    def _lose(self, reason: str) -> None:
        if self._asked_ns:
            self._asked_ns = 0
            self._registers.forget()
            self._on_lost(reason)

    def _release(self) -> None:
        line, self._line = self._line, None
        self.health.connections = 0
        if line is not None:
            line.close()
