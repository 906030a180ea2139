"""From what a model or a tool says to what the judge takes: places in the camera's picture, one shape for all."""

from collections.abc import Iterable

import numpy as np

from ..imaging.measured import Measured
from ..models.box import Box
from ..models.findings import Findings, Measure, Spot
from .seen import Seen
from .view import Cut

RULE_THRESHOLD = 1.0
"""A tool's score is a share of its limits."""


def seen_by_model(cut: Cut, findings: Findings, threshold: float) -> Seen:
    """What a model says of a region, and the light in it."""
    box = cut.box
    light = float(cut.picture[box.y : box.y + box.h : 4, box.x : box.x + box.w : 4].mean())
    return Seen(
        cut.section.name,
        cut.place,
        findings.score,
        findings.heat,
        threshold,
        light,
        findings.trouble,
        _placed(cut, findings.spots),
        findings.measures,
    )


def seen_by_tool(cut: Cut, measured: Measured) -> Seen:
    """What a tool says of its place."""
    spots = [Spot(place.kind, Box(*place.box), place.score, RULE_THRESHOLD) for place in measured.places]
    return Seen(
        cut.section.name,
        cut.place,
        measured.score,
        np.zeros((1, 1), np.float32),
        RULE_THRESHOLD,
        None,
        measured.trouble,
        _placed(cut, spots),
        tuple(Measure(each.name, each.value, each.unit, each.low, each.high) for each in measured.readings),
        is_rule=True,
    )


def _placed(cut: Cut, spots: Iterable[Spot]) -> tuple[Spot, ...]:
    return tuple(Spot(spot.kind, cut.seen_at(spot.box), spot.score, spot.limit) for spot in spots)
