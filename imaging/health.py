"""One developed picture measured against the commissioned one, in a few milliseconds."""

import math

import cv2
import numpy as np

from ..bus.errors import BadPicture
from .background import Pose, detail_at, pose_of, sight
from .detail import Detail
from .grey import cut, grey_of
from .light import LightField, cells_of
from .measures import Measures
from .picture import Picture
from .reference import Reference
from .sharpness import noise_energy, sharpness

BRIGHT, DARK = 250, 5
"""Grey levels from which, and up to which, a pixel counts as at the end of the scale."""
_STATISTICS_PX = 150_000
"""Pixels that levels are counted on."""
_FOCUS_PX = 200_000
"""Pixels that sharpness is told from, about."""
_FOUND = 0.5
"""A patch counts as found at this share of its commissioned score."""
_NOISE_FLOOR = 0.5
"""Grey levels: below this the steps of the scale are the noise."""


class Measurer:
    """Measures pictures of one view. Holds no state between pictures; one thread at a time."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self._field = LightField(reference.light, reference.fixed, reference.spread)
        self._details = [Detail(patch.detail) for patch in reference.patches]
        self._stride = max(1, math.isqrt(reference.width_px * reference.height_px // _STATISTICS_PX))
        _, _, w, h = reference.focus_box
        self._step = max(1, w * h // _FOCUS_PX)

    def measure(self, picture: Picture) -> Measures:
        """Return the figures of one developed picture, grey or RGB.

        BadPicture: it is not of the size that was commissioned.
        """
        reference = self.reference
        if picture.shape[:2] != (reference.height_px, reference.width_px):
            raise BadPicture(
                f"picture of {picture.shape[1]}x{picture.shape[0]}: commissioned was "
                f"{reference.width_px}x{reference.height_px}"
            )
        grey = grey_of(picture)
        brightness, contrast, saturation, darkness = _levels(grey, self._stride)
        light = self._field.change(cells_of(grey, reference.cell_px))
        noise = self._noise(grey)
        pose, position, strength = self._position(grey)
        sharp = sharpness(cut(grey, reference.focus_box), noise, self._step)
        was = reference.typical.get("noise")
        return Measures(
            brightness=brightness,
            contrast=contrast,
            saturation=saturation,
            darkness=darkness,
            background=light.level,
            part=light.part,
            slope_x=light.slope_x,
            slope_y=light.slope_y,
            bow=light.bow,
            focus=sharp / reference.focus,
            background_focus=strength / light.level / reference.strength,
            noise=noise,
            noise_gain=max(noise, _NOISE_FLOOR) / max(was.middle, _NOISE_FLOOR)
            if was is not None and reference.noise_boxes
            else math.nan,
            shift_x_px=pose.shift_x_px,
            shift_y_px=pose.shift_y_px,
            angle_deg=pose.angle_deg,
            position=position,
            local=light.local,
        )

    def _noise(self, grey: Picture) -> float:
        """Noise in grey levels: what the quiet places show beyond their own texture; the median place decides."""
        found = [
            noise_energy(cut(grey, box)) - texture
            for box, texture in zip(self.reference.noise_boxes, self.reference.noise_texture, strict=True)
        ]
        return math.sqrt(max(0.0, float(np.median(found)))) if found else 0.0

    def _position(self, grey: Picture) -> tuple[Pose, float, float]:
        """Pose, share of the patches found, strength of their texture; NaN for both shares where there are none."""
        reference = self.reference
        if not reference.patches:
            return Pose(0.0, 0.0, 0.0, 0), math.nan, math.nan
        seen = [(patch, sight(patch, grey)) for patch in reference.patches]
        pose = pose_of(
            [(patch, at) for patch, at in seen if at.score >= _FOUND * patch.score],
            reference.width_px,
            reference.height_px,
        )
        strengths = []
        for detail, (patch, at) in zip(self._details, seen, strict=True):
            shown = detail_at(patch, grey, at)
            if shown is not None:
                strengths.append(detail.strength(*shown))
        return pose, pose.found / len(seen), float(np.median(strengths)) if strengths else 0.0


def _levels(grey: Picture, stride: int) -> tuple[float, float, float, float]:
    """Mean, standard deviation, share at the upper and at the lower end, over every stride-th row and column."""
    counts = cv2.calcHist([np.ascontiguousarray(grey[::stride, ::stride])], [0], None, [256], [0, 256])
    shares = np.asarray(counts, np.float64).reshape(256) / float(counts.sum())
    levels = np.arange(256)
    mean = float(shares @ levels)
    spread = math.sqrt(max(0.0, float(shares @ (levels - mean) ** 2)))
    return mean, spread, float(shares[BRIGHT:].sum()), float(shares[: DARK + 1].sum())
