"""A proposal for exposure and gain: from one picture and how it was taken to how the next one should be."""

import math
from dataclasses import dataclass

from .histogram import Channel, histogram_of
from .picture import Box, Picture


@dataclass(frozen=True, slots=True)
class ExposureLimits:
    """What may be proposed. ValueError: a limit lies beyond the other."""

    shortest_us: float = 20.0
    longest_us: float = 10_000.0
    """Of the camera, or less: until the part has moved by a pixel."""
    lowest_db: float = 0.0
    highest_db: float = 12.0

    def __post_init__(self) -> None:
        if not 0 < self.shortest_us <= self.longest_us:
            raise ValueError(f"exposure {self.shortest_us}..{self.longest_us} us: expected the shorter one first")
        if not self.lowest_db <= self.highest_db:
            raise ValueError(f"gain {self.lowest_db}..{self.highest_db} dB: expected the lower one first")


@dataclass(frozen=True, slots=True)
class ExposureTarget:
    """What a well exposed picture is."""

    share: float = 0.95
    """Share of the pixels that shall not exceed `level`."""
    level: float = 200.0
    """0..255."""
    clipped: float = 0.001
    """Share of the pixels that may be at the end of the scale."""
    black: float = 0.0
    """Grey level of a picture without any light."""
    tolerance: float = 0.06
    """Change of the light, as a share, that is not worth a step."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """How to take the next picture."""

    exposure_us: float
    gain_db: float
    reached: bool
    """The picture is as it should be: the proposal is how it was taken."""
    possible: bool
    """False: the limits do not allow what it takes; the words say why."""
    words: str


def propose(
    picture: Picture,
    exposure_us: float,
    gain_db: float,
    limits: ExposureLimits | None = None,
    target: ExposureTarget | None = None,
    box: Box | None = None,
) -> Proposal:
    """Return how to take the next picture so that the brightest channel meets the target.

    exposure_us, gain_db: how this one was taken. box: only what lies in it counts; None: the whole picture. The sensor
    is taken to be linear; a clipped picture tells only that it is too bright, so the step is a guess by how much of it
    is clipped. Gain is kept as low as the longest exposure allows: it adds noise.
    ValueError: exposure_us is not above 0.
    """
    if exposure_us <= 0:
        raise ValueError(f"exposure_us = {exposure_us}: expected more than 0")
    limits, target = limits or ExposureLimits(), target or ExposureTarget()
    channel = max(histogram_of(picture, box), key=lambda each: (each.level(target.share), each.mean))
    factor, bound = _factor(channel, target)
    light = exposure_us * 10 ** (gain_db / 20) * factor
    next_us = min(limits.longest_us, max(limits.shortest_us, light / 10 ** (limits.lowest_db / 20)))
    next_db = min(limits.highest_db, max(limits.lowest_db, 20 * math.log10(light / next_us)))
    given = next_us * 10 ** (next_db / 20)
    seen = f"{100 * target.share:.0f} % of the pixels are at {channel.level(target.share)} or below"
    if abs(factor - 1) <= target.tolerance and channel.high <= target.clipped:
        return Proposal(exposure_us, gain_db, True, True, f"well exposed: {seen}{bound}")
    if given < light * (1 - target.tolerance):
        words = (
            f"too dark at the longest exposure of {limits.longest_us:g} us and {limits.highest_db:g} dB gain: "
            f"{seen}, {light / given:.1f} times the light is wanted: open the aperture or add light"
        )
        return Proposal(next_us, next_db, False, False, words)
    if given > light * (1 + target.tolerance):
        words = (
            f"too bright at the shortest exposure of {limits.shortest_us:g} us and {limits.lowest_db:g} dB gain: "
            f"{seen}, 1/{given / light:.1f} of the light is wanted: close the aperture or dim the light"
        )
        return Proposal(next_us, next_db, False, False, words)
    way = "brighter" if factor > 1 else "darker"
    return Proposal(next_us, next_db, False, True, f"{way} by a factor of {max(factor, 1 / factor):.2f}: {seen}{bound}")


def _factor(channel: Channel, target: ExposureTarget) -> tuple[float, str]:
    """Return what the light is to be multiplied with, and what binds it beside the target."""
    level, highlight = channel.level(target.share), channel.level(1 - target.clipped)
    if level >= 255:
        # How far beyond the end nobody knows; the more is clipped, the farther.
        return (1 / 16 if channel.high > 0.9 else 1 / 6 if channel.high > 0.5 else 1 / 3), ", much of it clipped"
    by_level = (target.level - target.black) / max(level - target.black, 0.7)
    if highlight >= 255:
        return min(by_level, 0.75), ", highlights are clipped"
    by_highlight = (250 - target.black) / max(highlight - target.black, 0.7)
    if by_highlight < by_level:
        return by_highlight, ", highlights allow no more"
    return by_level, ""
