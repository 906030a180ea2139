"""Connected places that stand out from their surroundings, and their shape.

Sources: Otsu 1979 for `otsu`; circularity as Halcon defines it, A / (pi * r_max ** 2).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .channel import channel_of
from .measured import NotMeasured
from .picture import Box, Picture
from .rule_options import BlobOptions, CountOptions

MOST_BLOBS = 1000
"""More of the area asked for is noise, or the wrong threshold."""
_BACKGROUND_CELLS = 12
"""Cells a window is seen in where the median of the surroundings is taken: it is smooth anyway."""
Mask = npt.NDArray[np.uint8]
"""Rows x columns, 0 or 255."""


@dataclass(frozen=True, slots=True)
class Blob:
    """One place."""

    box: Box
    """px of the region."""
    area_px: int
    """Pixels that belong to it."""


def find_blobs(region: Picture, options: BlobOptions | CountOptions, px_area: float) -> list[Blob]:
    """Return what is a blob by the options, the largest first.

    region: rows x columns (x 3) uint8. px_area: area of a pixel in the unit of the options' areas. NotMeasured: more
    than MOST_BLOBS, or a colour is asked of a grey picture.
    """
    mask = _standing_out(channel_of(region, options.channel), options)
    for size, how in ((options.open_px, cv2.MORPH_OPEN), (options.close_px, cv2.MORPH_CLOSE)):
        if size > 1:
            element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
            mask = np.asarray(cv2.morphologyEx(mask, how, element), np.uint8)
    if options.fill_holes:
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        mask = np.asarray(cv2.drawContours(mask, outlines, -1, 255, cv2.FILLED), np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    left, top, width, height, area = (stats[:, column].astype(np.int64) for column in range(5))
    good = area * px_area >= options.min_area
    if options.max_area is not None:
        good &= area * px_area <= options.max_area
    if not options.at_edge:
        rows, columns = labels.shape
        good &= (left > 0) & (top > 0) & (left + width < columns) & (top + height < rows)
    good[0] = False  # what is no blob
    found = np.flatnonzero(good)
    if len(found) > MOST_BLOBS:
        raise NotMeasured(
            f"{len(found)} blobs, expected at most {MOST_BLOBS}: noise? raise contrast, smooth_px or min_area"
        )
    blobs = []
    for label in found[np.argsort(-area[found], kind="stable")]:
        x, y, w, h = int(left[label]), int(top[label]), int(width[label]), int(height[label])
        if _shape_fits(labels[y : y + h, x : x + w] == label, options):
            blobs.append(Blob((x, y, w, h), int(area[label])))
    return blobs


def shape_of(inside: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Circularity (0..1) and elongation (1 or more) of the pixels that are True; at least one is."""
    y, x = (each.astype(np.float64) for each in np.nonzero(inside))
    y, x = y - y.mean(), x - x.mean()
    # A pixel is a square: half of it lies beyond its centre, and it has a second moment of its own.
    reach = math.sqrt(float((x * x + y * y).max())) + 0.5
    xx, yy, xy = float((x * x).mean()) + 1 / 12, float((y * y).mean()) + 1 / 12, float((x * y).mean())
    middle, apart = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    elongation = math.sqrt((middle + apart) / max(middle - apart, 1e-12))
    return min(len(x) / (math.pi * reach * reach), 1.0), elongation


def _shape_fits(inside: npt.NDArray[np.bool_], options: BlobOptions | CountOptions) -> bool:
    low, high, longest = options.min_circularity, options.max_circularity, options.max_elongation
    if (low, high, options.min_elongation, longest) == (0.0, 1.0, 1.0, None):
        return True
    circularity, elongation = shape_of(inside)
    fits = low <= circularity <= high and options.min_elongation <= elongation
    return fits and (longest is None or elongation <= longest)


def _standing_out(grey: Picture, options: BlobOptions | CountOptions) -> Mask:
    """255 where a pixel may belong to a blob."""
    if options.smooth_px > 0:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), options.smooth_px), np.uint8)
    dark = options.polarity == "dark"
    if options.threshold == "local":
        above = grey.astype(np.float32) - _surroundings(grey, options.window_px)
        size = {"dark": -above, "light": above, "both": np.abs(above)}[options.polarity]
        return np.asarray((size >= options.contrast) * np.uint8(255), np.uint8)
    if options.threshold == "fixed":
        return np.asarray((grey < options.level if dark else grey > options.level) * np.uint8(255), np.uint8)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    lighter = grey > level
    if (
        lighter.all()
        or not lighter.any()
        or float(grey[lighter].mean()) - float(grey[~lighter].mean()) < options.contrast
    ):
        return np.zeros_like(grey)  # one kind of pixel only: Otsu would part its noise
    return np.asarray((~lighter if dark else lighter) * np.uint8(255), np.uint8)


def _surroundings(grey: Picture, window_px: int) -> npt.NDArray[np.float32]:
    """The median about each pixel, float32, seen in cells where the window is large."""
    shrink = max(1, min(window_px // _BACKGROUND_CELLS, *grey.shape))
    rows, columns = grey.shape
    small = grey
    if shrink > 1:
        size = (max(columns // shrink, 1), max(rows // shrink, 1))
        small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    window = max(window_px // shrink, 3) | 1
    middle = cv2.medianBlur(np.ascontiguousarray(small), window)
    return np.asarray(cv2.resize(middle.astype(np.float32), (columns, rows)), np.float32)
