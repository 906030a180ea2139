"""Golden pictures: proof that this device and provider score as the place of teaching did."""

from dataclasses import dataclass

from ..bus.errors import BadBundle
from . import pictures
from .detector import Detector


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

    @property
    def passed(self) -> bool:
        """True when every score is within the tolerance and no verdict flips."""
        return not self.failures and not self.flips

    @property
    def detail(self) -> str:
        """What came out, for people."""
        wrong = [*self.failures[:3], *(f"{name}: another verdict" for name in self.flips[:3])]
        if wrong:
            return f"{'; '.join(wrong)} (tolerance {self.tolerance:g})"
        return f"{self.pictures} golden pictures score as stored, largest difference {self.largest_difference:.2g}"


def check_golden(detector: Detector) -> GoldenReport:
    """Score the bundle's golden pictures on this detector. BadBundle: a picture does not decode or has another size."""
    bundle = detector.bundle
    largest, flips, failures = 0.0, [], []
    for golden in bundle.golden:
        name = f"{bundle.folder}/golden/{golden.name}"
        picture = pictures.decode(golden.png, name)
        entry = bundle.manifest.input
        channels = 1 if picture.ndim == 2 else 3
        if (*picture.shape[:2], channels) != (entry.height, entry.width, entry.channels):
            raise BadBundle(
                f"{name}: {picture.shape}: expected {entry.width}x{entry.height} with {entry.channels} channels"
            )
        findings = detector.find_cut(picture.reshape(1, entry.height, entry.width, entry.channels))
        difference = abs(findings.score - golden.score)
        largest = max(largest, difference)
        if not difference <= bundle.tolerance:
            failures.append(f"{golden.name}: score {findings.score:.6g}: expected {golden.score:.6g}")
        if (findings.score <= bundle.manifest.threshold.value) != golden.ok:
            flips.append(golden.name)
    return GoldenReport(len(bundle.golden), largest, bundle.tolerance, tuple(flips), tuple(failures))


def require_golden(detector: Detector) -> GoldenReport:
    """Return the report of golden pictures that all scored as stored. BadBundle: they did not; the text names them."""
    report = check_golden(detector)
    if not report.passed:
        raise BadBundle(
            f"{detector.bundle.folder}: golden pictures score otherwise on {detector.provider}: {report.detail}"
        )
    return report
