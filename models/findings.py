"""What a model or a rule says of one region of one picture."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .box import Box


@dataclass(frozen=True, slots=True)
class Spot:
    """One place that was found. Above its limit it makes the region NG."""

    kind: str
    """Name of the class, `anomaly`, or the name of a rule."""
    box: Box
    """Picture pixels."""
    score: float
    """Finite; in the unit of the limit, for a class its confidence 0..1."""
    limit: float
    """Above 0."""

    @property
    def ratio(self) -> float:
        """Score over limit; above 1 is NG."""
        return self.score / self.limit


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure that was measured, with what it may be."""

    name: str
    value: float
    unit: str
    """`mm`, `px`, `count`, `share`, `level`, or empty."""
    low: float | None = None
    """Smallest value that is good; None: no limit on this side."""
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What is said of one region. Unsound findings judge nothing: the part is UNJUDGED."""

    region: Box
    """Where in the picture, sensor pixels."""
    score: float
    """Above the threshold is NG; `inf` when unsound, so that nothing passes.

    Of an anomaly model: how unlike a good part the region is, in the model's own units. Of all that know classes, and
    of rules: the largest share of a limit that is used up, and the threshold is 1.
    """
    heat: npt.NDArray[np.float32]
    """`(rows, columns)` float32, the score of each cell of the region; its maximum is the score, or what of it has a
    place. Zeros when unsound."""
    model: str
    """Digest of the bundle, 64 hex digits; empty for a rule."""
    took_ns: int
    """Crop, resize and inference."""
    trouble: str = ""
    """What is wrong with the output (`NaN in the heat map`), for people; empty: sound."""
    spots: tuple[Spot, ...] = ()
    """Places found, the worst first. An anomaly model leaves it empty: its heat says where."""
    measures: tuple[Measure, ...] = ()
    """Figures measured, within their limits or not."""
    features: npt.NDArray[np.float32] | None = None
    """`(k,)` float32, what the model has seen in the mean: for charts of drift. None: the model gives none."""

    @property
    def sound(self) -> bool:
        """True when score and heat may be judged by."""
        return not self.trouble
