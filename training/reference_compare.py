"""A picture against the reference of its own part: tolerance learnt over many, a new template each time.

For parts of which no two are the same (boards of mixed layout, labels with a drawing each) and whose drawing, or a
picture of a good one, is at hand.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from .reference_field import BLOCK_PX
from .reference_template import Difference, Template, Tolerance, differ, template_of

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
_WHITE = 255.0


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture and the reference of the same part."""

    picture: Pixels
    """uint8 `(height, width, channels)`."""
    reference: Pixels
    """Of the same shape."""
    unseen: Mask | None = None
    """`(height, width)`: places that the picture, moved to fit, no longer shows. None: it shows all."""
    defective: Mask | None = None
    """`(height, width)`: places known to be no good, from which nothing is learnt. None: all of it is good."""


def pair_of(picture: Pixels, reference: Pixels, defective: Mask | None = None, *, near_px: int = 0) -> Pair:
    """Return a pair of pictures as read, grey `(height, width)` or colour `(height, width, 3)`.

    near_px: above 0, the picture is first moved as a whole by up to so many px to where it fits the reference; what is
    left is for the local search. BadPicture: different sizes or colours, or a side is no multiple of 8 px.
    """
    if picture.shape != reference.shape:
        raise BadPicture(f"picture of {picture.shape}: the reference is of {reference.shape}")
    height, width = picture.shape[:2]
    if height % BLOCK_PX or width % BLOCK_PX or height < 4 * BLOCK_PX or width < 4 * BLOCK_PX:
        raise BadPicture(
            f"picture of {width}x{height} pixels: expected multiples of {BLOCK_PX}, {4 * BLOCK_PX} or more "
            "(cut both with crop_and_resize)"
        )
    shape = (height, width, 1 if picture.ndim == 2 else picture.shape[2])
    pair = Pair(picture.reshape(shape), reference.reshape(shape), defective=defective)
    return _brought_near(pair, near_px) if near_px > 0 else pair


def compare(picture: Pixels, reference: Pixels, tolerance: Tolerance) -> Difference:
    """Return how far a picture is beyond what it may differ from its reference by; equals the graph to 1e-4.

    Pictures as `pair_of` takes them, and its errors.
    """
    pair = pair_of(picture, reference)
    return differ(pair.picture, reference_template(pair, tolerance), tolerance)


def reference_template(pair: Pair, tolerance: Tolerance) -> Template:
    """Return the template of a pair's reference; where the picture is not seen, nothing is beyond its limits."""
    template = template_of(pair.reference, None, tolerance)
    if pair.unseen is None:
        return template
    hidden = pair.unseen[..., None]
    upper, lower = (
        np.where(hidden, np.float32(free), limit)
        for free, limit in ((2 * _WHITE, template.upper), (-_WHITE, template.lower))
    )
    return replace(template, upper=upper, lower=lower)


def _brought_near(pair: Pair, near_px: int) -> Pair:
    """Moved as a whole by phase correlation (C. Kuglin, D. Hines, 1975), if within reach and a better fit."""
    picture, reference = pair.picture, pair.reference
    height, width, _ = picture.shape
    here, there = (each.mean(axis=2, dtype=np.float32) for each in (picture, reference))
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(there, here, window)
    if max(abs(x), abs(y)) > near_px:
        return pair
    way = np.array([[1, 0, x], [0, 1, y]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shifted = cv2.warpAffine(picture, way, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    near = np.asarray(shifted, np.uint8).reshape(picture.shape)
    fits, before = (float(cv2.absdiff(each, reference).mean()) for each in (near, picture))
    if fits >= before:
        return pair
    down, across = np.arange(height)[:, None] + y, np.arange(width)[None, :] + x
    unseen = (down < 0) | (down > height - 1) | (across < 0) | (across > width - 1)
    return replace(pair, picture=near, unseen=unseen)
