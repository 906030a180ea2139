"""The small supervisor of `okng run`, for development, demo and tests. In production systemd does this work.

It starts the processes of a box, starts again what dies (with a budget), kills what no longer turns, and stops all in
the order that keeps the promise: io first drops READY and writes the reject state, records goes after all that makes
rows.
"""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ..bus.clock import SECOND, now_ns
from ..bus.degraded import STABLE_NS, clear, give_up, how_it_ended, take_back
from ..bus.heartbeat import Beat, Pulse
from ..bus.messages import Health
from ..inspect.standby import JUDGE, RUN_DIR, STANDBY, role_missing

log = logging.getLogger(__name__)
RESTART_AFTER_NS = 200_000_000
BUDGET = 5
"""Starts within WINDOW_NS; beyond that the process is left down and tried once a minute."""
WINDOW_NS = 60 * SECOND
RETRY_NS = 60 * SECOND
SILENT_NS = 2 * SECOND
"""A process that was READY and whose loop has not turned for this long is killed (WatchdogSec of the units)."""
PATIENCE_NS = {
    "records": 10 * SECOND,
    "shift": 5 * SECOND,
    "sync": 20 * SECOND,
    "web": 10 * SECOND,
    "workshop": 20 * SECOND,
}
"""Who may wait for a disk gets longer, as its unit says: to kill it makes no disk quicker."""
OPENING_NS = 15 * SECOND
"""A camera process that is starting or lost may be inside its maker's library this long: it looks for cameras on every
network card, and reads a camera's description over the wire. Beyond that the library hangs: the process is killed. A
judge that loads turns meanwhile; it has the same time for what it does before and after."""
CAMERA_LOST = 75
"""Exit code of a camera process whose camera is gone: no crash, started again at once. The new one waits for the camera
by itself; where it ends the same way without having been READY, or soon, it waits 0.2, 0.5, 1, 2, 5, 5 ... s here."""
BACK_OFF_NS = tuple(int(s * SECOND) for s in (0.2, 0.5, 1, 2, 5))
SHORT_LIFE_NS = 2 * SECOND
STOP_GRACE_S = 6.0
WATCHING = {"sync": ("--watch",)}
"""Further words of a door that else does its work once."""
WEB_PARENT = "web-parent"
"""Heartbeat of the process that starts the one which serves the screens: `webui.arbiter.PARENT`, without gunicorn."""
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Run in a new child: the kernel kills it when the supervisor dies, however that happens."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@dataclass(slots=True)
class Child:
    """One process of the box. `name` is its heartbeat's name."""

    name: str
    command: list[str]
    never_give_up: bool = False
    """io: the PLC already holds the line, so it is started again without end."""
    opening_ns: int | None = None
    """A camera, a judge: how long one turn may take while it is starting or lost; in a fault it is watched as when it
    is READY. None: not watched until it is READY."""
    silent_ns: int = SILENT_NS
    """How long one turn may take once it is READY."""
    beat: str = ""
    """Name of its heartbeat where it is not its own: of the screens that of the worker is named so."""
    process: subprocess.Popen[bytes] | None = None
    starts: deque[int] = field(default_factory=deque)
    due_ns: int = 0
    losses: int = 0
    restarts: int = 0
    given_up: bool = False
    """Tried once a minute."""
    listed: str = ""
    """Under which name it stands in `degraded.json` of the run folder; empty: it does not."""
    spawned_ns: int = 0
    was_ready: bool = False
    """Since it was started last."""


class Supervisor:
    """Starts, watches and stops the processes. One thread: call `watch` every 50 ms or so."""

    def __init__(self, children: list[Child], run_dir: Path, output: IO[bytes] | None = None) -> None:
        self.children, self._run_dir = children, run_dir
        self._output = output
        self._pulse = Pulse(run_dir)

    def start(self) -> None:
        """Start all, in the order given."""
        self._note(lambda: clear(self._run_dir))
        for child in self.children:
            self._spawn(child)

    def _note(self, write: Callable[[], object]) -> None:
        """A list that cannot be written changes nothing for the processes."""
        try:
            write()
        except OSError as error:
            log.error("who is given up cannot be written down in %s: %s", self._run_dir, error.strerror)

    def _spawn(self, child: Child) -> None:
        child.spawned_ns = now_ns()
        child.was_ready = False
        child.starts.append(child.spawned_ns)
        child.process = subprocess.Popen(
            child.command,
            env={**os.environ, RUN_DIR: str(self._run_dir)},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops them in order
            preexec_fn=die_with_parent,
        )

    def watch(self) -> None:
        """Look after every child once; never waits."""
        beats = self._pulse.beats()
        at = now_ns()
        for child in self.children:
            if child.process is None:
                if at >= child.due_ns:
                    child.restarts += 1
                    self._spawn(child)
                continue
            code = child.process.poll()
            if code is not None:
                self._ended(child, code, at)
                continue
            if child.listed and child.was_ready and at - child.spawned_ns > STABLE_NS:
                self._take_back(child)
            silent_ns = self._silent_ns(child, child.process.pid, _beat_of(child, beats), at)
            if silent_ns:
                log.error("%s has not moved for %.1f s: killed", child.name, silent_ns / SECOND)
                child.process.send_signal(signal.SIGABRT)  # faulthandler leaves the stacks in the log
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(0.2)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.process.pid, signal.SIGKILL)  # a child of its own would keep what it holds

    def _silent_ns(self, child: Child, pid: int, beat: Beat | None, at: int) -> int:
        """For how long it has not moved although it should; 0: all is well."""
        turned_ns, limit_ns = child.spawned_ns, child.opening_ns
        if beat is not None and beat.pid == pid:
            turned_ns = beat.turned_ns
            child.was_ready = child.was_ready or beat.health is Health.READY
            turns = beat.health is Health.FAULT and child.opening_ns is not None
            if beat.health is Health.READY or turns:
                limit_ns = child.silent_ns
        return 0 if limit_ns is None or at - turned_ns <= limit_ns else at - turned_ns

    def _ended(self, child: Child, code: int, at: int) -> None:
        child.process = None
        if code == CAMERA_LOST:
            if child.starts:
                child.starts.pop()  # an unplugged camera is no crash and costs nothing of the budget
            if child.was_ready or at - child.spawned_ns >= SHORT_LIFE_NS:
                child.losses = 0
                child.due_ns = at
                return
            child.due_ns = at + BACK_OFF_NS[min(child.losses, len(BACK_OFF_NS) - 1)]
            child.losses += 1
            return
        child.losses = 0
        while child.starts and at - child.starts[0] > WINDOW_NS:
            child.starts.popleft()
        child.given_up = len(child.starts) >= BUDGET and not child.never_give_up
        child.due_ns = at + (RETRY_NS if child.given_up else RESTART_AFTER_NS)
        if child.given_up:
            pair = child.name in (JUDGE, STANDBY)
            child.listed = role_missing(self._pulse.beats(), at) if pair else child.name
            self._note(lambda: give_up(self._run_dir, child.listed, how_it_ended(code), left_by=child.name))
        log.error(
            "%s ended with code %d; %s",
            child.name,
            code,
            "too often: tried once a minute from now on" if child.given_up else "started again",
        )

    def _take_back(self, child: Child) -> None:
        names, child.given_up, child.listed = {child.listed}, False, ""
        self._note(lambda: take_back(self._run_dir, names))

    def stop(self) -> None:
        """Ask each to stop, in the order given, and wait; kill what does not answer.

        Of two judges the one that waits goes first: it is not to take over from one that ends on purpose.
        """
        roles = {pid: name for name, pid in self.pids().items()}
        for child in sorted(self.children, key=lambda one: self._turn_to_stop(one, roles)):
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
                self._wait(child.process)
            child.process = None
        self._pulse.close()

    def _turn_to_stop(self, child: Child, roles: dict[int, str]) -> float:
        at = [one.name for one in self.children].index(JUDGE if child.name == STANDBY else child.name)
        waits = child.process is not None and roles.get(child.process.pid) == STANDBY
        return at if waits or child.name not in (JUDGE, STANDBY) else at + 0.5

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            log.error("process %d does not stop: killed", process.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_GRACE_S)

    def pids(self) -> dict[str, int]:
        """Process ids of the children that run now. Of two judges `inspect` is the one that judges, whoever it was."""
        found = {c.name: c.process.pid for c in self.children if c.process is not None and c.process.poll() is None}
        if STANDBY in found:
            beat = self._pulse.beats().get(JUDGE)
            if beat is not None and beat.pid == found[STANDBY]:
                waits = found.pop(JUDGE, None)
                found[JUDGE] = found.pop(STANDBY)
                if waits is not None:
                    found[STANDBY] = waits
        return found


def _beat_of(child: Child, beats: dict[str, Beat]) -> Beat | None:
    """Its heartbeat. The two judges change names with roles: theirs is the one with the process's own number."""
    if child.name not in (JUDGE, STANDBY) or child.process is None:
        return beats.get(child.beat or child.name)
    mine = (beats.get(name) for name in (JUDGE, STANDBY))
    return next((beat for beat in mine if beat is not None and beat.pid == child.process.pid), beats.get(child.name))


def box_children(
    settings: Path,
    cameras: tuple[str, ...],
    *,
    web: bool = True,
    beside: tuple[str, ...] = (),
    standby: bool = False,
) -> list[Child]:
    """The processes of a box, in stop order: io first, records after everything that makes rows.

    shift goes right after io: what stops on purpose raises no alarm.

    web: with the screens, and the workshop that does what they ask for. beside: doors of processes that only tell
    others of the line (`opcua`, `mqtt`, `sync`). standby: with a second judge (`[inspect] standby`).
    """
    door = [sys.executable, "-m", "okng"]
    rest = ["--settings", str(settings)]
    children = [Child("io", [*door, "io", *rest], never_give_up=True), Child("shift", [*door, "shift", *rest])]
    children += [Child(f"camera-{name}", [*door, "camera", name, *rest], opening_ns=OPENING_NS) for name in cameras]
    children.append(Child(JUDGE, [*door, "inspect", *rest], opening_ns=OPENING_NS))
    if standby:
        children.append(Child(STANDBY, [*door, "inspect", "--standby", *rest], opening_ns=OPENING_NS))
    children.append(Child("records", [*door, "records", *rest]))
    names = (*(("web", "workshop") if web else ()), *beside)
    children += [Child(name, [*door, name, *(WATCHING.get(name, ())), *rest]) for name in names]
    for child in children:
        child.silent_ns = PATIENCE_NS.get(child.name, SILENT_NS)
        child.beat = WEB_PARENT if child.name == "web" else ""
    return children


def wait_until(ready: Callable[[], bool], timeout_s: float, supervisor: Supervisor | None = None) -> bool:
    """Watch until ready() is True; False after timeout_s."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if supervisor is not None:
            supervisor.watch()
        if ready():
            return True
        time.sleep(0.02)
    return False


class Readiness:
    """All named processes say READY and have moved."""

    def __init__(self, run_dir: Path, names: tuple[str, ...]) -> None:
        self._pulse, self._names = Pulse(run_dir), names

    def __call__(self) -> bool:
        """Look once."""
        beats, at = self._pulse.beats(), now_ns()
        return all(
            name in beats and beats[name].health is Health.READY and beats[name].has_moved(at, 10 * SECOND)
            for name in self._names
        )
