"""io's and a reader's side of the bus, and a real camera process between them."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from okng.appliance.supervisor import Child, Supervisor
from okng.bus.channel import Publisher, Subscriber, camera_address, io_address
from okng.bus.clock import MS, SECOND, now_ns
from okng.bus.heartbeat import Pulse
from okng.bus.messages import CameraState, FrameLost, FrameReady, Health
from okng.bus.part import Trigger
from okng.bus.ring import RingShelf

SCRIPT = Path(__file__).with_name("run_camera.py")
Answer = FrameReady | FrameLost


class Line:
    """io's and a reader's side of the bus, and the camera process between them."""

    def __init__(self, run_dir: Path, producer: Path) -> None:
        self.run_dir, self.producer = run_dir, producer
        self.io = Publisher(io_address(run_dir))
        self.heard = Subscriber([camera_address(run_dir, "top")], (FrameReady, FrameLost, CameraState))
        self.shelf, self.pulse = RingShelf(run_dir), Pulse(run_dir)
        self.states: list[CameraState] = []
        self.log_file = run_dir.parent / "camera.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.supervisor: Supervisor | None = None
        self.child: Child | None = None
        self._output: BinaryIO | None = None

    def start(self, **said: Any) -> "Line":
        command = self._command(said)
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(command, stderr=log)
        return self

    def supervise(self, opening_s: float = 15.0, **said: Any) -> "Line":
        """As start, under the real supervisor: what ends or hangs is started again."""
        self._output = self.log_file.open("wb")
        self.child = Child("camera-top", self._command(said), opening_ns=int(opening_s * SECOND))
        self.supervisor = Supervisor([self.child], self.run_dir, self._output)
        self.supervisor.start()
        return self

    def _command(self, said: dict[str, Any]) -> list[str]:
        options = {"producer": str(self.producer), "serial": "SN0000", "margin_ms": 400} | said.pop("options", {})
        profile = {"pixel_format": "Mono8", "width": 160, "height": 120, "exposure_us": 1000.0}
        scripted, plan = said.pop("scripted", None), said.pop("plan", {})
        text = json.dumps({"options": options, "scripted": scripted, "plan": plan, "profile": profile | said})
        self.states.clear()
        return [sys.executable, str(SCRIPT), str(self.run_dir), text]

    def ready(self, health: Health = Health.READY) -> "Line":
        """Wait until the camera says so."""
        self.until(lambda: bool(self.states) and self.states[-1].health is health)
        return self

    def until(self, done: Callable[[], bool], limit_s: float = 20.0) -> None:
        end = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < end, f"waited {limit_s} s; last state: {self.states[-1:]}"
            self._hear(50)

    def _hear(self, wait_ms: int) -> Answer | None:
        if self.supervisor is not None:
            self.supervisor.watch()
        message = self.heard.receive(wait_ms)
        if isinstance(message, CameraState):
            self.states.append(message)
            return None
        assert message is None or isinstance(message, FrameReady | FrameLost)
        return message

    def trigger(self, part: int, deadline_ms: int = 3000, missed: bool = False, at_ns: int = 0) -> Trigger:
        at_ns = at_ns or now_ns()
        trigger = Trigger(part, "eye", at_ns, None, at_ns + deadline_ms * MS, "recipe", missed)
        self.io.send(trigger)
        return trigger

    def answers(self, count: int, limit_s: float = 15.0) -> list[Answer]:
        """The next answers about parts; frames that are nobody's are left out."""
        found: list[Answer] = []
        end = time.monotonic() + limit_s
        while len(found) < count:
            assert time.monotonic() < end, f"{len(found)} of {count} answers: {found}"
            message = self._hear(50)
            if message is not None and message.part:
                found.append(message)
        return found

    def part(self, part: int, **more: Any) -> Answer:
        """Trigger one part and return its answer."""
        self.trigger(part, **more)
        (answer,) = self.answers(1)
        assert answer.part == part
        return answer

    def silence(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            message = self._hear(20)
            assert message is None or message.part == 0, message

    def end(self, number: int | None = signal.SIGTERM) -> int:
        assert self.process is not None
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(15)
        self.process = None
        return code

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def close(self) -> None:
        if self.supervisor is not None:
            self.supervisor.stop()
        if self._output is not None:
            self._output.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for each in (self.io, self.heard, self.shelf, self.pulse):
            each.close()


def reasons(answers: list[Answer]) -> list[tuple[int, str]]:
    return [(each.part, each.reason if isinstance(each, FrameLost) else "ready") for each in answers]


def numbered(number: int) -> Any:
    """A picture that says which it is."""
    return np.full((120, 160), number, np.uint8)
