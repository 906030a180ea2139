"""A proxy before the fleet service that ends TLS, as nginx does, and loses requests and answers as a seed says.

    box ──TLS, mutual──► FaultProxy ──HTTP over a Unix socket, X-Client-Cert-SHA256──► service

A lost request never reaches the service; a lost answer was carried out there. Both end the connection.
"""

import contextlib
import hashlib
import http.client
import io
import random
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PASS, LOSE_REQUEST, LOSE_ANSWER = "pass", "lose request", "lose answer"
Fate = Callable[[int, str], str]
"""What becomes of the request of that number (1..) for that path."""
MOST_HEAD = 64 << 10


def seeded(seed: int, requests: float, answers: float) -> Fate:
    """So many of the requests are lost, and so many of the answers to the others."""
    draw = random.Random(seed)
    lock = threading.Lock()

    def fate(number: int, path: str) -> str:
        del number, path
        with lock:
            if draw.random() < requests:
                return LOSE_REQUEST
            return LOSE_ANSWER if draw.random() < answers else PASS

    return fate


def every_nth(nth: int) -> Fate:
    """Every nth: once the request, once the answer."""

    def fate(number: int, path: str) -> str:
        del path
        if number % nth:
            return PASS
        return LOSE_REQUEST if (number // nth) % 2 else LOSE_ANSWER

    return fate


def kind(number: int, path: str) -> str:
    """Nothing is lost."""
    del number, path
    return PASS


@dataclass
class Seen:
    """One request that arrived."""

    at_s: float
    method: str
    path: str
    size: int
    fate: str
    status: int = 0


@dataclass
class FaultProxy:
    """Listens on a port of its own once started."""

    upstream: Path
    """Unix socket of the service."""
    certificate: Path
    key: Path
    authority: Path
    """Whose certificates boxes may show."""
    fate: Fate = kind
    down: bool = False
    """Nobody answers at all."""
    seen: list[Seen] = field(default_factory=list)
    arrived: list[tuple[float, int]] = field(default_factory=list)
    """(when, bytes) of bodies, as they came in."""

    def start(self) -> "FaultProxy":
        """Begin to listen."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        context.load_verify_locations(self.authority)
        context.verify_mode = ssl.CERT_OPTIONAL
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._number, self._lock, self._open = 0, threading.Lock(), True
        threading.Thread(target=self._accept, name="fault proxy", daemon=True).start()
        return self

    @property
    def url(self) -> str:
        """Of the service, as boxes reach it."""
        return f"https://localhost:{self.port}"

    def stop(self) -> None:
        """Listen no more."""
        self._open = False
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def counts(self) -> Counter[str]:
        """Requests by their fate."""
        return Counter(one.fate for one in self.seen)

    def _accept(self) -> None:
        while self._open:
            try:
                taken, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(taken,), daemon=True).start()

    def _serve(self, taken: socket.socket) -> None:
        taken.settimeout(60)
        if self.down:
            taken.close()
            return
        with contextlib.suppress(OSError), taken, self._context.wrap_socket(taken, server_side=True) as tls:
            der = tls.getpeercert(binary_form=True)
            who = hashlib.sha256(der).hexdigest() if der else ""
            reader = tls.makefile("rb")
            while self._one(tls, reader, who):
                pass

    def _one(self, tls: ssl.SSLSocket, reader: io.BufferedReader, who: str) -> bool:
        """Carry one request; False: the connection ends."""
        line = reader.readline(MOST_HEAD).decode("latin-1").split()
        if len(line) != 3 or self.down:
            return False
        method, path, _ = line
        headers: dict[str, str] = {}
        while (text := reader.readline(MOST_HEAD).decode("latin-1").strip()) != "":
            name, _, value = text.partition(":")
            headers[name.strip().lower()] = value.strip()
        left, pieces = int(headers.get("content-length", "0")), []
        while left:
            piece = reader.read1(min(left, 65_536))
            if not piece:
                return False
            left -= len(piece)
            pieces.append(piece)
            self.arrived.append((time.monotonic(), len(piece)))
        body = b"".join(pieces)
        with self._lock:
            self._number += 1
            seen = Seen(time.monotonic(), method, path, len(body), self.fate(self._number, path))
            self.seen.append(seen)
        if seen.fate == LOSE_REQUEST or self.down:
            return False
        headers["x-client-cert-sha256"] = who
        headers["connection"] = "close"
        try:
            status, reason, answered, data = self._forward(method, path, headers, body)
        except (OSError, http.client.HTTPException):
            return False
        seen.status = status
        if seen.fate == LOSE_ANSWER or self.down:
            return False
        kept = [(n, v) for n, v in answered if n.lower() not in ("connection", "content-length", "transfer-encoding")]
        head = [f"HTTP/1.1 {status} {reason}", *(f"{n}: {v}" for n, v in kept), f"Content-Length: {len(data)}", "", ""]
        tls.sendall("\r\n".join(head).encode("latin-1") + data)
        return True

    def _forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, str, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        try:
            connection.sock.connect(str(self.upstream))
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.reason, answer.getheaders(), answer.read()
        finally:
            connection.close()
