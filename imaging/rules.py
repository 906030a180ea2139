"""A recipe's measuring tools, made ready once and used on every part."""

import math

import cv2
import numpy as np

from ..bus.errors import BadRecipe
from .blobs import Blob, find_blobs
from .caliper import measure_caliper
from .grey import cut
from .lab import cie76, ciede2000, mean_lab
from .measured import MOST_PLACES, Measured, NotMeasured, Place, Reading
from .picture import Box, Picture
from .presence import measure_presence
from .rule_options import BlobOptions, CaliperOptions, ColourOptions, CountOptions, PresenceOptions, RuleOptions
from .template import Template

Corner = tuple[int, int]
"""Where a region's first pixel lies in the picture."""
_MOST_PIXELS = 60_000
"""That a mean colour is told from; of a larger region every second, third ... row and column."""


class Ruler:
    """One tool of a recipe. One thread."""

    def __init__(self, options: RuleOptions, mm_per_px: float | None = None, template: Picture | None = None) -> None:
        """mm_per_px: scale of the picture by its calibration; None: not known. template: the file `options.template`.

        BadRecipe: a value in mm and no scale, or a template that is missing, plain, or of the wrong colours.
        """
        self.options = options
        self._scale = 1.0
        if options.needs_scale:
            scale = options.mm_per_px if options.mm_per_px is not None else mm_per_px
            if scale is None:
                raise BadRecipe(f"{options.name}: unit = mm: expected mm_per_px, or a calibration in develop.lens")
            self._scale = scale
        self._template: Template | None = None
        if isinstance(options, PresenceOptions | CountOptions) and options.template:
            if template is None:
                raise BadRecipe(f"{options.name}: template = {options.template}: expected a picture, found none")
            self._template = Template(template, options.channel, options.template)

    def measure(self, picture: Picture, box: Box) -> Measured:
        """Measure in a box of the picture. Never raises for what is seen: that is `trouble`, and judges nothing."""
        options, corner = self.options, box[:2]
        try:
            region = cut(picture, box)
        except ValueError as error:
            return Measured(options.name, trouble=f"{options.name}: {error}")
        try:
            _check_light(region, *options.brightness)
            match options:
                case BlobOptions():
                    return self._blobs(region, corner, options)
                case CaliperOptions():
                    return measure_caliper(region, corner, options, self._scale)
                case PresenceOptions():
                    return measure_presence(region, corner, options, self._template)
                case ColourOptions():
                    return _colour(region, corner, options)
                case CountOptions():
                    return self._count(region, corner, options)
        except NotMeasured as error:
            return Measured(options.name, trouble=f"{options.name}: {error}")

    def _blobs(self, region: Picture, corner: Corner, options: BlobOptions) -> Measured:
        px_area = self._scale**2
        blobs = find_blobs(region, options, px_area)
        count = _counted(len(blobs), options)
        unit = f"{options.unit}2"
        total = sum(blob.area_px for blob in blobs) * px_area
        area = Reading("total area", total, unit, options.min_total_area, options.max_total_area)
        largest = Reading("largest area", max((blob.area_px for blob in blobs), default=0) * px_area, unit)
        # Where there are too few, or too little, what is there is not to blame.
        excess = max(_excess(count), _excess(area))
        return Measured(options.name, (count, area, largest), _places(options.name, _boxes(blobs), corner, excess))

    def _count(self, region: Picture, corner: Corner, options: CountOptions) -> Measured:
        if self._template is None:
            boxes = _boxes(find_blobs(region, options, self._scale**2))
        else:
            boxes = [match.box for match in self._template.all(region, options.min_likeness, options.max_overlap)]
        count = _counted(len(boxes), options)
        return Measured(options.name, (count,), _places(options.name, boxes, corner, _excess(count)))


def _check_light(region: Picture, darkest: int, brightest: int) -> None:
    # Rounded: OpenCV multiplies by 1 / n, which makes 251.00000000000003 of 251.
    light = round(sum(cv2.mean(region)[:3]) / (1 if region.ndim == 2 else 3), 3)
    if not darkest <= light <= brightest:
        raise NotMeasured(f"brightness {light:.1f}: expected {darkest}..{brightest}")


def _colour(region: Picture, corner: Corner, options: ColourOptions) -> Measured:
    if region.ndim == 2:
        raise NotMeasured("expected a picture with colours, this one is grey")
    step = math.ceil(math.sqrt(region.shape[0] * region.shape[1] / _MOST_PIXELS))
    seen = np.ascontiguousarray(region[::step, ::step])
    clipped = float((seen == 255).any(axis=2).mean())
    if clipped > options.max_clipped:
        raise NotMeasured(f"{clipped:.0%} of the pixels are clipped, expected at most {options.max_clipped:.0%}")
    found = mean_lab(seen)
    difference = (ciede2000 if options.formula == "ciede2000" else cie76)(found, options.reference_lab)
    readings = [Reading("delta E", difference, "deltaE", None, options.max_delta_e)]
    readings += [Reading(name, value, "") for name, value in zip(("L*", "a*", "b*"), found, strict=True)]
    box: Box = (*corner, region.shape[1], region.shape[0])
    return Measured(options.name, tuple(readings), (Place(options.name, box, readings[0].ratio),))


def _counted(number: int, options: BlobOptions | CountOptions) -> Reading:
    """None are the least there can be: that is no limit, so that none where none may be is right in the middle."""
    return Reading("count", number, "count", options.min_count or None, options.max_count)


def _excess(reading: Reading) -> float:
    """The reading's ratio where it lies above its upper limit, else 0."""
    return reading.ratio if reading.high is not None and reading.value > reading.high else 0.0


def _boxes(blobs: list[Blob]) -> list[Box]:
    return [blob.box for blob in blobs]


def _places(name: str, boxes: list[Box], corner: Corner, score: float) -> tuple[Place, ...]:
    return tuple(Place(name, (corner[0] + x, corner[1] + y, w, h), score) for x, y, w, h in boxes[:MOST_PLACES])
