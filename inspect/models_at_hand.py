"""The models of one job: each bundle of its recipe is proved and kept fit once, however many regions it looks at.

A model that fails is loaded and proved again beside the loop (`models/keeper.py`); until it is back its regions are
UNJUDGED and the job is not READY.
"""

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ..bus.errors import BadRecipe, BadSettings
from ..imaging.picture import Picture
from ..models.box import Box
from ..models.bundle import Bundle, open_bundle
from ..models.detector import MOST_BATCH, Detector
from ..models.findings import Findings
from ..models.keeper import Keeper
from ..models.parity import Latency, require_gate, require_golden
from ..models.proof import proved_detector
from .options import InspectOptions
from .recipe import ActiveRecipe
from .sections import Region

NO_MODEL = "none"
"""What runs the models of a job that has none."""


Load = Callable[[Bundle, InspectOptions, int], Detector]
"""Makes a detector of a bundle for so many regions in one run. BadBundle, BadSettings."""


def proved(
    bundle: Bundle, options: InspectOptions, batch: int = 1, between: Callable[[], None] = lambda: None
) -> Detector:
    """Load a bundle, warm it up, and let its golden pictures score here as stored. BadBundle, BadSettings.

    between: called before each inference, for who loads while others judge.
    """
    return proved_detector(bundle, options, batch=batch, timed=False, between=between)


class Models:
    """All of one job. One thread."""

    def __init__(self, active: ActiveRecipe, options: InspectOptions, load: Load = proved) -> None:
        """Open, load, warm up and prove every bundle of the recipe; two of one content are one.

        BadBundle, BadSettings. BadRecipe: a region has a limit for a class that its model does not know.
        """
        self._options = options
        opened = {name: self.opened(folder) for name, folder in active.bundles.items()}
        regions = active.recipe.regions
        self._of = {region.name: opened[active.recipe.bundle_of(region)] for region in regions}
        self.digests = {name: bundle.digest for name, bundle in opened.items()}
        """Of the bundles, by what the recipe calls each."""
        self._keepers: dict[str, Keeper[Detector]] = {}
        self._active = active
        self.latencies: dict[str, Latency] = {}
        """How long each takes for one region, as it was proved, by its digest."""
        for bundle in opened.values():
            if bundle.digest not in self._keepers:
                mine = [region for region in regions if self._of[region.name].digest == bundle.digest]
                make = _maker(load, bundle, options, _batch(mine, options))
                self._keepers[bundle.digest] = Keeper(make, options.warm_ms)
                # Once, and not again when it comes back from a failure while the line works.
                self._prove_time(bundle.digest)
        self._check_limits()

    def opened(self, folder: Path, digest: str | None = None) -> Bundle:
        """The verified bundle in a folder; where authorities are named, one of them vouches for it. BadBundle."""
        return open_bundle(folder, digest, self._options.authorities)

    def _check_limits(self) -> None:
        for region in self._active.recipe.regions:
            try:
                self._keepers[self._of[region.name].digest].detector.check_limits(region.limits)
            except BadSettings as error:
                raise BadRecipe(f"{self._active.path}: regions: {region.name}: {error}") from error

    def with_other(self, replaces: str, bundle: Bundle, between: Callable[[], None] = lambda: None) -> "Models":
        """Load another bundle in the place of one of these, and return the models of the job with it; any thread.

        All but that one are the same detectors as here, so one thread has to look by both. between: called before each
        inference. Errors as when they were made. KeyError: no bundle of that digest here.
        """
        if replaces not in self._keepers:
            raise KeyError(replaces)
        other = copy.copy(self)
        other.exchange(replaces, bundle, between)
        return other

    def exchange(self, replaces: str, bundle: Bundle, between: Callable[[], None]) -> None:
        """Put a bundle in the place of another one. Only of a copy that nobody looks by yet."""
        self._of = {name: bundle if each.digest == replaces else each for name, each in self._of.items()}
        self.digests = {name: bundle.digest if each == replaces else each for name, each in self.digests.items()}
        self._keepers = {digest: keeper for digest, keeper in self._keepers.items() if digest != replaces}
        if bundle.digest not in self._keepers:
            mine = [region for region in self._active.recipe.regions if self._of[region.name] is bundle]
            make = _maker(partial(proved, between=between), bundle, self._options, _batch(mine, self._options))
            self._keepers[bundle.digest] = Keeper(make, self._options.warm_ms)
            self.latencies = dict(self.latencies)
            self._prove_time(bundle.digest, between)
        self._check_limits()

    def _prove_time(self, digest: str, between: Callable[[], None] = lambda: None) -> None:
        latency = require_gate(self._keepers[digest].detector, between).latency
        if latency is not None:
            self.latencies[digest] = latency

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

    def find(self, asked: Sequence[tuple[Region, Picture, Box]]) -> list[Findings]:
        """What each region's model sees in a box of a picture, in their order; regions of one model in one go.

        BadPicture: a picture is of another kind than the model takes.
        """
        places: dict[str, list[int]] = {}
        for place, (region, _, _) in enumerate(asked):
            places.setdefault(self._of[region.name].digest, []).append(place)
        found: dict[int, Findings] = {}
        for digest, mine in places.items():
            seen = self._keepers[digest].find_many(
                [asked[place][1:] for place in mine], [asked[place][0].limits or None for place in mine]
            )
            found |= dict(zip(mine, seen, strict=True))
        return [found[place] for place in range(len(asked))]

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """All of them that a region is judged by."""
        return tuple(self._of.values())

    def bundle(self, region: Region) -> Bundle:
        """The bundle that judges a region."""
        return self._of[region.name]

    def threshold(self, region: Region) -> float:
        """Score above which a region is NG."""
        return self._of[region.name].manifest.threshold.value if region.threshold is None else region.threshold

    def prove(self, between: Callable[[], None] = lambda: None) -> None:
        """Score the golden pictures of all that are at hand. BadBundle: not as stored any more.

        between: called before each picture; what it raises ends the work.
        """
        for keeper in self._keepers.values():
            if keeper.fit:
                require_golden(keeper.detector, between)

    def turn(self) -> None:
        """Do what is due while no frame waits. Fault: a model cannot be had any more."""
        for keeper in self._keepers.values():
            keeper.turn()

    def wait_ns(self) -> int | None:
        """Nanoseconds until `turn` has something to do; None: nothing to wait for."""
        waits = [wait for keeper in self._keepers.values() if (wait := keeper.wait_ns()) is not None]
        return min(waits, default=None)

    def close(self, besides: Sequence["Models"] = ()) -> None:
        """End what is being loaded. Takes some seconds at most. besides: go on with what they share with these."""
        shared = {id(keeper) for models in besides for keeper in models.keepers}
        for keeper in self.keepers:
            if id(keeper) not in shared:
                keeper.close()

    @property
    def keepers(self) -> tuple[Keeper[Detector], ...]:
        """What keeps each of them fit."""
        return tuple(self._keepers.values())


def _maker(load: Load, bundle: Bundle, options: InspectOptions, batch: int) -> Callable[[], Detector]:
    return lambda: load(bundle, options, batch)


def _batch(regions: Sequence[Region], options: InspectOptions) -> int:
    """Regions that one picture asks of a model at most. One run for all of them gains nothing on a CPU."""
    if options.provider == "cpu":
        return 1
    named = Counter(region.camera for region in regions)
    everywhere = named.pop(None, 0)
    return min(MOST_BATCH, max(1, everywhere + max(named.values(), default=0)))
