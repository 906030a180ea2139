"""Sharpness and noise of a piece of a picture, each in one figure that the other does not move."""

import cv2
import numpy as np

from .picture import Picture

FINE_PX, COARSE_PX = 2, 16
"""Distances of the pixels compared: what blurs first, and what hardly does."""
SMALLEST_PX = COARSE_PX + 4
_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def sharpness(grey: Picture, noise: float, step: int = 1) -> float:
    """Return how much of the differences over 16 px is already there over 2 px: 0 (blurred) to about 0.5.

    grey: rows x columns uint8, at least 20 x 20 (ValueError). noise: standard deviation of the noise in grey levels,
    whose share is taken out of both. step: every step-th row is looked at. 0.0 where there is nothing to be sharp.
    The square of the differences over 2 px is Brenner's measure (Brenner et al., J Histochem Cytochem 24, 1976);
    as a share of that over 16 px it neither follows the lamp, nor the offset, nor how many edges there are.
    """
    if min(grey.shape) < SMALLEST_PX:
        raise ValueError(f"sharpness of {grey.shape[1]}x{grey.shape[0]} px: expected {SMALLEST_PX} or more each way")
    floor = 2 * noise * noise
    coarse = _difference(grey, COARSE_PX, step) - floor
    if coarse <= max(1.0, floor):
        return 0.0
    return max(0.0, _difference(grey, FINE_PX, step) - floor) / coarse


def contrast_sharpness(grey: Picture, noise: float, step: int = 1) -> float:
    """Return the differences over 2 px as a share of the variance, 0 or more: Brenner's measure, normalised.

    Falls on over any blur, also where `sharpness` has come to its end: for turning a lens. Arguments as there.
    """
    if min(grey.shape) < SMALLEST_PX:
        raise ValueError(f"sharpness of {grey.shape[1]}x{grey.shape[0]} px: expected {SMALLEST_PX} or more each way")
    floor = noise * noise
    variance = float(grey[::step].var()) - floor
    if variance <= max(0.5, floor):
        return 0.0
    return max(0.0, _difference(grey, FINE_PX, step) - 2 * floor) / variance


def noise_energy(grey: Picture) -> float:
    """Return the square of the standard deviation of the noise, grey levels squared, fine texture included.

    grey: rows x columns uint8, at least 3 x 3. Immerkaer, Fast Noise Variance Estimation, CVIU 64 (1996): a filter that
    flat places and straight slopes pass by, its response scaled to the noise that makes it.
    """
    response = cv2.filter2D(grey, cv2.CV_16S, _IMMERKAER)[1:-1, 1:-1]
    return float(cv2.norm(response, cv2.NORM_L2SQR)) / (36.0 * response.size)


def quiet_noise(grey: Picture) -> float:
    """Return the noise of an unknown picture: standard deviation in grey levels in its quietest tenth, 16-px blocks.

    For set-up, where nothing is commissioned. Texture counts as noise only where it is everywhere.
    """
    response = cv2.filter2D(grey, cv2.CV_32F, _IMMERKAER)
    height, width = response.shape
    blocks = cv2.resize(response * response, (max(1, width // 16), max(1, height // 16)), interpolation=cv2.INTER_AREA)
    return float(np.sqrt(np.percentile(blocks, 10) / 36.0))


def _difference(grey: Picture, distance: int, step: int) -> float:
    """Mean square of the differences over a distance in px, along rows and along columns."""
    across = cv2.norm(grey[::step, distance:], grey[::step, :-distance], cv2.NORM_L2SQR)
    below, above = grey[distance::step], grey[:-distance:step]
    down = cv2.norm(below, above, cv2.NORM_L2SQR)
    rows, columns = grey[::step].shape
    return float(across / (rows * (columns - distance)) + down / below.size) / 2
