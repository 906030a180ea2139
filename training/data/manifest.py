"""The manifest of a set: every picture and mask by content hash, label, part, lot and side; one digest over all.

It is what a training names, so that the same set can be shown to have been used: read back, every file is hashed again,
and a changed one is named. Paths are relative to the manifest where the pictures lie beside or below it.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...bus.errors import BadData
from ...models.box import Box
from .coco import first_errors
from .dataset import Annotation, Dataset, LeftOut, PartId, SaidBy, Sample, Split
from .intake import Progress, told
from .rle import from_coco, to_coco
from .shapes import MaskFile, Point, Polygons, RunLengths, Shape

FORMAT: Literal["okng dataset 1"] = "okng dataset 1"
_LATER = ("serial", "box", "epoch", "seq")
"""What manifests of earlier releases do not have: where it is not known the digest is theirs."""
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MaskEntry(_Strict):
    """A mask file."""

    file: str = Field(min_length=1)
    sha256: Hash
    within: tuple[int, int, int, int] | None = None
    """x, y, w, h."""


class MarkEntry(_Strict):
    """One defect. At most one of mask, polygons and runs is given."""

    kind: str = Field(min_length=1)
    box: tuple[int, int, int, int]
    """x, y, w, h, pixels."""
    mask: MaskEntry | None = None
    polygons: tuple[tuple[Point, ...], ...] | None = None
    runs: str | None = None
    """COCO's compressed run lengths."""


class SampleEntry(_Strict):
    """One picture."""

    file: str = Field(min_length=1)
    name: str = Field(min_length=1)
    sha256: Hash
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    channels: Literal[1, 3]
    label: str = Field(min_length=1)
    part: str | None = None
    lot: str | None = None
    split: Split | None = None
    said_by: SaidBy = "file"
    serial: str | None = None
    box: str | None = None
    """With epoch and seq: the entry of a box's ledger that it is."""
    epoch: int | None = Field(default=None, ge=1)
    seq: int | None = Field(default=None, ge=1)
    marks: tuple[MarkEntry, ...] = ()


class LeftOutEntry(_Strict):
    """A broken file, and why."""

    file: str
    reason: str


class Manifest(_Strict):
    """manifest.json of a set."""

    format: Literal["okng dataset 1"]
    digest: Hash
    """sha256 over all samples as they stand here, without where their files lie."""
    origin: str
    name: str | None = None
    """Of a set in a store of data sets: `plates@3`."""
    base: Hash | None = None
    """Digest of the version it goes on from."""
    made_at: str | None = None
    """UTC."""
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOutEntry, ...] = ()
    samples: tuple[SampleEntry, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """What a store of data sets adds to a manifest; none of it is in the digest."""

    name: str
    base: str | None
    made_at: str


def write_manifest(dataset: Dataset, path: Path, called: Named | None = None) -> str:
    """Write the manifest and return its digest. OSError."""
    base = path.resolve().parent
    entries = tuple(_entry(sample, base) for sample in dataset.samples)
    manifest = Manifest(
        format=FORMAT,
        digest=digest_of(entries, dataset.classes),
        origin=dataset.origin,
        name=called.name if called else None,
        base=called.base if called else None,
        made_at=called.made_at if called else None,
        classes=dataset.classes,
        notes=dataset.notes,
        left_out=tuple(LeftOutEntry(file=one.file, reason=one.reason) for one in dataset.left_out),
        samples=entries,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_name(path.name + ".tmp")
    waiting.write_text(_text(manifest), encoding="utf-8")
    waiting.replace(path)
    return manifest.digest


def read_manifest(
    path: Path, *, leave_out_broken: bool = False, check: bool = True, progress: Progress | None = None
) -> Dataset:
    """Read a manifest; every file it names is hashed again unless check is False.

    BadData: no manifest, its text was changed, or files are missing or changed, all named (with leave_out_broken they
    are left out instead).
    """
    manifest = _read(path)
    changed = changed_files(manifest, path, progress) if check else []
    if changed and not leave_out_broken:
        raise BadData(told(str(path), changed))
    gone = {one.file for one in changed}
    samples = tuple(_sample(entry, path.parent) for entry in manifest.samples if not gone & set(_files(entry)))
    left_out = [LeftOut(one.file, one.reason) for one in manifest.left_out]
    return Dataset(
        samples=samples,
        origin=f"manifest {path}",
        classes=manifest.classes,
        left_out=(*left_out, *changed),
        notes=manifest.notes,
        name="" if changed else manifest.name or "",
        digest="" if changed else manifest.digest,
    )


def named_in(path: Path) -> Manifest:
    """Return a manifest as it stands; no file that it names is looked at. BadData."""
    return _read(path)


def changed_files(manifest: Manifest, path: Path, progress: Progress | None = None) -> list[LeftOut]:
    """Return the files of a manifest that are missing or are no longer what they were."""
    wanted: dict[str, str] = {}
    for entry in manifest.samples:
        wanted |= _files(entry)

    def look(one: tuple[str, str]) -> LeftOut | None:
        file, digest = one
        try:
            found = hashlib.sha256((path.parent / file).read_bytes()).hexdigest()
        except OSError as error:
            return LeftOut(file, "missing" if isinstance(error, FileNotFoundError) else str(error.strerror))
        return None if found == digest else LeftOut(file, f"changed: sha256 {found[:16]}, was {digest[:16]}")

    changed = []
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), "hash") as pool:
        for at, said in enumerate(pool.map(look, wanted.items())):
            changed += [said] if said is not None else []
            if progress is not None:
                progress((at + 1) / len(wanted))
    return changed


def digest_of(entries: Sequence[SampleEntry], classes: Sequence[str]) -> str:
    """Return the digest of a set: the same wherever its files lie, another as soon as one pixel or label differs."""
    lines = []
    for entry in entries:
        said = entry.model_dump(mode="json", exclude={"file"})
        for mark in said["marks"]:
            if mark["mask"] is not None:
                del mark["mask"]["file"]
        for name in _LATER:
            if said[name] is None:
                del said[name]
        lines.append(json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":")))
    return hashlib.sha256("\n".join([FORMAT, json.dumps(list(classes)), *sorted(lines)]).encode()).hexdigest()


def is_manifest(path: Path) -> bool:
    """True when a file is a manifest of a set (a bundle has a manifest.json as well)."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and said.get("format") == FORMAT


def _read(path: Path) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadData(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BadData(first_errors(path, error)) from error
    found = digest_of(manifest.samples, manifest.classes)
    if found != manifest.digest:
        raise BadData(f"{path}: digest = {manifest.digest[:16]}: expected {found[:16]}: its text was changed by hand")
    return manifest


def _text(manifest: Manifest) -> str:
    """One sample a line: two manifests can be compared by eye."""
    said = manifest.model_dump(mode="json", exclude={"samples"}, exclude_none=True)
    head = json.dumps(said, indent=1, ensure_ascii=False)
    lines = [
        json.dumps(entry.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False)
        for entry in manifest.samples
    ]
    return head.removesuffix("\n}") + ',\n "samples": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"


def _files(entry: SampleEntry) -> dict[str, str]:
    masks = {mark.mask.file: mark.mask.sha256 for mark in entry.marks if mark.mask is not None}
    return {entry.file: entry.sha256, **masks}


def _entry(sample: Sample, base: Path) -> SampleEntry:
    return SampleEntry(
        file=_path(sample.picture, base),
        name=sample.name,
        sha256=sample.sha256,
        width=sample.width,
        height=sample.height,
        channels=1 if sample.channels == 1 else 3,
        label=sample.label,
        part=sample.part,
        lot=sample.lot,
        split=sample.split,
        said_by=sample.said_by,
        serial=sample.serial,
        box=sample.seen.box if sample.seen else None,
        epoch=sample.seen.epoch if sample.seen else None,
        seq=sample.seen.seq if sample.seen else None,
        marks=tuple(_mark(one, sample, base) for one in sample.annotations),
    )


def _mark(one: Annotation, sample: Sample, base: Path) -> MarkEntry:
    mask, polygons, runs = None, None, None
    if isinstance(one.shape, MaskFile):
        within = one.shape.within
        inside = (within.x, within.y, within.w, within.h) if within is not None else None
        mask = MaskEntry(file=_path(one.shape.path, base), sha256=one.shape.sha256, within=inside)
    elif isinstance(one.shape, Polygons):
        polygons = one.shape.outlines
    elif one.shape is not None:
        runs = to_coco(one.shape.mask(sample.width, sample.height))
    box = (one.box.x, one.box.y, one.box.w, one.box.h)
    return MarkEntry(kind=one.kind, box=box, mask=mask, polygons=polygons, runs=runs)


def _sample(entry: SampleEntry, base: Path) -> Sample:
    return Sample(
        picture=base / entry.file,
        sha256=entry.sha256,
        width=entry.width,
        height=entry.height,
        channels=entry.channels,
        label=entry.label,
        name=entry.name,
        part=entry.part,
        lot=entry.lot,
        split=entry.split,
        annotations=tuple(Annotation(mark.kind, Box(*mark.box), _shape(mark, entry, base)) for mark in entry.marks),
        said_by=entry.said_by,
        serial=entry.serial,
        seen=_part_id(entry),
    )


def _part_id(entry: SampleEntry) -> PartId | None:
    if entry.box is None or entry.epoch is None or entry.seq is None:
        return None
    return PartId(entry.box, entry.epoch, entry.seq)


def _shape(mark: MarkEntry, entry: SampleEntry, base: Path) -> Shape | None:
    if mark.mask is not None:
        within = Box(*mark.mask.within) if mark.mask.within is not None else None
        return MaskFile(base / mark.mask.file, mark.mask.sha256, within)
    if mark.polygons is not None:
        return Polygons(mark.polygons)
    runs: RunLengths | None = from_coco(mark.runs, entry.width, entry.height) if mark.runs is not None else None
    return runs


def _path(file: Path, base: Path) -> str:
    full = Path(os.path.abspath(file))  # noqa: PTH100  # links stay links: a resolved one may lead out of the set
    try:
        return Path(os.path.relpath(full, base)).as_posix()
    except ValueError:
        return full.as_posix()
