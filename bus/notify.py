"""Words to the service manager: up, still moving, stopping. Silent where there is none.

A datagram to the path in `$NOTIFY_SOCKET`, as sd_notify(3) describes; no library earns its place for that.
"""

import contextlib
import os
import socket

from .clock import SECOND, now_ns

EXTEND_S = 20
"""How long one turn may take before a process is up: a producer looks for cameras on every network card."""


class Notifier:
    """One process's line to the service manager. Never waits and never raises."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        owner = os.environ.get("WATCHDOG_PID", "")
        mine = owner in ("", str(os.getpid()))
        asked_us = os.environ.get("WATCHDOG_USEC", "0") if address and mine else "0"
        self.watchdog_ns = int(asked_us) * 1000 if asked_us.isdecimal() else 0
        """The manager kills a process that is silent this long; 0: it does not watch."""
        self._fed_ns = 0
        self._extended_ns = -SECOND

    def _say(self, words: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(words.encode(), socket.MSG_DONTWAIT, self._address)

    def starting(self) -> None:
        """Not up yet, and still moving: the manager waits on, at most EXTEND_S from now. Once a second at most.

        A camera process waits for its camera for as long as that takes; one that hangs meanwhile is ended all the same.
        """
        at_ns = now_ns()
        if self._socket is not None and at_ns - self._extended_ns >= SECOND:
            self._extended_ns = at_ns
            self._say(f"EXTEND_TIMEOUT_USEC={EXTEND_S * 1_000_000}")

    def ready(self) -> None:
        """Start-up is done; from now on the watchdog counts."""
        self._say("READY=1")

    def watchdog(self) -> None:
        """Still moving. Goes out four times per watchdog time at most, whatever the loop's pace."""
        at_ns = now_ns()
        if self.watchdog_ns and at_ns - self._fed_ns >= self.watchdog_ns // 4:
            self._fed_ns = at_ns
            self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """On the way out, on purpose."""
        self._say("STOPPING=1")

    def close(self) -> None:
        """Let go. A second call does nothing."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None
