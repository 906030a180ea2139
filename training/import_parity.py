"""A foreign graph as it is, and the same inside a bundle: picture by picture they have to say the same."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadBundle
from ..models.box import Box
from ..models.bundle import SCORE_TOLERANCE
from ..models.detector import ADAPTERS
from ..models.findings import Spot
from ..models.manifest import Output
from ..models.reading import Array, Reader, Reading, Unsound
from ..models.runtime import Session
from .foreign import Foreign
from .foreign_ports import Plan, truth
from .import_options import ImportOptions
from .wrapping import Taken, prepared

Cuts = npt.NDArray[np.uint8]
_SAME_PX = 1
"""Corners of one place differ by no more: they are rounded to whole pixels."""


class Itself:
    """The foreign graph, untouched, fed by numpy."""

    def __init__(self, foreign: Foreign, taken: Taken, options: ImportOptions) -> None:
        """Load it. BadBundle: it does not load."""
        self._foreign, self._taken, self._options = foreign, taken, options
        try:
            self._session = Session(foreign.model.SerializeToString(), "cpu", 1)
        except BadBundle as error:
            raise BadBundle(f"{foreign.path}: does not load as it is: {error}") from error

    def outputs(self, cut: Cuts) -> dict[str, Array]:
        """Return every output for one picture, uint8 [1, h, w, c]. BadBundle: it does not run."""
        fed = prepared(cut, self._taken, self._options)
        if self._session.inputs[0].dtype != "float32":
            fed = fed.astype(np.float16)
        names = [port.name for port in self._session.outputs]
        try:
            found = self._session.run(names, {self._foreign.input.name: fed})
        except RuntimeError as error:
            raise BadBundle(f"{self._foreign.path}: does not run as it is: {error}") from error
        return dict(zip(names, found, strict=True))


@dataclass(frozen=True, slots=True)
class Pair:
    """Both of them."""

    itself: Itself
    session: Session
    """The graph of the bundle."""
    picture: str
    """Name of its input."""
    plan: Plan
    reader: Reader

    def held(self, names: list[str], cuts: Cuts) -> tuple[list[Reading], float]:
        """Return what the bundle says of each picture, and the largest difference of any number.

        BadBundle, naming the picture: a difference above 1e-3, or output that nothing can be judged by.
        """
        found = [self._one(name, cuts[at : at + 1]) for at, name in enumerate(names)]
        return [reading for reading, _ in found], max(difference for _, difference in found)

    def _one(self, name: str, cut: Cuts) -> tuple[Reading, float]:
        adapter = ADAPTERS[self.plan.adapter]
        mine = self.session.run(list(self.reader.output.ports), {self.picture: cut})
        foreign = truth(self.plan, self.itself.outputs(cut))
        try:
            reading, wanted = adapter(mine, self.reader), adapter(foreign, self.reader)
        except Unsound as error:
            raise BadBundle(f"{name}: cannot be judged as {self.plan.adapter}: {error}") from error
        difference = _apart(np.array(reading.score), np.array(wanted.score))
        # What a detector is unsure of has no steady order: all its numbers are not compared, but all that it is NG by.
        if self.plan.adapter != "torchvision_detection":
            difference = max(difference, *(_apart(a, b) for a, b in zip(mine, foreign, strict=True)))
        if not difference <= SCORE_TOLERANCE or not _same_places(reading, wanted):
            raise BadBundle(
                f"{name}: inside the bundle the model says score {reading.score:.6g} and {_above(reading)} places, by "
                f"itself {wanted.score:.6g} and {_above(wanted)} (difference {difference:.3g}, "
                f"allowed {SCORE_TOLERANCE:g}; places within {_SAME_PX} px)"
            )
        return reading, difference


def reader_of(output: Output, taken: Taken, options: ImportOptions) -> Reader:
    """Return how pictures that were cut already are read."""
    limits = options.class_limits()
    return Reader(
        output,
        taken.width,
        taken.height,
        Box(0, 0, taken.width, taken.height),
        np.array([limits[name] for name in output.classes], np.float64),
        np.array([options.areas_px.get(name, 0.0) for name in output.classes], np.float64),
    )


def _above(reading: Reading) -> int:
    return sum(spot.ratio > 1.0 for spot in reading.spots)


def _same_places(mine: Reading, foreign: Reading) -> bool:
    """True when each place above its limit has its like on the other side, and none is left."""
    left = [spot for spot in foreign.spots if spot.ratio > 1.0]
    for spot in (each for each in mine.spots if each.ratio > 1.0):
        like = [other for other in left if _alike(spot, other)]
        if not like:
            return False
        left.remove(like[0])
    return not left


def _alike(one: Spot, other: Spot) -> bool:
    a, b = one.box, other.box
    pairs = ((a.x, b.x), (a.y, b.y), (a.x + a.w, b.x + b.w), (a.y + a.h, b.y + b.h))
    near = all(abs(left - right) <= _SAME_PX for left, right in pairs)
    return near and one.kind == other.kind and abs(one.score - other.score) <= SCORE_TOLERANCE


def _apart(mine: Array, foreign: Array) -> float:
    """Largest difference, as a share where numbers are above 1."""
    if mine.shape != foreign.shape:
        return float("inf")
    if not mine.size:
        return 0.0
    found, wanted = mine.astype(np.float64), foreign.astype(np.float64)
    return float((np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted))).max())
