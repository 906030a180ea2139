"""An examination from end to end: open bundle and pictures, score, and return figures, page and JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.box import Box
from ..models.bundle import Bundle, open_bundle
from ..models.detector import Detector
from ..models.provider_options import PROVIDERS
from .data.sources import SourceOptions
from .evaluate import evaluate
from .evaluation import evaluation
from .labelled import labelled
from .machine import machine
from .report.evaluation import evaluation_report
from .report.shown import shown
from .stability import stability

JSON, HTML = "report.json", "report.html"


@dataclass(frozen=True, slots=True)
class Examined:
    """What an examination gave."""

    figures: dict[str, Any]
    """As `training/evaluation.py` makes them."""
    html: bytes
    """The same, for people; empty when no page was asked for."""

    @property
    def json(self) -> bytes:
        """The figures as a file."""
        return f"{json.dumps(self.figures, indent=1, ensure_ascii=False, allow_nan=False)}\n".encode()


def examine(
    bundle: Path,
    data: Path,
    *,
    also: Sequence[Path] = (),
    source: SourceOptions | None = None,
    provider: str = "cpu",
    threads: int = 1,
    region: Box | None = None,
    page: bool = True,
    progress: Callable[[str, float], None] | None = None,
) -> Examined:
    """Score all labelled pictures at a place.

    also: further bundles of the product, taught with other seeds or goods: their spread is told.
    page: make the HTML too. progress: called with (phase, 0..1).
    BadBundle, BadData, BadPicture, BadSettings: bundle, pictures or provider are not as they must be.
    """
    tell = progress or (lambda phase, share: None)
    opened = open_bundle(bundle)
    found = labelled(data, source, lambda share: tell("pictures", share))

    def scored(one: Bundle, phase: str) -> dict[str, Any]:
        metrics = evaluate(
            one,
            found,
            provider=provider,
            threads=threads,
            region=region,
            progress=lambda share: tell(phase, share),
        )
        return evaluation(metrics, one, found, machine(PROVIDERS[provider], threads), region)

    figures = scored(opened, "scores")
    others = [scored(open_bundle(other), f"scores of {other.name}") for other in also]
    figures["stability"] = stability([figures, *others])
    if not page:
        return Examined(figures, b"")
    tell("report", 0.0)
    detector = Detector(opened, provider, threads)
    looks = [shown(figures[kind], found.samples, detector, region) for kind in ("worst_goods", "best_hidden")]
    html = evaluation_report(figures, *looks)
    tell("report", 1.0)
    return Examined(figures, html)
