"""A camera in the hand of the person who sets it up: opened here, free running, shown through the same development."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import get_args

from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadSettings, CameraLost
from ..camera.features import Value
from ..camera.options import CameraOptions
from ..camera.profiles import Profile
from ..camera.source import Grab, Source, make_source
from ..imaging.develop import Developer
from ..imaging.formats import PixelFormat
from ..imaging.picture import Picture
from ..imaging.plan import DevelopPlan

LOOK_HZ = 10.0
"""Frames a second while somebody looks on."""
PATIENCE_NS = 3 * SECOND


class CameraHand:
    """One open camera that runs free. One thread."""

    def __init__(self, source: Source, profile: Profile, plan: DevelopPlan) -> None:
        """source: open, not streaming. BadSettings: the camera refuses the profile. BadRecipe: a reference misfits."""
        self.source, self.plan = source, plan
        self.profile = profile
        self._developer = Developer(plan)
        self._slot = bytearray()
        self.restart(profile)

    def restart(self, profile: Profile) -> None:
        """Set the camera up anew and stream. BadSettings, CameraLost."""
        self.source.stop()
        self.profile = self.source.configure(profile)
        self._slot = bytearray(self.profile.frame_bytes)
        self.source.start()

    def grab(self, timeout_ns: int = PATIENCE_NS) -> Grab:
        """The next whole frame. CameraLost: none within timeout_ns, or of another size than the profile says."""
        until_ns = now_ns() + timeout_ns
        while (left_ns := until_ns - now_ns()) > 0:
            grab = self.source.grab(memoryview(self._slot), max(left_ns, MS))
            if grab is None:
                continue
            if grab.size_bytes != len(self._slot):
                raise CameraLost(
                    f"the camera sends {grab.width}x{grab.height} {grab.pixel_format}, {grab.size_bytes} bytes, "
                    f"expected {self.profile.width}x{self.profile.frame_height} {self.profile.pixel_format}"
                )
            return grab
        raise CameraLost(f"no picture within {timeout_ns / SECOND:.0f} s: look at trigger, exposure and cable")

    def fresh(self) -> Picture:
        """A developed picture whose exposure began after this call: those before a change of settings are old."""
        asked_ns = now_ns()
        while True:
            grab = self.grab()
            if grab.exposed_at_ns >= asked_ns:
                return self.developed(grab)

    def developed(self, grab: Grab) -> Picture:
        """The picture of the frame that was grabbed last."""
        return self._developer.develop(memoryview(self._slot), grab.width, grab.height, grab.pixel_format)

    @property
    def raw(self) -> bytes:
        """Bytes of the frame that was grabbed last."""
        return bytes(self._slot)

    def set(self, name: str, value: Value) -> Value:
        """Write a feature and return what it is then. BadSettings names feature, value and what is allowed."""
        self.source.set(name, value)
        return self.source.get(name)


def profile_as_found(source: Source) -> Profile:
    """A free-running profile of what the camera is set to now; what okng cannot unpack becomes Mono8."""
    pixel_format = str(_value(source, "PixelFormat", "Mono8"))
    width, height = _value(source, "Width", 640), _value(source, "Height", 480)
    exposure_us, gain_db = _value(source, "ExposureTime", 1000.0), _value(source, "Gain", 0.0)
    rate_hz = min(float(_value(source, "AcquisitionFrameRate", LOOK_HZ)), LOOK_HZ)
    made = Profile("Mono8", int(width), int(height), trigger="off", exposure_us=float(exposure_us))
    made = replace(made, gain_db=float(gain_db), frame_rate_hz=rate_hz)
    offset_x, offset_y = int(_value(source, "OffsetX", 0)), int(_value(source, "OffsetY", 0))
    made = replace(made, offset_x=offset_x, offset_y=offset_y)
    known = next((name for name in get_args(PixelFormat) if name == pixel_format), None)
    return made if known is None else replace(made, pixel_format=known)


def _value(source: Source, name: str, default: float | str) -> float | str:
    try:
        return source.get(name)
    except BadSettings:
        return default


@contextmanager
def opened(options: CameraOptions) -> Iterator[Source]:
    """Open the camera of these options. BadSettings: in use, or its producer is missing. CameraLost: not there."""
    with make_source(options) as source:
        source.open(options.serial)
        yield source


@contextmanager
def in_hand(options: CameraOptions, profile: Profile | None, plan: DevelopPlan | None) -> Iterator[CameraHand]:
    """Open a camera and let it run free.

    profile: as the recipe sets it, but free running; None: as it is found. plan: None: as it is.
    """
    with opened(options) as source:
        wanted = profile_as_found(source) if profile is None else free_running(profile)
        whole = profile is None or profile.frames == 1  # references of a picture of many frames fit no single one
        yield CameraHand(source, wanted, plan if plan is not None and whole else DevelopPlan())


def free_running(profile: Profile) -> Profile:
    """The same picture without a trigger, as fast as a person looks."""
    return replace(profile, trigger="off", frames=1, height=profile.frame_height, frame_rate_hz=LOOK_HZ)
