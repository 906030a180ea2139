"""What was seen in one region of one part, and what is to be said of it. Pure.

A model that finds what is unusual, one that knows classes and a rule are judged alike: a score above the threshold is
NG. Which places and which figures made it so is said in words.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..bus.part import Defect, HeatMap, Measurement, Outcome
from ..models.findings import Measure, Spot
from .recipe import Rules

LEVEL_AT_THRESHOLD = 128
"""Grey level of a heat map's cell that is exactly at its region's threshold."""
MOST_DEFECTS = 16
"""Of one region."""
_MOST_DECIMALS = 6
_UNSAID = ("", "count", "share", "level")
"""Units that the name of a figure tells already."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a model or a rule, and the light, say of one region of one part."""

    region: str
    box: tuple[int, int, int, int]
    """x, y, width, height in sensor pixels."""
    score: float
    heat: NDArray[np.float32]
    """(rows, columns) float32, same unit as score."""
    threshold: float
    brightness: float | None
    """Mean grey level of the region, 0..255; None: a rule that sees to the light itself."""
    trouble: str = ""
    """Why it cannot be judged, for people; empty: it can."""
    spots: tuple[Spot, ...] = ()
    """Places found, in sensor pixels; empty where the heat says where."""
    measures: tuple[Measure, ...] = ()
    is_rule: bool = False
    """No model sees it but a tool of the recipe."""

    @property
    def place(self) -> str:
        """Where, for people."""
        return self.region if self.is_rule else f"region {self.region}"

    @property
    def sound(self) -> bool:
        """True for what can be judged by."""
        whole = math.isfinite(self.score) and self.heat.size > 0 and bool(np.isfinite(self.heat).all())
        return whole and not self.trouble

    @property
    def share(self) -> float:
        """The score as a share of its limit; 0 where there is none above 0, or no score."""
        return self.score / self.threshold if self.sound and self.threshold > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is to be said of one region."""

    outcome: Outcome
    objections: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    defects: tuple[Defect, ...] = ()
    share: float = 0.0


def opinion(one: Seen, rules: Rules) -> Opinion:
    """Judge one region. What is no finite number, or outside the rules' brightness, is UNJUDGED; NG wins over that."""
    if not one.sound:
        if one.is_rule and one.trouble:  # it names the tool itself
            return Opinion(Outcome.UNJUDGED, doubts=(one.trouble,))
        return Opinion(Outcome.UNJUDGED, doubts=(f"{one.trouble or 'the model gave no number'} in {one.place}",))
    low, high = rules.brightness
    doubts: tuple[str, ...] = ()
    if one.brightness is not None and not low <= one.brightness <= high:
        doubts = (f"brightness {one.brightness:.0f} outside {low}..{high} in {one.place}",)
    if one.score <= one.threshold:
        return Opinion(Outcome.UNJUDGED if doubts else Outcome.OK, doubts=doubts, share=one.share)
    return Opinion(Outcome.NG, tuple(_objections(one)), doubts, tuple(_defects(one, rules.min_defect_px)), one.share)


def measurements(one: Seen, camera: str) -> Iterator[Measurement]:
    """Yield what was measured in a region, good or not."""
    for each in one.measures:
        yield Measurement(camera, one.region, each.name, each.value, each.unit, each.low, each.high)


def places(one: Seen, min_px: int) -> list[Defect]:
    """Return the connected places above the threshold as boxes in sensor pixels, the worst first, at most 16."""
    above = (one.heat > one.threshold).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    rows, columns = one.heat.shape
    x0, y0, width, height = one.box
    found = []
    for label in range(1, count):
        left, top, w, h, cells = (int(v) for v in stats[label])
        if cells * width * height / (rows * columns) < min_px:
            continue
        x, y = x0 + left * width // columns, y0 + top * height // rows
        right, bottom = x0 + -(-(left + w) * width // columns), y0 + -(-(top + h) * height // rows)
        score = float(one.heat[labels == label].max())
        found.append(Defect("anomaly", one.region, x, y, right - x, bottom - y, score))
    return sorted(found, key=lambda d: d.score, reverse=True)[:MOST_DEFECTS]


def heat_map(one: Seen) -> HeatMap:
    """Return the map as grey levels: 128 at the threshold, 255 at twice the threshold and above."""
    unit = max(abs(one.threshold), 1e-6)
    # In double: any finite heat fits, without overflow.
    beyond = np.clip((one.heat.astype(np.float64) - one.threshold) / unit, -1.0, 1.0)
    grey = np.clip(np.rint(LEVEL_AT_THRESHOLD * (1 + beyond)), 0, 255).astype(np.uint8)
    rows, columns = one.heat.shape
    x, y, w, h = one.box
    return HeatMap(x, y, w, h, columns, rows, grey.tobytes())


def _above(one: Seen) -> list[Spot]:
    """Spots that make the region NG, the worst first."""
    over = [spot for spot in one.spots if spot.ratio > one.threshold]
    return sorted(over, key=lambda spot: spot.ratio, reverse=True)


def _outside(one: Seen) -> list[Measure]:
    return [
        m for m in one.measures if (m.low is not None and m.value < m.low) or (m.high is not None and m.value > m.high)
    ]


def _objections(one: Seen) -> Iterator[str]:
    """Yield why the region is NG: each figure that is outside, the worst spot of each kind, else its score."""
    outside = _outside(one)
    for measure in outside:
        yield f"{_figure(measure)} in {one.place}"
    worst: dict[str, Spot] = {}
    for spot in () if outside and one.is_rule else _above(one):  # a rule's figure says what its places show
        worst.setdefault(spot.kind, spot)
    for spot in worst.values():
        yield f"{spot.kind} {spot.score:.2f} above {spot.limit * one.threshold:.2f} in {one.place}"
    if not outside and not worst:
        yield f"score {one.score:.2f} above {one.threshold:.2f} in {one.place}"


def _figure(measure: Measure) -> str:
    """`width 10.42 mm outside 9.80..10.20`: as many decimals as tell the value from its limits."""
    low, high = measure.low, measure.high
    limits = [limit for limit in (low, high) if limit is not None]
    whole = all(float(each).is_integer() for each in (measure.value, *limits)) and measure.unit in (
        "count",
        "level",
        "px",
    )
    decimals = 0 if whole else 2
    while (
        not whole
        and decimals < _MOST_DECIMALS
        and any(f"{measure.value:.{decimals}f}" == f"{limit:.{decimals}f}" for limit in limits)
    ):
        decimals += 1
    unit = "" if measure.unit in _UNSAID else f" {measure.unit}"
    said = f"{measure.name} {measure.value:.{decimals}f}{unit}"
    if low is not None and high is not None:
        return f"{said} outside {low:.{decimals}f}..{high:.{decimals}f}"
    return f"{said} above {high:.{decimals}f}" if high is not None else f"{said} below {low:.{decimals}f}"


def _defects(one: Seen, min_px: int) -> list[Defect]:
    """The places to draw: spots, the whole of a rule whose figure is outside, or what stands out in the heat."""
    above = _above(one)
    if above:
        boxes = [(spot, spot.box) for spot in above if spot.box.w * spot.box.h >= min_px]
        return [
            Defect(spot.kind, one.region, box.x, box.y, box.w, box.h, spot.score) for spot, box in boxes[:MOST_DEFECTS]
        ]
    outside = _outside(one)
    if outside:
        x, y, w, h = one.box
        # A tool's defects are called as it is: gates are told by that name what to send where.
        kinds = dict.fromkeys(one.region if one.is_rule else measure.name for measure in outside)
        return [Defect(kind, one.region, x, y, w, h, one.score) for kind in list(kinds)[:MOST_DEFECTS]]
    return places(one, min_px)
