"""Who is at the other end: by the TLS that the service ends itself, or by what a proxy on its Unix socket tells.

A certificate is asked of every client and demanded of none: people have none, and a box has none before it is let in.
One that the authority did not sign, or that has ended, breaks the handshake; whether its box is retired is looked up at
each request (`access.box`).
"""

import contextlib
import hashlib
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ..bus.errors import BadSettings
from ..identity.certificate import UNREADABLE
from .access import PEER
from .settings import FleetSettings, secret_of

log = logging.getLogger(__name__)
HANDSHAKE_S = 10.0
"""A client that does not finish the handshake holds a thread no longer than this."""
STALL_S = 20.0
"""A connection on which nothing moves for so long, in or out, is cut off."""
LOOK_S = 2.0
"""How often the files are looked at, at most."""
MOST_HEADER = 16 << 10
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_TELLERS = ("HTTP_X_CLIENT_CERT", "HTTP_X_CLIENT_CERT_SHA256")
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class StallingEnds(ssl.SSLSocket):
    """A stall ends it: gunicorn would wait for ever."""

    def setblocking(self, flag: bool) -> None:
        """As gunicorn asks for it before it reads."""
        self.settimeout(STALL_S if flag else 0.0)


class FleetTls:
    """Stands in for an SSLContext in gunicorn; takes files that change for the next connection. Any thread."""

    def __init__(self, settings: FleetSettings) -> None:
        """BadSettings: a file cannot be read, or they do not belong together."""
        if settings.tls is None:  # the settings refuse it
            raise BadSettings("[tls]: missing")
        self._certificate, self._key = settings.tls.certificate, settings.tls.key_file
        self._authority = settings.authority.certificate
        self._lock = threading.Lock()
        self._looked, self._stamp = time.monotonic(), self._stamps()
        self._context = self._made()

    def wrap_socket(self, sock: socket.socket, **named: Any) -> ssl.SSLSocket:
        """The encrypted socket. ssl.SSLError, OSError: the handshake failed."""
        self._look()
        sock.settimeout(HANDSHAKE_S)
        named["do_handshake_on_connect"] = True
        wrapped = self._context.wrap_socket(sock, **named)
        wrapped.setblocking(True)
        return wrapped

    def _look(self) -> None:
        with self._lock:
            if time.monotonic() - self._looked < LOOK_S:
                return
            self._looked, stamp = time.monotonic(), self._stamps()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                self._context = self._made()
            except BadSettings as error:
                log.error("the changed certificate is not taken, the one before is served on: %s", error)

    def _made(self) -> ssl.SSLContext:
        secret_of(self._key, "tls.key_file")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sslsocket_class = StallingEnds
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_passphrase)
        except (ssl.SSLError, ValueError, OSError) as error:
            why = getattr(error, "reason", None) or str(error)
            raise BadSettings(
                f"tls.certificate = {str(self._certificate)!r}, tls.key_file = {str(self._key)!r}: "
                f"expected PEM files of one certificate and its key without a passphrase ({why})"
            ) from error
        try:
            context.load_verify_locations(self._authority)
        except (ssl.SSLError, OSError) as error:
            raise BadSettings(f"authority.certificate = {str(self._authority)!r}: expected PEM ({error})") from error
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _stamps(self) -> tuple[Any, ...]:
        found = []
        for path in (self._certificate, self._key, self._authority):
            with contextlib.suppress(OSError):
                told = Path(path).stat()
                found.append((told.st_ino, told.st_mtime_ns, told.st_size))
        return tuple(found)


class PeerTold:
    """Puts the SHA-256 of the client's certificate into the environment of each request, or takes it out of it."""

    def __init__(self, app: WsgiApp, settings: FleetSettings) -> None:
        """app: what is asked next."""
        self._app, self._proxied = app, settings.behind_proxy
        self._header = _TELLERS[settings.service.proxy_tells == "sha256"]

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        environ.pop(PEER, None)
        told = {name: str(environ.pop(name, "")) for name in _TELLERS}
        if self._proxied:
            # Whoever reaches the socket is the proxy: its mode keeps others away.
            fingerprint = _told(self._header, told[self._header])
            environ["REMOTE_ADDR"] = str(environ.get("HTTP_X_REAL_IP", ""))[:64] or "proxy"
            environ["wsgi.url_scheme"] = "https" if environ.get("HTTP_X_FORWARDED_PROTO") == "https" else "http"
        else:
            carrier = environ.get("gunicorn.socket")
            der = carrier.getpeercert(binary_form=True) if isinstance(carrier, ssl.SSLSocket) else None
            fingerprint = hashlib.sha256(der).hexdigest() if der else None
        if fingerprint:
            environ[PEER] = fingerprint
        return self._app(environ, start)


def _told(header: str, value: str) -> str | None:
    """The fingerprint that a proxy tells; None: it tells none, or nonsense, which is as good as none."""
    if not value or len(value) > MOST_HEADER:
        return None
    if header == _TELLERS[1]:
        return value.lower() if _HEX.fullmatch(value) else None
    try:
        return x509.load_pem_x509_certificate(unquote_to_bytes(value)).fingerprint(SHA256()).hex()
    except UNREADABLE:
        return None


def _no_passphrase() -> str:
    raise ValueError("the key is under a passphrase")
