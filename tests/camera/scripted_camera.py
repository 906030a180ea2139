"""A camera that does what a test says, behind the real loop, ring and bus, all in one thread."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from okng.bus.channel import Publisher, Subscriber, camera_address, io_address
from okng.bus.clock import MS, SECOND, now_ns
from okng.bus.errors import BadSettings
from okng.bus.heartbeat import Heartbeat
from okng.bus.messages import CameraState, FrameLost, FrameReady, Health, Job, JobOrder, JobPhase
from okng.bus.part import Trigger
from okng.bus.ring import RingShelf, RingWriter
from okng.camera.announcer import Announcer
from okng.camera.devclock import Latch
from okng.camera.features import Feature, Value
from okng.camera.loop import CameraLoop
from okng.camera.options import CameraOptions
from okng.camera.profiles import Profile
from okng.camera.source import CameraInfo, RawGrab, Source

PROFILE = Profile("Mono8", 64, 48, exposure_us=100)
ORDER = JobOrder("run", 0, JobPhase.STEADY, 1, Job("cap", "0123456789ab", "f" * 64, 10**8))
NO_SUCH = "a scripted camera has no features"


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame that will come."""

    number: int
    at_ns: int
    level: int
    count: int | None
    width: int
    whole: bool = True
    late_ns: int = 0


class ScriptedSource(Source):
    """Frames as the test says. `fates` says what becomes of the next exposures: `ok`, `drop`, `incomplete`, `small`,
    `late` (comes 80 ms after the others would)."""

    def __init__(self, *, latched: bool = True) -> None:
        super().__init__()
        self.latched = latched
        self.fates: deque[str] = deque()
        self.shots: deque[Shot] = deque()
        self.refusals: deque[Exception] = deque()
        """What opening it raises, one a try."""
        self.counts = False
        self.level = 10
        self.edges = self.number = self.starts = self.configured = 0
        self.profile = PROFILE

    def expose(self, *, counted: bool = True) -> None:
        """One trigger, taken: the frames of one picture, each a level brighter than the one before."""
        self.edges += counted
        for _ in range(self.profile.frames):
            fate = self.fates.popleft() if self.fates else "ok"
            self.number += 1
            self.level += 1
            if fate != "drop":
                width = self.profile.width - 4 * (fate == "small")
                count = self.edges if self.counts else None
                late_ns = 80 * MS if fate == "late" else 0
                shot = Shot(self.number, now_ns(), self.level, count, width, fate != "incomplete", late_ns)
                self.shots.append(shot)

    def discover(self) -> list[CameraInfo]:
        return []

    def open(self, serial: str) -> None:
        if self.refusals:
            raise self.refusals.popleft()

    def describe(self, name: str) -> Feature:
        raise BadSettings(NO_SUCH)

    def get(self, name: str) -> Value:
        raise BadSettings(NO_SUCH)

    def set(self, name: str, value: Value) -> None:
        raise BadSettings(NO_SUCH)

    def execute(self, name: str) -> None:
        raise BadSettings(NO_SUCH)

    def _configure(self, profile: Profile) -> Profile:
        self.profile = profile
        self.configured += 1
        return profile

    def _start(self, buffers: int) -> None:
        self.number = 0
        self.starts += 1
        self.shots.clear()

    def _stop(self) -> None:
        self.shots.clear()

    def _trigger(self) -> None:
        self.expose()

    def _grab(self, into: memoryview, timeout_ns: int) -> RawGrab | None:
        until_ns = now_ns() + timeout_ns
        shot = self.shots[0] if self.shots else None
        if shot is None or shot.at_ns + shot.late_ns > until_ns:
            time.sleep(min(timeout_ns, 2 * MS) / SECOND)
            return None
        time.sleep(max(shot.at_ns + shot.late_ns - now_ns(), 0) / SECOND)
        self.shots.popleft()
        if not shot.whole:
            self._incomplete += 1
            return None
        size = shot.width * self.profile.frame_height
        into[:size] = bytes([shot.level % 200 + 20]) * size
        return RawGrab(
            number=shot.number,
            width=shot.width,
            height=self.profile.frame_height,
            pixel_format="Mono8",
            size_bytes=size,
            device_ns=shot.at_ns if self.latched else None,
            received_ns=now_ns(),
            trigger_count=shot.count,
        )

    def _probe(self) -> None:
        """Always there."""

    def _latch(self) -> Latch | None:
        at_ns = now_ns()
        return Latch(at_ns, at_ns, at_ns) if self.latched else None

    def _close(self) -> None:
        """Nothing to let go of."""


class Box:
    """The loop of a scripted camera, io's side of the bus and a reader's."""

    def __init__(self, run_dir: Path, source: ScriptedSource, profile: Profile = PROFILE, **options: object) -> None:
        self.source, self.run_dir = source, run_dir
        self.options = CameraOptions.model_validate({"ring_slots": 8, **options})
        self.io = Publisher(io_address(run_dir))
        self.heard = Subscriber([camera_address(run_dir, "top")], (FrameReady, FrameLost, CameraState))
        self.announcer, self.heartbeat = Announcer("top", run_dir), Heartbeat(run_dir, "camera-top")
        self.bus = Subscriber([io_address(run_dir)], (Trigger, JobOrder))
        self.ring = RingWriter(run_dir, "top", self.options.ring_slots, profile.size_bytes)
        self.shelf = RingShelf(run_dir)
        self.profile = source.configure(profile)
        source.start(self.options.buffers)
        self.loop = CameraLoop(source, self.profile, self.options, self.ring, self.bus, self.announcer, self.heartbeat)
        self.answers: dict[int, FrameReady | FrameLost] = {}
        self.free: list[FrameReady] = []
        self.state: CameraState | None = None
        self.until(self._joined)

    def _joined(self) -> bool:
        """Both sides of the bus hear each other."""
        self.io.send(ORDER)
        return self.loop.take_order() is not None and self.state is not None

    def turn(self) -> None:
        self.loop.turn()
        for message in self.heard.drain():
            if isinstance(message, CameraState):
                self.state = message
            elif message.part:
                assert message.part not in self.answers, "exactly one answer"
                self.answers[message.part] = message
            else:
                assert isinstance(message, FrameReady)
                self.free.append(message)

    def until(self, done: Callable[[], bool], limit_s: float = 10.0) -> None:
        end = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < end, f"waited {limit_s} s: {self.state}, {self.answers}"
            self.turn()

    def turns(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()

    def ready(self, health: Health = Health.READY) -> None:
        self.until(lambda: self.state is not None and self.state.health is health)

    def trigger(self, part: int, at_ns: int = 0) -> None:
        at_ns = at_ns or now_ns()
        self.io.send(Trigger(part, "eye", at_ns, None, at_ns + 3 * SECOND, "recipe", False))

    def part(self, part: int) -> str:
        """Trigger it and return its answer: `ready` or the reason."""
        self.trigger(part)
        return self.answer(part)

    def answer(self, part: int) -> str:
        self.until(lambda: part in self.answers)
        found = self.answers[part]
        return "ready" if isinstance(found, FrameReady) else found.reason

    def pixels(self, part: int) -> bytes:
        """Bytes of that part's picture in the ring."""
        ready = self.answers[part]
        assert isinstance(ready, FrameReady)
        reader = self.shelf.reader("top", ready.ring)
        assert reader is not None
        found = reader.read(ready.slot, ready.sequence, ready.size_bytes, bytes)
        assert found is not None
        return found

    def close(self) -> None:
        for each in (self.io, self.heard, self.bus, self.shelf, self.ring, self.announcer, self.heartbeat):
            each.close()


def burst(profile: Profile = PROFILE, frames: int = 4) -> Profile:
    """The same with pictures of several frames."""
    return replace(profile, frames=frames, frame_rate_hz=100)
