"""White balance from a region that ought to be grey."""

import numpy as np

from ..bus.errors import BadPicture
from .picture import Box, Picture

Factors = tuple[float, float, float]
"""Of red, green and blue."""
_MOST = 16.0
"""What the recipe takes."""
DARKEST, BRIGHTEST = 20.0, 245.0
"""Means of a channel that a factor can be told from: below is noise, above is clipped."""
MOST_CLIPPED = 0.01
"""Share of the region that may be at 0 or 255 in a channel."""


def propose_white_balance(picture: Picture, box: Box, present: Factors = (1.0, 1.0, 1.0)) -> Factors:
    """Return the factors that make the region grey, three decimals; the least of them is 1, so nothing gets darker.

    picture: rows x columns x 3, developed with the present factors. box: where a grey or white sheet lies, not
    saturated. A pixel that is clipped in the raw picture stays white, for no channel is made weaker. Method: each
    channel's mean over the region is made equal. BadPicture: grey picture, region outside or of less than 64 pixels,
    too dark, clipped, or so coloured that a recipe cannot hold the factors.
    """
    if picture.ndim != 3:
        raise BadPicture("grey picture: expected one with colours")
    x, y, width, height = box
    if x < 0 or y < 0 or x + width > picture.shape[1] or y + height > picture.shape[0] or width * height < 64:
        found = f"{width}x{height} at {x},{y}"
        raise BadPicture(f"region {found}: expected 64 pixels or more inside {picture.shape[1]}x{picture.shape[0]}")
    region = picture[y : y + height, x : x + width].reshape(-1, 3)
    means = region.mean(axis=0, dtype=np.float64)
    clipped = max(float((region == level).mean(axis=0).max()) for level in (0, 255))
    if clipped > MOST_CLIPPED or means.min() < DARKEST or means.max() > BRIGHTEST:
        said = ", ".join(f"{mean:.0f}" for mean in means)
        raise BadPicture(
            f"region of mean red, green, blue {said}, {clipped:.0%} clipped: "
            f"expected {DARKEST:.0f}..{BRIGHTEST:.0f} and at most {MOST_CLIPPED:.0%}"
        )
    wanted = np.asarray(present) / means
    wanted /= wanted.min()
    if wanted.max() > _MOST:
        raise BadPicture(f"factor {wanted.max():.1f}: expected up to {_MOST:.0f}: this region is not grey")
    red, green, blue = (round(float(factor), 3) for factor in wanted)
    return red, green, blue
