"""What goods taught a golden reference: tolerance, heat per cell, and each good's score as if it were new.

Mean and deviation without one good come in closed form from the sums over all, so no good judges itself; only the
template it was laid over knows it, as one of many. Tolerances are chosen as in `reference_tolerance.py`, by marks drawn
on goods; then each cell is set in relation to what goods show at that very cell.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from .features import workers
from .promise import Targets, promise
from .reference_goods import Kind
from .reference_marks import Mark, marked
from .reference_options import ReferenceOptions
from .reference_template import Laid, Template, Tolerance, beyond, lay_over, template_of
from .reference_tolerance import EDGES_PX, LEAST_SHARE, MARKS, OF_CONTRAST, WINDOWS_PX, contrast, floored, heat_at
from .threshold import Limit, choose_threshold

Array = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

SPREAD = 3.0
"""Deviations of the goods at a place that are allowed there."""
LEAST_LEVEL, MOST_LEVEL = 6.0, 40.0
_NOISE = 4.0
"""Usual deviations that are allowed everywhere."""
TRIED_GOODS = 16
"""Goods that candidates are tried on."""
QUIET_LEVELS = 6.0
"""Heat in grey levels that is nothing anywhere; what goods show at a cell is added to it."""
_SHOWN = 2.0
_AS_SHOWN = f"what goods show at a place and {QUIET_LEVELS:g} grey levels"


@dataclass(frozen=True, slots=True)
class ReferenceLesson:
    """What the goods taught."""

    tolerance: Tolerance
    templates: tuple[Template, ...]
    held_out: npt.NDArray[np.float64]
    """Score of each good as if it were new, `(goods,)`."""
    limit: Limit
    marks_found: float
    """Share of the drawn marks that the chosen tolerance finds, 0..1."""


@dataclass(frozen=True, slots=True)
class _Trial:
    """A good without which limits are made, with marks."""

    mean: Array
    deviation: Array
    laid: Laid
    spoilt: Laid
    marks: list[Mark]

    def tried(self, tolerance: Tolerance) -> tuple[float, list[float]]:
        """Score of the good, and the heat at each mark, grey levels."""
        template = template_of(self.mean, self.deviation, tolerance)
        score = beyond(self.laid, template, tolerance.window_px).score
        heat = beyond(self.spoilt, template, tolerance.window_px).heat
        return score, [heat_at(heat, mark) for mark in self.marks]


def learn_reference(
    cuts: Pixels, kinds: Sequence[Kind], options: ReferenceOptions, begin: Callable[[str], Callable[[float], None]]
) -> ReferenceLesson:
    """Return the lesson of goods, uint8 `(goods, height, width, channels)`, told apart by kind already.

    begin: told the name of each phase; what it returns is told how far that is, 0..1.
    """
    tolerance, found = _chosen(cuts, kinds, options, begin("tolerance"))
    tell = begin("held out")
    held_out, templates, done = np.empty(len(cuts)), [], 0
    for kind in kinds:
        heats = []
        with ThreadPoolExecutor(workers(options.threads), "held-out") as pool:
            for heat in pool.map(partial(_without, kind, tolerance), range(len(kind.members))):
                heats.append(heat)
                done += 1
                tell(done / len(cuts))
        slopes = _Slopes(np.stack(heats))
        for heat, member in zip(heats, kind.members, strict=True):
            held_out[member] = float((heat * slopes.without(heat)).max())
        mean, deviation = kind.statistics()
        made = template_of(mean, deviation, tolerance, slopes.of_all())
        templates.append(Template(kind.half, made.upper, made.lower, made.slope))
    limit = promise(held_out, Targets(overkill=options.overkill_percent / 100.0))
    return ReferenceLesson(tolerance, tuple(templates), held_out, floored(limit, 1.0, _AS_SHOWN), found)


class _Slopes:
    """What levels are multiplied by at each cell, from the heat that goods show there."""

    def __init__(self, heats: Array) -> None:
        """heats: `(goods, rows, columns)`, each good under the limits of the others."""
        wide = heats.astype(np.float64)
        self._goods, self._total, self._squares = len(heats), wide.sum(axis=0), (wide * wide).sum(axis=0)

    def of_all(self) -> Array:
        return self._slope(self._goods, self._total, self._squares)

    def without(self, heat: Array) -> Array:
        """As if one of the goods, given by its heat, had not been there."""
        if self._goods < 2:
            return self.of_all()
        wide = heat.astype(np.float64)
        return self._slope(self._goods - 1, self._total - wide, self._squares - wide * wide)

    @staticmethod
    def _slope(goods: int, total: Wide, squares: Wide) -> Array:
        mean = total / goods
        shown = mean + _SHOWN * np.sqrt(np.maximum(squares / goods - mean * mean, 0.0))
        return np.asarray(1.0 / (QUIET_LEVELS + shown), np.float32)


def _without(kind: Kind, tolerance: Tolerance, at: int) -> Array:
    """Grey levels that a good is beyond the limits of the others, by cell."""
    mean, deviation = kind.statistics(at)
    return beyond(kind.laid(at), template_of(mean, deviation, tolerance), tolerance.window_px).heat


def _contrast(kinds: Sequence[Kind]) -> float:
    return contrast(kinds[0].statistics()[0])


def _chosen(
    cuts: Pixels, kinds: Sequence[Kind], options: ReferenceOptions, tell: Callable[[float], None]
) -> tuple[Tolerance, float]:
    """The tolerance that finds most marks at the limit its goods ask for, and the share it finds."""
    rng = np.random.default_rng(options.seed)
    trials = []
    for kind in kinds:
        count = max(4, TRIED_GOODS * len(kind.members) // len(cuts))
        for at in np.unique(np.linspace(0, len(kind.members) - 1, count).round().astype(int)):
            spoilt, marks = marked(cuts[kind.members[at]], MARKS, rng)
            laid = lay_over(spoilt, kind.half, options.search_px)
            trials.append(_Trial(*kind.statistics(int(at)), kind.laid(int(at)), laid, marks))
    usual = [float(np.median(kind.statistics()[1])) for kind in kinds]
    level = float(np.clip(_NOISE * np.mean(usual), LEAST_LEVEL, MOST_LEVEL))
    floor = LEAST_SHARE * _contrast(kinds)
    best: Tolerance | None = None
    ranks = (-1.0, -1.0)
    candidates = [(edge_px, window_px) for edge_px in EDGES_PX[:3] for window_px in WINDOWS_PX]
    for number, (edge_px, window_px) in enumerate(candidates):
        tolerance = Tolerance(level, SPREAD, edge_px, window_px, options.search_px)
        with ThreadPoolExecutor(workers(options.threads), "tolerance") as pool:
            found = list(pool.map(lambda trial: trial.tried(tolerance), trials))  # noqa: B023 # ends within the turn
        scores = np.array([score for score, _ in found])
        heights = [height for _, each in found for height in each]
        limit = floored(choose_threshold(scores, options.overkill_percent / 100.0), floor, OF_CONTRAST).value
        shown = np.array(heights)
        rank = (float((shown > limit).mean()), float(np.minimum(shown / limit, 3.0).mean())) if heights else (0.0, 0.0)
        if best is None or rank > ranks:
            best, ranks = tolerance, rank
        tell((number + 1) / len(candidates))
    if best is None:
        raise AssertionError("there is always a candidate")
    return best, ranks[0]
