"""TLS for who comes from elsewhere; the panel's own browser, on the loopback address, goes on without.

One port serves both: a connection that arrived at a loopback address never left the box, and no certificate is made
out to 127.0.0.1. gunicorn takes every connection of a server for encrypted or none, so the choice is made here.
"""

import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..bus.errors import BadSettings
from .options import WebOptions

HANDSHAKE_S = 5.0
"""A client that does not finish the handshake holds a thread no longer than this."""


def is_loopback(address: str) -> bool:
    """True for an address of this machine that no cable leads to."""
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None)
        return (mapped or found).is_loopback
    return False


class PanelContext(ssl.SSLContext):
    """Leaves connections of the box itself as they are."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **named: Any) -> Any:
        """The encrypted socket, or the same one. ssl.SSLError, OSError: the handshake failed."""
        if is_loopback(str(sock.getsockname()[0])):
            return sock
        sock.settimeout(HANDSHAKE_S)
        wrapped = super().wrap_socket(sock, *args, **named)
        wrapped.settimeout(None)
        return wrapped


def tls_of(options: WebOptions) -> ssl.SSLContext | None:
    """The context of the settings; None: no TLS. BadSettings: a file cannot be read, or they do not belong together."""
    if options.tls_certificate is None or options.tls_key is None:
        return None
    for name, path in (("tls_certificate", options.tls_certificate), ("tls_key", options.tls_key)):
        _readable(name, path)
    context = PanelContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A key under a passphrase would ask at the terminal: refuse it in words.
        context.load_cert_chain(options.tls_certificate, options.tls_key, password=_no_passphrase)
    except (ssl.SSLError, ValueError, OSError) as error:
        why = getattr(error, "reason", None) or str(error)
        raise BadSettings(
            f"[web] tls_certificate = {str(options.tls_certificate)!r}, tls_key = {str(options.tls_key)!r}: "
            f"expected PEM files of one certificate and its key without a passphrase ({why})"
        ) from error
    return context


def _readable(name: str, path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise BadSettings(f"[web] {name} = {str(path)!r}: expected a file we may read ({error.strerror})") from error


def _no_passphrase() -> str:
    raise ValueError("the key is under a passphrase")


WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def told_apart(app: WsgiApp) -> WsgiApp:
    """Tell the application which of its requests were not encrypted: gunicorn says `https` of all of them."""

    def asked(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        carrier = environ.get("gunicorn.socket")
        if not isinstance(carrier, ssl.SSLSocket):
            environ["wsgi.url_scheme"] = "http"
        return app(environ, start)

    return asked
