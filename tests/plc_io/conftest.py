"""A real io process, the rest of the box played by the test, and a PLC that is no pymodbus."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pyModbusTCP.client import ModbusClient

from okng.bus.channel import (
    EntryReceiver,
    Publisher,
    Subscriber,
    camera_address,
    inspect_address,
    io_address,
    records_address,
)
from okng.bus.clock import MS, now_ns
from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import CameraState, FrameReady, Health, InspectState, Job, StationState, Stored
from okng.bus.part import Disposition, Outcome, Record, Trigger, Verdict
from okng.plc_io.signals import Command, Status

JOB = Job("cap", "0123456789ab", "f" * 64, 400 * MS)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: str, true: object, timeout_s: float = 8.0) -> None:
    """Wait until the callable says so."""
    end = time.monotonic() + timeout_s
    while not true():  # type: ignore[operator]
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout_s} s")
        time.sleep(0.005)


def lacking(tool: str) -> None:
    """Skip at a desk, fail in CI, when a tool of the test is not installed."""
    if shutil.which(tool) is None:
        message = f"{tool} is not installed (apt-get install mbpoll libmodbus-dev gcc pkg-config)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def verdict_of(trigger: Trigger, outcome: Outcome = Outcome.OK, job: Job = JOB) -> Verdict:
    """What inspect would say of a part."""
    now = now_ns()
    return Verdict(
        part=trigger.part,
        outcome=outcome,
        reasons=() if outcome is Outcome.OK else ("score 7.1 above 4.0",),
        defects=(),
        score=1.5,
        threshold=4.0,
        recipe=job.recipe,
        revision=job.revision,
        model=job.model,
        camera="top",
        triggered_at_ns=trigger.at_ns,
        frame=None,
        heat=(),
        started_ns=now - 3 * MS,
        done_ns=now,
    )


class Box:
    """The cameras, inspect and records of a box, as far as io can tell."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.camera = Publisher(camera_address(run_dir, "top"))
        self.inspect = Publisher(inspect_address(run_dir))
        self.ear = Subscriber([io_address(run_dir)], (Trigger, Disposition, Record, StationState))
        self.beats = {name: Heartbeat(run_dir, name) for name in ("camera-top", "inspect")}
        self.frozen: set[str] = set()
        self.heard: list[object] = []
        self.job = JOB
        self.health = Health.READY
        self.answer = True
        """The box answers each trigger with a picture; what inspect says is the test's."""
        self._said = 0.0

    def turn(self) -> None:
        """One turn of every process of the box."""
        for name, beat in self.beats.items():
            if name not in self.frozen:
                beat.health = self.health
                beat.turn()
        if time.monotonic() - self._said > 0.1:
            self._said = time.monotonic()
            camera = CameraState("top", self.health, 1, "", 0, 0, 0, 0, 0, 0, 0, "host", 0, 1, JOB.revision)
            self.camera.send(camera)
            self.inspect.send(InspectState(Health.READY, self.job, "CPUExecutionProvider", 0, ""))
        while (message := self.ear.receive(0)) is not None:
            self.heard.append(message)
            if isinstance(message, Trigger) and self.answer and not message.missed:
                self.camera.send(frame_of(message))

    def of(self, kind: type) -> list[object]:
        """What io said of that kind."""
        return [message for message in self.heard if isinstance(message, kind)]

    def close(self) -> None:
        """Close all."""
        for socket_ in (self.camera, self.inspect, self.ear):
            socket_.close()
        for beat in self.beats.values():
            beat.close()


def frame_of(trigger: Trigger) -> FrameReady:
    """The picture of a part."""
    now = now_ns()
    return FrameReady(
        part=trigger.part,
        camera="top",
        ring="ring-top-1",
        slot=0,
        sequence=2,
        number=1,
        epoch=1,
        width=8,
        height=8,
        pixel_format="Mono8",
        size_bytes=64,
        triggered_at_ns=trigger.at_ns,
        exposed_at_ns=now,
        device_ns=None,
        received_ns=now,
        ready_ns=now,
        taken_at="2026-01-01T00:00:00.000Z",
    )


class Ledger(threading.Thread):
    """records: takes every entry and says Stored."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(name="ledger", daemon=True)
        self.receiver = EntryReceiver(records_address(run_dir))
        self.entries: list[object] = []
        self.deaf = 0
        """Entries that are forgotten without an answer, as if records was killed with them."""
        self._end = threading.Event()

    def run(self) -> None:
        """Take entries until closed."""
        while not self._end.is_set():
            came = self.receiver.receive(20)
            if came is None:
                continue
            who, entry = came
            if self.deaf > 0:
                self.deaf -= 1
                continue
            self.entries.append(entry)
            self.receiver.answer(who, Stored(entry.epoch, (entry.number,)))
        self.receiver.close()

    def numbers(self) -> list[int]:
        """The numbers that came, each once, in order."""
        return sorted({entry.number for entry in self.entries})  # type: ignore[attr-defined]

    def close(self) -> None:
        """End the thread."""
        self._end.set()
        self.join(5)


@dataclass
class Plc:
    """A master of pyModbusTCP that writes its whole image and beats."""

    port: int
    client: ModbusClient = field(init=False)
    command: int = 0
    beat: int = 0
    part: int = 0
    ack: int = 0
    job: int = 0
    token: int = 0

    def __post_init__(self) -> None:
        self.client = ModbusClient("127.0.0.1", self.port, unit_id=1, timeout=2.0, auto_open=True)

    def write(self) -> None:
        """One cyclic write of the whole image."""
        self.beat = (self.beat + 1) & 0xFFFF
        words = [self.command, self.beat, self.job, self.token, self.part >> 16, self.part & 0xFFFF, self.ack]
        assert self.client.write_multiple_registers(0, words), self.client.last_error_as_txt

    def read(self) -> list[int]:
        """The result block."""
        words = self.client.read_input_registers(0, 16)
        assert words is not None, self.client.last_error_as_txt
        assert words[3] == words[15]
        return [int(word) for word in words]

    def status(self) -> Status:
        """The status bits."""
        return Status(self.read()[0])


@dataclass
class Line:
    """A PLC, an io process and the rest of the box, all moving while the test waits."""

    port: int
    run_dir: Path
    box: Box
    plc: Plc
    process: subprocess.Popen[bytes]

    def turn(self) -> None:
        """Everybody moves once."""
        self.box.turn()
        self.plc.write()

    def until(self, what: str, true: object, timeout_s: float = 8.0) -> None:
        """Let everybody move until the callable says so."""

        def moved() -> bool:
            self.turn()
            return bool(true())  # type: ignore[operator]

        wait_for(what, moved, timeout_s)

    def during(self, seconds: float) -> None:
        """Let everybody move for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()

    def enable(self, *more: Command) -> None:
        """Ask for READY and wait for it."""
        self.plc.command = int(Command.TRIG_ENABLE)
        for flag in more:
            self.plc.command |= flag
        self.until("READY", lambda: Status.READY in self.plc.status())

    def trigger(self, part: int) -> Trigger:
        """Raise TRIGGER for a part, drop it on TRIG_ACK; return what io said on the bus."""
        self.plc.part = part
        self.plc.command |= Command.TRIGGER
        self.until("TRIG_ACK", lambda: Status.TRIG_ACK in self.plc.status())
        self.plc.command &= ~Command.TRIGGER
        self.plc.write()
        found: list[Trigger] = []

        def came() -> bool:
            found[:] = [t for t in self.box.of(Trigger) if isinstance(t, Trigger) and t.part == part]
            return bool(found)

        self.until("Trigger on the bus", came)
        return found[-1]

    def result(self) -> list[int]:
        """Wait for the next result, acknowledge it, return its block."""
        self.until("a result", lambda: self.plc.read()[3] not in (0, self.plc.ack))
        block = self.plc.read()
        self.plc.ack = block[3]
        self.plc.write()
        return block

    def record(self, part: int) -> Record:
        """Wait for the record of a part."""
        found: list[Record] = []

        def came() -> bool:
            found[:] = [r for r in self.box.of(Record) if isinstance(r, Record) and r.trigger.part == part]
            return bool(found)

        self.until("Record", came)
        return found[0]

    def stop(self) -> int:
        """Ask io to end; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A run folder with a short name: socket paths are limited to 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="okng-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start_io(run_dir: Path, port: int, *, wait: bool = True, **more: object) -> subprocess.Popen[bytes]:
    """Start the io process as it is started on a box, on its own interpreter."""
    values: dict[str, object] = {"port": port, "realtime": False, "plc_timeout_ms": 1000, "stuck_ms": 5000}
    process = subprocess.Popen(
        [sys.executable, "-c", _IO, json.dumps({**values, **more}), str(run_dir), str(JOB.deadline_ns)]
    )

    def listens() -> bool:
        assert process.poll() is None, f"io ended with {process.returncode}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    if wait:
        wait_for("io listens", listens, 20)
    return process


_IO = """
import json, logging, sys
from pathlib import Path
from okng.bus.messages import Job
from okng.plc_io.options import PlcOptions
from okng.plc_io.process import run
logging.basicConfig(level=logging.INFO)
options = PlcOptions.model_validate(json.loads(sys.argv[1]))
job = Job("cap", "0123456789ab", "f" * 64, int(sys.argv[3]))
raise SystemExit(run(options, "cell", ("top",), job, Path(sys.argv[2])))
"""


@pytest.fixture
def line(run_dir: Path) -> Iterator[Line]:
    """The whole, not yet enabled."""
    port = free_port()
    process = start_io(run_dir, port)
    box, plc = Box(run_dir), Plc(port)
    whole = Line(port, run_dir, box, plc, process)
    try:
        yield whole
    finally:
        plc.client.close()
        box.close()
        process.kill()
        process.wait(5)
