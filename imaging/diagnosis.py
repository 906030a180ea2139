"""Which cause a changed picture points to: plain rules, one sentence each. They never touch a verdict."""

import math
from dataclasses import dataclass
from enum import StrEnum

from .picture import Box

_OTHER = 3.0
"""So many times the change allowed to the parts' brightness is no change of the light's shape."""


class Cause(StrEnum):
    """Where to look."""

    LAMP = "lamp"
    LENS = "lens"
    CAMERA_MOVED = "camera moved"
    PRODUCT = "product"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One cause that stands."""

    cause: Cause
    words: str
    """What was seen and what to do, one sentence, beginning with the cause."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in the middle of the window against the commissioned one."""

    by: float
    """How much it changed, in its own unit; NaN: it cannot be told."""
    limit: float
    """What it may change by, above 0."""
    on: bool
    """It lies beyond the limit, or has not yet come back well inside it."""

    @property
    def share(self) -> float:
        """Size of the change as a share of what is allowed; 0.0 where it cannot be told."""
        return abs(self.by) / self.limit if math.isfinite(self.by) else 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Cells that hang together and are darker, or brighter, than level and shape of the light explain."""

    box: Box
    """Round them, px."""
    fixed: bool
    """It reaches into the fixed background."""


@dataclass(frozen=True, slots=True)
class Changes:
    """All that the rules look at."""

    light: Change
    """Brightness of the background, share; negative: darker."""
    shape: Change
    """Of the light over the picture, share of its mean."""
    focus: Change
    """Share of the sharpness lost in the focus region."""
    background_focus: Change
    """Share of the background's fine texture lost; NaN: it has none."""
    noise: Change
    """Factor of the noise, less 1."""
    saturation: Change
    """Share of the pixels at the upper end of the scale, more than commissioned."""
    part: Change
    """Brightness of the parts over that of the background, share; NaN: no fixed background is known."""
    shift: Change
    """Of the background, px."""
    shift_x_px: float
    shift_y_px: float
    angle: Change
    """Of the background, degrees; counter-clockwise is positive."""
    lost: Change
    """Share of the background's patches that are not found any more; NaN: there are none."""
    spots: tuple[Place, ...]
    """Places that are darker than their surroundings, largest first."""
    marks: tuple[Place, ...]
    """Places that are brighter, likewise."""


def told_by(seen: Changes) -> dict[Cause, str]:
    """Return the causes that the changes point to, each with its sentence. Empty: nothing beyond its limit.

    A camera that moved changes every other figure, so it is told alone. Light at the end of the scale hides
    what parts and dirt would do. A change is laid on the product only where the background vouches for lamp and lens.
    """
    moved = _moved(seen)
    if moved:
        return {Cause.CAMERA_MOVED: moved}
    if seen.part.share >= _OTHER and seen.light.share < 0.8 and not _glaring(seen):
        # No part, or quite another: its shadow and its edges change the rest.
        return {Cause.PRODUCT: _product(seen)}
    found = {Cause.LAMP: _lamp(seen), Cause.LENS: _lens(seen), Cause.PRODUCT: _product(seen)}
    return {cause: words for cause, words in found.items() if words}


def _moved(seen: Changes) -> str:
    if seen.saturation.on and seen.light.by > 0 and seen.light.share >= 2:
        return ""  # dazzled: what is left of the background is no longer its picture
    if (seen.shift.on or seen.angle.on) and not seen.lost.on:
        ways = []
        if seen.shift.on:
            x, y = seen.shift_x_px, seen.shift_y_px
            ways.append(
                f"lies {abs(x):.1f} px to the {'right' if x > 0 else 'left'} and "
                f"{abs(y):.1f} px {'below' if y > 0 else 'above'} its place"
            )
        if seen.angle.on:
            ways.append(f"is turned by {seen.angle.by:+.1f} degrees")
        return (
            f"camera moved: the background {' and '.join(ways)}: "
            "put the camera back and tighten it, or commission the view again"
        )
    # Blur, noise and glare hide the background too; a camera that was turned away leaves them alone.
    if seen.lost.on and not seen.focus.on and not seen.noise.on and seen.light.share < 4:
        return (
            f"camera moved: {100 * seen.lost.by:.0f} % of the background's marks are not where they were: "
            "put the camera back and tighten it, or commission the view again"
        )
    spots, marks = ([place for place in places if place.fixed] for places in (seen.spots, seen.marks))
    # Dirt does not move the background at all, not even by what would be allowed.
    stirred = seen.shift.share >= 0.12 or seen.angle.share >= 0.25
    if spots and (marks or stirred) and not _glaring(seen):
        became = f"darker at {_at(spots[0])}" + (f" and brighter at {_at(marks[0])}" if marks else "")
        return (
            f"camera moved: the background became {became} and lies {seen.shift.by:.1f} px off, "
            f"turned by {seen.angle.by:+.1f} degrees: put the camera back and tighten it, or see what lies there"
        )
    return ""


def _lamp(seen: Changes) -> str:
    if seen.light.on:
        level = f"brightness {100 * (1 + seen.light.by):.0f} % of the commissioned"
        if seen.light.by < 0:
            return f"lamp: {level}: clean or replace the lamp, or see why exposure or gain are lower"
        return f"lamp: {level}: set lamp, exposure and gain as commissioned, keep other light away"
    if seen.saturation.on and not math.isfinite(seen.background_focus.by):
        more = f"{100 * seen.saturation.by:.0f} % more of the picture at the end of the scale"
        return f"lamp: {more}: set lamp, exposure and gain as commissioned"
    if seen.shape.on:
        # What does not stand still may have changed the light's shape itself.
        doubt = (
            "" if math.isfinite(seen.part.by) else " (or the camera or the parts moved: no fixed background is in view)"
        )
        return (
            f"lamp: the light's shape changed by {100 * seen.shape.by:.0f} % over the picture{doubt}: "
            "align and clean the lamp, keep other light away"
        )
    if seen.noise.on:
        return (
            f"lamp: noise {1 + seen.noise.by:.1f} times the commissioned: gain makes up for light, or camera hot: "
            "set the gain as commissioned, then clean or replace the lamp"
        )
    stray = [place for place in seen.marks if place.fixed]
    if stray and not seen.spots and not _glaring(seen):
        return f"lamp: a bright place at {_at(stray[0])} on the background: keep other light and reflections away"
    return ""


def _lens(seen: Changes) -> str:
    if seen.focus.on and not _background_sharp(seen) and not _blinded(seen):
        return (
            f"lens: sharpness {100 * (1 - seen.focus.by):.0f} % of the commissioned: "
            "check focus and aperture and tighten them, clean the lens"
        )
    if seen.background_focus.on and not seen.lost.on and not _glaring(seen) and not _blinded(seen):
        return (
            f"lens: sharpness of the background {100 * (1 - seen.background_focus.by):.0f} % of the commissioned: "
            "check focus and aperture and tighten them, clean the lens"
        )
    if seen.spots and not seen.marks and not _glaring(seen):
        return (
            f"lens: a dark spot of {max(seen.spots[0].box[2:])} px at {_at(seen.spots[0])} stays over many parts: "
            "clean the lens and its window; if it is still there, look at the parts"
        )
    return ""


def _product(seen: Changes) -> str:
    if seen.light.share >= 0.8 or _glaring(seen) or (seen.shape.share >= 0.8 and seen.part.share < _OTHER):
        return ""
    if seen.part.on:
        return (
            f"product: the parts' brightness is {100 * (1 + seen.part.by):.0f} % of the commissioned while the "
            "background keeps its own: check material and surface of the parts, and that the right recipe is active"
        )
    if seen.focus.on and _background_sharp(seen):
        return (
            f"product: sharpness of the parts {100 * (1 - seen.focus.by):.0f} % of the commissioned while the "
            "background keeps its own: check height, position and surface of the parts"
        )
    if math.isfinite(seen.part.by) and seen.marks and not any(place.fixed for place in (*seen.spots, *seen.marks)):
        return (
            f"product: the parts look different at {_at(seen.marks[0])} while the background keeps its own: "
            "check that the right recipe is active and where the parts lie"
        )
    return ""


def _background_sharp(seen: Changes) -> bool:
    """The background vouches for the lens: it lost next to nothing of what the parts did. False where it has none."""
    return seen.background_focus.by < 0.2 * seen.focus.by


def _at(place: Place) -> str:
    """Middle of a place, px."""
    x, y, w, h = place.box
    return f"{x + w // 2},{y + h // 2}"


def _blinded(seen: Changes) -> bool:
    """So dark, or so much at the end of the scale, that there is nothing left to be sharp."""
    return seen.light.by <= -0.7 or seen.saturation.by >= 0.5


def _glaring(seen: Changes) -> bool:
    """The light reaches the end of the scale: what is clipped there looks like a spot or a darker part."""
    return seen.saturation.on or (seen.light.by > 0 and seen.light.share >= 0.8)
