"""The web process: gunicorn, one worker of many threads. One, because watcher, caps and pictures live inside it."""

import contextlib
import errno
import logging
import os
import signal
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from ..bus.errors import BadSettings
from ..records.read import LedgerReader
from .api.exports import AT_ONCE
from .api.views import STREAMS
from .api.webhooks import Courier
from .app import create_app
from .arbiter import TurningArbiter
from .closeup_views import WAITING
from .options import WebOptions
from .products import Products, no_products
from .session import home_of, key_place, read_key
from .tls import PanelTls, is_loopback, tls_of, told_apart
from .warden import Warden
from .watch import Watch
from .worker import MOST_READING, PatientWorker

log = logging.getLogger(__name__)
CLICKS = 12
"""Threads that no stream, no waiting picture and no file that is sent can take: a click never waits for one of them."""
GRACE_S = 3
"""How long a stop waits for open streams. gunicorn's own 30 s would hold up the whole box."""

NICE = 5
"""At least: the line comes first."""
RECEIVE_S = 5
"""A client that has begun to send and then sends nothing for this long is cut off: it holds a thread."""
SEND_S = 10
"""A client that takes nothing for this long is cut off too."""
RESTART_S = 2
"""How long a worker whose watcher broke waits before it ends."""


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with our settings. Everything with a thread or a socket of the bus is made after the fork."""

    def __init__(
        self,
        options: WebOptions,
        station: str,
        cameras: tuple[str, ...],
        run_dir: Path,
        store: Path,
        listener: int,
        products: Products,
        tls: PanelTls | None,
    ) -> None:
        self._options, self._station, self._cameras = options, station, cameras
        self._run_dir, self._store, self._listener, self._products = run_dir, store, listener, products
        self._watch: Watch | None = None
        self._courier: Courier | None = None
        self._warden: Warden | None = None
        self._tls = tls
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn is to do; it reads no file and no command line."""
        for key, value in {
            "bind": f"fd://{self._listener}",
            "workers": 1,
            "worker_class": PatientWorker,
            "threads": threads_of(self._options),
            "graceful_timeout": GRACE_S,
            "timeout": 30,
            "keepalive": 5,
            "accesslog": None,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_worker_init": self._worker_ready,
            "worker_exit": self._worker_exit,
        }.items():
            self.cfg.set(key, value)
        tls = self._tls
        if tls is not None:
            # The path only tells gunicorn that there is TLS; `tls` decides for each connection.
            self.cfg.set("certfile", str(tls.place))
            self.cfg.set("do_handshake_on_connect", True)
            self.cfg.set("ssl_context", lambda _config, _default: tls)

    def run(self) -> None:
        """Serve until a signal ends it, by SystemExit."""
        arbiter = TurningArbiter(self, self._run_dir)
        try:
            arbiter.run()
        finally:
            arbiter.close()

    def load(self) -> Any:
        """Make the application, in the worker."""
        os.environ.pop("NOTIFY_SOCKET", None)  # gunicorn's own process tells the service manager; a child is not heard
        self._watch = Watch(self._run_dir, self._cameras, self._options, died=_begin_afresh)
        history = LedgerReader(self._store)
        app = create_app(self._options, self._station, self._watch, history, self._store, self._run_dir, self._products)
        app.extensions["okng-tls"] = self._tls
        self._watch.start()
        self._courier = Courier(app.extensions["okng-web"])
        self._courier.start()
        if self._tls is not None:
            self._warden = Warden(self._tls, self._run_dir)
            self._warden.start()
        return told_apart(app) if self._tls is not None else app

    def _worker_ready(self, _worker: object) -> None:
        """End the streams at once when a stop is asked for: gunicorn would wait for them, then kill."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._stopping(signal.getsignal(number)))

    def _stopping(self, before: Any) -> Callable[[int, FrameType | None], None]:
        def stop(number: int, frame: FrameType | None) -> None:
            if self._watch is not None:
                self._watch.ask_to_stop()
            if callable(before):
                before(number, frame)

        return stop

    def _worker_exit(self, _server: object, _worker: object) -> None:
        if self._watch is not None:
            self._watch.close()
        if self._courier is not None:
            self._courier.close()
        if self._warden is not None:
            self._warden.close()


def threads_of(options: WebOptions) -> int:
    """Threads of the worker: one for each that may be held, and those for clicks."""
    return 2 * options.max_streams + STREAMS + WAITING + AT_ONCE + CLICKS + MOST_READING


def _begin_afresh() -> None:
    """End this worker; gunicorn starts another. Not at once, or a lasting fault would fork without end."""
    time.sleep(RESTART_S)
    os._exit(70)


def run(
    options: WebOptions,
    station: str,
    cameras: tuple[str, ...],
    run_dir: Path,
    store: Path,
    products: Products = no_products,
) -> int:
    """Serve the screens until SIGTERM or SIGINT; return the exit code. products: what can be made here.

    BadSettings: the address is in use, or is not one of this machine; certificate, key or the cookies' key cannot be
    read. Call it in the main thread of a process.
    """
    read_key(key_place(options, store))
    with contextlib.suppress(OSError):
        os.nice(max(0, NICE - os.nice(0)))  # nobody on the line waits for a page
    listener = _listener(options)
    try:
        inside = is_loopback(str(listener.getsockname()[0]))
        tls = tls_of(options, None if inside else home_of(options, store))
    except BaseException:
        listener.close()
        raise
    log.info("screens on %s://%s:%d/", "http" if tls is None else "https", options.host, options.port)
    if tls is not None:
        log.info("certificate, to be compared: SHA-256 %s", tls.certificate.fingerprint)
    parent = os.getpid()
    try:
        # gunicorn closes the socket itself, so it is its own from here on.
        Server(options, station, cameras, run_dir, store, listener.detach(), products, tls).run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
        if os.getpid() != parent:
            # A worker ends here: it must not return into what the caller does after run().
            logging.shutdown()
            os._exit(code)
        return code
    return 0


def _listener(options: WebOptions) -> socket.socket:
    """Bind before anything is started, so that a port in use is one clear sentence."""
    where = f"{options.host}:{options.port}"
    try:
        family = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise BadSettings(f"[web] host = {options.host!r}: expected an address of this machine ({error})") from error
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Every connection that is taken has it from here; gunicorn itself would wait for ever.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", RECEIVE_S, 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))
    try:
        listener.bind((options.host, options.port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            expected = "expected a free port: another program listens there"
        elif error.errno == errno.EACCES:
            expected = "expected a port this user may open, for example 8080"
        else:
            expected = f"expected an address of this machine ({error.strerror})"
        raise BadSettings(f"[web] {where}: {expected}") from error
    return listener
