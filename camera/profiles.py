"""What a camera is set to for one product. Written to the camera each time it is opened, and read back."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from ..imaging.formats import FORMATS, PixelFormat
from ..imaging.plan import DevelopPlan

TriggerMode = Literal["software", "hardware", "off"]
Edge = Literal["rising", "falling"]
Overlap = Literal["camera", "off", "readout", "previous"]
FeatureValue = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Profile:
    """The camera's part of a recipe. ValueError: a field is out of range; the camera's own limits come later."""

    pixel_format: PixelFormat
    """PFNC name."""
    width: int
    """Pixels, 16..16384; cameras take steps, often of 4."""
    height: int
    """Of the whole picture: `frames` times what one frame of the camera has."""
    offset_x: int = 0
    """Left edge of the region on the sensor in pixels."""
    offset_y: int = 0
    trigger: TriggerMode = "software"
    """`software`: io's Trigger fires it. `hardware`: the eye is wired to the camera. `off`: free run, never judged."""
    exposure_us: float = 1000.0
    gain_db: float = 0.0
    frame_rate_hz: float = 30.0
    """Used in free run only."""
    trigger_line: str = "Line0"
    """Hardware trigger: the camera's name of the input."""
    trigger_edge: Edge = "rising"
    trigger_delay_us: float = 0.0
    """From the trigger to the start of the exposure."""
    debounce_us: float = 0.0
    """Hardware trigger: a pulse shorter than this is none."""
    overlap: Overlap = "camera"
    """Whether a trigger is taken while the picture before is still exposed or read out; `camera`: as it is."""
    frames: int = 1
    """Frames that are put together to one picture, from above to below (line scan)."""
    user_set: str = ""
    """The camera's own settings loaded first; empty: none."""
    features: tuple[tuple[str, FeatureValue], ...] = ()
    """Further features by name, set last, in this order."""

    def __post_init__(self) -> None:
        _one_of("pixel_format", self.pixel_format, tuple(FORMATS))
        _one_of("trigger", self.trigger, get_args(TriggerMode))
        _within("width", self.width, 16, 16384)
        _within("height", self.height, 16, 65535)
        _within("offset_x", self.offset_x, 0, 16384)
        _within("offset_y", self.offset_y, 0, 16384)
        _within("exposure_us", self.exposure_us, 1, 60_000_000)
        _within("gain_db", self.gain_db, 0, 60)
        _within("frame_rate_hz", self.frame_rate_hz, 0.01, 100_000)
        _one_of("trigger_edge", self.trigger_edge, get_args(Edge))
        _one_of("overlap", self.overlap, get_args(Overlap))
        _within("trigger_delay_us", self.trigger_delay_us, 0, 10_000_000)
        _within("debounce_us", self.debounce_us, 0, 1_000_000)
        _within("frames", self.frames, 1, 1024)
        if self.height % self.frames:
            raise ValueError(f"frames = {self.frames}: expected a divisor of height = {self.height}")

    @property
    def size_bytes(self) -> int:
        """Payload of one whole picture."""
        return self.frames * self.frame_bytes

    @property
    def frame_height(self) -> int:
        """Lines of one frame of the camera."""
        return self.height // self.frames

    @property
    def frame_bytes(self) -> int:
        """Payload of one frame of the camera, without line padding."""
        return FORMATS[self.pixel_format].payload_bytes(self.width, self.frame_height)

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
    plan: DevelopPlan = field(default_factory=DevelopPlan)
    """How its raw pixels become the picture that is judged."""


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} = {value!r}: expected one of {', '.join(choices)}")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} = {value}: expected {low}..{high}")
