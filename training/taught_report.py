"""What a teaching came to: for the caller, for the bundle's manifest, and for the report that people read."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..bus.clock import utc_now
from ..models import crop
from ..models.manifest import REPORT, REPORT_HTML
from .base import WHOLE
from .choice import Choice
from .doubt import doubt
from .graph import BACKBONE, OPSET
from .lesson import Lesson
from .options import TeachOptions
from .report.teaching import teaching_report, unlike_good
from .supervise import Defects, Supervision
from .threshold import Limit

NAMED = 3
UNLIKE = 10
"""How many of the most unlike goods are named for a person to look at."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """A good that is unlike the others: perhaps no good at all."""

    file: str
    """Name of the picture file."""
    score: float
    """What it scores when the model does not know it."""


@dataclass(frozen=True, slots=True)
class TeachReport:
    """What a teaching came to."""

    bundle: Path
    digest: str
    goods: int
    """Pictures it was taught from, those of the base included."""
    added: int
    """Of these, pictures read now."""
    threshold: float
    method: str
    """How the threshold was found."""
    overkill: float
    """Share of good parts expected above the threshold, 0..1."""
    overkill_low: float
    """95 % interval of that share."""
    overkill_high: float
    unlike: tuple[Unlike, ...]
    """The most unlike goods, the worst first."""
    chosen: str
    """Size and heads, for people."""
    labels: str
    """What the labels gained, for people; empty: there were none."""
    claims: tuple[str, ...]
    """What may be claimed of the threshold, and what not yet."""
    seconds: dict[str, float]
    """Duration of each phase, and `total`."""
    left_out: int = 0
    """Pictures of goods given and not taken: copies, known already, or more than are remembered."""
    doubt: str = ""
    """Goods that are perhaps none, and what they do to the threshold, for people; empty: none stands out."""


@dataclass(frozen=True, slots=True)
class Taught:
    """All that a teaching found."""

    names: Sequence[str]
    """Of all goods' files."""
    digests: Sequence[str]
    choice: Choice
    lesson: Lesson
    supervision: Supervision
    labels: Defects | None
    limit: Limit
    left_aside: tuple[str, ...] = ()
    """Labelled pictures with nothing drawn inside the region."""

    @property
    def worst(self) -> list[int]:
        """Which goods are least like the others, by what the goods alone taught; in the order of the scores shown."""
        unlike = [int(place) for place in np.argsort(-self.lesson.held_out, kind="stable")[:UNLIKE]]
        return sorted(unlike, key=lambda place: -float(self.supervision.held_out[place]))

    @property
    def unlike(self) -> tuple[Unlike, ...]:
        """The goods least like the others, each with the score that the threshold is for."""
        scores = self.supervision.held_out
        return tuple(Unlike(self.names[place], round(float(scores[place]), 4)) for place in self.worst)

    @property
    def labels_said(self) -> str:
        """What the labels gained, for people; empty: there were none."""
        said = [self.supervision.reason] if self.labels is not None else []
        if self.left_aside:
            named = ", ".join(self.left_aside[:NAMED]) + (", ..." if len(self.left_aside) > NAMED else "")
            said.append(f"{len(self.left_aside)} left aside, nothing is drawn inside the region: {named}")
        return "; ".join(said)


def report_of(
    taught: Taught, out: Path, digest: str, seconds: dict[str, float], *, added: int, given: int, overkill: float
) -> TeachReport:
    """Return the report for the caller. added, given: pictures of goods; overkill: share that was asked for."""
    limit = taught.limit
    return TeachReport(
        bundle=out,
        digest=digest,
        goods=len(taught.names),
        added=added,
        threshold=limit.value,
        method=limit.method,
        overkill=limit.overkill,
        overkill_low=limit.low,
        overkill_high=limit.high,
        unlike=taught.unlike,
        chosen=f"{taught.choice.layout.words}, {taught.choice.mix.words}: {taught.choice.reason}",
        labels=taught.labels_said,
        claims=limit.claims,
        seconds=seconds,
        left_out=given - added,
        doubt=doubt(taught.names, taught.lesson.held_out, overkill),
    )


def fields(taught: Taught, options: TeachOptions, base: str) -> dict[str, Any]:
    """Return the manifest's fields. base: digest of the bundle it goes on from; empty: none."""
    layout = taught.choice.layout
    return {
        "name": options.name,
        "version": options.version,
        "created_at": utc_now(),
        "input": {
            "name": "picture",
            "width": layout.width_px,
            "height": layout.height_px,
            "channels": layout.channels,
            "crop": crop.METHOD,
        },
        "output": {
            "score": "score",
            "heat": "heat",
            "features": "features",
            "rows": layout.rows,
            "columns": layout.columns,
        },
        "threshold": taught.limit.promised(),
        "opset": OPSET,
        "backbone_sha256": hashlib.sha256(BACKBONE.read_bytes()).hexdigest(),
        "train": _summary(taught, options, base),
    }


def report_files(
    taught: Taught, options: TeachOptions, seconds: Mapping[str, float], cuts: npt.NDArray[np.uint8]
) -> dict[str, bytes]:
    """Return `report.json` and `report.html`. cuts: model inputs of the goods read now, which are the last ones."""
    report = _report(taught, options, seconds)
    threshold = float(taught.limit.value)
    looks = []
    for good, place in zip(taught.unlike, taught.worst, strict=True):
        at = place - (len(taught.names) - len(cuts))
        if at >= 0:
            picture = cuts[at][..., 0] if cuts.shape[3] == 1 else cuts[at]
            heat = taught.lesson.heat_of(place)
            looks.append(unlike_good(good.file, good.score, threshold, picture, heat))
    text = json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return {REPORT: text.encode(), REPORT_HTML: teaching_report(report, looks, name=options.name)}


def _summary(taught: Taught, options: TeachOptions, base: str) -> dict[str, Any]:
    """How it was taught, for manifest and report. The digest of the goods is over their names and contents."""
    goods = hashlib.sha256()
    for name, digest in zip(taught.names, taught.digests, strict=True):
        goods.update(f"{name}\0{digest}\n".encode())
    layout, mix = taught.choice.layout, taught.choice.mix
    return {
        "method": "memory+gaussian" if taught.supervision.heads.linear is None else "memory+gaussian+labels",
        "okng": __version__,
        "goods": len(taught.names),
        "goods_sha256": goods.hexdigest(),
        "width_px": layout.width_px,
        "height_px": layout.height_px,
        "channels": layout.channels,
        "step_px": layout.step_px,
        "mix_memory": mix.memory,
        "mix_gaussian": mix.gaussian,
        "chosen": taught.choice.reason,
        "labelled_defects": len(taught.labels.names) if taught.labels is not None else 0,
        "judged_by": str(taught.supervision.way),
        "bank": options.bank,
        "dimensions": options.dimensions,
        "overkill_percent": options.overkill_percent,
        "seed": options.seed,
        "region": str(options.region) if options.region else WHOLE,
        **({"base": base} if base else {}),
        **({"dataset": options.dataset, "dataset_sha256": options.dataset_sha256} if options.dataset_sha256 else {}),
    }


def _report(taught: Taught, options: TeachOptions, seconds: Mapping[str, float]) -> dict[str, Any]:
    limit = taught.limit
    report: dict[str, Any] = {
        "train": _summary(taught, options, ""),
        "choice": taught.choice.told(),
        "threshold": {
            **limit.told(),
            "escape": limit.escape,
            "escape_low": limit.escape_low,
            "escape_high": limit.escape_high,
            "defects": limit.defects,
            "escapes_by_class": {kind: {"events": k, "of": n} for kind, (k, n) in limit.classes.items()},
        },
        "held_out_scores": [round(float(score), 4) for score in np.sort(taught.supervision.held_out)],
        "most_unlike_goods": [{"file": good.file, "score": good.score} for good in taught.unlike],
        "doubt": doubt(taught.names, taught.lesson.held_out, options.overkill_percent / 100.0),
        "features": {
            "mean": [round(float(each), 5) for each in taught.lesson.mean_features.mean(axis=0)],
            "spread": [round(float(each), 5) for each in taught.lesson.mean_features.std(axis=0)],
            "goods": len(taught.names),
        },
        "memory_vectors": len(taught.lesson.heads.memory.centres),
        "seconds": dict(seconds),
    }
    if taught.labels is not None:
        report["labels"] = taught.supervision.told(taught.labels)
    if taught.left_aside:
        report["labels_left_aside"] = list(taught.left_aside)
    return report
