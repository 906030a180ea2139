"""What the model of these tests says of a part when nothing is hurt: what it overlooks then is no escape of a fault."""

from pathlib import Path

from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.detector import Detector
from okng.simline.pictures import open_looks
from okng.simline.plan import read_plan

NEAR = 0.25
"""In units of the threshold: so far the line's score may be from that of the picture itself: the camera has noise."""


class Eyes:
    """The parts of one belt, looked at by the taught model alone."""

    def __init__(self, plan: Path, model: Path) -> None:
        """plan: of the simulated line that ran. model: the bundle that judged."""
        self._looks, bundle = open_looks(read_plan(plan)), open_bundle(model)
        self._detector, self._threshold = Detector(bundle), bundle.manifest.threshold.value
        view = self._looks.view
        self._whole = Box(0, 0, view.width, view.height)

    def overlook(self, index: int, score: float) -> bool:
        """True where the picture of that part has no score of a reject, and the line's score is of this very picture.

        index: of the belt, from 0. score: what the ledger says.
        """
        alone = self._detector.find(self._looks.picture(index), self._whole).score
        return alone <= self._threshold and abs(alone - score) <= NEAR * self._threshold
