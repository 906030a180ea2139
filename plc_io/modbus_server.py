"""The wire: the box as Modbus TCP server, on pymodbus' listener, transport and framer.

pymodbus' own request handler is not used (3.16.1): it keeps one request, so a second one in the same TCP segment is
lost; it needs three turns of the loop for each; it takes any value as a coil and obeys Force Listen Only. Requests are
answered here at once, in the order they come, by `registers.py`.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.transport import ModbusProtocol

from ..bus.clock import now_ns
from ..bus.errors import BadSettings
from .images import InImage, OutImage
from .link import LinkHealth
from .listener import bind
from .registers import Registers
from .regmap import WordOrder, unpack_in
from .tls_options import NEEDS_TLS, TlsOptions

if TYPE_CHECKING:
    from .tls_door import Doorway

_LOG = logging.getLogger(__name__)
USER_TIMEOUT_MS = 500
"""A peer that does not take our bytes for this long is gone (half-open connection)."""
MOST_CONNECTIONS = 8
"""PLC, its spare and a few tools. One more is closed at once."""
_AT_ONCE_BYTES = 4096
"""Some 300 requests; whoever sends more before it reads an answer is no master."""
_NEVER_BYTES = 1 << 30
_UNREAD_BYTES = 65536
_MBAP = 7
_LONGEST = 254
_NO_SUCH_UNIT = 0x0B


class _Session(ServerRequestHandler):
    """One connection."""

    def __init__(self, server: "_Server") -> None:
        super().__init__(server, None, None, None)  # type: ignore[no-untyped-call]
        self.max_buffer_size = _NEVER_BYTES  # above it pymodbus forgets bytes without a word
        self._link = server.link
        self.peer = "?"
        self._begun = False

    def callback_connected(self) -> None:
        """Set up the socket."""
        super().callback_connected()
        self._begun = True
        wire = self._stream.get_extra_info("socket")
        address = self._stream.get_extra_info("peername")
        self.peer = str(address[0]) if address else "?"
        for level, option, value in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
        ):
            wire.setsockopt(level, option, value)
        self._link.opened(self)

    def callback_disconnected(self, exc: Exception | None) -> None:
        """Tell the link."""
        super().callback_disconnected(exc)
        self._link.closed(self, exc)

    @property
    def _stream(self) -> asyncio.Transport:
        return cast(asyncio.Transport, self.transport)

    def drop(self) -> None:
        """Close at once; whatever is unsent is lost."""
        if self.transport is not None:
            self._stream.abort()

    def callback_data(self, data: bytes, addr: tuple[object, ...] | None = None) -> int:
        """Answer every whole request in data; return how many bytes they took."""
        used, answers = 0, []
        if not self._begun:  # the end of a TLS handshake brought them, the session begins in a moment
            return 0
        if len(data) > _AT_ONCE_BYTES:
            self._break()
            return len(data)
        while len(data) - used >= _MBAP + 1:
            head = data[used:]
            length = int.from_bytes(head[4:6], "big")
            if head[2:4] != b"\0\0" or not 2 <= length <= _LONGEST:
                self._break()
                return len(data)
            if len(head) < 6 + length:
                break
            used += 6 + length
            # pymodbus guesses a length of its own when exactly one more byte follows: it sees one frame at a time
            _, unit, transaction, request = self.framer.decode(head[: 6 + length])
            answer = self._link.answer(self, unit, request)
            answers.append(self.framer.encode(answer, unit, transaction))
        if answers and self.transport is not None:
            self._stream.write(b"".join(answers))
            if self._stream.get_write_buffer_size() > _UNREAD_BYTES:
                self._break()
        return used

    def _break(self) -> None:
        self._link.health.broken += 1
        self.drop()


class _Server(ModbusTcpServer):
    """pymodbus' listener on a socket that we bound, with our sessions."""

    def __init__(
        self, link: "ModbusServer", listener: socket.socket, tls: tuple[ssl.SSLContext, TlsOptions] | None
    ) -> None:
        unused = SimDevice(id=0, simdata=SimData(0, datatype=DataType.REGISTERS))
        super().__init__(unused, address=(link.host, link.port))
        self.link = link
        self.doorway = None if tls is None else self._secured(tls)
        factory = self.handle_new_connection if self.doorway is None else self.doorway.door
        self.call_create = partial(self.loop.create_server, factory, sock=listener, start_serving=True)

    def _secured(self, tls: tuple[ssl.SSLContext, TlsOptions]) -> "Doorway":
        from .tls_door import Doorway

        return Doorway(*tls, make=self.callback_new_connection, enter=self._enter, refused=self._refused)

    def _enter(self, session: ModbusProtocol) -> None:
        """What `handle_new_connection` does, for a session that has proved who it is."""
        self.active_connections[session.unique_id] = session
        session.listener = self

    def _refused(self) -> None:
        self.link.health.broken += 1

    def callback_new_connection(self) -> _Session:
        """Make a session of ours."""
        return _Session(self)


class ModbusServer:
    """The link to the PLC in the role of a server. It copies images whole and decides nothing.

    The PLC is the connection that changes the heartbeat. When it closes, or another connection changes the heartbeat,
    the link is lost: what the PLC wrote goes back to 0.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        on_image: Callable[[InImage], None],
        on_lost: Callable[[str], None],
        unit: int = 1,
        order: WordOrder = WordOrder.HIGH_FIRST,
        peer: str | None = None,
        tls: TlsOptions | None = None,
    ) -> None:
        """on_image: called inside each write, before it is answered. peer: the only address that may write.

        tls: only holders of a certificate get in (Modbus/TCP Security, port 802); None: anybody on that network.
        """
        self.host, self.port = host, port
        self.health = LinkHealth()
        self._tls = tls
        self._units = frozenset((0, 255, unit))
        self._order, self._peer = order, peer
        self._on_image, self._on_lost = on_image, on_lost
        self._registers = Registers(order, self._written)
        self._server: _Server | None = None
        self._sessions: set[_Session] = set()
        self._plc: _Session | None = None
        self._writing: _Session | None = None

    async def open(self) -> None:
        """Bind and listen. BadSettings: the address cannot be had, or a certificate or key cannot be used."""
        tls = None if self._tls is None else _context(self._tls)
        listener = bind(self.host, self.port, MOST_CONNECTIONS)
        self._server = _Server(self, listener, tls)
        await self._server.serve_forever(background=True)

    async def close(self) -> None:
        """Close listener and connections. Never raises; a second call does nothing."""
        server, self._server = self._server, None
        if server is not None:
            self._plc = None
            if server.doorway is not None:
                server.doorway.close()
            for session in tuple(self._sessions):
                session.drop()
            await server.shutdown()  # type: ignore[no-untyped-call]

    @property
    def place(self) -> str:
        """Where, in words."""
        return f"{self.host} port {self.port}{'' if self._tls is None else ' by TLS'}"

    @property
    def connected(self) -> bool:
        """Somebody is connected."""
        return bool(self._sessions)

    def publish(self, image: OutImage) -> None:
        """Show an image: all its registers change at once."""
        self._registers.publish(image)

    def answer(self, session: _Session, unit: int, request: bytes) -> bytes:
        """Answer one request of a session."""
        self.health.requests += 1
        if unit not in self._units:
            self.health.refused += 1
            return bytes((request[0] | 0x80, _NO_SUCH_UNIT))
        self._writing = session
        may_write = self._peer is None or session.peer == self._peer
        by_plc = self._plc is None or session is self._plc
        answer = self._registers.answer(request, may_write=may_write, by_plc=by_plc)
        self.health.refused += answer[0] >> 7
        return answer

    def opened(self, session: _Session) -> None:
        """A connection came."""
        self._sessions.add(session)
        self.health.accepted += 1
        self.health.connections = len(self._sessions)
        if len(self._sessions) > MOST_CONNECTIONS:
            self.health.broken += 1
            session.drop()

    def closed(self, session: _Session, error: Exception | None) -> None:
        """A connection went."""
        self._sessions.discard(session)
        self.health.connections = len(self._sessions)
        if session is self._plc:
            self._lose(f"connection of {session.peer} closed{f' ({error})' if error else ''}")

    def _lose(self, reason: str) -> None:
        self._plc = None
        self._registers.forget()
        self._on_lost(reason)

    def _written(self, registers: Registers) -> None:
        session = self._writing
        if registers.beaten and session is not self._plc:
            if self._plc is not None:
                old = self._plc
                self._lose(f"{session.peer if session else '?'} took the place of {old.peer}")
                registers.keep_last()
                old.drop()
            self._plc = session
        self._on_image(unpack_in(registers.holding, now_ns(), registers.seen_seq, self._order))


def _context(options: TlsOptions) -> tuple[ssl.SSLContext, TlsOptions]:
    try:
        from .tls import server_context  # needs `cryptography`, which a plain box does without
    except ModuleNotFoundError as error:
        raise BadSettings(NEEDS_TLS) from error
    return server_context(options), options
