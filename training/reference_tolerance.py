"""What good parts may differ by, learnt from goods: chosen so that the most marks are found at the promised overkill.

Every candidate (px an edge may lie off, side of the window) is given the limit that its own goods ask for, and is then
judged by how many marks drawn on those goods (`reference_marks.py`) it finds at that limit. Wide tolerances make goods
quiet and hide small marks; narrow ones show both; which is better depends on the print, and is measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ..bus.errors import BadSettings
from .reference_compare import Pair, reference_template
from .reference_field import halved
from .reference_marks import Mark, marked
from .reference_template import CELL_PX, Laid, Tolerance, beyond, lay_over
from .threshold import Limit, choose_threshold

Array = npt.NDArray[np.float32]

EDGES_PX = (0, 1, 2, 3)
WINDOWS_PX = (3, 5, 7)
LEAST_LEVEL, MOST_LEVEL = 10.0, 60.0
"""Bounds of the grey levels any place may differ by."""
FEWEST_PAIRS = 10
MARKS = 6
"""Drawn on each good."""
LEAST_SHARE = 0.15
"""Of the print's contrast: no limit is below. Of a tolerance so wide that goods are silent it would be noise."""
OF_CONTRAST = f"{LEAST_SHARE:.0%} of the print's contrast"
_PLAIN_LEVELS = 20.0
"""Range within 5 x 5 px below which a place is plain."""
_USUAL = 0.999
_ROOM = 1.5


@dataclass(frozen=True, slots=True)
class PairsLesson:
    """What pairs of goods and their references taught."""

    tolerance: Tolerance
    limit: Limit
    marks_found: float
    """Share of the drawn marks found at that limit, 0..1."""
    scores: npt.NDArray[np.float64]
    """Of each pair, outside its defective places."""


@dataclass(frozen=True, slots=True)
class _Trial:
    """A pair, laid over its reference, as it is and with marks."""

    pair: Pair
    over: Laid
    marked: Laid
    marks: list[Mark]
    apart: npt.NDArray[np.bool_]
    """`(rows, columns)`: cells that nothing is learnt from."""


def learn_tolerance(
    pairs: Sequence[Pair],
    overkill: float,
    *,
    search_px: int = 8,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> PairsLesson:
    """Return the tolerance and limit for pairs of good parts and their references.

    overkill: share of good parts that may be above the limit, 0..1. BadSettings: too few pairs.
    """
    if len(pairs) < FEWEST_PAIRS:
        raise BadSettings(f"{len(pairs)} pairs of a good part and its reference: expected {FEWEST_PAIRS} or more")
    rng = np.random.default_rng(seed)
    laid = []
    for number, pair in enumerate(pairs):
        laid.append(_laid(pair, search_px, rng))
        if progress is not None:
            progress((number + 1) / (2 * len(pairs)))
    level = _level(laid)
    floor = LEAST_SHARE * float(np.median([contrast(each.pair.reference) for each in laid]))
    best: PairsLesson | None = None
    ranks: tuple[float, float] = (-1.0, -1.0)
    candidates = [(edge_px, window_px) for edge_px in EDGES_PX for window_px in WINDOWS_PX]
    for number, (edge_px, window_px) in enumerate(candidates):
        tolerance = Tolerance(level, 0.0, edge_px, window_px, search_px)
        scores, heights = _tried(laid, tolerance)
        limit = floored(choose_threshold(scores, overkill), floor, OF_CONTRAST)
        found = float((heights > limit.value).mean()) if len(heights) else 0.0
        # Of two that find as many, the one that shows them clearer.
        rank = (found, float(np.minimum(heights / max(limit.value, 1e-6), 3.0).mean()) if len(heights) else 0.0)
        if best is None or rank > ranks:
            best, ranks = PairsLesson(tolerance, limit, found, scores), rank
        if progress is not None:
            progress(0.5 + (number + 1) / (2 * len(candidates)))
    if best is None:
        raise AssertionError("there is always a candidate")
    return best


def contrast(pixels: npt.NDArray[np.uint8] | Array) -> float:
    """Return the grey levels between a print's dark and bright places."""
    dark, bright = np.percentile(pixels, (2, 98))
    return float(bright - dark)


def floored(limit: Limit, floor: float, floor_is: str) -> Limit:
    """Return the limit, or the floor if that is higher. floor_is: what the floor is, for people."""
    if limit.value >= floor:
        return limit
    return replace(limit, value=floor, method=f"{floor_is}, which is above the {limit.method}")


def heat_at(heat: Array, mark: Mark) -> float:
    """Return the hottest cell that a mark touches."""
    rows = slice(mark.top // CELL_PX, (mark.bottom - 1) // CELL_PX + 1)
    return float(heat[rows, mark.left // CELL_PX : (mark.right - 1) // CELL_PX + 1].max())


def _laid(pair: Pair, search_px: int, rng: np.random.Generator) -> _Trial:
    half = halved(pair.reference)
    spoilt, marks = marked(pair.picture, MARKS, rng)
    height, width, _ = pair.picture.shape
    apart = np.zeros((height // CELL_PX, width // CELL_PX), bool)
    if pair.defective is not None:
        cells = pair.defective.reshape(height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX)
        apart = np.asarray(cells.any(axis=(1, 3)), bool)
        marks = [mark for mark in marks if not pair.defective[mark.top : mark.bottom, mark.left : mark.right].any()]
    over, with_marks = (lay_over(each, half, search_px) for each in (pair.picture, spoilt))
    return _Trial(pair, over, with_marks, marks, apart)


def _level(laid: Sequence[_Trial]) -> float:
    """Grey levels that plain places differ by, with some room."""
    usual = []
    for each in laid:
        reference = each.pair.reference
        kernel = np.ones((5, 5), np.uint8)
        span = cv2.dilate(reference, kernel).astype(np.float32) - cv2.erode(reference, kernel)
        plain = np.asarray(span.reshape(reference.shape).max(axis=2) < _PLAIN_LEVELS)
        if each.pair.defective is not None:
            plain = plain & ~each.pair.defective
        if plain.any():
            usual.append(float(np.quantile(np.abs(each.over.pixels - reference)[plain], _USUAL)))
    return float(np.clip(_ROOM * np.median(usual), LEAST_LEVEL, MOST_LEVEL)) if usual else LEAST_LEVEL


def _tried(laid: Sequence[_Trial], tolerance: Tolerance) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Scores of the goods, and the heat at each mark."""
    scores: list[float] = []
    heights: list[float] = []
    for each in laid:
        template = reference_template(each.pair, tolerance)
        heat = beyond(each.over, template, tolerance.window_px).heat
        scores.append(float(heat[~each.apart].max(initial=0.0)))
        heat = beyond(each.marked, template, tolerance.window_px).heat
        heights.extend(heat_at(heat, mark) for mark in each.marks)
    return np.array(scores), np.array(heights)
