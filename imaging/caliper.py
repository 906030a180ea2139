"""A caliper: edges along a direction, and the width between two of them or the place of one."""

import math
from collections.abc import Sequence

import numpy as np

from .channel import channel_of
from .measured import Measured, NotMeasured, Place, Reading
from .picture import Box, Picture
from .profile_edges import Edge, Profile, edges_of, strongest
from .rule_options import CaliperOptions
from .scan import Scan, scan

_POSITION_PX = 2
"""How far the place of a single edge reaches to both sides."""


def measure_caliper(region: Picture, corner: tuple[int, int], options: CaliperOptions, scale: float) -> Measured:
    """Measure in a region whose first pixel lies at `corner` of the picture. scale: of a px in the options' unit.

    NotMeasured: a line has no edge, or no pair of edges, as asked for.
    """
    seen = scan(channel_of(region, options.channel), options.angle_deg, options.breadth_px)
    across = seen.samples.shape[0]
    if across < options.lines:
        raise NotMeasured(f"{options.lines} lines in a breadth of {across} px: expected one px a line or more")
    bands = [part for part in np.array_split(np.arange(across), options.lines) if len(part)]
    found = [
        _on_line(np.asarray(seen.samples[band[0] : band[-1] + 1].mean(axis=0), np.float64), number, options)
        for number, band in enumerate(bands, 1)
    ]
    if options.measure == "width":
        values = [(second.at_px - first.at_px) * scale for first, second in found]
    else:
        half = (seen.samples.shape[1] - 1) / 2
        values = [(first.at_px - half) * scale for first, _ in found]
    readings = list(_values(values, options))
    if options.lines >= 3:
        middles = [float(band.mean()) for band in bands]
        sides = (0, 1) if options.measure == "width" else (0,)
        worst = max(_straightness(middles, [pair[side].at_px for pair in found]) for side in sides) * scale
        readings.append(Reading("straightness", worst, options.unit, None, options.max_straightness))
    score = max(reading.ratio for reading in readings)
    place = Place(options.name, _around(seen, found, region, corner), score)
    return Measured(options.name, tuple(readings), (place,))


def _on_line(profile: Profile, number: int, options: CaliperOptions) -> tuple[Edge, Edge]:
    """The pair that the options ask for; of a position the one edge twice."""
    edges = edges_of(profile, options.sigma_px, options.min_contrast)
    pairs = _pairs(edges, options) if options.measure == "width" else [(e, e) for e in edges if _first(e, options)]
    if not pairs:
        what = "pair of edges" if options.measure == "width" else "edge"
        line = f" on line {number} of {options.lines}" if options.lines > 1 else ""
        raise NotMeasured(
            f"no {what} as asked for{line}: found {len(edges)} edges of any polarity; the strongest step is "
            f"{strongest(profile, options.sigma_px):.0f} grey levels, min_contrast {options.min_contrast:g}"
        )
    if options.pick == "first":
        return min(pairs, key=lambda pair: (pair[0].at_px, pair[1].at_px))
    if options.pick == "last":
        return max(pairs, key=lambda pair: (pair[1].at_px, pair[0].at_px))
    if options.pick == "outer":
        return max(pairs, key=lambda pair: pair[1].at_px - pair[0].at_px)
    # Of pairs that are equally strong the narrowest: the same every time.
    return max(pairs, key=lambda pair: (abs(pair[0].contrast) + abs(pair[1].contrast), pair[0].at_px - pair[1].at_px))


def _pairs(edges: Sequence[Edge], options: CaliperOptions) -> list[tuple[Edge, Edge]]:
    def match(first: Edge, second: Edge) -> bool:
        same = (first.contrast > 0) == (second.contrast > 0)
        return options.second == "any" or same == (options.second == "same")

    return [
        (first, second)
        for at, first in enumerate(edges)
        if _first(first, options)
        for second in edges[at + 1 :]
        if match(first, second)
    ]


def _first(edge: Edge, options: CaliperOptions) -> bool:
    return options.polarity == "any" or (edge.contrast > 0) == (options.polarity == "rising")


def _values(values: Sequence[float], options: CaliperOptions) -> list[Reading]:
    """One reading of one line; least, mean and largest of several, with the limits at those that are judged."""
    name, unit, low, high = options.measure, options.unit, options.low, options.high
    if len(values) == 1:
        return [Reading(name, values[0], unit, low, high)]
    readings = []
    for kind, value in (("min", min(values)), ("mean", sum(values) / len(values)), ("max", max(values))):
        judged = kind == options.judge or (options.judge == "each" and kind != "mean")
        limits = (low, high) if judged else (None, None)
        readings.append(Reading(f"{name} {kind}", value, unit, *limits))
    return readings


def _straightness(across: Sequence[float], along: Sequence[float]) -> float:
    """How far apart two parallels to the least-squares line lie that hold all points, px."""
    slope, start = np.polyfit(across, along, 1)
    off = np.asarray(along) - (slope * np.asarray(across) + start)
    return float(off.max() - off.min()) * math.cos(math.atan(float(slope)))


def _around(seen: Scan, found: Sequence[tuple[Edge, Edge]], region: Picture, corner: tuple[int, int]) -> Box:
    """The upright box round the edges, in px of the picture."""
    first = min(pair[0].at_px for pair in found)
    last = max(pair[1].at_px for pair in found)
    if last - first < 2 * _POSITION_PX:
        first, last = (first + last) / 2 - _POSITION_PX, (first + last) / 2 + _POSITION_PX
    outer = seen.samples.shape[0] - 1
    corners = [seen.place(along, across) for along in (first, last) for across in (0, outer)]
    rows, columns = region.shape[:2]
    left = min(max(math.floor(min(x for x, _ in corners) + 0.5), 0), columns - 1)
    top = min(max(math.floor(min(y for _, y in corners) + 0.5), 0), rows - 1)
    right = min(max(math.floor(max(x for x, _ in corners) + 0.5), left), columns - 1)
    bottom = min(max(math.floor(max(y for _, y in corners) + 0.5), top), rows - 1)
    return corner[0] + left, corner[1] + top, right - left + 1, bottom - top + 1
