"""The judge and its warm standby: two processes of one kind, one of which has the seat.

The second loads, warms up and proves the same job, follows every change of job and hears every frame, and says nothing.
It takes the seat within a hundredth of a second after the first one died. That one is started again by whoever watches
it (`okng run`, systemd), finds the seat taken and becomes the standby: roles change hands, names do not matter.

Until a process has the seat it steps aside for the one that has: it waits with its loading until that one is READY, and
works at a low priority, which it gives back with the seat.
"""

import logging
import os
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ..bus.clock import SECOND, now_ns
from ..bus.heartbeat import Beat, Heartbeat, Pulse
from ..bus.messages import Health
from .standby_seat import Seat

log = logging.getLogger(__name__)
JUDGE, STANDBY = "inspect", "inspect-standby"
"""Names of the heartbeats: of the process that judges, and of the one that waits."""
LOOK_MS = 10
"""How often the standby tries the seat."""
ASIDE = 15
"""Niceness of a process that has not got the seat."""
RUN_DIR = "OKNG_RUN_DIR"
"""Name in the environment: where the run folder is, for a process that has not read its settings yet."""
_PATIENCE_NS = 2 * SECOND
"""A judge that has not moved for so long is not waited for."""
_SOONER = 300
"""By how much the standby is preferred where memory runs out."""


def aside_at_once() -> int:
    """Lower this process before it has read its settings, if a judge works where the run folder is likely to be.

    Reading them takes half a second of a core. Return its niceness before: `Role` is told, and decides for good.
    """
    before = os.getpriority(os.PRIO_PROCESS, 0)
    pulse = Pulse(Path(os.environ.get(RUN_DIR, "/run/okng")))
    beat = pulse.beats().get(JUDGE)
    pulse.close()
    if beat is None or beat.health is not Health.READY or not beat.has_moved(now_ns(), _PATIENCE_NS):
        return before
    if Path(f"/proc/{beat.pid}").exists():  # in place of one that has just died this one is waited for
        _lower(before)
    return before


def _lower(mine: int) -> bool:
    """Lower this process and all threads it will make, where it may rise again later."""
    if not _may_rise_to(mine):
        return False
    os.setpriority(os.PRIO_PROCESS, 0, max(ASIDE, mine))
    return True


class Role:
    """Which of the two this process is now. One thread; made before numpy and the runtime are imported."""

    def __init__(self, run_dir: Path, cameras: tuple[str, ...], mine: int | None = None) -> None:
        """Take the seat if it is free, else step aside. Refused: two are there already.

        mine: niceness of a judge; None: what this process has now.
        """
        self._run_dir = run_dir
        now = os.getpriority(os.PRIO_PROCESS, 0)
        self._mine = now if mine is None else mine
        self.seat = Seat(run_dir, cameras)
        self.heartbeat = Heartbeat(run_dir, JUDGE if self.seat.take() else STANDBY)
        self._aside = now != self._mine
        self._sooner = 0
        self._pulse: Pulse | None = None
        if self.judges:
            self._step_back()
        else:
            self._step_aside()

    @property
    def judges(self) -> bool:
        """This process is the one whose verdicts hold."""
        return self.seat.taken

    def turn(self) -> bool:
        """Try the seat. True in the one turn in which this process becomes the judge."""
        if self.judges or not self.seat.take():
            return False
        self._step_back()
        self.heartbeat.take_over(JUDGE)
        log.warning("the judge has ended: this one, process %d, takes its place", os.getpid())
        return True

    def other_is_fit(self) -> bool:
        """The standby is READY and moves: it would go on at once."""
        if self._pulse is None:
            self._pulse = Pulse(self._run_dir)
        beat = self._pulse.beats().get(STANDBY)
        return (
            beat is not None
            and beat.pid != os.getpid()
            and beat.health is Health.READY
            and beat.has_moved(now_ns(), _PATIENCE_NS)
        )

    def wait_for_the_judge(self, until: Callable[[], bool] = lambda: False) -> None:
        """Return when the other one is READY or does not move, when this one has the seat, or `until` says so.

        Two that load at once would both be READY later.
        """
        pulse, begun_ns = Pulse(self._run_dir), now_ns()
        try:
            while not self.judges and not self.turn() and not until():
                beat, at_ns = pulse.beats().get(JUDGE), now_ns()
                moved_ns = begun_ns if beat is None else max(begun_ns, beat.turned_ns)
                if (beat is not None and beat.health is Health.READY) or at_ns - moved_ns > _PATIENCE_NS:
                    return
                self.heartbeat.turn()
                time.sleep(LOOK_MS / 1000)
        finally:
            pulse.close()

    def _step_aside(self) -> None:
        """Give way to the judge in CPU and memory."""
        if not self._aside:
            self._aside = _lower(self._mine)
        if not self._aside:
            log.info("the standby loads at full priority: RLIMIT_NICE does not let it rise again")
        self._sooner = _die_sooner(_SOONER)

    def _step_back(self) -> None:
        if self._aside:
            self._aside = False
            for thread in Path("/proc/self/task").iterdir():
                try:
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), self._mine)
                except OSError as error:  # the thread has ended, or the right to rise was taken away
                    log.warning("thread %s stays at a low priority: %s", thread.name, error.strerror)
        _die_sooner(-self._sooner)
        self._sooner = 0

    def close(self) -> None:
        """Say `lost` and leave the seat. Never raises; a second call does nothing."""
        self.heartbeat.close()
        self.seat.close()
        if self._pulse is not None:
            self._pulse.close()


def role_missing(beats: Mapping[str, Beat], at_ns: int) -> str:
    """Which of the two heartbeats nobody keeps, when a process of the pair does not stay up."""
    judge = beats.get(JUDGE)
    well = judge is not None and judge.health is Health.READY and at_ns - judge.turned_ns < _PATIENCE_NS
    return STANDBY if well else JUDGE


_CAP_SYS_NICE = 23


def _may_rise_to(nice: int) -> bool:
    """This process may come back to that niceness: by RLIMIT_NICE (20 - nice), or by CAP_SYS_NICE."""
    limit = resource.getrlimit(resource.RLIMIT_NICE)[0]
    if limit == resource.RLIM_INFINITY or 20 - limit <= nice:
        return True
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        effective = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    except (OSError, StopIteration, IndexError):
        return False
    return bool(int(effective, 16) >> _CAP_SYS_NICE & 1)


def _die_sooner(by: int) -> int:
    """Move this process in the kernel's order of victims; return by how much it was moved."""
    path = Path("/proc/self/oom_score_adj")
    try:
        before = int(path.read_text(encoding="ascii"))
        after = max(-1000, min(1000, before + by))
        path.write_text(str(after), encoding="ascii")
    except (OSError, ValueError):
        return 0
    return after - before
