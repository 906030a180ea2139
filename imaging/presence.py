"""Is something there: share of pixels of a grey level or a colour, share of edges, likeness with a template."""

import cv2
import numpy as np
import numpy.typing as npt

from .channel import channel_of
from .measured import Measured, NotMeasured, Place, Reading
from .picture import Box, Picture
from .rule_options import HsvRange, PresenceOptions
from .template import Template


def measure_presence(
    region: Picture, corner: tuple[int, int], options: PresenceOptions, template: Template | None
) -> Measured:
    """Measure in a region whose first pixel lies at `corner` of the picture.

    NotMeasured: a colour is asked of a grey picture, or the template does not fit in.
    """
    x, y = corner
    box: Box = (x, y, region.shape[1], region.shape[0])
    if options.method == "likeness":
        if template is None:
            raise NotMeasured("no template")
        best = template.best(region)
        box = (x + best.box[0], y + best.box[1], best.box[2], best.box[3])
        reading = Reading("likeness", best.likeness, "", options.low, options.high)
    else:
        reading = Reading("share", _share(region, options), "share", options.low, options.high)
    return Measured(options.name, (reading,), (Place(options.name, box, reading.ratio),))


def _share(region: Picture, options: PresenceOptions) -> float:
    """Share of the pixels that count, 0..1."""
    if options.method == "colour":
        assert options.colour is not None
        counted = _of_colour(region, options.colour)
    elif options.method == "edges":
        counted = _edges(channel_of(region, options.channel), options.edge_contrast)
    else:
        grey = channel_of(region, options.channel)
        counted = (grey >= options.levels[0]) & (grey <= options.levels[1])
    return float(np.count_nonzero(counted)) / counted.size


def _edges(grey: Picture, contrast: float) -> npt.NDArray[np.bool_]:
    """True where the grey level changes by so much from one neighbour of a pixel to the opposite one."""
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *way, ksize=1) for way in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(across, down) >= contrast, np.bool_)


def _of_colour(region: Picture, colour: HsvRange) -> npt.NDArray[np.bool_]:
    """True where a pixel is of that colour."""
    if region.ndim == 2:
        raise NotMeasured("a colour is asked for: expected a picture with colours, this one is grey")
    hue, saturation, value = cv2.split(cv2.cvtColor(region.astype(np.float32) / 255, cv2.COLOR_RGB2HSV))
    first, last = colour.hue_deg
    wanted = (hue >= first) & (hue <= last) if first <= last else (hue >= first) | (hue <= last)
    for plane, (low, high) in ((saturation, colour.saturation), (value, colour.value)):
        # float32: 0.2 of 255 levels is 51 exactly, and must count.
        wanted &= (plane >= low - 1e-5) & (plane <= high + 1e-5)
    return np.asarray(wanted, np.bool_)
