"""Colours as CIELAB, and how different two of them are.

Sources: IEC 61966-2-1 (sRGB) and CIE 15 (L*a*b*, D65, 2 degrees); CIEDE2000 by Sharma, Wu, Dalal 2005; CIE76 is the
distance in L*a*b*.
"""

import math

import numpy as np
import numpy.typing as npt

from .picture import Picture

Lab = tuple[float, float, float]
"""L* 0..100, a*, b*."""
_TO_XYZ = np.array(
    [
        [0.4123907993, 0.3575843394, 0.1804807884],
        [0.2126390059, 0.7151686788, 0.0721923154],
        [0.0193308187, 0.1191947798, 0.9505321522],
    ]
)
_WHITE = _TO_XYZ.sum(axis=1)
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)
"""Light of each of the 256 levels, 0..1."""
_DARK = (6 / 29) ** 3


def lab_of(pixels: Picture) -> npt.NDArray[np.float64]:
    """Return L*, a*, b* of sRGB levels: (..., 3) uint8 to (..., 3) float64."""
    share = (_LINEAR[pixels] @ _TO_XYZ.T) / _WHITE
    x, y, z = np.moveaxis(np.where(share > _DARK, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def mean_lab(region: Picture) -> Lab:
    """Return the mean of the pixels' L*, a*, b*. region: rows x columns x 3 sRGB, one pixel or more."""
    lightness, a, b = (float(each) for each in lab_of(region).mean(axis=(0, 1)))
    return lightness, a, b


def cie76(one: Lab, other: Lab) -> float:
    """Return the distance of two colours, 0 or more."""
    return math.dist(one, other)


def ciede2000(one: Lab, other: Lab) -> float:
    """Return the difference of two colours as people see it, 0 or more; all factors k are 1."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    chroma7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    stretch = 1 + 0.5 * (1 - math.sqrt(chroma7 / (chroma7 + 25.0**7)))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    turn, hue = 0.0, h1 + h2
    if c1 * c2:
        hue = (h1 + h2) / 2
        if abs(h1 - h2) > 180:
            hue += 180 if h1 + h2 < 360 else -180
            turn = h2 - h1 + (360 if h2 <= h1 else -360)
        else:
            turn = h2 - h1
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    weight = (
        1
        - 0.17 * math.cos(math.radians(hue - 30))
        + 0.24 * math.cos(math.radians(2 * hue))
        + 0.32 * math.cos(math.radians(3 * hue + 6))
        - 0.20 * math.cos(math.radians(4 * hue - 63))
    )
    by_l = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / math.sqrt(20 + (light - 50) ** 2))
    by_c = (c2 - c1) / (1 + 0.045 * chroma)
    by_h = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2)) / (1 + 0.015 * chroma * weight)
    rotation = 2 * math.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    rotation *= math.sin(math.radians(60 * math.exp(-(((hue - 275) / 25) ** 2))))
    return math.sqrt(max(by_l**2 + by_c**2 + by_h**2 - rotation * by_c * by_h, 0.0))
