"""A camera that replays pictures from a folder: for teaching tools, for trying a recipe, and for playing a recording.

The pictures come in their order (`sequence.py`), cut around their centre or filled up with black to the size of the
profile, as any pixel format a camera might send. In free run they come as fast as they are taken, at the profile's
rate, or as they were recorded; like a camera it exposes on time, and drops what it has no buffer for. Exposure and gain
change nothing. It has no trigger line.
"""

import logging
import time
from pathlib import Path
from typing import Literal

from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadPicture, BadSettings, CameraLost
from ..imaging.formats import FORMATS
from .devclock import Latch
from .features import Feature, Kind, Value
from .profiles import Profile
from .reel import Reel, first_frame
from .sequence import read_sequence
from .shutter import EvenPace, RecordedPace, Shutter
from .source import CameraInfo, RawGrab, Source

log = logging.getLogger(__name__)
Timing = Literal["recorded", "rate", "consumed"]
"""Free run: as recorded (at the profile's rate where it is not known), at the profile's rate, or as fast as taken."""
_WAITING = 64
"""Triggers that may wait to be grabbed; one more is lost, as a camera without a free buffer would lose it."""


class ReplaySource(Source):
    """A folder of pictures as a camera."""

    def __init__(self, folder: Path, timing: Timing = "recorded", *, loop: bool = True) -> None:
        """loop: begin again after the last picture; else nothing comes any more. BadSettings: no folder, no picture."""
        super().__init__()
        self._folder, self._timing = folder, timing
        self._shots = read_sequence(folder)
        self._recorded = self._shots[0].at_ns is not None
        self._shutter = Shutter(len(self._shots), loop=loop)
        self._profile: Profile | None = None
        self._reel: Reel | None = None
        self._opened = False
        self._broken: set[Path] = set()

    @property
    def ended(self) -> bool:
        """True when the last picture was played and taken, and it does not begin again."""
        return not self._shutter.waiting and not self._shutter.more

    def discover(self) -> list[CameraInfo]:
        """One camera, named like the folder."""
        name = self._folder.resolve().name or "root"
        return [CameraInfo(name, "okng", "replay", name, "Custom", str(self._folder), not self._opened)]

    def open(self, serial: str) -> None:
        """Any serial is the folder. It begins with the first picture. BadSettings: it is open already."""
        if self._opened:
            raise BadSettings(f"serial = {serial!r}: this source has a camera open already")
        self._opened = True
        self._shutter.rewind()

    def describe(self, name: str) -> Feature:
        """Say what the first picture is; it can be set by a profile only."""
        for feature in self.features():
            if feature.name == name:
                return feature
        raise BadSettings(f"{name}: a folder of pictures has no such feature")

    def features(self) -> list[Feature]:
        """Width, Height and PixelFormat: of the profile; before there is one, of the first picture. CameraLost."""
        if not self._opened:
            raise CameraLost("no camera is open")
        profile = self._profile
        if profile is not None:
            return _facts(profile.width, profile.height, profile.pixel_format)
        try:
            return _facts(*first_frame(self._shots[0]))
        except BadPicture as error:
            raise CameraLost(f"{self._folder}: {error}") from error

    def get(self, name: str) -> Value:
        """As describe."""
        value = self.describe(name).value
        if value is None:
            raise BadSettings(f"{name}: cannot be read")
        return value

    def set(self, name: str, value: Value) -> None:
        """As describe."""
        raise BadSettings(f"{name} = {value}: {self.describe(name).fault(value)}")

    def execute(self, name: str) -> None:
        """As describe."""
        raise BadSettings(f"{self.describe(name).name}: not a command")

    # ---- the private half ----

    def _configure(self, profile: Profile) -> Profile:
        if not self._opened:
            raise CameraLost("no camera is open")
        if profile.trigger == "hardware":
            raise BadSettings("trigger = hardware: a folder of pictures has no trigger line, expected software or off")
        if profile.user_set:
            raise BadSettings(f"user_set = {profile.user_set}: a folder of pictures keeps no settings of its own")
        for name, value in profile.features:
            self.set(name, value)
        fmt = FORMATS[profile.pixel_format]
        if fmt.colour in ("yuyv", "uyvy") and profile.width % 2:
            raise BadSettings(f"Width = {profile.width}: {fmt.name} shares colours in pairs, expected an even width")
        others = {shot.pixel_format for shot in self._shots} - {"", profile.pixel_format}
        if others:
            found = ", ".join(sorted(others))
            raise BadSettings(f"PixelFormat = {profile.pixel_format}: {self._folder} was recorded as {found}")
        self._profile = profile
        self._reel = Reel(profile, self._strips(profile))
        return profile

    def _start(self, buffers: int) -> None:
        profile = self._ready("start")
        self._shutter.begin(self._strips(profile), buffers, self._pace(profile), now_ns())

    def _stop(self) -> None:
        self._shutter.waiting.clear()

    def _trigger(self) -> None:
        profile = self._ready("trigger")
        for _ in range(profile.frames):
            self._shutter.expose(now_ns() + round(profile.trigger_delay_us * 1000), _WAITING * profile.frames)

    def _grab(self, into: memoryview, timeout_ns: int) -> RawGrab | None:
        profile = self._ready("grab")
        until_ns = now_ns() + timeout_ns
        ready_ns = self._ready_ns(profile, until_ns)
        if ready_ns is None or ready_ns > until_ns:
            _sleep_until(until_ns)
            return None
        _sleep_until(ready_ns)
        exposure = self._shutter.waiting.popleft()
        shot = self._shots[exposure.picture]
        try:
            pixels = self._reel.frame(shot, exposure.strip) if self._reel is not None else b""
        except BadPicture as error:
            self._say_broken(shot.file, error)
            return None
        fits = len(pixels) <= len(into)
        if fits:
            into[: len(pixels)] = pixels
        return RawGrab(
            number=exposure.number,
            width=profile.width,
            height=profile.frame_height,
            pixel_format=profile.pixel_format,
            size_bytes=len(pixels) if fits else 0,
            device_ns=exposure.at_ns,
            received_ns=now_ns(),
            trigger_count=shot.trigger_count if profile.trigger == "off" else None,
        )

    def _probe(self) -> None:
        if not self._opened:
            raise CameraLost("no camera is open")
        self._look_for_folder()

    def _latch(self) -> Latch:
        at_ns = now_ns()
        return Latch(at_ns, at_ns, at_ns)  # its stamps are the host's own

    def _underrun(self) -> int:
        return self._shutter.dropped

    def _close(self) -> None:
        self._opened = False
        self._profile = self._reel = None

    # ---- steps ----

    def _ready(self, doing: str) -> Profile:
        if self._profile is None:
            raise CameraLost(f"{doing}: not configured")
        return self._profile

    def _strips(self, profile: Profile) -> int:
        """A picture is sent as so many frames; in a recording each file is one."""
        return 1 if self._recorded else profile.frames

    def _pace(self, profile: Profile) -> EvenPace | RecordedPace:
        period_ns = max(round(SECOND / profile.frame_rate_hz), 1)
        if self._timing != "recorded" or not self._recorded:
            return EvenPace(period_ns)
        moments = tuple(shot.at_ns or 0 for shot in self._shots)
        pause_ns = moments[-1] // (len(moments) - 1) if len(moments) > 1 else period_ns
        return RecordedPace(moments, max(pause_ns, 1))

    def _ready_ns(self, profile: Profile, until_ns: int) -> int | None:
        """When the next frame is all here; None: none is under way."""
        shutter = self._shutter
        if profile.trigger == "off" and self._timing == "consumed":
            if not shutter.waiting:
                shutter.expose(now_ns(), 1)
            return now_ns() if shutter.waiting else None
        if profile.trigger == "off":
            shutter.catch_up(now_ns())
            if not shutter.waiting and shutter.more:
                _sleep_until(min(shutter.due_ns, until_ns))
                shutter.catch_up(now_ns())
        return shutter.waiting[0].at_ns + profile.exposure_ns if shutter.waiting else None

    def _say_broken(self, file: Path, error: BadPicture) -> None:
        """It counts as an incomplete frame. CameraLost: the whole folder is gone."""
        self._look_for_folder()
        self._incomplete += 1
        if file not in self._broken:
            self._broken.add(file)
            log.warning("replay: %s; it counts as an incomplete frame", error)

    def _look_for_folder(self) -> None:
        if not self._folder.is_dir():
            raise CameraLost(f"{self._folder}: the folder is gone")


def _facts(width: int, height: int, pixel_format: str) -> list[Feature]:
    values: tuple[tuple[str, Kind, Value, str], ...] = (
        ("Width", "integer", width, "px"),
        ("Height", "integer", height, "px"),
        ("PixelFormat", "text", pixel_format, ""),
    )
    return [
        Feature(name, kind, None, None, None, (), writable=False, value=value, unit=unit)
        for name, kind, value, unit in values
    ]


def _sleep_until(at_ns: int) -> None:
    time.sleep(max(at_ns - now_ns(), 0) / SECOND)
