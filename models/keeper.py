"""One model kept fit while the line runs: warm between parts, and loaded again off the path after it failed.

    keeper = Keeper(build, warm_ms=options.warm_ms)      build() -> a detector, loaded, warmed up and proved
    keeper.find(picture, region, limits)                 -> Findings; unsound while there is no fit detector
    keeper.find_many([(picture, region), ...], limits)   -> the same of several
    keeper.turn()                                        whenever no frame waits; Fault: it cannot be had any more
    keeper.wait_ns()                                     how long the loop may wait for a frame before the next turn

All calls come from one thread, which owns the detector. It is built again by a thread of its own, which has ended when
the detector is handed over whole.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ..bus.errors import Fault, OkngError
from .box import Box
from .findings import Findings

log = logging.getLogger(__name__)
MS = 1_000_000
_FIRST_WAIT_S = 0.5
_CLOSE_S = 5.0
_LOOK_NS = 20 * MS
"""How often a detector in the making is looked for."""
ATTEMPTS = 3
"""Times it is built before the keeper gives up."""
_FORGIVEN_NS = 600_000 * MS
"""A detector that ran so long since it was built again starts with all attempts."""


class Kept(Protocol):
    """What the keeper needs of a detector."""

    @property
    def failures(self) -> int:
        """Runs that failed since it was loaded."""

    def find(self, picture: npt.NDArray[np.uint8], region: Box, limits: Mapping[str, float] | None = None) -> Findings:
        """What is seen in a region."""

    def find_many(
        self,
        regions: Sequence[tuple[npt.NDArray[np.uint8], Box]],
        limits: Sequence[Mapping[str, float] | None] | None = None,
    ) -> list[Findings]:
        """What is seen in several regions, in their order."""

    def warm(self) -> None:
        """One inference of an empty picture. RuntimeError: it failed."""


@dataclass(frozen=True, slots=True)
class KeeperCounts:
    """What has happened since the start."""

    finds: int = 0
    failures: int = 0
    """Runs that failed; each began a rebuilding."""
    refused: int = 0
    """Regions not looked at because no detector was fit."""
    rebuilds: int = 0
    """Detectors that took the place of a failed one."""
    failed_builds: int = 0
    warm_runs: int = 0


D = TypeVar("D", bound=Kept)


class Keeper(Generic[D]):
    """Holds one detector. One thread owns both."""

    def __init__(
        self,
        build: Callable[[], D],
        warm_ms: int = 0,
        attempts: int = ATTEMPTS,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Build the first detector, here and now; what build raises goes on to the caller.

        build: called again, from another thread, after a failure. OkngError or RuntimeError there: that attempt failed.
        warm_ms: idle for longer, the detector gets an empty picture; 0: never. attempts: builds before it gives up.
        """
        self._build, self._warm_ns, self._attempts, self._clock = build, warm_ms * MS, attempts, clock_ns
        self._detector: D | None = build()
        self._rebuilding: _Rebuilding[D] | None = None
        self._lost_at_ns = self._fit_since_ns = self._used_ns = clock_ns()
        self._left = attempts
        self._why = ""
        self._last: Findings | None = None
        self.counts = KeeperCounts()
        """What has happened since the start."""

    @property
    def fit(self) -> bool:
        """True: a detector is at hand."""
        return self._detector is not None

    @property
    def trouble(self) -> str:
        """Why there is no detector at hand, for people; empty: there is one."""
        return "" if self.fit else self._why

    @property
    def detector(self) -> D:
        """The detector at hand. Fault: there is none now."""
        if self._detector is None:
            raise Fault(f"no model at hand: {self._why}")
        return self._detector

    def find(
        self,
        picture: npt.NDArray[np.uint8],
        region: Box,
        limits: Mapping[str, float] | None = None,
    ) -> Findings:
        """Return what is seen in a region; unsound findings while no detector is fit. BadPicture: as the detector's."""
        return self._found([region], lambda detector: [detector.find(picture, region, limits)])[0]

    def find_many(
        self,
        regions: Sequence[tuple[npt.NDArray[np.uint8], Box]],
        limits: Sequence[Mapping[str, float] | None] | None = None,
    ) -> list[Findings]:
        """Return what is seen in several regions, in their order; else as `find`."""
        return self._found([region for _, region in regions], lambda detector: detector.find_many(regions, limits))

    def _found(self, regions: Sequence[Box], look: Callable[[D], list[Findings]]) -> list[Findings]:
        self._take_over()
        detector = self._detector
        if detector is None:
            self.counts = replace(self.counts, refused=self.counts.refused + len(regions))
            return [self._unsound(region) for region in regions]
        before = detector.failures
        found = look(detector)
        self._used_ns = self._clock()
        self._last = found[-1] if found else self._last
        self.counts = replace(self.counts, finds=self.counts.finds + len(found))
        if detector.failures > before:
            self._lose(next((each.trouble for each in found if each.trouble), "a run failed"))
        return found

    def turn(self) -> None:
        """Do what is due while no frame waits; takes one inference at most. Fault: every attempt to rebuild failed."""
        self._take_over()
        if self._detector is not None:
            if self._warm_ns and self._clock() - self._used_ns >= self._warm_ns:
                self._keep_warm(self._detector)
        elif self._rebuilding is None:
            raise Fault(f"the model cannot be loaded again after {self._attempts} attempts: {self._why}")

    def wait_ns(self) -> int | None:
        """Nanoseconds until `turn` has something to do, 0 or more; None: nothing to wait for."""
        if self._detector is None:
            return 0 if self._rebuilding is None else _LOOK_NS
        if not self._warm_ns:
            return None
        return max(0, self._used_ns + self._warm_ns - self._clock())

    def close(self) -> None:
        """End a rebuilding. A runtime that is torn down while it loads may crash: it gets a few seconds."""
        if self._rebuilding is not None:
            self._rebuilding.stop.set()
            self._rebuilding.join(_CLOSE_S)

    def _unsound(self, region: Box) -> Findings:
        heat = np.zeros((1, 1) if self._last is None else self._last.heat.shape, np.float32)
        model = "" if self._last is None else self._last.model
        return Findings(region, math.inf, heat, model, 0, f"no model at hand: {self._why}")

    def _keep_warm(self, detector: D) -> None:
        try:
            detector.warm()
        except RuntimeError as error:
            self._lose(f"the model did not run: {error}")
            return
        self._used_ns = self._clock()
        self.counts = replace(self.counts, warm_runs=self.counts.warm_runs + 1)

    def _lose(self, why: str) -> None:
        now = self._clock()
        if now - self._fit_since_ns >= _FORGIVEN_NS:
            self._left = self._attempts
        self._detector = None  # its memory on a GPU is needed for the next one
        self._why, self._lost_at_ns = why, now
        self.counts = replace(self.counts, failures=self.counts.failures + 1)
        log.error("a model failed and is loaded again: %s", why)
        if self._left > 0:
            self._rebuilding = _Rebuilding(self._build, self._left)
            self._rebuilding.start()

    def _take_over(self) -> None:
        """Take a detector that is whole: its thread has ended."""
        done = self._rebuilding
        if done is None or done.is_alive():
            return
        self._rebuilding = None
        self._left -= done.tried
        failed = done.tried - (done.made is not None)
        self.counts = replace(self.counts, failed_builds=self.counts.failed_builds + failed)
        if done.made is None:
            self._why = done.why
            log.error("the model cannot be loaded again: %s", done.why)
            return
        self._detector = done.made
        self._fit_since_ns = self._used_ns = self._clock()
        self.counts = replace(self.counts, rebuilds=self.counts.rebuilds + 1)
        log.info("the model is back after %d ms", (self._fit_since_ns - self._lost_at_ns) // MS)


class _Rebuilding(threading.Thread, Generic[D]):
    """Builds a detector, a bounded number of times, waiting longer each time."""

    def __init__(self, build: Callable[[], D], attempts: int) -> None:
        super().__init__(name="rebuild", daemon=True)
        self._build, self._attempts = build, attempts
        self.stop = threading.Event()
        self.made: D | None = None
        self.tried = 0
        self.why = ""

    def run(self) -> None:
        """Build until it holds or the attempts are used up."""
        wait_s = _FIRST_WAIT_S
        while self.tried < self._attempts:
            self.tried += 1
            try:
                self.made = self._build()
                return
            except (OkngError, RuntimeError) as error:
                self.why = str(error)
            except Exception as error:  # outermost frame of the thread: the attempt has failed
                log.exception("loading the model again")
                self.why = f"{type(error).__name__}: {error}"
            if self.tried < self._attempts and self.stop.wait(wait_s):
                return
            wait_s *= 2
