"""Between which values the figures of a camera's pictures may lie, and how they were commissioned."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Band:
    """Limits of one figure, in its own unit."""

    low: float | None = None
    """None: not limited, or not known."""
    high: float | None = None
    commissioned: float | None = None
    """None: not known."""

    def holds(self, value: float) -> bool:
        """True while the value lies within what limits are known."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


BARE = {
    "focus": Band(commissioned=1.0),
    "brightness": Band(),
    "uniformity": Band(commissioned=0.0),
    "noise": Band(),
    "shift": Band(commissioned=0.0),
    "angle": Band(commissioned=0.0),
}
"""What is true of any reference: these figures are told against it."""


class Limits(Protocol):
    """Of one camera, as inspect says them with its state."""

    @property
    def camera(self) -> str: ...  # noqa: D102
    @property
    def focus_low(self) -> float: ...  # noqa: D102
    @property
    def brightness(self) -> float: ...  # noqa: D102
    @property
    def brightness_low(self) -> float: ...  # noqa: D102
    @property
    def brightness_high(self) -> float: ...  # noqa: D102
    @property
    def uniformity_high(self) -> float: ...  # noqa: D102
    @property
    def noise(self) -> float: ...  # noqa: D102
    @property
    def noise_high(self) -> float: ...  # noqa: D102
    @property
    def shift_px(self) -> float: ...  # noqa: D102
    @property
    def angle_deg(self) -> float: ...  # noqa: D102


def bands_of(said: tuple[Limits, ...]) -> dict[str, dict[str, Band]]:
    """By camera and figure."""
    return {
        one.camera: {
            "focus": Band(low=one.focus_low, commissioned=1.0),
            "brightness": Band(one.brightness_low, one.brightness_high, one.brightness),
            "uniformity": Band(high=one.uniformity_high, commissioned=0.0),
            "noise": Band(high=one.noise_high, commissioned=one.noise),
            "shift": Band(high=one.shift_px, commissioned=0.0),
            "angle": Band(-one.angle_deg, one.angle_deg, 0.0),
        }
        for one in said
    }
