"""A camera's cable is pulled and put back a thousand times: does it come back in time, and does anything leak?

    .venv/bin/python bench/reconnect.py [--cycles 1000] [--json bench/reconnect.json]

A real supervisor keeps a real camera process on the simulated producer. Each cycle pulls the cable for a random time
(from 30 ms to seconds), sends parts while it is off and puts it back; the time from then to READY is the reconnect.
Beside it a second camera stays plugged, and must not notice. No part of the pulled camera may be delivered meanwhile.
It prints its table and writes JSON; the exit code is 1 where what was promised does not hold.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
PULLED, PLUGGED = "top", "side"
SERIALS = {PULLED: "SN0000", PLUGGED: "SN0001"}
WIDTH, HEIGHT = 640, 480
MARKS = (10, 100, 500, 1000)
"""Cycles after which is looked at what has been used."""
OFF_S = (0.03, 0.06, 0.1, 0.3, 0.6, 1.0, 3.0)
OFF_WEIGHTS = (20, 20, 20, 20, 14, 5, 1)
"""How long the cable is off, and how often. The simulated camera looks at its cable every 20 ms."""
P99_S = 2.0
PATIENCE_S = 30.0
SLACK_BYTES, SLACK_FILES = 8 * 1024 * 1024, 2
"""What may differ between two looks at something flat."""


@dataclass(frozen=True, slots=True)
class Used:
    """What is in use after so many cycles."""

    cycle: int
    supervisor_rss_bytes: int
    supervisor_fds: int
    supervisor_threads: int
    camera_rss_bytes: int
    camera_fds: int
    camera_threads: int
    run_files: int
    """Files in the run folder: sockets, rings, heartbeats, counts."""
    run_bytes: int


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    cycles: int = 0
    reconnect_s: list[float] = field(default_factory=list)
    parts_while_off: int = 0
    lost_while_off: int = 0
    unanswered_while_off: int = 0
    """Sent when no camera process listened: io's own deadline rejects them."""
    delivered_while_off: int = 0
    delivered_after: int = 0
    """Of one part a cycle, triggered when the camera is READY again."""
    side_triggers: int = 0
    side_delivered: int = 0
    side_restarts: int = 0
    used: list[Used] = field(default_factory=list)
    took_s: float = 0.0


def be_camera(name: str, run_dir: Path) -> int:
    """Be the camera process. Returns its exit code."""
    import logging

    from okng.camera.options import CameraOptions
    from okng.camera.process import run
    from okng.camera.profiles import Profile, Setup
    from okng.simline.build import build

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    options = CameraOptions(producer=build(), serial=SERIALS[name])
    profile = Profile("Mono8", WIDTH, HEIGHT, exposure_us=500)
    return run(name, options, Setup(1, "0123456789ab", profile), run_dir)


class Proof:
    """The box of two cameras, and the hand on the cable."""

    def __init__(self, folder: Path, seed: int) -> None:
        import numpy as np

        from okng.appliance.supervisor import OPENING_NS, Child, Supervisor
        from okng.bus.channel import Publisher, Subscriber, camera_address, io_address
        from okng.bus.messages import CameraState, FrameLost, FrameReady
        from okng.simline.build import build
        from okng.simline.scene import Scene

        self.run_dir = folder / "run"
        self.run_dir.mkdir()
        build()
        os.environ["OKNG_SIM"] = str(folder / "sim")
        self._random = random.Random(seed)
        picture = (np.indices((HEIGHT, WIDTH)).sum(axis=0) % 251).astype(np.uint8)
        self._scenes = {}
        for name, serial in SERIALS.items():
            self._scenes[name] = Scene(folder / "sim", serial, WIDTH * HEIGHT)
            self._scenes[name].show(picture, 1, noise=2)
        self.io = Publisher(io_address(self.run_dir))
        kinds = (CameraState, FrameLost, FrameReady)
        self.heard = Subscriber([camera_address(self.run_dir, name) for name in SERIALS], kinds)
        command = [sys.executable, str(Path(__file__).resolve()), "--camera"]
        self._log = (folder / "cameras.log").open("wb")
        self.children = {
            name: Child(f"camera-{name}", [*command, name, str(self.run_dir)], opening_ns=OPENING_NS)
            for name in SERIALS
        }
        self.supervisor = Supervisor(list(self.children.values()), self.run_dir, self._log)
        self.outcome = Outcome()
        self._states: dict[str, CameraState] = {}
        self._part = 0
        self._off: set[int] = set()
        self._answered: dict[int, str] = {}

    def start(self) -> None:
        """Until both are READY."""
        self.supervisor.start()
        self._until(lambda: all(self._is_ready(name) for name in SERIALS))

    def cycle(self) -> None:
        """Pull it, put it back, and see."""
        (off_s,) = self._random.choices(OFF_S, OFF_WEIGHTS)
        epoch = self._states[PULLED].epoch
        self._off.clear()
        self._answered.clear()
        self._scenes[PULLED].fault("unplug")
        ends = time.monotonic() + off_s
        self._off.add(self._trigger())
        while time.monotonic() < ends:
            self._hear(10)
        self._off.add(self._trigger())
        self._hear(0)
        self._scenes[PULLED].fault("unplug", 0)
        back = time.monotonic()
        self._until(lambda: self._is_ready(PULLED) and self._states[PULLED].epoch > epoch)
        outcome = self.outcome
        outcome.reconnect_s.append(time.monotonic() - back)
        said = [self._answered.get(part, "") for part in self._off]
        outcome.parts_while_off += len(said)
        outcome.delivered_while_off += said.count("ready")
        outcome.unanswered_while_off += said.count("")
        outcome.lost_while_off += len(said) - said.count("ready") - said.count("")
        part = self._trigger()
        self._until(lambda: part in self._answered)
        outcome.delivered_after += self._answered[part] == "ready"
        outcome.cycles += 1
        if outcome.cycles in MARKS:
            outcome.used.append(self._used())

    def close(self) -> None:
        """Stop all, once the plugged camera has had the time to answer its last part."""
        end = time.monotonic() + 2.0
        while self.outcome.side_delivered < self.outcome.side_triggers and time.monotonic() < end:
            self._hear(20)
        self.outcome.side_restarts = self.children[PLUGGED].restarts
        self.supervisor.stop()
        self._log.close()
        self.io.close()
        self.heard.close()
        for scene in self._scenes.values():
            scene.close()

    def _trigger(self) -> int:
        """One part for both cameras; what the plugged one says of it is counted, too."""
        from okng.bus.clock import SECOND, now_ns
        from okng.bus.part import Trigger

        self._part += 1
        at_ns = now_ns()
        self.io.send(Trigger(self._part, "eye", at_ns, None, at_ns + SECOND, "recipe", False))
        self.outcome.side_triggers += 1
        return self._part

    def _hear(self, wait_ms: int) -> None:
        from okng.bus.messages import CameraState, FrameReady

        self.supervisor.watch()
        message = self.heard.receive(wait_ms)
        while message is not None:
            if isinstance(message, CameraState):
                self._states[message.camera] = message
            elif message.camera == PLUGGED:
                self.outcome.side_delivered += isinstance(message, FrameReady) and message.part != 0
            elif message.part:
                self._answered[message.part] = "ready" if isinstance(message, FrameReady) else message.reason
            message = self.heard.receive(0)

    def _is_ready(self, name: str) -> bool:
        from okng.bus.messages import Health

        return name in self._states and self._states[name].health is Health.READY

    def _until(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > end:
                raise SystemExit(f"cycle {self.outcome.cycles}: nothing for {PATIENCE_S} s; {self._states}")
            self._hear(10)

    def _used(self) -> Used:
        import psutil

        own = psutil.Process()
        camera = psutil.Process(self.supervisor.pids()[f"camera-{PULLED}"])
        files = [each for each in self.run_dir.iterdir() if each.exists()]
        return Used(
            cycle=self.outcome.cycles,
            supervisor_rss_bytes=own.memory_info().rss,
            supervisor_fds=own.num_fds(),
            supervisor_threads=own.num_threads(),
            camera_rss_bytes=camera.memory_info().rss,
            camera_fds=camera.num_fds(),
            camera_threads=camera.num_threads(),
            run_files=len(files),
            run_bytes=sum(each.stat().st_size for each in files),
        )


def share(values: list[float], of: float) -> float:
    """The value that `of` of them do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * of), len(ordered) - 1)] if ordered else 0.0


def grown(first: Used, last: Used) -> list[str]:
    """What is in use more and more."""
    bounds = dict.fromkeys(("supervisor_rss_bytes", "camera_rss_bytes", "run_bytes"), SLACK_BYTES)
    bounds |= dict.fromkeys(
        ("supervisor_fds", "supervisor_threads", "camera_fds", "camera_threads", "run_files"), SLACK_FILES
    )
    return [
        f"{name} grew from {getattr(first, name)} to {getattr(last, name)}"
        for name, bound in bounds.items()
        if getattr(last, name) - getattr(first, name) > bound
    ]


def failures(outcome: Outcome) -> list[str]:
    """What was promised and does not hold."""
    found = []
    p99_s = share(outcome.reconnect_s, 0.99)
    if p99_s >= P99_S:
        found.append(f"reconnect p99 {p99_s:.2f} s: expected less than {P99_S} s")
    if outcome.delivered_while_off:
        found.append(f"{outcome.delivered_while_off} parts delivered while the cable was off: expected 0")
    if outcome.delivered_after != outcome.cycles:
        found.append(f"{outcome.delivered_after} parts delivered after a reconnect: expected {outcome.cycles}")
    if outcome.side_restarts or outcome.side_delivered != outcome.side_triggers:
        found.append(
            f"the other camera: {outcome.side_delivered} of {outcome.side_triggers} parts, "
            f"{outcome.side_restarts} restarts: expected all and 0"
        )
    if len(outcome.used) > 1:
        found += grown(outcome.used[0], outcome.used[-1])
    return found


def show(outcome: Outcome) -> None:
    """Print what came of it."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(
        "after cycles", "supervisor MB", "fds", "threads", "camera MB", "fds", "threads", "run files", "run MB"
    )
    for used in outcome.used:
        table.add_row(
            str(used.cycle),
            f"{used.supervisor_rss_bytes / 1e6:.1f}",
            str(used.supervisor_fds),
            str(used.supervisor_threads),
            f"{used.camera_rss_bytes / 1e6:.1f}",
            str(used.camera_fds),
            str(used.camera_threads),
            str(used.run_files),
            f"{used.run_bytes / 1e6:.2f}",
        )
    console.print(table)
    times = outcome.reconnect_s
    console.print(
        f"{outcome.cycles} cycles in {outcome.took_s:.0f} s; READY after the replug: p50 {share(times, 0.5):.2f} s, "
        f"p99 {share(times, 0.99):.2f} s, max {max(times):.2f} s"
    )
    console.print(
        f"{outcome.parts_while_off} parts while off: {outcome.lost_while_off} lost, "
        f"{outcome.unanswered_while_off} unanswered, {outcome.delivered_while_off} delivered; the other camera "
        f"delivered {outcome.side_delivered} of {outcome.side_triggers}, {outcome.side_restarts} restarts"
    )


def main() -> int:
    """Run it. Returns the exit code."""
    if sys.argv[1:2] == ["--camera"]:
        return be_camera(sys.argv[2], Path(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=HERE / "reconnect.json")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="okng-", dir="/tmp"))  # sockets' paths must be short
    begun = time.monotonic()
    proof = Proof(folder, asked.seed)
    try:
        proof.start()
        for _ in range(asked.cycles):
            proof.cycle()
    finally:
        proof.close()
        outcome = proof.outcome
        outcome.took_s = time.monotonic() - begun
        if outcome.reconnect_s:
            show(outcome)
    found = failures(outcome)
    times = outcome.reconnect_s
    figures = {"p50_s": share(times, 0.5), "p99_s": share(times, 0.99), "max_s": max(times, default=0.0)}
    said = asdict(outcome) | {"reconnect": figures, "cores": os.cpu_count(), "load": os.getloadavg(), "failures": found}
    del said["reconnect_s"]
    asked.json.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    for each in found:
        sys.stderr.write(f"{each}\n")
    if found:
        sys.stderr.write(f"the cameras' log: {folder / 'cameras.log'}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
