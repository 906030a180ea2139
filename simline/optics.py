"""What stands between a part and the sensor, and can go wrong over the months: lens, lamp, mount and dirt.

All of it is done to the picture before the simulated camera looks at it, so that every format shows the same.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Optics:
    """How the world is seen. The defaults change nothing."""

    blur_px: float = 0.0
    """Sigma of a Gaussian, 0..50: the lens is out of focus."""
    brightness: float = 1.0
    """Factor on all levels, 0..10: the lamp has aged, or somebody has turned it up."""
    shading: float = 0.0
    """Share of the light that is missing in the corners, 0..1; it falls with the square of the distance."""
    shift_x_px: float = 0.0
    """The camera has been moved: the picture goes right by so much, -1000..1000."""
    shift_y_px: float = 0.0
    """The same downwards."""
    rotation_deg: float = 0.0
    """About the middle, counter-clockwise, -180..180."""
    dirt: int = 0
    """Blobs on the lens or its window, 0..1000: soft, dark and always at the same places."""
    dirt_px: float = 12.0
    """Radius of the largest blob, 1..500."""
    dirt_darkness: float = 0.5
    """Share of the light a blob takes, 0..1."""
    dirt_seed: int = 1

    def __post_init__(self) -> None:
        """Check the ranges. ValueError names the field."""
        for name, low, high in (
            ("blur_px", 0, 50),
            ("brightness", 0, 10),
            ("shading", 0, 1),
            ("shift_x_px", -1000, 1000),
            ("shift_y_px", -1000, 1000),
            ("rotation_deg", -180, 180),
            ("dirt", 0, 1000),
            ("dirt_px", 1, 500),
            ("dirt_darkness", 0, 1),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} = {getattr(self, name)}: expected {low}..{high}")

    def seen(self, picture: Picture, background: int = 0) -> Picture:
        """Return the picture as it is seen: uint8 of the same shape. background: level of what a shift uncovers.

        Order: moved, then blurred, then lit, as light goes through it. With the defaults the picture itself comes back.
        """
        made = picture
        if self.shift_x_px or self.shift_y_px or self.rotation_deg:
            made = self._moved(made, background)
        if self.blur_px > 0:
            made = np.asarray(cv2.GaussianBlur(made, (0, 0), self.blur_px, borderType=cv2.BORDER_REPLICATE), np.uint8)
        light = self._light(*picture.shape[:2])
        if light is None:
            return made
        lit = made * (light[:, :, None] if made.ndim == 3 else light)
        return np.asarray(np.clip(np.rint(lit), 0, 255), np.uint8)

    def _moved(self, picture: Picture, background: int) -> Picture:
        rows, columns = picture.shape[:2]
        matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), self.rotation_deg, 1.0)
        matrix[0, 2] += self.shift_x_px
        matrix[1, 2] += self.shift_y_px
        made = cv2.warpAffine(
            picture,
            matrix,
            (columns, rows),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(background,) * 3,
        )
        return np.asarray(made, np.uint8)

    def _light(self, rows: int, columns: int) -> npt.NDArray[np.float32] | None:
        """Share of the light per pixel, float32 rows x columns; None: all of it everywhere."""
        if self.brightness == 1.0 and not self.shading and not self.dirt:
            return None
        y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
        light = self.brightness * (1 - self.shading * (x * x + y * y) / 2)
        at = np.random.default_rng(self.dirt_seed)
        for _ in range(self.dirt):
            middle_y, middle_x = at.uniform(0, rows), at.uniform(0, columns)
            radius = at.uniform(0.3, 1.0) * self.dirt_px
            far = ((np.arange(rows) - middle_y) ** 2)[:, None] + ((np.arange(columns) - middle_x) ** 2)[None, :]
            light = light * (1 - self.dirt_darkness * np.exp(-far / radius**2))
        return np.asarray(np.broadcast_to(light, (rows, columns)), np.float32)
