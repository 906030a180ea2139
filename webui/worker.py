"""gunicorn's worker with a clock on each request: who drips a byte now and then does not hold a thread.

Three bounds, all for connections from elsewhere and from the box alike where they cost nothing:
a request's head has to be there in HEAD_S, its body at no less than LEAST_BYTES_S, and of those that are still being
read at most MOST_READING come from elsewhere (MOST_OF_ONE from one address), so that the panel always finds a thread.
"""

import contextlib
import queue
import socket
import threading
import time
from collections import Counter
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from .tls import is_loopback

HEAD_S = 10.0
"""Handshake, request line and headers take no longer."""
BODY_S = 10.0
"""What every body may take beyond its share by size."""
LEAST_BYTES_S = 100_000
"""Bytes a second that a body comes at, on the whole."""
MOST_BODY = 64 << 20
"""A length that is claimed beyond this earns no more time."""
CHUNKED_S = 60.0
"""A body that does not say how long it is."""
MOST_READING, MOST_OF_ONE = 24, 12
"""Connections from elsewhere whose requests are being read: of all, and of one address. A browser opens six."""
LOOK_S = 0.5
PARTING, PARTERS = 64, 4
"""Answered connections that wait for their peer to close too, and the threads that wait: each for up to two seconds."""


class Reading:
    """The requests that are being read, and until when. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[TConn, float] = {}
        self._from: Counter[str] = Counter()

    def begin(self, conn: TConn) -> bool:
        """A request may come on this connection; False: there are too many already."""
        address = _elsewhere(conn)
        with self._lock:
            if address and (self._from[address] >= MOST_OF_ONE or self._from.total() >= MOST_READING):
                return False
            if conn not in self._until and address:
                self._from[address] += 1
            self._until[conn] = time.monotonic() + HEAD_S
            return True

    def body(self, conn: TConn, seconds: float) -> None:
        """The head is there; the body has this long."""
        with self._lock:
            if conn in self._until:
                self._until[conn] = time.monotonic() + seconds

    def end(self, conn: TConn) -> None:
        """All of it was read, or the connection is over."""
        address = _elsewhere(conn)
        with self._lock:
            if self._until.pop(conn, None) is not None and address:
                self._from[address] -= 1
                if self._from[address] <= 0:
                    del self._from[address]

    def late(self) -> list[TConn]:
        """Those that have taken too long."""
        now = time.monotonic()
        with self._lock:
            return [conn for conn, until in self._until.items() if until < now]


def _elsewhere(conn: TConn) -> str:
    """The address of who connected; empty for the box itself."""
    address = str(conn.client[0]) if isinstance(conn.client, tuple) and conn.client else ""
    return "" if is_loopback(address) else address


class WatchedBody:
    """A body that tells when it was read to its end."""

    def __init__(self, body: Any, length: int | None, done: Any) -> None:
        self._body, self._left, self._done = body, length, done

    def read(self, *size: Any) -> bytes:
        """As the body of gunicorn."""
        return self._counted(self._body.read(*size))

    def readline(self, *size: Any) -> bytes:
        """As the body of gunicorn."""
        return self._counted(self._body.readline(*size))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def __iter__(self) -> Any:
        return iter(self.readline, b"")

    def let_go(self) -> None:
        """Tell nobody any more: what is read of it now is read on the way to the next request."""
        self._done = _nobody

    def _counted(self, data: bytes) -> bytes:
        if self._left is not None:
            self._left -= len(data)
        if not data or self._left == 0:
            done, self._done = self._done, _nobody
            done()
        return data


def _nobody() -> None:
    """Nobody is told."""


def allowed_s(length: int | None) -> float:
    """How long a body may take; None: it does not say how long it is."""
    return CHUNKED_S if length is None else BODY_S + min(length, MOST_BODY) / LEAST_BYTES_S


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Threads, each with a bound."""

    def init_process(self) -> None:
        """Start the clock with the worker."""
        self._reading = Reading()
        self._parting: queue.Queue[TConn] = queue.Queue(PARTING)
        threading.Thread(target=self._watch, name="deadlines", daemon=True).start()
        for number in range(PARTERS):
            threading.Thread(target=self._part, name=f"parting-{number}", daemon=True).start()
        super().init_process()

    def enqueue_req(self, conn: TConn) -> None:
        """Hand a connection to a thread, unless too many are being read already."""
        if self._reading.begin(conn):
            super().enqueue_req(conn)
        else:
            self.nr_conns -= 1
            conn.close()

    def handle(self, conn: TConn) -> Any:
        """One request, or what came of it."""
        try:
            return super().handle(conn)
        finally:
            self._reading.end(conn)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Its head is there."""
        length = _length(req)
        if length == 0:
            self._reading.end(conn)
            return super().handle_request(req, conn)
        self._reading.body(conn, allowed_s(length))
        req.body = body = WatchedBody(req.body, length, lambda: self._reading.end(conn))
        try:
            return super().handle_request(req, conn)
        finally:
            body.let_go()

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """What is over is closed by another thread: gunicorn's own would wait for the peer and let nobody in."""
        if not fs.cancelled() and (fs.exception() is not None or fs.result()):
            super().finish_request(conn, fs)
            return
        self.nr_conns -= 1
        try:
            self._parting.put_nowait(conn)
        except queue.Full:
            conn.close()

    def _part(self) -> None:
        while True:
            conn = self._parting.get()
            with contextlib.suppress(OSError, ValueError):  # the peer is gone already
                conn.close(graceful=True)

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_S)
            for conn in self._reading.late():
                # Whoever waits for its bytes gets an end of file. The thread closes it.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)


def _length(req: Any) -> int | None:
    """Bytes of the body; None: it comes in chunks."""
    named = {str(name).upper(): str(value) for name, value in req.headers}
    if "TRANSFER-ENCODING" in named:
        return None
    text = named.get("CONTENT-LENGTH", "0")
    return int(text) if text.isdecimal() else 0
