"""Until the camera is there: it is looked for again and again, and every part meanwhile is told that it is lost.

A producer is loaded afresh for each look, because one that did not find a camera never will. What its loading leaves
behind is bounded: a process that has grown too much ends, and the next one goes on waiting.
"""

import contextlib
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ..bus.channel import Subscriber
from ..bus.clock import MS, now_ns
from ..bus.errors import CameraBusy, CameraLost
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health, JobOrder
from ..bus.stop import Stop
from .announcer import Announcer
from .source import CameraHealth

LOOK_EVERY_NS = 250 * MS
GROWTH_BYTES = 64 * 1024 * 1024
"""A process that has grown by this much while it looked is ended."""
_TURN_MS = 50


class Opening(Protocol):
    """What is needed of a camera here; as FrameSource."""

    def open(self, serial: str) -> None:
        """Take the camera. CameraLost: not there. CameraBusy: somebody has it. BadSettings: never to be had."""

    def health(self) -> CameraHealth:
        """Counts so far."""


class Arrival:
    """Waits for one camera. One thread."""

    def __init__(
        self, source: Opening, serial: str, announcer: Announcer, heartbeat: Heartbeat, triggers: Subscriber
    ) -> None:
        self._source, self._serial = source, serial
        self._announcer, self._heartbeat, self._triggers = announcer, heartbeat, triggers
        self._health, self._detail = Health.STARTING, "opening the camera"
        if announcer.is_lost:
            self._health, self._detail = Health.LOST, "gone: looking for it"
        self.order: JobOrder | None = None
        """What io last said of the job meanwhile."""

    def wait(self, stop: Stop) -> bool:
        """Open the camera, however long that takes. False: told to stop first.

        BadSettings: a person must change something. CameraLost: still not there, and this process has grown too much.
        """
        begun_bytes = resident_bytes()
        self._say()
        looked = False
        while not stop.asked.is_set():
            try:
                with _silent_libraries() if looked else contextlib.nullcontext():
                    self._source.open(self._serial)
                self._say()
                return True
            except CameraLost as error:
                self._lose(f"{error}: check its cable, power and network")
            except CameraBusy as error:
                self._lose(f"{error}: close that program, or take its camera out of its settings")
            looked = True
            stop.take()  # a producer may have taken SIGINT
            self._rest(stop)
            if resident_bytes() - begun_bytes > GROWTH_BYTES:
                raise CameraLost(self._detail)
        return False

    def _lose(self, detail: str) -> None:
        self._health, self._detail = Health.LOST, detail
        self._announcer.lose(detail)
        self._say()

    def _rest(self, stop: Stop) -> None:
        until_ns = now_ns() + LOOK_EVERY_NS
        while now_ns() < until_ns and not stop.asked.is_set():
            heard = self._triggers.receive(_TURN_MS)
            if isinstance(heard, JobOrder):
                self.order = heard
            elif heard is not None and not heard.missed:
                self._announcer.triggers += 1
                self._announcer.lost(heard.part, heard.at_ns, "camera lost")
            self._say()

    def _say(self) -> None:
        # The heartbeat stays at `starting`: this process is not up, and a look over the network may take longer than
        # the service manager's watchdog lets one that is.
        self._heartbeat.turn()
        self._announcer.state(self._health, self._detail, self._source.health())


@contextlib.contextmanager
def _silent_libraries() -> Iterator[None]:
    """What a producer's loading says on stderr was said at the first look; again and again it would fill the log."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def resident_bytes() -> int:
    """Memory of this process that is in use now, from /proc; its peak where there is none."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * resource.getpagesize()
