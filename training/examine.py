"""An examination from end to end: open bundle and pictures, score, and return figures, page and JSON."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.box import Box
from ..models.bundle import open_bundle
from ..models.detector import Detector
from .data.sources import SourceOptions
from .evaluate import evaluate
from .evaluation import evaluation
from .labelled import labelled
from .machine import machine
from .report.evaluation import evaluation_report
from .report.shown import shown

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
    source: SourceOptions | None = None,
    provider: str = "cpu",
    threads: int = 1,
    region: Box | None = None,
    page: bool = True,
    progress: Callable[[str, float], None] | None = None,
) -> Examined:
    """Score all labelled pictures at a place.

    page: make the HTML too. progress: called with (phase, 0..1).
    BadBundle, BadData, BadPicture, BadSettings: bundle, pictures or provider are not as they must be.
    """
    tell = progress or (lambda phase, share: None)
    opened = open_bundle(bundle)
    found = labelled(data, source, lambda share: tell("pictures", share))
    metrics = evaluate(
        opened,
        found,
        provider=provider,
        threads=threads,
        region=region,
        progress=lambda share: tell("scores", share),
    )
    detector = Detector(opened, provider, threads)
    figures = evaluation(metrics, opened, found, machine(detector.provider, threads), region)
    if not page:
        return Examined(figures, b"")
    tell("report", 0.0)
    looks = [shown(figures[kind], found.samples, detector, region) for kind in ("worst_goods", "best_hidden")]
    html = evaluation_report(figures, *looks)
    tell("report", 1.0)
    return Examined(figures, html)
