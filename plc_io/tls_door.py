"""The door of a TLS listener: a connection gets its session only after the handshake and the look at its role.

asyncio's own way (`create_server(ssl=...)`) makes the session before the handshake and says nothing of one that
fails; here a failed one is counted and told, and the number of those under way is bounded.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import cast

from pymodbus.transport import ModbusProtocol

from ..bus.errors import LinkLost
from .tls import admit
from .tls_options import TlsOptions

_LOG = logging.getLogger(__name__)
MOST_HANDSHAKES = 8
"""Under way at the same time. One more is closed at once."""


class Doorway:
    """What all doors of one listener share."""

    def __init__(
        self,
        context: ssl.SSLContext,
        options: TlsOptions,
        make: Callable[[], ModbusProtocol],
        enter: Callable[[ModbusProtocol], None],
        refused: Callable[[], None],
    ) -> None:
        """make: a session, not yet connected. enter: it is about to be. refused: a connection did not get in."""
        self._context, self._options = context, options
        self._make, self._enter, self._refused = make, enter, refused
        self._tasks: set[asyncio.Task[None]] = set()
        self._said = ""

    def door(self) -> asyncio.Protocol:
        """A door for one connection; a protocol factory."""
        return _Door(self)

    def knock(self, transport: asyncio.Transport) -> None:
        """Begin the handshake of a connection."""
        if len(self._tasks) >= MOST_HANDSHAKES:
            self._refuse(transport, f"more than {MOST_HANDSHAKES} handshakes at once")
            return
        task = asyncio.get_running_loop().create_task(self._shake(transport), name="handshake")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """End the handshakes under way."""
        for task in tuple(self._tasks):
            task.cancel()

    async def _shake(self, transport: asyncio.Transport) -> None:
        session = self._make()
        try:
            # data that comes with the last byte of the handshake waits in the session, which has no transport yet
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                session,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._options.handshake_ms / 1000,
            )
            if secured is None:
                raise LinkLost("closed while the handshake ended")
            admit(secured.get_extra_info("ssl_object").getpeercert(binary_form=True), self._options.roles)
        except (OSError, LinkLost) as error:  # ssl.SSLError and asyncio's time-out are OSErrors
            self._refuse(transport, str(getattr(error, "reason", None) or error))
            return
        if secured.is_closing():
            self._refuse(transport, "closed after the handshake")
            return
        self._enter(session)
        session.connection_made(secured)
        session.data_received(b"")

    def _refuse(self, transport: asyncio.Transport, reason: str) -> None:
        address = transport.get_extra_info("peername")
        transport.abort()
        self._refused()
        said = f"{address[0] if address else '?'}: {reason}"
        if said != self._said:  # one line for each new reason: the rest is counted
            self._said = said
            _LOG.warning("a connection was refused, %s", said)


class _Door(asyncio.Protocol):
    """One connection until its handshake begins, in the next turn of the loop."""

    def __init__(self, doorway: Doorway) -> None:
        self._doorway = doorway

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Knock."""
        self._doorway.knock(cast(asyncio.Transport, transport))
