"""The process of the service: gunicorn, several workers of several threads. None of them remembers anything."""

import contextlib
import errno
import logging
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from ..bus.errors import BadSettings
from .app import make_app
from .blobs import open_blobs
from .database import bring_up, open_database
from .rollout_sign import Turner
from .settings import FleetSettings, database_url, session_key
from .shelf import tidy
from .tls import FleetTls, PeerTold

log = logging.getLogger(__name__)
GRACE_S = 10
RECEIVE_S = 20
SOCKET_MASK = 0o117
"""Of the Unix socket: owner and group may connect, nobody else. nginx's user belongs to the group."""


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with our settings. Connections to database and store are made after the fork."""

    def __init__(self, settings: FleetSettings, listener: int, tls: FleetTls | None) -> None:
        self._settings, self._listener, self._tls = settings, listener, tls
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn is to do; it reads no file and no command line."""
        service = self._settings.service
        for key, value in {
            "bind": f"fd://{self._listener}",
            "workers": service.workers,
            "worker_class": "gthread",
            "threads": service.threads,
            "graceful_timeout": GRACE_S,
            "timeout": 60,
            "keepalive": 75,
            "accesslog": None,
            "loglevel": "warning",
            "control_socket_disable": True,
            "forwarded_allow_ips": "",
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,
        }.items():
            self.cfg.set(key, value)
        tls = self._tls
        if tls is not None and self._settings.tls is not None:
            # The paths only tell gunicorn that there is TLS; `tls` decides for each connection.
            self.cfg.set("certfile", str(self._settings.tls.certificate))
            self.cfg.set("do_handshake_on_connect", True)
            self.cfg.set("ssl_context", lambda _config, _default: tls)

    def load(self) -> Any:
        """Make the application, in the worker."""
        os.environ.pop("NOTIFY_SOCKET", None)  # gunicorn's own process tells the service manager
        settings = self._settings
        engine = open_database(database_url(settings), pool=settings.service.threads)
        app = make_app(settings, engine, open_blobs(settings, session_key(settings)))
        if settings.channel.folder is not None and settings.channel.online_keys is not None:
            Turner(app.extensions["okng-fleet"]).start()
        return PeerTold(app, settings)


def prepare(settings: FleetSettings) -> None:
    """Look whether everything is there, and bring the tables up. BadSettings, StoreLost, OperationalError."""
    engine = open_database(database_url(settings), pool=2)
    try:
        bring_up(engine)
        blobs = open_blobs(settings, session_key(settings))
        try:
            if (make := getattr(blobs, "make_bucket", None)) is not None:
                make()
            app = make_app(settings, engine, blobs)
            tidy(app.extensions["okng-fleet"])
        finally:
            blobs.close()
    finally:
        engine.dispose()


def run(settings: FleetSettings) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code. Call it in the main thread, after `prepare`.

    BadSettings: the address is in use, or is not one of this machine; certificate or key cannot be read.
    """
    listener = listen(settings)
    try:
        tls = None if settings.behind_proxy else FleetTls(settings)
    except BaseException:
        listener.close()
        raise
    log.info("fleet service at %s, listening on %s", settings.service.url, settings.service.listen)
    parent = os.getpid()
    try:
        # gunicorn closes the socket itself, so it is its own from here on.
        Server(settings, listener.detach(), tls).run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
        if os.getpid() != parent:
            # A worker ends here: it must not return into what the caller does after run().
            logging.shutdown()
            os._exit(code)
        return code
    finally:
        if settings.behind_proxy and os.getpid() == parent:
            with contextlib.suppress(OSError):
                Path(settings.service.listen.removeprefix("unix:")).unlink()
    return 0


def listen(settings: FleetSettings) -> socket.socket:
    """Bind before anything is started, so that an address in use is one clear sentence. BadSettings."""
    where = settings.service.listen
    if settings.behind_proxy:
        return _listen_unix(Path(where.removeprefix("unix:")))
    host, _, port = where.rpartition(":")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except (OSError, OverflowError) as error:
        raise BadSettings(f"service.listen = {where!r}: expected an address of this machine ({error})") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _bounded(listener)
    try:
        listener.bind(address)
        listener.listen(256)
    except (OSError, OverflowError) as error:
        listener.close()
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            expected = f"expected a free port: another program listens there (`ss -ltnp 'sport = :{port}'` says which)"
        elif number == errno.EACCES:
            expected = "expected a port this user may open, for example 8443"
        else:
            expected = f"expected an address of this machine ({error})"
        raise BadSettings(f"service.listen = {where!r}: {expected}") from error
    return listener


def _listen_unix(path: Path) -> socket.socket:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        raise BadSettings(f"service.listen = 'unix:{path}': expected a free place: another program listens there")
    listener = socket.socket(socket.AF_UNIX)
    _bounded(listener)
    try:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()
        before = os.umask(SOCKET_MASK)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise BadSettings(
            f"service.listen = 'unix:{path}': expected a place for a socket in a folder that we may write ({error})"
        ) from error
    return listener


def _bounded(listener: socket.socket) -> None:
    """Every connection that is taken has it from here; gunicorn itself would wait for ever."""
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        listener.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", RECEIVE_S, 0))
