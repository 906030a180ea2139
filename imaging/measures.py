"""What one picture is like beside the commissioned one: the figures the drift is told from."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..bus.part import ImageHealth

Grid = npt.NDArray[np.float32]
"""Rows x columns of cells, float32: one figure for each place of the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """Figures of one developed picture. A share of 1.0 is as commissioned; NaN: cannot be told in this view."""

    brightness: float
    """Mean grey level, 0..255."""
    contrast: float
    """Standard deviation of the grey levels."""
    saturation: float
    """Share of the pixels at 250 and above."""
    darkness: float
    """Share of the pixels at 5 and below."""
    background: float
    """Light on the fixed background, share of the commissioned."""
    part: float
    """Brightness of what changes from part to part, over that of the background; NaN: all is background."""
    slope_x: float
    """Tilt of the light from the left edge to the right against the commissioned, as a share of its mean."""
    slope_y: float
    """From the upper edge to the lower."""
    bow: float
    """From the middle to the corners."""
    focus: float
    """Sharpness of the focus region, share of the commissioned."""
    background_focus: float
    """Strength of the background's fine texture, share of the commissioned; NaN: it has none."""
    noise: float
    """Standard deviation of the noise in grey levels; 0.0: it cannot be told."""
    noise_gain: float
    """Over the commissioned; NaN: it cannot be told."""
    shift_x_px: float
    """How far the background lies from its place; 0 where no patch of it was found."""
    shift_y_px: float
    angle_deg: float
    """Counter-clockwise as seen."""
    position: float
    """Share of the background's patches that were found; NaN: it has none."""
    local: Grid
    """Light of each cell against what `background`, the slopes and `part` explain, natural logarithm; 0: nothing."""

    @property
    def uniformity(self) -> float:
        """Change of the light's shape, brightest against darkest place, as a share of the mean."""
        return shape_change(self.slope_x, self.slope_y, self.bow)

    def health(self, camera: str, alarms: tuple[str, ...] = ()) -> ImageHealth:
        """Return what travels with the verdict. alarms: the causes that stand as of this part."""
        return ImageHealth(
            camera=camera,
            focus=self.focus,
            brightness=self.brightness,
            contrast=self.contrast,
            saturation=self.saturation,
            darkness=self.darkness,
            uniformity=self.uniformity,
            noise=self.noise,
            shift_x_px=self.shift_x_px,
            shift_y_px=self.shift_y_px,
            angle_deg=self.angle_deg,
            alarms=alarms,
        )


SCALARS = (
    "brightness",
    "contrast",
    "saturation",
    "darkness",
    "background",
    "part",
    "slope_x",
    "slope_y",
    "bow",
    "focus",
    "background_focus",
    "noise",
    "noise_gain",
    "shift_x_px",
    "shift_y_px",
    "angle_deg",
    "position",
)
"""Figures of Measures that are one number, in its order."""


def shape_change(slope_x: float, slope_y: float, bow: float) -> float:
    """Return brightest minus darkest place of a light field, as a share of its mean.

    The field is slope_x * u + slope_y * v + bow * (u**2 + v**2) * 2 with u and v in -0.5..0.5: its extremes lie at the
    corners, or along the two axes.
    """
    if not all(map(math.isfinite, (slope_x, slope_y, bow))):
        return 0.0
    corners = [slope_x * u + slope_y * v + bow for u in (-0.5, 0.5) for v in (-0.5, 0.5)]
    inner = 0.0
    if bow:
        # Where the bow turns the slope round, if that lies inside the picture.
        u, v = (min(0.5, max(-0.5, -slope / (4 * bow))) for slope in (slope_x, slope_y))
        inner = slope_x * u + slope_y * v + 2 * bow * (u * u + v * v)
    return max(*corners, inner) - min(*corners, inner)
