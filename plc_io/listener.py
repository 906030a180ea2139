"""The port that the box listens on: one address of one network card, never all of them."""

import errno
import socket

from ..bus.errors import BadSettings


def bind(host: str, port: int, backlog: int, section: str = "plc") -> socket.socket:
    """Return a listening socket of one address. BadSettings: it cannot be had, in words.

    section: of the settings where host and port stand, for the words.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise BadSettings(f"{section}.host = {host!r}: expected the IP address of the PLC's network card") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise BadSettings(_words(error, host, port, section)) from error
    listener.setblocking(False)
    return listener


def _words(error: OSError, host: str, port: int, section: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{section}.port = {port}: another program listens on {host} port {port} already"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{section}.host = {host!r}: this box has no such address"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{section}.port = {port}: not allowed; ports below 1024 need CAP_NET_BIND_SERVICE"
    return f"{section}: cannot listen on {host} port {port}: {error.strerror}"
