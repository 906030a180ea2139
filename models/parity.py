"""The gate before a bundle is used: this device scores golden pictures as the place of teaching did, and in time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadBundle, BadPicture
from . import pictures
from .bundle import Golden
from .detector import Detector

MS = 1_000_000
_ROUNDS = 6
_LEAST_RUNS, _MOST_RUNS = 5, 40
_ROUND_NS = 400 * MS


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one inference takes here, cut to findings."""

    median_ms: float
    """The best round's middle run: what other programs added to the other rounds is no fault of the model."""
    worst_ms: float
    """The worst round's middle run."""
    runs: int
    budget_ms: float | None
    """What the manifest allows; None: nothing was promised."""

    @property
    def fits(self) -> bool:
        """True when nothing was promised or the promise is kept."""
        return self.budget_ms is None or self.median_ms <= self.budget_ms

    @property
    def words(self) -> str:
        """For people."""
        allowed = "no budget" if self.budget_ms is None else f"budget {self.budget_ms:g} ms"
        return f"{self.median_ms:.1f} ms an inference ({allowed})"


@dataclass(frozen=True, slots=True)
class GoldenReport:
    """How the golden pictures scored here."""

    pictures: int
    largest_difference: float
    """Between a score here and the stored one; `inf` where the output was unsound."""
    tolerance: float
    flips: tuple[str, ...]
    """Pictures that would get another verdict here."""
    failures: tuple[str, ...]
    """One line per picture that scored otherwise, for people: name, found, expected."""
    latency: Latency | None = None
    """None: time was not looked at."""
    scores: dict[str, float] = field(default_factory=dict)
    """What each picture scored here."""

    @property
    def passed(self) -> bool:
        """True when every score is within the tolerance, no verdict flips, and the time is within its budget."""
        return not self.failures and not self.flips and (self.latency is None or self.latency.fits)

    @property
    def detail(self) -> str:
        """What came out, for people."""
        wrong = [*self.failures[:3], *(f"{name}: another verdict" for name in self.flips[:3])]
        if wrong:
            return f"{'; '.join(wrong)} (tolerance {self.tolerance:g})"
        said = f"{self.pictures} golden pictures score as stored, largest difference {self.largest_difference:.2g}"
        if self.latency is None:
            return said
        return f"{said}; {'' if self.latency.fits else 'too slow: '}{self.latency.words}"


def check_golden(detector: Detector, between: Callable[[], None] = lambda: None) -> GoldenReport:
    """Score the bundle's golden pictures on this detector. BadBundle: a picture does not decode or has another size.

    between: called before each of them; what it raises ends the work.
    """
    bundle = detector.bundle
    largest, flips, failures, scores = 0.0, [], [], {}
    for golden in bundle.golden:
        between()
        findings = detector.find_cut(golden_cut(detector, golden))
        scores[golden.name] = findings.score
        difference = abs(findings.score - golden.score)
        largest = max(largest, difference)
        if not difference <= bundle.tolerance:
            said = f" ({findings.trouble})" if findings.trouble else ""
            failures.append(f"{golden.name}: score {findings.score:.6g}{said}: expected {golden.score:.6g}")
        if (findings.score <= bundle.manifest.threshold.value) != golden.ok:
            flips.append(golden.name)
        spots = sum(spot.ratio > 1 for spot in findings.spots)
        if golden.spots is not None and spots != golden.spots:
            failures.append(f"{golden.name}: {spots} places above their limit: expected {golden.spots}")
    return GoldenReport(len(bundle.golden), largest, bundle.tolerance, tuple(flips), tuple(failures), None, scores)


def require_golden(detector: Detector, between: Callable[[], None] = lambda: None) -> GoldenReport:
    """Return the report of golden pictures that all scored as stored. BadBundle: they did not; the text names them.

    between: as of `check_golden`.
    """
    return _required(detector, check_golden(detector, between))


def check_gate(
    detector: Detector, clock_ns: Callable[[], int] = time.perf_counter_ns, between: Callable[[], None] = lambda: None
) -> GoldenReport:
    """Score the golden pictures and time them. BadBundle, between: see `check_golden`."""
    found = check_golden(detector, between)
    latency = measure_latency(detector, clock_ns, between)
    return replace(found, latency=latency)


def require_gate(detector: Detector, between: Callable[[], None] = lambda: None) -> GoldenReport:
    """Return the report of a bundle that scores as stored in the time promised. BadBundle: it does not; says which.

    between: as of `check_golden`.
    """
    return _required(detector, check_gate(detector, between=between))


def measure_latency(
    detector: Detector, clock_ns: Callable[[], int] = time.perf_counter_ns, between: Callable[[], None] = lambda: None
) -> Latency:
    """Time one inference from cut to findings: the smallest of several rounds' medians (a box may be busy).

    It ends as soon as a round is within the budget, after two at the earliest; without a budget it ends there.
    between: called before each inference, and not timed.
    """
    bundle = detector.bundle
    cuts = [golden_cut(detector, golden) for golden in bundle.golden[:8]]
    budget_ms = bundle.manifest.budget_ms
    medians: list[float] = []
    runs = 0
    for turn in range(_ROUNDS):
        times: list[int] = []
        while len(times) < _LEAST_RUNS or (len(times) < _MOST_RUNS and sum(times) < _ROUND_NS):
            between()
            before = clock_ns()
            detector.find_cut(cuts[len(times) % len(cuts)])
            times.append(clock_ns() - before)
        runs += len(times)
        medians.append(median(times) / MS)
        if turn >= 1 and (budget_ms is None or min(medians) <= budget_ms):
            break
    return Latency(min(medians), max(medians), runs, budget_ms)


def golden_cut(detector: Detector, golden: Golden) -> npt.NDArray[np.uint8]:
    """Return a golden picture as the model takes it. BadBundle: it does not decode, or has another size."""
    bundle = detector.bundle
    name = f"{bundle.folder}/golden/{golden.name}"
    try:
        picture = pictures.decode(golden.png, name)
    except BadPicture as error:
        raise BadBundle(str(error)) from error
    entry = bundle.manifest.input
    channels = 1 if picture.ndim == 2 else 3
    if (*picture.shape[:2], channels) != (entry.height, entry.width, entry.channels):
        raise BadBundle(
            f"{name}: {picture.shape}: expected {entry.width}x{entry.height} with {entry.channels} channels"
        )
    return picture.reshape(1, entry.height, entry.width, entry.channels)


def _required(detector: Detector, report: GoldenReport) -> GoldenReport:
    if report.failures or report.flips:
        raise BadBundle(
            f"{detector.bundle.folder}: golden pictures score otherwise on {detector.provider}: {report.detail}"
        )
    if not report.passed:
        raise BadBundle(f"{detector.bundle.folder}: too slow on {detector.provider}: {report.detail}")
    return report
