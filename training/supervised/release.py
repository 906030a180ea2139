"""A trained network becomes a bundle: limits, graph, golden pictures, report; refused where anything says otherwise.

The golden scores are torch's own. The bundle only takes its place when the line's own reader and detector, opened on
the finished folder, give the same scores by ONNX Runtime: what was trained is what runs.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...bus.clock import utc_now
from ...bus.errors import BadBundle
from ...models import crop
from ...models.bundle import SCORE_TOLERANCE, open_bundle, write_bundle
from ...models.detector import Detector
from ...models.manifest import EXPECTED, MODEL, REPORT, REPORT_HTML
from ...models.parity import require_golden
from ...models.pictures import encode_png
from ..backbone_export import BACKBONE
from .calibrate import calibrate
from .examples import Examples
from .export import INPUT, OPSET, exported, require_same, torch_outputs
from .fit import Fitted
from .limits import Limits, Outcome, Shares, choose_limits, needed, outcome_of, ratios
from .material import Material
from .net import FEATURES, OUTPUTS, Net
from .options import OWN_BACKBONE, Task, TrainOptions
from .page import training_report

ADAPTERS: dict[Task, str] = {
    "segmentation": "segmentation",
    "detection": "yolo",
    "classification": "classification",
}
_GOLDEN_GOODS, _GOLDEN_DEFECTS = 8, 8
_COMPARED = 64
"""Pictures that go through the finished bundle, besides the golden ones."""
_NEAR = 2 * SCORE_TOLERANCE
"""A picture whose score lies nearer than this to the limit is no golden one: rounding could flip it."""


@dataclass(frozen=True, slots=True)
class Released:
    """A bundle that was written."""

    digest: str
    limits: Limits
    validation: Outcome
    test: Outcome | None
    """None: no picture was put aside, so nothing is promised."""
    difference: float
    """Largest between torch and ONNX Runtime, a share of the tolerance."""
    target: str
    """What was asked for, and what it would take to prove it."""


def release(
    fitted: Fitted,
    material: Material,
    options: TrainOptions,
    out: Path,
    summary: Mapping[str, Any],
    more: Mapping[str, Any],
    tell: Callable[[float], None],
) -> Released:
    """Write the bundle whole or not at all.

    summary: how it was trained, for the manifest. more: further parts of the report. BadBundle: something is there
    already, or the graph, the reader or the detector says otherwise than torch.
    """
    net, classes, validation, test = fitted.net, material.classes, material.validation, material.test
    temperature, offsets = calibrate(net, validation, len(classes))
    shares = confidences(net, validation.pictures, len(classes))
    limits = choose_limits(shares, validation.labels, classes, options)
    chosen_on = outcome_of(shares, validation.labels, classes, limits)
    tell(0.3)
    judged, test_shares = None, None
    if test is not None:
        test_shares = confidences(net, test.pictures, len(classes))
        judged = outcome_of(test_shares, test.labels, classes, limits)
    model = exported(net, options.size_px)
    tell(0.6)
    difference = require_same(net, model, validation.pictures[_spread(len(validation), _COMPARED)])
    scores = ratios(shares, classes, limits)
    golden = _golden(validation, scores)
    target = target_of(options, judged)
    report = _report(
        summary,
        {**more, "target": target, "calibration": {"temperature": temperature, "offsets": offsets}},
        fitted,
        limits,
        chosen_on,
        judged,
        difference,
    )
    content = {
        MODEL: model,
        EXPECTED: _expected(golden, scores),
        REPORT: report,
        REPORT_HTML: training_report(json.loads(report), name=options.name),
        **{f"golden/{name}": encode_png(_plain(validation.pictures[place])) for name, place in golden.items()},
    }
    fields = _fields(net, options, material, limits, judged, target, summary)
    digest = write_bundle(
        out,
        content,
        fields,
        replace=options.replace,
        check=lambda folder: require_trained(folder, validation, scores),
    )
    tell(1.0)
    return Released(digest, limits, chosen_on, judged, difference, target)


def confidences(net: Net, pictures: npt.NDArray[np.uint8], classes: int) -> Shares:
    """Return the confidence of each class on each picture, `(pictures, classes)`: its largest anywhere."""
    found = np.zeros((len(pictures), classes))
    for start in range(0, len(pictures), 16):
        raw = torch_outputs(net, pictures[start : start + 16])[OUTPUTS[net.task]].astype(np.float64)
        if net.task == "detection":
            found[start : start + 16] = raw[:, 4:].max(axis=2)
            continue
        raised = np.exp(raw - raw.max(axis=1, keepdims=True))
        share = (raised / raised.sum(axis=1, keepdims=True))[:, 1:]
        found[start : start + 16] = share.reshape(*share.shape[:2], -1).max(axis=2)
    return found


def require_trained(folder: Path, examples: Examples, scores: Shares) -> None:
    """Hold a finished bundle against torch's scores, through the line's own detector. BadBundle: they differ."""
    detector = Detector(open_bundle(folder))
    require_golden(detector)
    for place in _spread(len(examples), _COMPARED):
        findings = detector.find_cut(np.ascontiguousarray(examples.pictures[place : place + 1]))
        score = float(scores[place])
        allowed = SCORE_TOLERANCE * max(1.0, score)
        if not abs(findings.score - score) <= allowed:
            said = findings.trouble or f"score {findings.score:.6g}"
            raise BadBundle(f"{examples.names[place]}: the bundle says {said}, torch {score:.6g}")


def target_of(options: TrainOptions, judged: Outcome | None) -> str:
    """Say what was promised and how much of it is proven."""
    said = [f"overkill <= {options.overkill_percent:g} %"]
    if options.escape_percent is not None:
        said.insert(0, f"escape <= {options.escape_percent:g} %")
    if judged is None:
        return f"{', '.join(said)}; nothing is proven: no test pictures"
    goods = needed(options.overkill_percent, judged.overkill)
    bad = needed(options.escape_percent, judged.escape)
    for count, what in ((bad, "defective"), (goods, "good")):
        if count:
            said.append(f"{count} more {what} parts without an error would prove it")
    return "; ".join(said)


def _golden(examples: Examples, scores: Shares) -> dict[str, int]:
    """Names and places of golden pictures: goods over their range of scores, defects over classes."""
    clear = np.abs(scores - 1.0) > _NEAR
    goods = np.flatnonzero((examples.labels == 0) & clear)
    goods = goods[np.argsort(scores[goods], kind="stable")]
    chosen = {f"good-{at}.png": int(goods[place]) for at, place in enumerate(_spread(len(goods), _GOLDEN_GOODS))}
    labels = [int(label) for label in np.unique(examples.labels) if label > 0]
    each = max(1, _GOLDEN_DEFECTS // max(1, len(labels)))
    for label in labels:
        mine = np.flatnonzero((examples.labels == label) & clear)
        mine = mine[np.argsort(scores[mine], kind="stable")]
        chosen |= {f"defect-{label}-{at}.png": int(mine[place]) for at, place in enumerate(_spread(len(mine), each))}
    if not chosen:
        raise BadBundle(
            "the network gives every validation picture the same confidence: it has learnt nothing (more --epochs?)"
        )
    return chosen


def _spread(count: int, most: int) -> npt.NDArray[np.int64]:
    """At most so many places, evenly over the count."""
    return (
        np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
        if count
        else np.zeros(0, np.int64)
    )


def _expected(golden: Mapping[str, int], scores: Shares) -> bytes:
    listed = {name: {"score": float(scores[place]), "ok": bool(scores[place] <= 1.0)} for name, place in golden.items()}
    return json.dumps({"tolerance": SCORE_TOLERANCE, "pictures": listed}, indent=2, sort_keys=True).encode()


def _plain(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return picture[..., 0] if picture.shape[2] == 1 else picture


def _fields(
    net: Net,
    options: TrainOptions,
    material: Material,
    limits: Limits,
    judged: Outcome | None,
    target: str,
    summary: Mapping[str, Any],
) -> dict[str, Any]:
    coarse = net.backbone.reductions[0] if net.task == "segmentation" else 16
    side = options.size_px // coarse
    threshold: dict[str, Any] = {
        "value": 1.0,
        "method": "; ".join([limits.method, *limits.notes])[:1000],
        "target": target,
        "class_limits": limits.by_class,
        # Without test pictures any share is possible, and that is what is said.
        "overkill_percent": judged.overkill.percent if judged else options.overkill_percent,
        "overkill_low_percent": 100.0 * judged.overkill.low if judged else 0.0,
        "overkill_high_percent": 100.0 * judged.overkill.high if judged else 100.0,
        "goods": judged.overkill.n if judged else 0,
    }
    if judged and judged.escape.n:
        threshold |= {
            "escape_percent": judged.escape.percent,
            "escape_low_percent": 100.0 * judged.escape.low,
            "escape_high_percent": 100.0 * judged.escape.high,
            "defects": judged.escape.n,
        }
    return {
        "name": options.name,
        "version": options.version,
        "created_at": utc_now(),
        "input": {
            "name": INPUT,
            "width": options.size_px,
            "height": options.size_px,
            "channels": material.channels,
            "crop": crop.METHOD,
        },
        "output": {
            "adapter": ADAPTERS[net.task],
            OUTPUTS[net.task]: OUTPUTS[net.task],
            "features": FEATURES,
            "rows": side,
            "columns": side,
            "classes": list(material.classes),
        },
        "threshold": threshold,
        "opset": OPSET,
        "backbone_sha256": hashlib.sha256(BACKBONE.read_bytes()).hexdigest()
        if options.backbone == OWN_BACKBONE
        else None,
        "train": dict(summary),
    }


def _report(
    summary: Mapping[str, Any],
    more: Mapping[str, Any],
    fitted: Fitted,
    limits: Limits,
    chosen_on: Outcome,
    judged: Outcome | None,
    difference: float,
) -> bytes:
    report = {
        "train": summary,
        "curves": fitted.curves,
        "best_epoch": fitted.best_epoch,
        "ended": fitted.why,
        "limits": {"by_class": limits.by_class, "method": limits.method, "notes": limits.notes},
        "validation": asdict(chosen_on),
        "test": asdict(judged) if judged else None,
        "parity": {"largest_difference": difference * SCORE_TOLERANCE, "tolerance": SCORE_TOLERANCE},
        **more,
    }
    return json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False, default=_plain_number).encode()


def _plain_number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} in a report")
