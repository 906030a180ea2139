"""What a camera is set to for one product. Written to the camera each time it is opened, and read back."""

from dataclasses import dataclass
from typing import Literal, get_args

PixelFormat = Literal["Mono8", "BayerRG8", "RGB8"]
TriggerMode = Literal["software", "line0", "off"]
BYTES_PER_PIXEL: dict[str, int] = {"Mono8": 1, "BayerRG8": 1, "RGB8": 3}
"""By PFNC name; what else a camera can send is not used."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The camera's part of a recipe. ValueError: a field is out of range; the camera's own limits come later."""

    pixel_format: PixelFormat
    """PFNC name."""
    width: int
    """Pixels, 16..16384; cameras take steps, often of 4."""
    height: int
    offset_x: int = 0
    """Left edge of the region on the sensor in pixels."""
    offset_y: int = 0
    trigger: TriggerMode = "software"
    """`software`: io's Trigger fires it. `line0`: the eye is wired to the camera. `off`: free run, never judged."""
    exposure_us: float = 1000.0
    gain_db: float = 0.0
    frame_rate_hz: float = 30.0
    """Used in free run only."""

    def __post_init__(self) -> None:
        _one_of("pixel_format", self.pixel_format, get_args(PixelFormat))
        _one_of("trigger", self.trigger, get_args(TriggerMode))
        _within("width", self.width, 16, 16384)
        _within("height", self.height, 16, 16384)
        _within("offset_x", self.offset_x, 0, 16384)
        _within("offset_y", self.offset_y, 0, 16384)
        _within("exposure_us", self.exposure_us, 1, 60_000_000)
        _within("gain_db", self.gain_db, 0, 60)
        _within("frame_rate_hz", self.frame_rate_hz, 0.01, 100_000)

    @property
    def size_bytes(self) -> int:
        """Payload of one picture."""
        return self.width * self.height * BYTES_PER_PIXEL[self.pixel_format]

    @property
    def exposure_ns(self) -> int:
        """Exposure in whole nanoseconds."""
        return round(self.exposure_us * 1000)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a camera is set up for: a job and its profile."""

    number: int
    """What the PLC calls the job; 0: the camera is on its own, there are no jobs."""
    revision: str
    """Revision of the job's recipe."""
    profile: Profile


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} = {value!r}: expected one of {', '.join(choices)}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} = {value}: expected {low}..{high}")
