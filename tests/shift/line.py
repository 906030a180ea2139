"""Real io, records and shift; cameras, inspect and the PLC are played by the test."""

import json
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from okng.bus.asks import Answer, Ask, new_id
from okng.bus.channel import Subscriber, ask_once, io_address, shift_address
from okng.bus.messages import CameraState, FrameReady, Health, InspectState, Job, JobOrder, JobPhase, JobReport
from okng.bus.messages import StationState as Station
from okng.bus.part import Outcome, Record, Trigger
from okng.bus.rights import COMMANDS
from okng.bus.shift import LineMode, ShiftState

from ..plc_io.conftest import JOB, Box, Line, Plc, frame_of, free_port, verdict_of, wait_for

OTHER = Job("lid", "ba9876543210", "e" * 64, JOB.deadline_ns)
JOBS = {1: JOB, 2: OTHER}
_PROCESS = """
import json, logging, sys
from pathlib import Path
logging.basicConfig(level=logging.INFO)
what, run_dir, store = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
options, awaits = json.loads(sys.argv[4]), sys.argv[5]
if what == "records":
    from okng.records.options import RecordsOptions
    from okng.records.process import run
    raise SystemExit(run(RecordsOptions(store=store, picture_wait_ms=0), ("top",), run_dir))
if what == "shift":
    from okng.shift.options import ShiftOptions
    from okng.shift.process import run
    raise SystemExit(run(ShiftOptions.model_validate(options), ("top",), frozenset((1, 2)), run_dir, store))
from okng.bus.messages import Job
from okng.plc_io.job_desk import JobTable, ReadJob
from okng.plc_io.options import PlcOptions
from okng.plc_io.process import run
jobs = {1: Job("cap", "0123456789ab", "f" * 64, 400_000_000), 2: Job("lid", "ba9876543210", "e" * 64, 400_000_000)}
table = JobTable(1, ReadJob(jobs[1]), frozenset(jobs), lambda number: ReadJob(jobs[number]))
plc = PlcOptions.model_validate({"realtime": False, "plc_timeout_ms": 2000, "stuck_ms": 5000, **options})
raise SystemExit(run(plc, "cell", ("top",), jobs[1], run_dir, table, ("shift",) if awaits else ()))
"""


class JobBox(Box):
    """Cameras and inspect that follow io's orders."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir)
        self.orders = Subscriber([io_address(run_dir)], (JobOrder,))
        self.number = 1
        self.told: set[tuple[int, JobPhase]] = set()
        self._last = 0.0

    def turn(self) -> None:
        """One turn of every process of the box."""
        for name, beat in self.beats.items():
            if name not in self.frozen:
                beat.health = self.health
                beat.turn()
        for order in self.orders.drain():
            if order.phase is not JobPhase.PREPARE:
                self.number = order.number
            if order.phase is not JobPhase.STEADY:
                for who, speaker in (("camera-top", self.camera), ("inspect", self.inspect)):
                    speaker.send(JobReport(who, order.epoch, order.change, order.phase, ""))
        if time.monotonic() - self._last > 0.05:
            self._last = time.monotonic()
            job = JOBS[self.number]
            figures = (0, 0, 0, 0, 0, 0, 0)
            self.camera.send(CameraState("top", self.health, 1, "", *figures, "host", 0, self.number, job.revision))
            if "inspect" not in self.frozen:
                self.inspect.send(InspectState(Health.READY, job, "CPUExecutionProvider", 0, ""))
        for message in self.ear.drain():
            self.heard.append(message)
            if isinstance(message, Trigger) and not message.missed:
                self.camera.send(frame_of(message))

    def close(self) -> None:
        """Close all."""
        self.orders.close()
        super().close()


@dataclass
class People:
    """A line with the room `shift`, and the people at its screen."""

    run_dir: Path
    store: Path
    options: dict[str, Any]
    awaits: bool = False
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    part: int = 0

    def __post_init__(self) -> None:
        self.port = free_port()
        for name in ("records", "io"):
            self.begin(name)
        self.box = JobBox(self.run_dir)
        wait_for("io", lambda: any(isinstance(one, Station) for one in self._box_turns()), 20)
        self.line = Line(self.port, self.run_dir, self.box, Plc(self.port), self.processes["io"])
        self.ear = Subscriber([shift_address(self.run_dir)], (ShiftState, LineMode))
        self.states: list[ShiftState] = []

    def _box_turns(self) -> list[object]:
        self.box.turn()
        return self.box.heard

    def begin(self, name: str) -> None:
        """Start one process."""
        options = self.options if name == "shift" else {"port": self.port}
        arguments = (name, str(self.run_dir), str(self.store), json.dumps(options), "yes" if self.awaits else "")
        self.processes[name] = subprocess.Popen([sys.executable, "-c", _PROCESS, *arguments])

    def kill(self, name: str) -> None:
        """kill -9."""
        self.processes[name].kill()
        self.processes[name].wait(5)
        self.states.clear()
        if name == "io":
            self.box.heard.clear()
        for _ in self.ear.drain():
            pass

    def ask(self, name: str, reason: str = "", **body: object) -> Answer:
        """Somebody with the right asks; the line goes on meanwhile."""
        self.line.turn()
        owner, right = COMMANDS[name].owner, COMMANDS[name].right
        answer = ask_once(self.run_dir, owner, Ask(new_id(), name, "lea", right, reason, body))
        assert answer is not None, f"{name}: no answer"
        return answer

    def do(self, name: str, reason: str = "", **body: object) -> dict[str, Any]:
        """The same, and it has to be done."""
        answer = self.ask(name, reason, **body)
        end = time.monotonic() + 8
        while answer.detail.startswith("io does not answer") and time.monotonic() < end:
            answer = self.ask(name, reason, **body)  # a shift that has just begun has not heard io yet
        assert answer.done, f"{name}: {answer.detail}"
        return answer.body

    def state(self) -> ShiftState | None:
        """What shift said last."""
        self.states += [message for message in self.ear.drain() if isinstance(message, ShiftState)]
        del self.states[:-1]
        return self.states[-1] if self.states else None

    def io_listens(self) -> bool:
        """The PLC can connect."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def records(self) -> list[Record]:
        """All records so far."""
        return [one for one in self.box.heard if isinstance(one, Record)]

    def station(self) -> Station:
        """What io said last."""
        return [one for one in self.box.heard if isinstance(one, Station)][-1]

    def until(self, what: str, true: Any, timeout_s: float = 12.0) -> ShiftState:
        """Let everybody move until shift's state is as wanted."""
        self.line.until(what, lambda: (state := self.state()) is not None and true(state), timeout_s)
        state = self.state()
        assert state is not None
        return state

    def through(self, outcome: Outcome) -> tuple[Record, int]:
        """One part with that verdict: its record, and what the PLC read."""
        self.part += 1
        trigger = self.line.trigger(self.part)
        self.box.inspect.send(verdict_of(trigger, outcome, JOBS[self.box.number]))
        block = self.line.result()
        return self.line.record(self.part), block[6]

    def close(self) -> None:
        """End all."""
        self.line.plc.client.close()
        self.ear.close()
        for name in ("io", "shift", "records"):
            if name in self.processes:
                self.processes[name].terminate()
        for process in self.processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        self.box.close()


__all__ = ["JOB", "OTHER", "FrameReady", "People"]
