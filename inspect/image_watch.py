"""Whether the pictures of one camera are still as they were commissioned: measured on each part, never a verdict."""

import math
from pathlib import Path

from ..bus.errors import BadRecipe
from ..bus.messages import ImageLimits
from ..bus.part import ImageHealth
from ..imaging.drift import Drift
from ..imaging.health import Measurer
from ..imaging.health_options import HealthOptions
from ..imaging.picture import Picture
from ..imaging.reference import Reference, read_reference


class ImageWatch:
    """One camera's. One thread; its memory is the last parts of this job."""

    def __init__(self, camera: str, options: HealthOptions, folder: Path, size: tuple[int, int]) -> None:
        """folder: where the recipe's files lie. size: of the developed picture. BadRecipe: it is another."""
        path = folder / options.reference
        reference = read_reference(path)
        if (reference.width_px, reference.height_px) != size:
            raise BadRecipe(
                f"{path}: commissioned on pictures of {reference.width_px}x{reference.height_px}, "
                f"expected the developed picture's {size[0]}x{size[1]}: commission it anew"
            )
        self._camera = camera
        self.limits = _limits(camera, options, reference)
        """What the pictures are compared with."""
        self._measurer = Measurer(reference)
        self._drift = Drift(options, reference)

    @property
    def alarms(self) -> tuple[str, ...]:
        """What stands as of the last part, for people: `CAMERA: CAUSE: what was seen: what to do`."""
        return tuple(f"{self._camera}: {alarm.words}" for alarm in self._drift.alarms)

    @property
    def causes(self) -> tuple[str, ...]:
        """What has drifted as of the last part: `lamp`, `lens`, `camera moved`, `product`."""
        return tuple(str(alarm.cause) for alarm in self._drift.alarms)

    def look(self, picture: Picture) -> ImageHealth:
        """Measure the picture of one part, in the order of the line."""
        measures = self._measurer.measure(picture)
        alarms = self._drift.add(measures)
        return measures.health(self._camera, tuple(str(alarm.cause) for alarm in alarms))


def _limits(camera: str, options: HealthOptions, reference: Reference) -> ImageLimits:
    def usual(name: str) -> float:
        found = reference.typical.get(name)
        return found.middle if found is not None and math.isfinite(found.middle) else 0.0

    brightness, noise = usual("brightness"), usual("noise")
    return ImageLimits(
        camera=camera,
        focus_low=1.0 - options.focus_loss,
        brightness=brightness,
        brightness_low=brightness * (1 - options.brightness_change),
        brightness_high=brightness * (1 + options.brightness_change),
        uniformity_high=options.uniformity_change,
        noise=noise,
        noise_high=noise * options.noise_gain,
        shift_px=options.shift_px,
        angle_deg=options.angle_deg,
    )
