"""The process `sync` of a box in a fleet. The line needs nothing of it: it may be killed at any time.

main loop   heartbeat, asks of the screens, the bus's words for the report, UplinkState
uplink      what is owed goes (`uplink.py`)
enrolment   asks, waits, renews (`enrol.py`)
report      how the box is, every half minute (`state_report.py`)
beside      whatever else goes on with the service: the channel of models, the ladder
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..bus.asks import Ask, Desk
from ..bus.channel import AskDoor, Publisher, ask_address, uplink_address
from ..bus.clock import SECOND, now_ns
from ..bus.errors import ChannelLost, Lost, OkngError, Refused
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health, UplinkState
from ..bus.stop import Stop
from .enrol import Enrolment, Shown, home_of, wires
from .fleet_options import FleetOptions
from .ladder_state import OUT
from .link import Link, NotEnrolled
from .pace import BackOff
from .state_report import Ears, StateReport, Told
from .uplink import Ledger, Uplink
from .uplink_cursor import Cursor
from .uplink_status import Status
from .worker import Worker

log = logging.getLogger(__name__)
NICE = 15
TURN_MS = 100
TELL_NS = SECOND
MOST_ASKED = 64 << 10


class Beside(Protocol):
    """What else goes on with the service. Each has threads of its own."""

    def begin(self, link: Link, stop: threading.Event) -> Sequence[threading.Thread]:
        """Threads that end soon after stop is set; they are started by the caller."""

    def ladder(self) -> Sequence[Mapping[str, Any]]:
        """How each bundle stands, for the report. Any thread."""

    def told(self, told: Told) -> None:
        """What the service answered to a report. Any thread, never waits."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the process is made of."""

    options: FleetOptions
    name: str
    """What the box calls itself."""
    line: str
    run_dir: Path
    store: Path
    state: Path
    """Folder of sync beside the store."""
    cameras: tuple[str, ...]
    version: str
    ledger: Ledger
    beside: tuple[Beside, ...] = ()


class FleetSync:
    """The process. `run` in the main thread."""

    def __init__(self, plan: Plan, stop: threading.Event) -> None:
        """ChannelLost: the run folder takes no heartbeat or socket."""
        options = plan.options
        self._plan, self._stop = plan, stop
        self._home = home_of(options, plan.state)
        self.link = Link(options, self._home)
        self._enrolment = Enrolment(self._home, wires(options, self._home), plan.name, plan.line)
        self._wanted: list[str] = []
        self._uplink: Uplink | None = None
        self._of: tuple[str, int] | None = None
        self._heart = Heartbeat(plan.run_dir, "sync")
        self._ears = Ears(plan.run_dir, plan.cameras)
        self._door = AskDoor(ask_address(plan.run_dir, "uplink"), MOST_ASKED)
        self._speaker = Publisher(uplink_address(plan.run_dir))
        self._desk = Desk(
            "uplink",
            {
                "fleet.look": self._look,
                "fleet.enrol": self._begin,
                "fleet.cancel": self._cancel,
                "fleet.resume": self._resume,
            },
        )
        self._report = StateReport(
            self._ears.gathered, plan.run_dir, plan.store, plan.line, plan.version, self._owed, self._ladder
        )
        self._reported = BackOff()
        self._report_trouble = ""
        self._said: UplinkState | None = None
        self._said_ns = 0

    def run(self) -> None:
        """Until stop is set."""
        work: list[threading.Thread] = [
            Worker("uplink", self._uplink_step, self._stop, yields=True),
            Worker("enrolment", self._enrolment_step, self._stop),
            Worker("report", self._report_step, self._stop),
        ]
        for one in self._plan.beside:
            work += one.begin(self.link, self._stop)
        for thread in work:
            thread.start()
        self._heart.health = Health.READY
        try:
            while not self._stop.is_set():
                self.turn()
        finally:
            for thread in work:
                thread.join(2.0 / len(work))  # what does not end is killed with the process, and taken up again
            for door in (self._door, self._speaker, self._ears):
                door.close()

    def turn(self) -> None:
        """Once round: at most `TURN_MS` and what an ask takes."""
        with contextlib.suppress(ChannelLost):
            self._door.serve(self._desk, TURN_MS)
        at_ns = now_ns()
        with contextlib.suppress(ChannelLost):
            self._ears.turn(at_ns)
            state = self._state()
            if state != self._said or at_ns - self._said_ns >= TELL_NS:
                self._speaker.send(state)
                self._said, self._said_ns = state, at_ns
        self._heart.turn()

    # -- threads -----------------------------------------------------------------------------------------------------

    def _uplink_step(self) -> float:
        try:
            known = self.link.known()
        except NotEnrolled:
            self._uplink = self._of = None
            return 1.0
        key = (known.passport.box, id(known.wire))
        if self._uplink is None or self._of != key:
            cursor = Cursor.load(self._plan.state, known.passport.box)
            self._uplink = Uplink(self._plan.options, self._plan.ledger, cursor, known.wire, self._stop)
            self._of = key
        return self._uplink.step()

    def _enrolment_step(self) -> float:
        if self._wanted:
            wanted, self._wanted = self._wanted[-1], []
            self._do(wanted)
            return 0.0
        return min(0.5, self._enrolment.step())

    def _do(self, wanted: str) -> None:
        try:
            if wanted == "begin":
                self._enrolment.begin()
            else:
                self._enrolment.cancel()
        except OkngError as error:
            log.warning("enrolment: %s", error)
            self._enrolment.say(str(error))

    def _report_step(self) -> float:
        now_s = now_ns() / SECOND
        if (waits := self._reported.wait_s(now_s)) > 0:
            return min(waits, 1.0)
        try:
            told = self._report.send(self.link.known().wire)
        except NotEnrolled:
            return 1.0
        except (Lost, Refused) as error:
            if str(error) != self._report_trouble:
                log.warning("report: %s", error)
            self._report_trouble = str(error)
            self._reported.failed(now_s)
            return 1.0
        self._report_trouble = ""
        self._reported.worked()
        for one in self._plan.beside:
            one.told(told)
        return float(self._plan.options.state_s)

    # -- what the screens ask ----------------------------------------------------------------------------------------

    def _look(self, ask: Ask) -> dict[str, Any]:
        del ask
        options, status = self._plan.options, self.status
        uplink = asdict(status)
        off_s = self._report.clock_off_s
        return {
            "enrolment": asdict(self.shown),
            "uplink": uplink,
            "service": urlsplit(options.service).netloc,
            "leaves": options.leaves,
            "hours": list(options.hours),
            "kbit_per_s": options.kbit_per_s,
            "name": self._plan.name,
            "line": self._plan.line,
            "clock_off_s": off_s,
            "report_trouble": self._report_trouble,
        }

    def _begin(self, ask: Ask) -> dict[str, Any]:
        log.info("%s lets this box ask to join the fleet", ask.who or "somebody")
        self._wanted.append("begin")
        return {}

    def _cancel(self, ask: Ask) -> dict[str, Any]:
        log.info("%s takes back that this box asked to join the fleet", ask.who or "somebody")
        self._wanted.append("cancel")
        return {}

    def _resume(self, ask: Ask) -> dict[str, Any]:
        stream, epoch = ask.body.get("stream"), ask.body.get("epoch")
        if not isinstance(stream, str) or not isinstance(epoch, int):
            raise ValueError("fleet.resume: expected stream, a text, and epoch, a number")
        uplink = self._uplink
        if uplink is None or f"{stream}/{epoch}" not in uplink.status.halted:
            raise Refused(f"stream {stream}/{epoch} does not stand still")
        log.warning("%s says that stream %s/%d goes on: %s", ask.who, stream, epoch, ask.reason)
        uplink.go_on(stream, epoch)
        return {}

    # -- what is told ------------------------------------------------------------------------------------------------

    @property
    def shown(self) -> Shown:
        """How the enrolment stands."""
        return self._enrolment.shown

    @property
    def status(self) -> Status:
        """How the uplink stands."""
        uplink = self._uplink
        return uplink.status if uplink is not None else Status()

    def _owed(self) -> Mapping[str, int]:
        return self.status.owed

    def _ladder(self) -> list[Mapping[str, Any]]:
        return [step for one in self._plan.beside for step in one.ladder()]

    def _state(self) -> UplinkState:
        shown, status = self.shown, self.status
        trouble = status.trouble or (shown.trouble if shown.state in ("enrolled", "ended", "doubtful") else "")
        return UplinkState(
            shown.state,
            trouble,
            status.since,
            status.refused,
            sum(status.owed.values()),
            tuple(f"{name}: {halt.why}" for name, halt in sorted(status.halted.items())),
            shown.ends,
            tuple(
                f"{one['recipe']}: model {one['bundle'][:12]}: {one['reason']}"[:300]
                for one in self._ladder()
                if one["rung"] in OUT and one.get("days", 0.0) < 1
            )[:8],
        )


def run(plan: Callable[[], Plan]) -> int:
    """Be the process `sync` until SIGTERM or SIGINT; return the exit code. ChannelLost, BadSettings."""
    stop = Stop()
    os.nice(max(0, NICE - os.getpriority(os.PRIO_PROCESS, 0)))
    FleetSync(plan(), stop.asked).run()
    return 0
