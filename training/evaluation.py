"""An evaluation as plain values: what stands in `report.json`, and all that `report.html` and the table are made of.

No number is anywhere but here, so page, table and file cannot differ. What is not known is null.
"""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import __version__
from ..bus.clock import utc_now
from ..models.box import Box
from ..models.bundle import Bundle
from .confusion import Confusion
from .data.dataset import GOOD, Dataset
from .evaluate import Metrics, PlaceFigures
from .metrics import PixelFigures
from .promise import still_needed
from .rates import Operating, Rate, share_at

FORMAT = 1
ESCAPE_TARGETS = (0.0, 0.005, 0.01, 0.02, 0.05)
OVERKILL_TARGETS = (0.005, 0.01, 0.02, 0.05)
CLAIMS = (0.05, 0.02, 0.01, 0.005)
"""Rates somebody may want to claim."""
SHOWN = 12
"""Pictures named of each kind: worst goods, best hidden defects."""


def evaluation(
    metrics: Metrics, bundle: Bundle, data: Dataset, machine: Mapping[str, object], region: Box | None
) -> dict[str, Any]:
    """Return all figures of an evaluation, ready for JSON."""
    goods = [part for part in metrics.scored if part.label == GOOD]
    bad = [part for part in metrics.scored if part.label != GOOD]
    manifest = bundle.manifest
    return {
        "format": FORMAT,
        "made_at": utc_now(),
        "okng": __version__,
        "bundle": {
            "name": manifest.name,
            "version": manifest.version,
            "digest": bundle.digest,
            "created_at": manifest.created_at,
            "threshold": manifest.threshold.model_dump(mode="json"),
            "train": dict(manifest.train),
        },
        "data": {
            "origin": data.origin,
            "sha256": data_digest(data),
            "pictures": len(metrics.scored),
            "goods": len(goods),
            "defects": len(bad),
            "classes": {label: figures.escape.n for label, figures in metrics.by_class.items()},
            "taught_from": taught_from(bundle, data),
            "left_out": [str(one) for one in data.left_out],
            "not_drawn": metrics.not_drawn,
            "outside_region": metrics.outside,
            "region": [region.x, region.y, region.w, region.h] if region else None,
        },
        "threshold": metrics.threshold,
        "escape": _rate(metrics.escape),
        "overkill": _rate(metrics.overkill),
        "unjudged": metrics.unjudged,
        "image": {
            "auroc": _number(metrics.auroc),
            "auroc_low": _number(metrics.auroc_low),
            "auroc_high": _number(metrics.auroc_high),
            "interval": "DeLong (logit) and Newcombe method 5, the wider; 95 %",
            "ap": _number(metrics.ap),
        },
        "pixels": _pixels(metrics.pixels),
        "places": _places(metrics.places),
        "classes": {
            label: {
                "escape": _rate(figures.escape),
                "auroc": _number(figures.auroc),
                "auroc_low": _number(figures.auroc_low),
                "auroc_high": _number(figures.auroc_high),
                "lowest_score": _number(figures.lowest),
            }
            for label, figures in metrics.by_class.items()
        },
        "lots": {
            lot: {"escape": _rate(figures.escape), "overkill": _rate(figures.overkill)}
            for lot, figures in metrics.by_lot.items()
        },
        "confusion": _confusion(metrics.confusion),
        "operating": {
            "note": "read off these very pictures, not a promise",
            "curve": [[_number(value) for value in point] for point in metrics.scores.curve()],
            "for_escape": [_target(each, metrics.scores.for_escape(each)) for each in ESCAPE_TARGETS],
            "for_overkill": [_target(each, metrics.scores.for_overkill(each)) for each in OVERKILL_TARGETS],
        },
        "claims": {
            "confidence": 0.95,
            "escape": [_claim(rate, metrics.escape) for rate in CLAIMS],
            "overkill": [_claim(rate, metrics.overkill) for rate in CLAIMS],
        },
        "latency_ms": _latency(metrics),
        "machine": dict(machine),
        "scores": {
            GOOD: [_number(part.score) for part in goods],
            **{label: [_number(p.score) for p in bad if p.label == label] for label in metrics.by_class},
        },
        "worst_goods": [_named(part) for part in sorted(goods, key=lambda part: (-part.score, part.name))[:SHOWN]],
        "best_hidden": [_named(part) for part in sorted(bad, key=lambda part: (part.score, part.name))[:SHOWN]],
        "cautions": cautions(metrics, bundle, data),
    }


def cautions(metrics: Metrics, bundle: Bundle, data: Dataset) -> list[str]:
    """Return what must be known before these figures are believed, as codes the page has words for."""
    said = []
    promise, measured = bundle.manifest.threshold, metrics.overkill
    if taught_from(bundle, data):
        said.append("taught_pictures")
    if promise.goods and measured.n:
        low, high = promise.overkill_low_percent / 100.0, promise.overkill_high_percent / 100.0
        if measured.low > high:
            said.append("more_overkill_than_promised")
        elif measured.high < low:
            said.append("less_overkill_than_promised")
    if promise.defects and metrics.escape.n and metrics.escape.low > (promise.escape_high_percent or 0.0) / 100.0:
        said.append("more_escape_than_promised")
    if metrics.unjudged:
        said.append("unjudged")
    if not metrics.escape.n:
        said.append("no_defects")
    elif metrics.escape.n < 30:
        said.append("few_defects")
    if not metrics.overkill.n:
        said.append("no_goods")
    elif metrics.overkill.n < 30:
        said.append("few_goods")
    if data.left_out:
        said.append("left_out")
    if metrics.outside:
        said.append("outside_region")
    return said


def data_digest(data: Dataset) -> str:
    """Return the digest of a set: names, labels and contents of its pictures, in the order of their names."""
    digest = hashlib.sha256()
    for sample in sorted(data.samples, key=lambda sample: sample.name):
        digest.update(f"{sample.name}\0{sample.label}\0{sample.sha256}\n".encode())
    return digest.hexdigest()


def taught_from(bundle: Bundle, data: Dataset) -> int:
    """Return how many pictures of a set the bundle was taught from, by their contents.

    A bundle without a lesson names its goods only as a whole: then it is all of them or none.
    """
    if bundle.lesson is not None:
        try:
            with np.load(bundle.lesson, allow_pickle=False) as lesson:
                held = [name for name in ("digests", "defect_digests") if name in lesson.files]
                known = {str(digest) for name in held for digest in lesson[name]}
        except (OSError, ValueError, KeyError):
            return 0  # whoever goes on from this lesson is told what is wrong with it; the figures need none of it
        return sum(sample.sha256 in known for sample in data.samples)
    digest = hashlib.sha256()
    for sample in sorted(data.goods, key=lambda sample: sample.picture):
        digest.update(f"{sample.picture.name}\0{sample.sha256}\n".encode())
    return len(data.goods) if digest.hexdigest() == bundle.manifest.train.get("goods_sha256") else 0


def _number(value: float) -> float | None:
    """As JSON has it: what is not finite is null."""
    return float(f"{value:.8g}") if math.isfinite(value) else None


def _rate(rate: Rate) -> dict[str, Any]:
    return {
        "events": rate.events,
        "n": rate.n,
        "rate": _number(rate.rate),
        "low": _number(rate.low),
        "high": _number(rate.high),
    }


def _pixels(pixels: PixelFigures | None) -> dict[str, Any] | None:
    if pixels is None:
        return None
    return {
        "auroc": _number(pixels.auroc),
        "ap": _number(pixels.ap),
        "aupro": {f"{limit:g}": _number(area) for limit, area in pixels.aupro.items()},
        "defects": pixels.regions,
        "pictures": pixels.pictures,
        "pro_curve": [list(point) for point in pixels.pro_curve],
    }


def _places(places: PlaceFigures | None) -> dict[str, Any] | None:
    if places is None:
        return None
    return {
        "found": _rate(places.found),
        "boxes_found": _rate(places.boxes_found) if places.boxes_found else None,
        "false_places": places.false_places,
        "pictures": places.pictures,
        "false_places_per_picture": _number(places.false_places / places.pictures),
    }


def _confusion(confusion: Confusion | None) -> dict[str, Any] | None:
    if confusion is None:
        return None
    return {
        "labels": list(confusion.labels),
        "counts": [list(row) for row in confusion.counts],
        "classes": {
            one.label: {"recall": _rate(one.recall), "precision": _rate(one.precision)} for one in confusion.classes
        },
    }


def _target(target: float, point: Operating | None) -> dict[str, Any]:
    if point is None:
        return {"target": target, "threshold": None, "escape": None, "overkill": None}
    return {
        "target": target,
        "threshold": _number(point.threshold),
        "escape": _rate(point.escape),
        "overkill": _rate(point.overkill),
    }


def _claim(rate: float, seen: Rate) -> dict[str, Any]:
    return {"rate": rate, "more_parts": still_needed(seen.events, seen.n, rate)}


def _latency(metrics: Metrics) -> dict[str, Any]:
    took = [part.took_ns / 1e6 for part in metrics.scored if not part.trouble]
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        "min": _number(min(took, default=math.nan)),
        **{name: _number(share_at(took, share)) for name, share in shares.items()},
        "n": len(took),
    }


def _named(part: Any) -> dict[str, Any]:
    return {"name": part.name, "label": part.label, "score": _number(part.score), "trouble": part.trouble}
