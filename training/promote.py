"""From a registry to the signing station: what an alias stands for is fetched, checked anew, and becomes a bundle.

alias -> fetch -> tags -> files by manifest -> graph, node by node -> trial -> golden pictures -> ONNX's own reference
      -> bundle with all that it came from -> a person signs

The registry's word is never enough: nothing here trusts more than the digests, and those only say that what was logged
is what came. Whether it may run on a line is for whoever signs to say.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from pydantic import BaseModel, ConfigDict, Field

from ..bus.clock import utc_now
from ..bus.errors import BadBundle, BadSettings, Refused
from ..models.bundle import Bundle, check_free, open_bundle, write_bundle
from ..models.detector import Detector
from ..models.difference import Difference, difference
from ..models.manifest import Manifest
from ..models.parity import GoldenReport, golden_cut, require_golden
from ..models.runtime import Session
from ..models.sandbox import trial
from . import provenance
from .graph_walk import Walked, walk
from .registered import INSIDE
from .registry import BUNDLE, CHALLENGER, CHAMPION, COMMIT, DATASET, SBOM, BadRegistry, Registry, Version

REFERENCE_TOLERANCE = 1e-3
"""Largest difference of an output from ONNX's own reference, as a share of it where it is above 1."""
_MOST_SBOM = 16 << 20
_HEX = 64


class PromoteOptions(BaseModel):
    """How a model is promoted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Of the model in the registry."""
    alias: str = CHALLENGER
    champion: str = CHAMPION
    """What the new one is held against; a model without that alias is the first."""
    version: str = Field(default="", pattern=r"^(\d{1,6}\.\d{1,6}\.\d{1,6})?$")
    """Of the bundle; empty: as it was made."""
    operators: frozenset[str] = frozenset()
    """Operators of ONNX's own that are let through beside the list."""
    reference_pictures: int = Field(default=2, ge=1, le=100)
    """Golden pictures that are worked out by ONNX's reference too; a second or so each."""
    changed_code: bool = False
    """True: a model made by code that differs from its commit is let through; it says so for good."""


@dataclass(frozen=True, slots=True)
class Promoted:
    """What came of it."""

    bundle: Bundle
    source: Version
    walked: Walked
    golden: GoldenReport
    reference_difference: float
    champion: Version | None
    """None: no version is called that, or this very one."""
    difference: Difference | None
    """From the champion; None: there is none."""
    notes: tuple[str, ...] = field(default=())


def promote(
    registry: Registry, options: PromoteOptions, out: Path, tell: Callable[[str], None] = lambda _: None
) -> Promoted:
    """Write the bundle that is to be signed, whole or not at all.

    tell: told what is done next. BadRegistry: no such alias, or what came is not what its tags say. BadBundle: a check
    failed; the text says which. BadSettings: the name of an operator is none. StoreLost: the registry does not answer.
    """
    _check_operators(options.operators)
    check_free(out, replace=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as aside:
        tell(f"fetching {options.name}, {options.alias}")
        source = registry.by_alias(options.name, options.alias)
        came = registry.fetch(source, Path(aside) / "came")
        bom = _sbom(came, source)
        opened = open_bundle(came / INSIDE, _tag(source, BUNDLE))
        origin = _origin(source, opened.manifest, options)
        tell("walking the graph")
        walked = walk(opened.model, opened.manifest, f"{options.name} {source.version}", options.operators)
        tell("trial")
        trial(came / INSIDE)
        tell(f"{len(opened.golden)} golden pictures")
        detector = Detector(opened)
        golden = require_golden(detector)
        tell(f"{options.reference_pictures} golden pictures by ONNX's reference")
        largest = _held_against_reference(opened, detector, options.reference_pictures)
        champion, known = _champion(registry, options, source, Path(aside) / "champion")
        tell(f"writing {out}")
        fields = _fields(opened.manifest, source, origin, bom, options)
        content = {name: (came / INSIDE / name).read_bytes() for name in opened.manifest.files}
        digest = write_bundle(
            out,
            {**content, provenance.SBOM_NAME: bom},
            fields,
            check=lambda folder: require_golden(Detector(open_bundle(folder))),
        )
        made = open_bundle(out, digest)
        _same_files(opened, made, out)
        return Promoted(
            bundle=made,
            source=source,
            walked=walked,
            golden=golden,
            reference_difference=largest,
            champion=champion,
            difference=difference(known, made) if known is not None else None,
            notes=_notes(opened, origin, champion),
        )


def _check_operators(names: frozenset[str]) -> None:
    unknown = sorted(name for name in names if not onnx.defs.has(name))
    if unknown:
        raise BadSettings(f"operators {', '.join(unknown)}: expected names of ONNX's own")


def _tag(version: Version, name: str) -> str:
    """A tag that is a digest. BadRegistry: it is none."""
    said = version.tags.get(name, "")
    if len(said) != _HEX or set(said) - set("0123456789abcdef"):
        raise BadRegistry(f"{version.name} {version.version}: tag {name} = {said[:80]!r}: expected a sha256")
    return said


def _sbom(came: Path, source: Version) -> bytes:
    path = came / provenance.SBOM_NAME
    if not path.is_file() or path.stat().st_size > _MOST_SBOM:
        raise BadRegistry(f"{source.name} {source.version}: no {provenance.SBOM_NAME}, or too large: log it anew")
    data = path.read_bytes()
    if provenance.digest(data) != _tag(source, SBOM):
        raise BadRegistry(f"{source.name} {source.version}: {path.name} is not what its tag {SBOM} says")
    return data


def _origin(source: Version, manifest: Manifest, options: PromoteOptions) -> dict[str, str]:
    """Commit and data set. BadBundle: the bundle and the tags say different ones, or none."""
    name = f"{source.name} {source.version}"
    commit = source.tags.get(COMMIT, "")
    if not commit:
        raise BadRegistry(f"{name}: tag {COMMIT}: expected the commit of the code that made it")
    if commit.endswith("+changed") and not options.changed_code:
        raise BadBundle(f"{name}: made by code that differs from commit {commit}: commit it and make the model anew")
    said = manifest.train.get("dataset_sha256", "")
    if not said:
        raise BadBundle(f"{name}: train.dataset_sha256: missing: expected a model made from a version of a data set")
    if said != _tag(source, DATASET):
        raise BadRegistry(f"{name}: tag {DATASET} is not the data set that the bundle says: {str(said)[:16]}")
    return {"commit": commit, "dataset_sha256": str(said)}


def _held_against_reference(bundle: Bundle, detector: Detector, count: int) -> float:
    """Largest difference of the outputs from those of ONNX's own reference, which shares no code with the runtime."""
    names = list(bundle.manifest.output.ports)
    reference: Any = ReferenceEvaluator(onnx.load_model_from_string(bundle.model))
    session = Session(bundle.model, "cpu", 1)
    largest = 0.0
    at = np.unique(np.linspace(0, len(bundle.golden) - 1, min(count, len(bundle.golden))).astype(int))
    for place in at:
        golden = bundle.golden[int(place)]
        feeds = {bundle.manifest.input.name: golden_cut(detector, golden)}
        try:
            expected = reference.run(names, feeds)
        except (RuntimeError, ValueError, TypeError, NotImplementedError, IndexError, KeyError) as error:
            raise BadBundle(f"{golden.name}: ONNX's reference cannot work it out: {str(error)[:200]}") from error
        for name, mine, its in zip(names, session.run(names, feeds), expected, strict=True):
            mine, its = np.asarray(mine, np.float64), np.asarray(its, np.float64)
            if mine.shape != its.shape or not (np.isfinite(mine).all() and np.isfinite(its).all()):
                raise BadBundle(f"{golden.name}: {name}: {mine.shape}: the reference gives {its.shape}, or no numbers")
            difference_ = float((np.abs(mine - its) / np.maximum(1.0, np.abs(its))).max(initial=0.0))
            largest = max(largest, difference_)
            if difference_ > REFERENCE_TOLERANCE:
                raise BadBundle(f"{golden.name}: {name} differs by {difference_:.2g} from ONNX's reference")
    return largest


def _champion(
    registry: Registry, options: PromoteOptions, source: Version, aside: Path
) -> tuple[Version | None, Bundle | None]:
    """The champion, where there is one. One that is damaged stops nothing: it is what is left behind."""
    try:
        found = registry.by_alias(options.name, options.champion)
    except BadRegistry:
        return None, None
    if found.version == source.version:
        return None, None
    try:
        return found, open_bundle(registry.fetch(found, aside) / INSIDE)
    except Refused:
        shutil.rmtree(aside, ignore_errors=True)
        return found, None


def _fields(
    manifest: Manifest, source: Version, origin: dict[str, str], bom: bytes, options: PromoteOptions
) -> dict[str, Any]:
    """The bundle's manifest: as it was made, and where it came from."""
    fields = manifest.model_dump(mode="json", exclude={"files", "check", "format"})
    fields["train"] |= {
        "registry_model": source.name,
        "registry_version": source.version,
        "run": source.run,
        "made_as": _tag(source, BUNDLE),
        "commit": origin["commit"],
        "sbom_sha256": provenance.digest(bom),
        "promoted_at": utc_now(),
    }
    if options.version:
        fields["version"] = options.version
    return fields


def _same_files(opened: Bundle, made: Bundle, out: Path) -> None:
    """What was checked is what was written."""
    if any(made.manifest.files[name] != entry for name, entry in opened.manifest.files.items()):
        shutil.rmtree(out)
        raise BadBundle(f"{out}: files changed while they were written")


def _notes(opened: Bundle, origin: dict[str, str], champion: Version | None) -> tuple[str, ...]:
    notes = []
    if champion is None:
        notes.append("no champion to hold it against: it is the first")
    if origin["commit"].endswith("+changed"):
        notes.append("made by code that differs from its commit")
    if opened.manifest.threshold.escape_percent is None:
        notes.append("nothing is promised of escapes: no defective part was there to tell")
    if sum(not one.ok for one in opened.golden) == 0:
        notes.append("no golden picture is NG")
    return tuple(notes)
