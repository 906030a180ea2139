"""The operating point of a bundle, worked out anew when labels arrive, and never moved in silence.

A bundle is never changed: what is found is shown beside what holds, and a person may have a bundle written that differs
in its threshold alone (`moved`), which then climbs the same ladder as any other. Parts the bundle was taught from do
not take part.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..bus.clock import utc_now
from ..bus.errors import BadBundle, BadData, BadSettings
from ..models import pictures
from ..models.box import Box
from ..models.bundle import Bundle, open_bundle, write_bundle
from ..models.detector import Detector
from ..models.findings import Spot
from ..models.manifest import EXPECTED, REPORT
from ..models.parity import require_golden
from .data.dataset import Sample
from .promise import Targets, promise
from .store import known_digests
from .threshold import Limit

Scores = npt.NDArray[np.float64]
FEWEST_GOODS = 10
HIGHEST = 1.0
"""No confidence of a class is above it."""


@dataclass(frozen=True, slots=True)
class Operating:
    """What a bundle's threshold is and what it might be."""

    held: Mapping[str, float]
    """What holds: limit by class; `""`: the threshold of a model that knows no classes."""
    found: Mapping[str, Limit]
    goods: int
    defects: int
    taught: tuple[str, ...]
    """Names of pictures left aside, because the bundle was taught from them."""
    unjudged: tuple[str, ...]
    """Names of pictures whose output was unsound: no threshold lets them pass."""


def operating_point(
    folder: Path,
    samples: Sequence[Sample],
    targets: Targets,
    *,
    region: Box | None = None,
    provider: str = "cpu",
    progress: Callable[[float], None] | None = None,
) -> Operating:
    """Return the operating point of a bundle by labelled pictures it was not taught from.

    region: part of each picture; None: each whole picture.
    BadData: too few good parts among them. BadSettings: an escape target without defects. BadBundle, BadPicture.
    """
    bundle = open_bundle(folder)
    known = known_digests(folder) if bundle.lesson is not None else frozenset()
    taught = tuple(one.name for one in samples if one.sha256 in known)
    used = [one for one in samples if one.sha256 not in known]
    detector, manifest = Detector(bundle, provider), bundle.manifest
    classes = manifest.output.classes
    scored: list[tuple[Sample, dict[str, float]]] = []
    unjudged = []
    for number, sample in enumerate(used):
        picture = pictures.with_channels(sample.read(), manifest.input.channels)
        findings = detector.find(picture, region or Box(0, 0, picture.shape[1], picture.shape[0]))
        if not findings.sound:
            unjudged.append(sample.name)
        elif classes:
            scored.append((sample, {each: _most(findings.spots, each) for each in classes}))
        else:
            scored.append((sample, {"": findings.score}))
        if progress is not None:
            progress((number + 1) / len(used))
    goods = sum(sample.ok for sample, _ in scored)
    if goods < FEWEST_GOODS:
        raise BadData(f"{goods} good parts that {folder.name} was not taught from: expected {FEWEST_GOODS} or more")
    # Classes reject side by side: each may have its share of the overkill.
    share = replace(targets, overkill=targets.overkill / max(1, len(classes)))
    found = {}
    for name in classes or ("",):
        mine = {
            label: np.array([scores[name] for sample, scores in scored if sample.label == label])
            for label in {sample.label for sample, _ in scored if not sample.ok and name in ("", *sample.kinds)}
        }
        own = np.array([scores[name] for sample, scores in scored if sample.ok])
        try:
            found[name] = promise(own, share if mine else replace(share, escape=None, costs=None), mine)
        except ValueError as error:
            raise BadSettings(f"{name or 'threshold'}: {error}") from error
    if targets.escape is not None and all(one.ok for one, _ in scored):
        raise BadSettings("escape: expected labelled defects; goods alone tell no escapes")
    held = {each: manifest.class_limit(each) for each in classes} or {"": manifest.threshold.value}
    return Operating(held, found, goods, len(scored) - goods, taught, tuple(unjudged))


def moved(folder: Path, out: Path, operating: Operating, version: str, *, replace_: bool = False) -> str:
    """Write a bundle that differs in its operating point alone; return its digest.

    BadBundle: something is at out already, or the new point leaves no golden picture on one of its sides. BadSettings:
    a class's limit is one that no confidence is above.
    """
    bundle = open_bundle(folder)
    files = _files(bundle)
    for name, limit in operating.found.items():
        if name and limit.value >= HIGHEST:
            raise BadSettings(
                f"limit of {name} = {limit.value:.4g}: expected below {HIGHEST:g}, or {name} would never be NG: "
                "give more good parts, or allow more overkill"
            )
    plain = operating.found.get("")
    value = bundle.manifest.threshold.value if plain is None else plain.value
    files[EXPECTED] = _expected(bundle, operating, value)
    told = _told(operating)
    report = {**bundle.report, "operating_point": told}
    files[REPORT] = json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False).encode()
    fields = bundle.manifest.model_dump(mode="json", exclude={"check", "files", "format"})
    fields |= {"version": version, "created_at": utc_now()}
    fields["train"] = {**fields["train"], "operating_point_of": bundle.digest}
    threshold = fields["threshold"]
    first = plain or next(iter(operating.found.values()))
    threshold |= first.promised() | {"value": value}
    if plain is None:
        threshold["class_limits"] = {name: limit.value for name, limit in operating.found.items()}
    return write_bundle(
        out, files, fields, replace=replace_, check=lambda made: require_golden(Detector(open_bundle(made)))
    )


def _files(bundle: Bundle) -> dict[str, bytes]:
    """All files of a bundle but its manifest. BadBundle: one changed since it was opened."""
    files = {}
    for name, entry in bundle.manifest.files.items():
        files[name] = (bundle.folder / name).read_bytes()
        if hashlib.sha256(files[name]).hexdigest() != entry.sha256:
            raise BadBundle(f"{bundle.folder / name}: changed while it was read")
    return files


def _expected(bundle: Bundle, operating: Operating, value: float) -> bytes:
    """`expected.json` by the new point. Scores that are a share of a class's limit change with it."""
    limits = {name: limit.value for name, limit in operating.found.items() if name}
    detector, entry = Detector(bundle), bundle.manifest.input
    listed = {}
    for golden in bundle.golden:
        score = golden.score
        if limits:
            picture = pictures.decode(golden.png, golden.name)
            score = detector.find_cut(picture.reshape(1, entry.height, entry.width, entry.channels), limits).score
        listed[golden.name] = {"score": score, "ok": score <= value}
    return json.dumps({"tolerance": bundle.tolerance, "pictures": listed}, indent=2, sort_keys=True).encode()


def _most(spots: Sequence[Spot], name: str) -> float:
    return max((spot.score for spot in spots if spot.kind == name), default=0.0)


def _told(operating: Operating) -> dict[str, object]:
    return {
        "goods": operating.goods,
        "defects": operating.defects,
        "unjudged": list(operating.unjudged),
        "left_aside_taught_from": len(operating.taught),
        "limits": {
            name or "threshold": {"before": operating.held[name], "now": limit.value, "claims": list(limit.claims)}
            for name, limit in operating.found.items()
        },
    }
