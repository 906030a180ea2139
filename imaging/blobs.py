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
    # Only where there is something; a good part has nothing.
    at_x, at_y, across, down = cv2.boundingRect(mask)
    if not across:
        return []
    rows, columns = mask.shape
    mask = np.ascontiguousarray(mask[at_y : at_y + down, at_x : at_x + across])
    # Grana's way: on a whole frame a quarter of the default's time, for the same components.
    _, labels, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(mask, 8, cv2.CV_32S, cv2.CCL_GRANA)
    left, top, width, height, area = (stats[:, column].astype(np.int64) for column in range(5))
    good = area * px_area >= options.min_area
    if options.max_area is not None:
        good &= area * px_area <= options.max_area
    if not options.at_edge:
        good &= (left + at_x > 0) & (top + at_y > 0)
        good &= (left + at_x + width < columns) & (top + at_y + height < rows)
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
            blobs.append(Blob((at_x + x, at_y + y, w, h), int(area[label])))
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
        about = _surroundings(grey, options.window_px)
        apart = {"dark": lambda: cv2.subtract(about, grey), "light": lambda: cv2.subtract(grey, about)}
        size = apart.get(options.polarity, lambda: cv2.absdiff(grey, about))()
        return _in(np.asarray(size, np.uint8), math.ceil(options.contrast), 255)
    if options.threshold == "fixed":
        return _in(grey, 0, options.level - 1) if dark else _in(grey, options.level + 1, 255)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    lighter = _in(grey, int(level) + 1, 255)
    darker = np.asarray(cv2.bitwise_not(lighter), np.uint8)
    means = [cv2.mean(grey, mask=mask)[0] if mask.any() else None for mask in (darker, lighter)]
    if means[0] is None or means[1] is None or means[1] - means[0] < options.contrast:
        return np.zeros_like(grey)  # one kind of pixel only: Otsu would part its noise
    return darker if dark else lighter


def _in(grey: Picture, low: int, high: int) -> Mask:
    """255 from one level to another, both included; nothing where high is less than low."""
    return np.asarray(cv2.inRange(grey, low, high), np.uint8)


def _surroundings(grey: Picture, window_px: int) -> Picture:
    """The median about each pixel, seen in cells where the window is large."""
    shrink = max(1, min(window_px // _BACKGROUND_CELLS, *grey.shape))
    rows, columns = grey.shape
    small = grey
    if shrink > 1:
        size = (max(columns // shrink, 1), max(rows // shrink, 1))
        small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    middle = cv2.medianBlur(np.ascontiguousarray(small), max(window_px // shrink, 3) | 1)
    return np.asarray(cv2.resize(middle, (columns, rows)), np.uint8)
