"""The judge: what the findings of one part mean. Pure: no clock, no thread, no I/O."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..bus.part import Defect, HeatMap, Outcome
from .recipe import Region, Rules

LEVEL_AT_THRESHOLD = 128
"""Grey level of a heat map's cell that is exactly at its region's threshold."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the model and the light say of one region of one part."""

    region: str
    box: tuple[int, int, int, int]
    """x, y, width, height in sensor pixels."""
    score: float
    heat: NDArray[np.float32]
    """(rows, columns) float32, same unit as score."""
    threshold: float
    brightness: float
    """Mean grey level of the region, 0..255."""
    trouble: str = ""
    """What is wrong with the model's output, for people; empty: sound."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judge's part of a Verdict."""

    outcome: Outcome
    reasons: tuple[str, ...]
    defects: tuple[Defect, ...]
    score: float
    threshold: float
    """Of the region that is nearest to (or farthest above) its limit."""
    heat: tuple[HeatMap, ...]


def judge(rules: Rules, regions: Sequence[Region], seen: Sequence[Seen], doubtful: Sequence[str] = ()) -> Judgement:
    """Judge one part by its regions.

    doubtful: why it cannot be OK whatever the regions say: a code that was not read, a region out of the picture.

    NG wins over UNJUDGED: a defect that was seen is a defect, whatever the lamp does elsewhere. A score or map that is
    not a finite number, a region without a finding or outside its brightness is UNJUDGED, never OK.
    """
    doubts = list(doubtful)
    objections: list[str] = []
    defects: list[Defect] = []
    found = {one.region for one in seen}
    unseen = [region.name for region in regions if region.name not in found]
    doubts += [f"no finding in region {name}" for name in unseen if not any(f"region {name} " in d for d in doubts)]
    sound = []
    for one in seen:
        if one.trouble or not math.isfinite(one.score) or one.heat.size == 0 or not bool(np.isfinite(one.heat).all()):
            doubts.append(f"{one.trouble or 'the model gave no number'} in region {one.region}")
            continue
        sound.append(one)
        low, high = rules.brightness
        if not low <= one.brightness <= high:
            doubts.append(f"brightness {one.brightness:.0f} outside {low}..{high} in region {one.region}")
        if one.score > one.threshold:
            objections.append(f"score {one.score:.2f} above {one.threshold:.2f} in region {one.region}")
            defects += places(one, rules.min_defect_px)
    worst = max(sound, key=lambda one: one.score - one.threshold, default=None)
    outcome = Outcome.NG if objections else Outcome.UNJUDGED if doubts else Outcome.OK
    return Judgement(
        outcome=outcome,
        reasons=tuple(objections + doubts),
        defects=tuple(defects),
        score=worst.score if worst else 0.0,
        threshold=worst.threshold if worst else 0.0,
        heat=tuple(heat_map(one) for one in sound),
    )


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
    return sorted(found, key=lambda d: d.score, reverse=True)[:16]


def heat_map(one: Seen) -> HeatMap:
    """Return the map as grey levels: 128 at the threshold, 255 at twice the threshold and above."""
    unit = max(abs(one.threshold), 1e-6)
    # In double: any finite heat fits, without overflow.
    beyond = np.clip((one.heat.astype(np.float64) - one.threshold) / unit, -1.0, 1.0)
    grey = np.clip(np.rint(LEVEL_AT_THRESHOLD * (1 + beyond)), 0, 255).astype(np.uint8)
    rows, columns = one.heat.shape
    x, y, w, h = one.box
    return HeatMap(x, y, w, h, columns, rows, grey.tobytes())
