"""The models of one job: each bundle of its recipe is proved and kept fit once, however many regions it looks at.

A model that fails is loaded and proved again beside the loop (`models/keeper.py`); until it is back its regions are
UNJUDGED and the job is not READY.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ..bus.errors import BadBundle, BadRecipe
from ..imaging.picture import Picture
from ..models.box import Box
from ..models.bundle import Bundle, open_bundle
from ..models.detector import Detector
from ..models.findings import Findings
from ..models.keeper import Keeper
from ..models.parity import check_golden
from .options import InspectOptions
from .recipe import ActiveRecipe
from .sections import Region

NO_MODEL = "none"
"""What runs the models of a job that has none."""


class Proved:
    """A detector whose golden pictures score as stored on this box."""

    def __init__(self, bundle: Bundle, options: InspectOptions) -> None:
        """Load, warm up and prove. BadBundle, BadSettings."""
        self._detector = Detector(bundle, options.provider, options.threads)
        self.failures = 0
        """Runs that failed since it was loaded."""
        self.prove()

    @property
    def provider(self) -> str:
        """Execution provider that really runs."""
        return self._detector.provider

    def prove(self) -> None:
        """Score the golden pictures. BadBundle: not as stored."""
        report = check_golden(self._detector)
        if not report.passed:
            raise BadBundle(f"{self._detector.bundle.folder}: golden pictures do not score as stored: {report.detail}")

    def find(self, picture: Picture, region: Box, limits: Mapping[str, float] | None = None) -> Findings:
        """What is seen in a region. BadPicture: it is of another kind than the bundle takes."""
        found = self._detector.find(picture, region)
        self.failures += found.trouble.startswith("the model did not run")
        return found

    def warm(self) -> None:
        """One inference of an empty picture. RuntimeError: it failed."""
        entry = self._detector.bundle.manifest.input
        found = self._detector.find_cut(np.zeros((1, entry.height, entry.width, entry.channels), np.uint8))
        if found.trouble.startswith("the model did not run"):
            raise RuntimeError(found.trouble)


class Models:
    """All of one job. One thread."""

    def __init__(
        self,
        active: ActiveRecipe,
        options: InspectOptions,
        load: Callable[[Bundle, InspectOptions], Proved] = Proved,
    ) -> None:
        """Open, load, warm up and prove every bundle of the recipe; two of one content are one. load: makes a detector.

        BadBundle, BadSettings. BadRecipe: a region has a limit for a class that its model does not know.
        """
        opened = {name: open_bundle(folder) for name, folder in active.bundles.items()}
        self._of = {region.name: opened[active.recipe.bundle_of(region)] for region in active.recipe.regions}
        self.digests = {name: bundle.digest for name, bundle in opened.items()}
        """Of the bundles, by what the recipe calls each."""
        for region in active.recipe.regions:
            _check_limits(active, region, self._of[region.name])
        self._keepers = {
            bundle.digest: Keeper(_maker(load, bundle, options), options.warm_ms)
            for bundle in {each.digest: each for each in opened.values()}.values()
        }

    @property
    def provider(self) -> str:
        """Execution provider that really runs them, several in one word if they differ; `none` where there is none."""
        if self.trouble:
            return NO_MODEL
        found = sorted({keeper.detector.provider for keeper in self._keepers.values()})
        return ", ".join(found) or NO_MODEL

    @property
    def trouble(self) -> str:
        """Why a model is not at hand, for people; empty: all are."""
        return next((keeper.trouble for keeper in self._keepers.values() if not keeper.fit), "")

    def find(self, region: Region, picture: Picture, box: Box) -> Findings:
        """What the region's model sees in a box of a picture. BadPicture: of another kind than the model takes."""
        return self._keepers[self._of[region.name].digest].find(picture, box, region.limits or None)

    def threshold(self, region: Region) -> float:
        """Score above which a region is NG."""
        return self._of[region.name].manifest.threshold.value if region.threshold is None else region.threshold

    def prove(self) -> None:
        """Score the golden pictures of all that are at hand. BadBundle: not as stored any more."""
        for keeper in self._keepers.values():
            if keeper.fit:
                keeper.detector.prove()

    def turn(self) -> None:
        """Do what is due while no frame waits. Fault: a model cannot be had any more."""
        for keeper in self._keepers.values():
            keeper.turn()

    def wait_ns(self) -> int | None:
        """Nanoseconds until `turn` has something to do; None: nothing to wait for."""
        waits = [wait for keeper in self._keepers.values() if (wait := keeper.wait_ns()) is not None]
        return min(waits, default=None)

    def close(self) -> None:
        """End what is being loaded. Takes some seconds at most."""
        for keeper in self._keepers.values():
            keeper.close()


def _maker(
    load: Callable[[Bundle, InspectOptions], Proved], bundle: Bundle, options: InspectOptions
) -> Callable[[], Proved]:
    return lambda: load(bundle, options)


def _check_limits(active: ActiveRecipe, region: Region, bundle: Bundle) -> None:
    known = bundle.manifest.output.classes
    unknown = [name for name in region.limits if name not in known]
    if unknown:
        raise BadRecipe(
            f"{active.path}: regions: {region.name}: limits: {unknown[0]!r}: {bundle.folder.name} knows "
            f"{', '.join(known) or 'no classes'}"
        )
