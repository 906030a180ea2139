"""A camera, as the rest of the room sees it, and the half of it that is the same for every driver.

`Source` finishes the public methods: it checks arguments, keeps epochs, counts, maps the device's clock and sees
repeated and skipped frames. A driver (`gentl.py`, `replay.py`, `video.py`, `aravis.py`) writes the private ones and
translates its maker's errors.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from ..bus.clock import MS, now_ns, utc_now
from ..bus.errors import BadSettings, CameraLost
from .devclock import DeviceClock, Latch, LeastDelay
from .features import Feature, Value
from .options import CameraOptions
from .profiles import Profile

ClockKind = Literal["latch", "least delay", "host"]
_FUTURE_NS = 2 * MS
"""A frame dated later than it came by more than this has a clock that was set."""
FIRST_BURST, LATER_BURST = 50, 8
"""How often a camera is asked for its clock when the stream starts, and now and then after that."""


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """One camera a producer lists."""

    id: str
    vendor: str
    model: str
    serial: str
    layer: str
    """Transport layer: GEV, U3V, Custom ..."""
    producer: str
    """Path of the producer, or of the folder."""
    free: bool
    """False: somebody has it open, or it cannot be reached."""


@dataclass(frozen=True, slots=True)
class Grab:
    """One complete frame, copied. Moments are the host's monotonic nanoseconds."""

    number: int
    """The camera's frame number (`frame_id`)."""
    epoch: int
    width: int
    height: int
    pixel_format: str
    """PFNC name."""
    size_bytes: int
    """Bytes written; 0: the frame did not fit into the slot, only its measures are known."""
    exposed_at_ns: int
    """Start of exposure: the device's stamp, mapped; without one, received_ns minus transfer and exposure."""
    device_ns: int | None
    received_ns: int
    taken_at: str
    """UTC, for people."""
    gap: int
    """Frame numbers skipped since the last frame of this epoch; each is a picture nobody will see."""
    repeated: bool
    """True: the number or the device's stamp has not moved on since the last frame."""
    trigger_count: int | None = None
    """Trigger edges the camera had seen, those it could not take too, when this frame was started; None: not told."""


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """Counts since the source was made, and the state of its clock."""

    delivered: int
    underrun: int
    """Frames the producer had no free buffer for, this epoch."""
    incomplete: int
    gaps: int
    duplicates: int
    epochs: int
    last_frame_age_ns: int | None
    """None: no frame in this epoch yet."""
    clock: ClockKind
    """What dates a frame: the device's clock, latched; the same, told from the fastest frames; or its arrival here."""
    clock_error_ns: int
    """Stated uncertainty of the mapping; 0 for `host`."""
    drift_ppm: float = 0.0
    """How much faster the camera's clock runs than the host's."""


class FrameSource(Protocol):
    """One camera. Used by one thread of one process."""

    def discover(self) -> list[CameraInfo]:
        """List the cameras there are. BadSettings: the producer or folder is missing or broken."""

    def open(self, serial: str) -> None:
        """Take the camera; an empty serial takes the only one. CameraLost: not there. CameraBusy: in use."""

    def close(self) -> None:
        """Let go of it. Never raises; a second call does nothing."""

    def describe(self, name: str) -> Feature:
        """Say what a feature can be. BadSettings: this camera has none of that name."""

    def features(self) -> list[Feature]:
        """List every feature the camera has, in its own order. Empty: it has none to list. CameraLost."""

    def get(self, name: str) -> Value:
        """Read a feature. BadSettings: there is none, or it cannot be read. CameraLost."""

    def set(self, name: str, value: Value) -> None:
        """Write a feature. BadSettings: with the allowed range. CameraLost."""

    def execute(self, name: str) -> None:
        """Run a command. BadSettings: there is none. CameraLost."""

    def configure(self, profile: Profile) -> Profile:
        """Set everything in order and return what was read back. BadSettings: feature, wanted, allowed. CameraLost."""

    def start(self, buffers: int = 8) -> None:
        """Begin a stream epoch. buffers: 8 or more (ValueError). CameraLost."""

    def stop(self) -> None:
        """End the epoch; frames still in the driver are dropped. Never raises CameraLost."""

    def trigger(self) -> int:
        """Fire one exposure and return the moment just before the command. CameraLost."""

    def grab(self, into: memoryview, timeout_ns: int) -> Grab | None:
        """Copy the next complete frame into a slot and give the driver's buffer back.

        into: writable bytes, at least the payload of the profile; valid only if a Grab returns.
        timeout_ns: above 0, counted from the call; 0 and below raise ValueError.
        Returns None when no complete frame came in time (or an incomplete one did, see `health`): the camera may be
        well. Raises CameraLost when it is not.
        """

    def probe(self) -> None:
        """Ask whether it is still there, and look at its clock. CameraLost: it is not, or its clock has jumped."""

    def health(self) -> CameraHealth:
        """Counts so far."""


@dataclass(frozen=True, slots=True)
class RawGrab:
    """What a driver says of a frame it has copied."""

    number: int
    width: int
    height: int
    pixel_format: str
    size_bytes: int
    device_ns: int | None
    received_ns: int
    trigger_count: int | None = None


class Source(ABC):
    """The public half of a FrameSource."""

    def __init__(self) -> None:
        self._epoch = 0
        self._streaming = False
        self._exposure_ns = 0
        self._transfer_ns = 0
        """From the end of exposure until a frame is here, where a driver knows it: dates frames without a clock."""
        self._clock = DeviceClock()
        self._delays = LeastDelay()
        self._last: RawGrab | None = None
        self._delivered = self._gaps = self._duplicates = 0
        self._incomplete = 0
        """A driver counts these itself: it alone sees them."""

    # ---- what a driver writes ----

    @abstractmethod
    def discover(self) -> list[CameraInfo]:
        """As FrameSource."""

    @abstractmethod
    def open(self, serial: str) -> None:
        """As FrameSource."""

    @abstractmethod
    def describe(self, name: str) -> Feature:
        """As FrameSource."""

    def features(self) -> list[Feature]:
        """As FrameSource."""
        return []

    @abstractmethod
    def get(self, name: str) -> Value:
        """As FrameSource."""

    @abstractmethod
    def set(self, name: str, value: Value) -> None:
        """As FrameSource."""

    @abstractmethod
    def execute(self, name: str) -> None:
        """As FrameSource."""

    @abstractmethod
    def _configure(self, profile: Profile) -> Profile: ...

    @abstractmethod
    def _start(self, buffers: int) -> None: ...

    @abstractmethod
    def _stop(self) -> None:
        """Never raises."""

    @abstractmethod
    def _trigger(self) -> None: ...

    @abstractmethod
    def _grab(self, into: memoryview, timeout_ns: int) -> RawGrab | None: ...

    @abstractmethod
    def _probe(self) -> None: ...

    @abstractmethod
    def _close(self) -> None:
        """Never raises; may be called when nothing is open."""

    def _latch(self) -> Latch | None:
        """One try at the device's clock; None: it has none that can be asked."""
        return None

    def _underrun(self) -> int:
        return 0

    # ---- what is the same for all ----

    def close(self) -> None:
        """Let go of the camera. Never raises; a second call does nothing."""
        self.stop()
        self._close()

    def configure(self, profile: Profile) -> Profile:
        """Set everything in order and return what was read back; not while streaming (ValueError)."""
        if self._streaming:
            raise ValueError("configure: the camera is streaming, expected stop() first")
        got = self._configure(profile)
        self._exposure_ns = got.exposure_ns
        return got

    def start(self, buffers: int = 8) -> None:
        """Begin a stream epoch: frame numbers and the device's clock are learned anew."""
        if buffers < 8:
            raise ValueError(f"buffers = {buffers}: expected 8 or more")
        if self._streaming:
            return
        self._start(buffers)
        self._streaming = True
        self._epoch += 1
        self._last = None
        self._clock = DeviceClock()
        self._delays = LeastDelay()
        self._ask_clock(FIRST_BURST)

    def stop(self) -> None:
        """End the epoch. A second call does nothing."""
        if self._streaming:
            self._streaming = False
            self._stop()

    def trigger(self) -> int:
        """Fire one exposure and return the moment just before the command."""
        fired_ns = now_ns()
        self._trigger()
        return fired_ns

    def grab(self, into: memoryview, timeout_ns: int) -> Grab | None:
        """Copy the next complete frame into the slot; None: none came in time."""
        if timeout_ns <= 0:
            raise ValueError(f"timeout_ns = {timeout_ns}: expected more than 0")
        if not self._streaming:
            raise ValueError("grab: the camera is not streaming, expected start() first")
        raw = self._grab(into, timeout_ns)
        return None if raw is None else self._finish(raw)

    def probe(self) -> None:
        """Ask whether it is still there, and look at its clock."""
        self._probe()
        if self._streaming:
            self._ask_clock(LATER_BURST)

    def health(self) -> CameraHealth:
        """Counts so far."""
        return CameraHealth(
            delivered=self._delivered,
            underrun=self._underrun(),
            incomplete=self._incomplete,
            gaps=self._gaps,
            duplicates=self._duplicates,
            epochs=self._epoch,
            last_frame_age_ns=None if self._last is None else now_ns() - self._last.received_ns,
            clock=self._clock_kind,
            clock_error_ns=self._clock_error_ns(now_ns()),
            drift_ppm=self._clock.drift_ppm,
        )

    @property
    def _clock_kind(self) -> ClockKind:
        return "latch" if self._clock.known else "least delay" if self._delays.known else "host"

    def _clock_error_ns(self, at_ns: int) -> int:
        kind = self._clock_kind
        return 0 if kind == "host" else self._delays.error_ns if kind == "least delay" else self._clock.error_ns(at_ns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask_clock(self, tries: int) -> None:
        burst = []
        for _ in range(tries):
            latch = self._latch()
            if latch is None:
                return
            burst.append(latch)
        if not self._clock.learn(burst):
            raise CameraLost("the camera's clock has jumped")

    def _finish(self, raw: RawGrab) -> Grab:
        last, self._last = self._last, raw
        repeated = last is not None and (
            raw.number <= last.number
            or (raw.device_ns is not None and last.device_ns is not None and raw.device_ns <= last.device_ns)
        )
        gap = 0 if last is None or repeated else raw.number - last.number - 1
        self._gaps += gap
        self._duplicates += repeated
        self._delivered += not repeated
        mapped = None if raw.device_ns is None else self._to_host(raw, raw.device_ns)
        return Grab(
            number=raw.number,
            epoch=self._epoch,
            width=raw.width,
            height=raw.height,
            pixel_format=raw.pixel_format,
            size_bytes=raw.size_bytes,
            exposed_at_ns=raw.received_ns - self._transfer_ns - self._exposure_ns if mapped is None else mapped,
            device_ns=raw.device_ns,
            received_ns=raw.received_ns,
            taken_at=utc_now(),
            gap=gap,
            repeated=repeated,
            trigger_count=raw.trigger_count,
        )

    def _to_host(self, raw: RawGrab, device_ns: int) -> int | None:
        """The host's time of a device's stamp; None while it is not known. CameraLost: the stamp cannot be true."""
        mapped = self._clock.to_host(device_ns)
        if mapped is None:
            ended_ns = device_ns + self._exposure_ns
            if not self._delays.learn(raw.received_ns, ended_ns):
                raise CameraLost("the camera's clock has jumped")
            ended = self._delays.to_host(ended_ns)
            mapped = None if ended is None else ended - self._exposure_ns
        elif mapped > raw.received_ns + self._clock.error_ns(raw.received_ns) + _FUTURE_NS:
            raise CameraLost(f"the camera's clock has jumped: a frame dated {mapped - raw.received_ns} ns ahead")
        return mapped


def make_source(options: CameraOptions) -> Source:
    """Return the driver the settings name, not yet open. Imported on demand: a missing one hurts only its user.

    BadSettings: the producer or folder is missing. CameraLost: of several producers none sees the camera.
    """
    if options.driver == "replay":
        from .replay import ReplaySource

        if options.folder is None:
            raise BadSettings("folder: expected a folder of pictures")
        return ReplaySource(Path(options.folder), options.replay_timing, loop=options.replay_loop)
    if options.driver == "video":
        from .video import VideoSource

        return VideoSource(options.video, round(options.transfer_ms * MS))
    if options.driver == "aravis":
        from .aravis import AravisSource

        return AravisSource()
    from .discovery import producer_of
    from .gentl import GentlSource

    return GentlSource(options.producer or producer_of(options.serial))
