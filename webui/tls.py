"""TLS for who comes from elsewhere; the panel's own browser, on the loopback address, goes on without.

One port serves both: a connection that arrived at a loopback address never left the box, and no certificate is made
out to 127.0.0.1. gunicorn takes every connection of a server for encrypted or none, so the choice is made here.

The certificate is that of the settings, or the one in the web process's own folder, which it makes at its first start.
A file that changes is taken for the next connection: neither the line nor this process restarts for it.
"""

import contextlib
import errno
import ipaddress
import logging
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..bus.clock import SECOND, now_ns
from ..bus.clock_floor import believed_now
from ..bus.errors import BadKey, BadSettings
from ..identity.certificate import Certificate, described
from ..identity.chain import read_chain
from ..identity.tls_home import TlsHome
from .options import WebOptions

log = logging.getLogger(__name__)
HANDSHAKE_S = 5.0
"""A client that does not finish the handshake holds a thread no longer than this."""
STALL_S = 5.0
"""An encrypted connection on which nothing moves for this long, in or out, is cut off."""
LOOK_NS = 2 * SECOND
"""How often the files are looked at, at most."""
HELLO = 0x16
"""First byte of who speaks TLS."""
MOST_PLAIN = 4096
_ASKED = re.compile(rb"^(?:GET|HEAD) (/[!-~]{0,1024}) HTTP/1\.[01]\r?$", re.MULTILINE)
_HOST = re.compile(rb"^host: *([A-Za-z0-9.:\[\]-]{1,253}) *\r?$", re.MULTILINE | re.IGNORECASE)


def is_loopback(address: str) -> bool:
    """True for an address of this machine that no cable leads to."""
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None)
        return (mapped or found).is_loopback
    return False


class PatientSocket(ssl.SSLSocket):
    """A stall ends it: OpenSSL waits for ever on a socket that only the kernel's own timeout bounds."""

    def setblocking(self, flag: bool) -> None:
        """As gunicorn asks for it before it reads."""
        self.settimeout(STALL_S if flag else 0.0)


class PanelTls:
    """Leaves connections of the box itself as they are, encrypts all others. Any thread."""

    def __init__(self, certificate: Path, key: Path | None) -> None:
        """certificate: PEM, with the key in it where key is None. BadSettings: they do not belong together."""
        self.place, self._key = certificate, key
        self._lock = threading.Lock()
        self._looked_ns, self._stamp = now_ns(), self._stamps()
        self._context, self.certificate = _context(certificate, key), _described(certificate)

    @property
    def by_plant(self) -> bool:
        """Somebody else vouches for it, so that browsers may be told never to come without TLS."""
        return not self.certificate.own

    def wrap_socket(self, sock: socket.socket, *_: Any, **named: Any) -> Any:
        """The encrypted socket, or the same one. ssl.SSLError, OSError: the handshake failed."""
        if is_loopback(str(sock.getsockname()[0])):
            return sock
        self.look()
        sock.settimeout(HANDSHAKE_S)
        if sock.recv(1, socket.MSG_PEEK)[:1] not in (bytes((HELLO,)), b""):
            _send_to_tls(sock)
            raise ConnectionResetError(errno.ECONNRESET, "not TLS")  # which gunicorn drops without a word
        wrapped = self._context.wrap_socket(sock, **named)
        wrapped.setblocking(True)
        return wrapped

    def look(self) -> None:
        """Look at the files now and then, see `look_now`."""
        if now_ns() - self._looked_ns >= LOOK_NS:
            self.look_now()

    def look_now(self) -> None:
        """Take files that have changed; those that do not fit are left alone, and it says so in the log."""
        with self._lock:
            self._looked_ns = now_ns()
            stamp = self._stamps()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                context, certificate = _context(self.place, self._key), _described(self.place)
            except BadSettings as error:
                log.error("the changed certificate is not taken, the one before is served on: %s", error)
                return
            self._context, self.certificate = context, certificate
        log.info("certificate taken: %s, until %s", certificate.fingerprint, f"{certificate.ends:%Y-%m-%d}")

    def days_left(self) -> int:
        """Whole days until the certificate ends."""
        return self.certificate.days_left(believed_now())

    def ends_soon(self) -> bool:
        """Somebody has to get a new one."""
        return self.certificate.ends_soon(believed_now())

    def _stamps(self) -> tuple[Any, ...]:
        found = []
        for path in (self.place, self._key):
            with contextlib.suppress(OSError):
                if path is not None:
                    told = path.stat()
                    found.append((told.st_ino, told.st_mtime_ns, told.st_size))
        return tuple(found)


def tls_of(options: WebOptions, home: TlsHome | None = None) -> PanelTls | None:
    """TLS of the settings, else by the box's own certificate in its home; None: neither is there.

    BadSettings: a file cannot be read or made, or they do not belong together.
    """
    if options.tls_certificate is not None and options.tls_key is not None:
        for name, path in (("tls_certificate", options.tls_certificate), ("tls_key", options.tls_key)):
            _readable(name, path)
        return PanelTls(options.tls_certificate, options.tls_key)
    if home is None or options.plain_http:
        return None
    try:
        home.load_or_make()
    except (OSError, BadKey) as error:
        raise BadSettings(f"{home.folder}: the box's own certificate cannot be had: {error}") from error
    return PanelTls(home.served, None)


def _context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = PatientSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A key under a passphrase would ask at the terminal: refuse it in words.
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (ssl.SSLError, ValueError, OSError) as error:
        why = getattr(error, "reason", None) or str(error)
        raise BadSettings(
            f"[web] tls_certificate = {str(certificate)!r}, tls_key = {str(key or certificate)!r}: "
            f"expected PEM files of one certificate and its key without a passphrase ({why})"
        ) from error
    return context


def _described(certificate: Path) -> Certificate:
    try:
        return described(read_chain(certificate.read_bytes()[: 1 << 20])[0])
    except (OSError, BadKey) as error:
        raise BadSettings(f"[web] tls_certificate = {str(certificate)!r}: {error}") from error


def _readable(name: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
    except OSError as error:
        raise BadSettings(f"[web] {name} = {str(path)!r}: expected a file we may read ({error.strerror})") from error
    if name == "tls_key" and mode & 0o007:
        raise BadSettings(f"[web] {name} = {str(path)!r}: everybody may open it (mode {mode:o}), expected mode 600")


def _no_passphrase() -> str:
    raise ValueError("the key is under a passphrase")


def _send_to_tls(sock: socket.socket) -> None:
    """Whoever types the address without https is sent to it; a program that sent its token in the clear is told so."""
    with contextlib.suppress(OSError):
        sent = sock.recv(MOST_PLAIN, socket.MSG_PEEK)
        asked, host = _ASKED.search(sent), _HOST.search(sent)
        if asked and host and b"\nauthorization:" not in sent.lower():
            place = b"https://" + host.group(1) + asked.group(1)
            head = b"HTTP/1.1 308 Permanent Redirect\r\nLocation: " + place + b"\r\nContent-Length: 0\r\n"
            body = b""
        else:
            body = b"This box speaks https only. What was sent with this request went in the clear: change it.\n"
            head = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n" % len(body)
        sock.recv(MOST_PLAIN)
        sock.sendall(head + b"Cache-Control: no-store\r\nConnection: close\r\n\r\n" + body)
        sock.shutdown(socket.SHUT_WR)


WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def told_apart(app: WsgiApp) -> WsgiApp:
    """Tell the application which of its requests were not encrypted: gunicorn says `https` of all of them.

    A proxy on the box itself that ends TLS says so by X-Forwarded-Proto, which counts from the loopback alone.
    """

    def asked(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        carrier = environ.get("gunicorn.socket")
        if not isinstance(carrier, ssl.SSLSocket):
            by_proxy = environ.get("HTTP_X_FORWARDED_PROTO") == "https"
            inside = is_loopback(str(environ.get("REMOTE_ADDR", "")))
            environ["wsgi.url_scheme"] = "https" if by_proxy and inside else "http"
        return app(environ, start)

    return asked
