"""Scoring labelled pictures with a bundle: what it lets escape, what it would have rejected, and where it looks.

Labels are read here and nowhere else; nothing that is chosen in teaching sees them. Pictures go by one at a time: a set
of any size needs the memory of one picture, its mask, and the counts of `metrics.py`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..bus.errors import BadPicture
from ..models import pictures
from ..models.box import Box
from ..models.bundle import Bundle
from ..models.detector import Detector
from ..models.figures import auroc, auroc_interval, average_precision
from ..models.findings import Findings
from .confusion import Confusion, confusion
from .data.dataset import GOOD, Dataset, Sample
from .hits import Hits, Mask, by_boxes, by_heat, within
from .labelled import labelled
from .metrics import PixelFigures, PixelTally, cut_mask, spread
from .rates import Rate, Scores, rate_of

UNJUDGED = "unjudged"
"""What a part is called that the model could say nothing of."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One picture."""

    file: Path
    label: str
    """`good`, or its class of defect."""
    score: float
    """`inf` where the output was unsound."""
    took_ns: int
    """Crop and inference, without reading the file."""
    name: str = ""
    """What people call it."""
    lot: str | None = None
    called: str = ""
    """What a model that knows classes calls it; empty: it knows none."""
    trouble: str = ""
    """Why it is unjudged; empty: it is judged."""
    hits: Hits | None = None
    """None: it is not known where its defects are, or it is unjudged."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class of defect."""

    escape: Rate
    auroc: float
    """Against all good parts."""
    auroc_low: float
    auroc_high: float
    lowest: float
    """Score of its best hidden part."""


@dataclass(frozen=True, slots=True)
class LotFigures:
    """One lot."""

    escape: Rate
    overkill: Rate


@dataclass(frozen=True, slots=True)
class PlaceFigures:
    """Whether the places named are those of the defects, over the pictures where these are known."""

    found: Rate
    """Connected defects that a named place overlaps."""
    boxes_found: Rate | None
    """Defects whose box a named box matches by half; None: the model names no boxes."""
    false_places: int
    """Named places with no defect under them."""
    pictures: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """How a bundle does on labelled pictures."""

    auroc: float
    """Over sound scores; NaN when only one kind is there."""
    auroc_low: float
    """95 % interval, `figures.auroc_interval`."""
    auroc_high: float
    ap: float
    """Area under precision over recall; NaN without defects."""
    threshold: float
    escape: Rate
    """Defective parts at or below the threshold. An unsound score lets nothing pass."""
    overkill: Rate
    """Good parts above it, or unjudged."""
    escape_by_class: dict[str, Rate]
    by_class: dict[str, ClassFigures]
    by_lot: dict[str, LotFigures]
    """Empty: no lot is known."""
    unjudged: int
    """Pictures whose output was unsound."""
    pixels: PixelFigures | None
    """None: no defect is drawn."""
    places: PlaceFigures | None
    """None: it is not known where the defects are."""
    confusion: Confusion | None
    """None: the model knows no classes."""
    outside: int
    """Defective pictures whose drawn defect lies outside the region; they count for escape alone."""
    not_drawn: int
    """Defective pictures without a mask; they count for escape alone."""
    scored: tuple[Scored, ...]

    @property
    def scores(self) -> Scores:
        """The scores, to ask what other thresholds would have given."""
        return Scores(
            [part.score for part in self.scored if part.label == GOOD],
            [part.score for part in self.scored if part.label != GOOD],
        )


def evaluate(
    bundle: Bundle,
    data: Path | Dataset | Sequence[Sample],
    *,
    provider: str = "cpu",
    threads: int = 1,
    region: Box | None = None,
    progress: Callable[[float], None] | None = None,
) -> Metrics:
    """Score every picture of a set, or of the place of one (`labelled.py`).

    region: part of each picture; None: each whole picture. Grey and colour are turned into what the bundle takes.
    BadPicture: no pictures, one that does not decode, or a mask of another size. BadSettings, BadBundle: as `Detector`.
    """
    data = labelled(data) if isinstance(data, Path) else data
    samples = data.samples if isinstance(data, Dataset) else data
    if not samples:
        raise BadPicture("no labelled pictures: expected good parts, defective ones, or both")
    detector = Detector(bundle, provider, threads)
    tally = PixelTally(bundle.manifest.threshold.value)
    places = bundle.manifest.output.adapter != "classification"
    scored, outside, drawn, not_drawn = [], 0, 0, 0
    for number, sample in enumerate(samples):
        findings = found(detector, sample, region)
        known = known_mask(sample, findings.region)
        not_drawn += not sample.ok and not sample.drawn
        if known is not None and not known.any():
            known, outside = None, outside + 1
        if places and findings.sound and (sample.ok or (known is not None and sample.drawn)):
            box = findings.region
            tally.add(spread(findings.heat, box.w, box.h), None if sample.ok else known)
            drawn += not sample.ok
        scored.append(_scored(sample, findings, known, bundle))
        if progress is not None:
            progress((number + 1) / len(samples))
    return summarise(scored, bundle.manifest.threshold.value, tally.figures() if drawn else None, outside, not_drawn)


def found(detector: Detector, sample: Sample, region: Box | None) -> Findings:
    """Return what the model sees in one labelled picture. BadPicture."""
    picture = pictures.with_channels(sample.read(), detector.bundle.manifest.input.channels)
    return detector.find(picture, region or Box(0, 0, picture.shape[1], picture.shape[0]))


def known_mask(sample: Sample, region: Box) -> Mask | None:
    """Return where a sample's defects are in the region, bool[h, w]; None: not known, or a good part. BadPicture."""
    if sample.ok or not sample.annotations:
        return None
    mask = sample.mask()
    return None if mask is None else cut_mask(mask, region)


def _scored(sample: Sample, findings: Findings, known: Mask | None, bundle: Bundle) -> Scored:
    return Scored(
        file=sample.picture,
        label=sample.label,
        score=findings.score,
        took_ns=findings.took_ns,
        name=sample.name,
        lot=sample.lot,
        called=_called(findings, bundle),
        trouble=findings.trouble,
        hits=_hits(findings, known, bundle) if findings.sound and (sample.ok or known is not None) else None,
    )


def _called(findings: Findings, bundle: Bundle) -> str:
    """The class of the place furthest above its limit; empty: the model knows no classes."""
    if bundle.manifest.output.adapter == "anomaly":
        return ""
    if not findings.sound:
        return UNJUDGED
    if findings.score <= bundle.manifest.threshold.value or not findings.spots:
        return GOOD
    return max(findings.spots, key=lambda spot: spot.ratio).kind


def _hits(findings: Findings, known: Mask | None, bundle: Bundle) -> Hits | None:
    """None: a model that names no places."""
    region, adapter = findings.region, bundle.manifest.output.adapter
    if adapter == "classification":
        return None
    if adapter in ("anomaly", "segmentation"):
        return by_heat(spread(findings.heat, region.w, region.h), bundle.manifest.threshold.value, known)
    named = sorted((spot for spot in findings.spots if spot.ratio > 1.0), key=lambda spot: -spot.ratio)
    # Boxes are the picture's, the mask is the region's.
    return by_boxes([box for spot in named if (box := within(spot.box, region)) is not None], known)


def summarise(
    scored: Sequence[Scored], threshold: float, pixels: PixelFigures | None = None, outside: int = 0, not_drawn: int = 0
) -> Metrics:
    """Return the figures of scored pictures at a threshold."""
    bad = [part for part in scored if part.label != GOOD]
    goods = [part for part in scored if part.label == GOOD]
    by_class = {
        label: _class_figures([part for part in bad if part.label == label], goods, threshold)
        for label in sorted({part.label for part in bad})
    }
    sound = [part for part in scored if math.isfinite(part.score)]
    ranked, labels = [part.score for part in sound], [part.label != GOOD for part in sound]
    low, high = auroc_interval(ranked, labels)
    lots = sorted({part.lot for part in scored if part.lot is not None})
    return Metrics(
        auroc=auroc(ranked, labels),
        auroc_low=low,
        auroc_high=high,
        ap=average_precision(ranked, labels),
        threshold=threshold,
        escape=_escape(bad, threshold),
        overkill=_overkill(goods, threshold),
        escape_by_class={label: figures.escape for label, figures in by_class.items()},
        by_class=by_class,
        by_lot={
            lot: LotFigures(
                _escape([part for part in bad if part.lot == lot], threshold),
                _overkill([part for part in goods if part.lot == lot], threshold),
            )
            for lot in lots
        },
        unjudged=sum(not math.isfinite(part.score) for part in scored),
        pixels=pixels,
        places=_places(scored),
        confusion=confusion((part.label, part.called) for part in scored) if any(p.called for p in scored) else None,
        outside=outside,
        not_drawn=not_drawn,
        scored=tuple(scored),
    )


def _class_figures(bad: Sequence[Scored], goods: Sequence[Scored], threshold: float) -> ClassFigures:
    sound = [part for part in (*goods, *bad) if math.isfinite(part.score)]
    ranked, labels = [part.score for part in sound], [part.label != GOOD for part in sound]
    low, high = auroc_interval(ranked, labels)
    lowest = min(part.score for part in bad)
    return ClassFigures(_escape(bad, threshold), auroc(ranked, labels), low, high, lowest)


def _places(scored: Sequence[Scored]) -> PlaceFigures | None:
    known = [part.hits for part in scored if part.hits is not None]
    defects = sum(one.defects for one in known)
    if not defects:
        return None
    matched = [one.boxes_found for one in known if one.boxes_found is not None]
    return PlaceFigures(
        found=rate_of(sum(one.found for one in known), defects),
        boxes_found=rate_of(sum(matched), defects) if matched else None,
        false_places=sum(one.false_places for one in known),
        pictures=len(known),
    )


def _escape(bad: Sequence[Scored], threshold: float) -> Rate:
    return rate_of(sum(part.score <= threshold for part in bad), len(bad))


def _overkill(goods: Sequence[Scored], threshold: float) -> Rate:
    return rate_of(sum(part.score > threshold for part in goods), len(goods))
