"""Scoring a folder of labelled pictures with a bundle: what it would have let escape, what it would have rejected.

Labels are read here and nowhere else; nothing that is chosen in teaching sees them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..bus.errors import BadPicture
from ..models import pictures
from ..models.box import Box
from ..models.bundle import Bundle
from ..models.detector import Detector
from ..models.figures import auroc, clopper_pearson

GOOD = "good"
"""Name of the folder that holds good parts; any other one holds a class of defect."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its exact 95 % interval (Clopper-Pearson)."""

    events: int
    n: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """Share of n; NaN where n is 0."""
        return self.events / self.n if self.n else math.nan


@dataclass(frozen=True, slots=True)
class Scored:
    """One picture."""

    file: Path
    label: str
    """Name of its folder."""
    score: float
    """`inf` where the output was unsound."""
    took_ns: int
    """Crop and inference, without reading the file."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """How a bundle does on labelled pictures."""

    auroc: float
    """Over sound scores; NaN when only one kind is there."""
    threshold: float
    escape: Rate
    """Defective parts at or below the threshold. An unsound score lets nothing pass."""
    overkill: Rate
    """Good parts above it, or unjudged."""
    escape_by_class: dict[str, Rate]
    unjudged: int
    """Pictures whose output was unsound."""
    scored: tuple[Scored, ...]


def evaluate(
    bundle: Bundle,
    folder: Path,
    *,
    provider: str = "cpu",
    threads: int = 1,
    region: Box | None = None,
    progress: Callable[[float], None] | None = None,
) -> Metrics:
    """Score every picture in the sub-folders of folder; each one's name is the label, `good` for good parts.

    region: part of each picture; None: each whole picture. Grey and colour are turned into what the bundle takes.
    BadPicture: no pictures, or one that does not decode. BadSettings, BadBundle: as `Detector`.
    """
    classes = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    files = [(path, group.name) for group in classes for path in pictures.files_in(group)]
    if not files:
        raise BadPicture(f"{folder}: no labelled pictures (expected {GOOD}/ and a folder per class of defect)")
    detector = Detector(bundle, provider, threads)
    scored, unjudged = [], 0
    for number, (path, label) in enumerate(files):
        picture = pictures.with_channels(pictures.read(path), bundle.manifest.input.channels)
        box = region or Box(0, 0, picture.shape[1], picture.shape[0])
        findings = detector.find(picture, box)
        unjudged += not findings.sound
        scored.append(Scored(path, label, findings.score, findings.took_ns))
        if progress is not None:
            progress((number + 1) / len(files))
    return summarise(scored, bundle.manifest.threshold.value, unjudged)


def summarise(scored: list[Scored], threshold: float, unjudged: int = 0) -> Metrics:
    """Return the figures of scored pictures at a threshold."""
    sound = [part for part in scored if math.isfinite(part.score)]
    bad = [part for part in scored if part.label != GOOD]
    goods = [part for part in scored if part.label == GOOD]
    return Metrics(
        auroc=auroc([part.score for part in sound], [part.label != GOOD for part in sound]),
        threshold=threshold,
        escape=_rate(sum(part.score <= threshold for part in bad), len(bad)),
        overkill=_rate(sum(part.score > threshold for part in goods), len(goods)),
        escape_by_class={
            label: _rate(
                sum(part.score <= threshold for part in bad if part.label == label),
                sum(part.label == label for part in bad),
            )
            for label in sorted({part.label for part in bad})
        },
        unjudged=unjudged,
        scored=tuple(scored),
    )


def _rate(events: int, n: int) -> Rate:
    low, high = clopper_pearson(events, n)
    return Rate(events, n, low, high)
