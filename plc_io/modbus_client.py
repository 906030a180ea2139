"""The wire: the box as Modbus TCP client, plain or by TLS, on pymodbus' transport.

pymodbus' own client is not used (3.16.1): it forgets received bytes with each request, so a late answer that came in
pieces puts it out of step, and an answer to an earlier request is an error to it where it only has to be passed over.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Sequence
from functools import partial
from typing import cast

from pymodbus.transport import CommParams, CommType, ModbusProtocol

from ..bus.clock import MS
from ..bus.errors import BadSettings, LinkLost
from . import client_pdu
from .client_cycle import ClientCycle, CyclePlan, NoAnswer
from .client_options import CycleOptions, TcpClientOptions
from .link import LinkHealth, OnImage, OnLost
from .regmap import WordOrder
from .signals import Status
from .tls_options import NEEDS_TLS

USER_TIMEOUT_MS = 500
"""A peer that does not take our bytes for this long is gone (half-open connection)."""
_MBAP = 7
_LONGEST = 254
_BUSY_S = 0.005
_RESET = struct.pack("ii", 1, 0)


class _Session(ModbusProtocol):
    """One connection: one question at a time."""

    def __init__(self, host: str, port: int, name: str | None, context: ssl.SSLContext | None, wait_s: float) -> None:
        kind = CommType.TCP if context is None else CommType.TLS
        super().__init__(CommParams("plc", kind, None, host=host, port=port, sslctx=context), is_server=False)
        more = {} if context is None else {"ssl_handshake_timeout": wait_s}
        self._create = partial(
            self.loop.create_connection, lambda: self, host, port, ssl=context, server_hostname=name, **more
        )
        self._unit, self._transaction = 0, 0
        self._answer: asyncio.Future[bytes] | None = None
        self._gone = "not connected"
        self.stale = 0
        """Answers to earlier questions, passed over."""

    async def start(self, wait_s: float) -> None:
        """Connect. LinkLost: not within wait_s, or refused."""
        try:
            async with asyncio.timeout(wait_s):
                await self._create()
        except TimeoutError as error:
            raise LinkLost(f"no connection within {wait_s * 1000:.0f} ms") from error
        except ssl.SSLError as error:
            raise LinkLost(f"TLS: {error.reason or error}") from error
        except OSError as error:
            raise LinkLost(f"no connection: {error.strerror or error}") from error

    @property
    def _stream(self) -> asyncio.Transport:
        return cast(asyncio.Transport, self.transport)

    def callback_new_connection(self) -> ModbusProtocol:
        """Unused: we do not listen."""
        return self

    def callback_connected(self) -> None:
        """Set up the socket."""
        wire = self._stream.get_extra_info("socket")
        for level, option, value in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
        ):
            wire.setsockopt(level, option, value)
        self._gone = ""

    def callback_disconnected(self, exc: Exception | None) -> None:
        """End the question under way."""
        self._gone = f"connection closed{f' ({exc})' if exc else ' by the PLC'}"
        self._fail()

    def _fail(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(LinkLost(self._gone))

    def drop(self) -> None:
        """Close by a reset. What the network has not delivered yet must not reach the PLC after the next connection."""
        self._gone = self._gone or "closed"
        if self.transport is not None:
            self._stream.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._stream.abort()

    def callback_data(self, data: bytes, addr: tuple[object, ...] | None = None) -> int:
        """Take every whole answer; return how many bytes they were."""
        used = 0
        while len(data) - used >= _MBAP + 1:
            transaction, protocol, length, unit = struct.unpack_from(">HHHB", data, used)
            if protocol or not 2 <= length <= _LONGEST:
                self._gone = "what came is not Modbus TCP"
                self._fail()
                self.drop()
                return len(data)
            if len(data) - used < 6 + length:
                break
            pdu = data[used + _MBAP : used + 6 + length]
            used += 6 + length
            waiting = self._answer is not None and not self._answer.done()
            if waiting and (transaction, unit) == (self._transaction, self._unit):
                cast("asyncio.Future[bytes]", self._answer).set_result(pdu)
            else:
                self.stale += 1
        return used

    async def ask(self, unit: int, request: bytes, wait_s: float) -> bytes:
        """Send a request and return its answer. NoAnswer: not within wait_s. LinkLost: the connection is gone."""
        if self._gone:
            raise LinkLost(self._gone)
        self._unit, self._transaction = unit, self._transaction % 0xFFFF + 1
        self._answer = self.loop.create_future()
        head = struct.pack(">HHHB", self._transaction, 0, len(request) + 1, unit)
        self._stream.write(head + request)
        try:
            async with asyncio.timeout(wait_s):
                return await self._answer
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {wait_s * 1000:.0f} ms") from error


class TcpWire:
    """A line to one slave by TCP, or by TLS where a context is given."""

    def __init__(self, options: TcpClientOptions, health: LinkHealth, context: ssl.SSLContext | None = None) -> None:
        """health: refused, broken and stale are counted in it."""
        self._options, self._health, self._context = options, health, context
        tls = options.tls
        self._name = None if tls is None else tls.peer_name or options.host
        self._wait_s = options.timeout_ms / 1000
        self._session: _Session | None = None

    @property
    def place(self) -> str:
        """Where, in words."""
        secured = "" if self._context is None else " by TLS"
        return f"{self._options.host} port {self._options.port}{secured}"

    async def connect(self) -> None:
        """Open a new connection."""
        await self.close()
        options, wait_s = self._options, self._options.connect_ms / 1000
        self._session = _Session(options.host, options.port, self._name, self._context, wait_s)
        await self._session.start(wait_s)

    async def close(self) -> None:
        """Drop the connection."""
        session, self._session = self._session, None
        if session is not None:
            session.drop()

    async def write_registers(self, address: int, words: Sequence[int]) -> None:
        """FC16."""
        request = client_pdu.write_registers(address, words)
        client_pdu.confirm(request, await self._ask(request))

    async def write_coil(self, address: int, on: bool) -> None:
        """FC05."""
        request = client_pdu.write_coil(address, on)
        client_pdu.confirm(request, await self._ask(request))

    async def read_registers(self, address: int, count: int) -> tuple[int, ...]:
        """FC03."""
        request = client_pdu.read_registers(address, count)
        return client_pdu.words_of(request, await self._ask(request))

    async def _ask(self, request: bytes) -> bytes:
        session = self._session
        if session is None:
            raise LinkLost("not connected")
        try:
            answer = await session.ask(self._options.unit, request, self._wait_s)
        except NoAnswer:
            raise
        except LinkLost:
            self._health.broken += 1
            raise
        finally:
            self._health.stale += session.stale
            session.stale = 0
        if code := client_pdu.exception_of(answer):
            self._health.refused += 1
            words = client_pdu.refusal(request, code)
            if code in client_pdu.BUSY:
                await asyncio.sleep(_BUSY_S)
                raise NoAnswer(words)
            raise LinkLost(words)
        return answer


def plan_of(options: CycleOptions, order: WordOrder) -> CyclePlan:
    """The settings for the cycle."""
    return CyclePlan(
        result_at=options.result_at,
        answer_at=options.answer_at,
        coils=tuple((Status[name], address) for name, address in options.coils.items()),
        order=order,
        cycle_ns=options.cycle_ms * MS,
        patience_ns=options.lost_ms * MS,
        longest_wait_ns=options.reconnect_ms * MS,
    )


def modbus_client(options: TcpClientOptions, order: WordOrder, *, on_image: OnImage, on_lost: OnLost) -> ClientCycle:
    """The link of the settings, not yet opened. BadSettings: a certificate or key cannot be used."""
    context = None
    if options.tls is not None:
        try:
            from .tls import client_context
        except ModuleNotFoundError as error:
            raise BadSettings(NEEDS_TLS) from error
        context = client_context(options.tls)
    health = LinkHealth()
    wire = TcpWire(options, health, context)
    return ClientCycle(wire, plan_of(options, order), on_image=on_image, on_lost=on_lost, health=health)
