"""What people drew and said leaves the box as others have it, and comes back as drawings of the same parts.

Pictures are told by their bytes (sha256), so it does not matter what a tool called them on the way.
"""

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from ..bus.errors import BadData
from ..records.parcel import picture_path
from ..records.read import LedgerReader, PartRow, ViewRow
from ..training.data.dataset import Annotation, Dataset, Sample
from ..training.data.export import export
from ..training.data.intake import take_in
from ..training.data.ledger import read_ledger
from ..training.data.losses import Format
from ..training.data.rle import counts_of
from ..training.data.sources import Kind, SourceOptions, open_dataset
from .jobs import Bench

FILE = "labels.zip"
SEQS = "parts.json"
"""In the archive: number of the part in this ledger, by the picture's sha256."""
_FORMS: dict[str, Format] = {"label-studio": "label-studio", "coco": "coco", "masks": "mvtec"}
_KINDS: dict[str, Kind] = {"label-studio": "label-studio", "coco": "coco", "masks": "folders"}
_MOST_FILES, _MOST_BYTES = 50_000, 2 << 30
_MOST_ROWS = 50_000
_AT_ONCE = 1000


def export_labels(bench: Bench) -> dict[str, Any]:
    """Write the parts that were asked for, or the newest, with what is known of them. BadData, BadLedger."""
    store, order = bench.box.store, bench.order
    bench.tell(0.05, "reading the ledger")
    known = _held(store, order["seqs"], int(order["most"]))
    if not known:
        raise BadData("no kept picture of these parts")
    reading = read_ledger(store, since=min(since for _, _, since in known.values()))
    reading.claims = [claim for claim in reading.claims if claim.sha256 in known]
    bench.tell(0.3, "reading pictures")
    dataset = take_in(
        reading, leave_out_broken=True, progress=lambda share: bench.tell(0.3 + 0.4 * share, "reading pictures")
    )
    out = bench.folder / "labels"
    notes = export(dataset, out, _FORMS[order["format"]])
    (out / SEQS).write_text(json.dumps({sha256: seq for sha256, (seq, _, _) in known.items()}), encoding="utf-8")
    bench.tell(0.8, "packing")
    path = bench.folder / FILE
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as packed:
        for file in sorted(each for each in out.rglob("*") if each.is_file()):
            packed.write(file, file.relative_to(out).as_posix())
    return {
        "file": FILE,
        "size": path.stat().st_size,
        "pictures": len(dataset.samples),
        "drawn": sum(bool(sample.annotations) for sample in dataset.samples),
        "left_out": [str(one) for one in dataset.left_out][:50],
        "notes": [*dataset.notes, *notes],
    }


def import_labels(bench: Bench) -> dict[str, Any]:
    """Read a file of labels; return what is drawn by part, as `drawing.set` takes it. BadData."""
    form = str(bench.order["format"])
    bench.tell(0.05, "unpacking")
    inside = _unpacked((bench.folder / "given").read_bytes(), bench.folder / "in")
    known = _held(bench.box.store, None, _MOST_ROWS)
    flat = bench.folder / "pictures"
    flat.mkdir()
    for file in _files(bench.box.store, known):
        (flat / file.name).symlink_to(file)
    options = SourceOptions(kind=_KINDS[form], leave_out_broken=True, pictures=None if form == "masks" else flat)
    dataset: Dataset = open_dataset(inside, options, lambda share: bench.tell(0.1 + 0.6 * share, "reading pictures"))
    drawings: dict[str, Any] = {}
    strange = 0
    for number, sample in enumerate(dataset.samples):
        bench.tell(0.7 + 0.3 * number / len(dataset.samples), "reading what is drawn")
        if sample.sha256 not in known:
            strange += 1
        elif sample.annotations:
            seq, camera, _ = known[sample.sha256]
            drawings[str(seq)] = _body(sample, camera)
    return {
        "drawings": drawings,
        "pictures": len(dataset.samples),
        "strange": strange,
        "left_out": [str(one) for one in dataset.left_out][:50],
        "notes": list(dataset.notes),
    }


def _body(sample: Sample, camera: str) -> dict[str, Any]:
    masks, boxes = [], []
    for one in sample.annotations:
        if one.shape is None:
            boxes.append(_box(one))
        else:
            masks.append({"kind": one.kind, "counts": list(counts_of(one.mask(sample.width, sample.height)))})
    return {"width": sample.width, "height": sample.height, "camera": camera, "masks": masks, "boxes": boxes}


def _box(one: Annotation) -> dict[str, Any]:
    return {"kind": one.kind, "x": one.box.x, "y": one.box.y, "w": one.box.w, "h": one.box.h}


def _held(store: Path, seqs: list[int] | None, most: int) -> dict[str, tuple[int, str, str]]:
    """Kept pictures by sha256: part, camera (empty: the deciding one), moment of the part.

    seqs: of these parts only, their deciding pictures; None: all pictures of the newest parts.
    """
    reader, found = LedgerReader(store), {}
    if seqs is not None:
        for seq in seqs:
            row = reader.row(seq)
            if row is not None and row.picture_kept and row.picture_sha256:
                found[row.picture_sha256] = (seq, "", row.taken_at)
        return found
    before: int | None = None
    looked = 0
    while looked < _MOST_ROWS and len(found) < most and (rows := reader.rows(_AT_ONCE, before_seq=before)):
        for row in rows:
            if row.picture_kept and row.picture_sha256 and len(found) < most:
                found[row.picture_sha256] = (row.seq, "", row.taken_at)
            for view in row.views:
                if view.picture_kept and view.picture_sha256:
                    found[view.picture_sha256] = (row.seq, view.camera, row.taken_at)
        before, looked = rows[-1].seq, looked + len(rows)
    return found


def _files(store: Path, known: dict[str, tuple[int, str, str]]) -> list[Path]:
    """Files of these pictures, each name once."""
    reader, found = LedgerReader(store), {}
    for seq in sorted({seq for seq, _, _ in known.values()}):
        row = reader.row(seq)
        held: tuple[PartRow | ViewRow, ...] = () if row is None else (row, *row.views)
        for path in (picture_path(store, one) for one in held):
            if path is not None:
                found[path.name] = path
    return list(found.values())


def _unpacked(data: bytes, inside: Path) -> Path:
    """What was given, as a folder: a zip with bounds, or one JSON file. BadData."""
    inside.mkdir()
    if not data.startswith(b"PK"):
        (inside / "labels.json").write_bytes(data)
        return inside
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            listed = [one for one in packed.infolist() if one.filename and not one.is_dir()]
            if len(listed) > _MOST_FILES or sum(one.file_size for one in listed) > _MOST_BYTES:
                raise BadData(f"{len(listed)} files: more than may be unpacked")
            for one in listed:
                path = PurePosixPath(one.filename)
                if path.is_absolute() or ".." in path.parts or "\\" in one.filename:
                    raise BadData(f"{one.filename[:100]}: leads out of the archive")
                if path.name != SEQS:
                    target = inside / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(packed.read(one))
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise BadData(f"the archive cannot be read: {error}") from error
    return inside
