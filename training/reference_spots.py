"""From a difference to the places a person is shown: where, missing or extra, how large, how strong.

A place is seeded by cells above the limit and grows over neighbours above half of it (hysteresis: J. Canny, IEEE PAMI 8
(1986) 679), so that one defect is one place with its whole extent.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ..models.box import Box
from .reference_template import CELL_PX, Difference

GROWN = 0.5
"""Share of the limit down to which a place grows."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place beyond the limit."""

    kind: Literal["brighter", "darker"]
    """Against the template: on dark ink brighter is missing, darker is extra."""
    box: Box
    """Pixels of the compared picture, in cells of 4 px."""
    area_px: int
    """Of the cells it covers."""
    score: float
    """Its hottest cell."""


def places_of(difference: Difference, limit: float) -> list[Place]:
    """Return the places whose hottest cell is above the limit, the hottest first."""
    heat = difference.heat
    count, labels, stats, _ = cv2.connectedComponentsWithStats((heat > limit * GROWN).astype(np.uint8), connectivity=8)
    found = []
    for label in range(1, count):
        left, top, width, height, cells = (int(each) for each in stats[label])
        window = slice(top, top + height), slice(left, left + width)
        covered = labels[window] == label
        score = float(heat[window][covered].max())
        if score <= limit:
            continue
        brighter, darker = (float(each[window][covered].max()) for each in (difference.brighter, difference.darker))
        found.append(
            Place(
                kind="brighter" if brighter >= darker else "darker",
                box=Box(left * CELL_PX, top * CELL_PX, width * CELL_PX, height * CELL_PX),
                area_px=cells * CELL_PX * CELL_PX,
                score=score,
            )
        )
    return sorted(found, key=lambda place: -place.score)
