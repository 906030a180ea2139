"""A foreign graph as it is, and the same inside a bundle: picture by picture they have to say the same."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadBundle
from ..models.box import Box
from ..models.bundle import SCORE_TOLERANCE
from ..models.detector import ADAPTERS
from ..models.manifest import Output
from ..models.reading import Array, Reader, Reading, Unsound
from ..models.runtime import Session
from .foreign import Foreign
from .foreign_ports import Plan, truth
from .import_options import ImportOptions
from .wrapping import Taken, prepared

Cuts = npt.NDArray[np.uint8]


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
            raise BadBundle(f"{name}: cannot be judged by as {self.plan.adapter}: {error}") from error
        difference = max(_apart(np.array(reading.score), np.array(wanted.score)), self._largest(mine, foreign))
        above = [sum(spot.ratio > 1.0 for spot in each.spots) for each in (reading, wanted)]
        if not difference <= SCORE_TOLERANCE or above[0] != above[1]:
            raise BadBundle(
                f"{name}: inside the bundle the model says score {reading.score:.6g} and {above[0]} places, by itself "
                f"{wanted.score:.6g} and {above[1]} (difference {difference:.3g}, allowed {SCORE_TOLERANCE:g})"
            )
        return reading, difference

    def _largest(self, mine: list[Array], foreign: list[Array]) -> float:
        """Largest difference of all numbers. Of boxes, where one more or less was found, the score alone tells."""
        if any(a.shape != b.shape for a, b in zip(mine, foreign, strict=True)):
            return 0.0 if self.plan.adapter == "torchvision_detection" else float("inf")
        return max(_apart(a, b) for a, b in zip(mine, foreign, strict=True))


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


def _apart(mine: Array, foreign: Array) -> float:
    """Largest difference, as a share where numbers are above 1."""
    if not mine.size:
        return 0.0
    found, wanted = mine.astype(np.float64), foreign.astype(np.float64)
    return float((np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted))).max())
