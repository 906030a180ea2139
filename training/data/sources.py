"""The one way in: whatever lies at a path is told apart, read and opened.

a folder with ledger.sqlite    the box's own ledger      train/good ..., or a folder a class     folders
data.yaml                      YOLO                      a JSON object that lists images         COCO
manifest.json                  a manifest of okng        a JSON list of tasks                    Label Studio
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ...bus.errors import BadData
from ...models.manifest import MANIFEST, MODEL
from ...models.pictures import SUFFIXES
from ...records.read import LedgerReader
from .beside import complete
from .coco import is_coco, read_coco
from .dataset import GOOD, Dataset
from .folders import SIDES, read_folders
from .intake import Naming, Progress, Reading, take_in
from .label_studio import is_label_studio, read_label_studio
from .ledger import read_ledger
from .manifest import is_manifest, read_manifest
from .yolo import NAMES, read_yolo

Kind = Literal["auto", "folders", "coco", "yolo", "label-studio", "ledger", "manifest"]
KINDS: tuple[Kind, ...] = ("auto", "folders", "coco", "yolo", "label-studio", "ledger", "manifest")


class SourceOptions(BaseModel):
    """How a source is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "auto"
    pictures: Path | None = None
    """Folder that picture names of COCO and Label Studio are looked for in. None: beside the file."""
    part_from: str = ""
    """Regular expression on a picture's name; its first group is the part. Empty: not told by names."""
    lot_from: str = ""
    """The same for the lot."""
    recipe: str = ""
    """Ledger: only parts of this recipe. Empty: all."""
    since: str = ""
    """Ledger: only parts taken then or later (UTC, for example 2026-11-23). Empty: all."""
    camera: str = ""
    """Ledger: only pictures of this camera. Empty: those the verdict was given on."""
    leave_out_broken: bool = False
    """True: broken files are named in the set instead of refusing it."""
    threads: int = 0
    """0: one a core."""


def open_dataset(path: Path, options: SourceOptions | None = None, progress: Progress | None = None) -> Dataset:
    """Read the set at a path, every picture opened once.

    BadData: nothing that is known there, or broken files, all named. BadLedger, BadSettings.
    """
    options = options or SourceOptions()
    kind = told_apart(path) if options.kind == "auto" else options.kind
    if kind == "manifest":
        return read_manifest(manifest_at(path), leave_out_broken=options.leave_out_broken, progress=progress)
    reading = claims_of(path, kind, options)
    return take_in(reading, leave_out_broken=options.leave_out_broken, threads=options.threads, progress=progress)


def claims_of(path: Path, kind: Kind, options: SourceOptions) -> Reading:
    """Return what a source other than a manifest says; no picture is opened. BadData, BadLedger, BadSettings."""
    naming = Naming(options.part_from, options.lot_from)
    if kind == "ledger":
        return read_ledger(path, recipe=options.recipe, since=options.since, camera=options.camera)
    if kind == "coco":
        files = _jsons(path)
        reading, root = read_coco(files, options.pictures, naming), files[0].parent.parent
    elif kind == "label-studio":
        (file,) = _jsons(path)[:1]
        reading, root = read_label_studio(file, options.pictures, naming), options.pictures or file.parent
    elif kind == "yolo":
        file = path if path.is_file() else next((path / name for name in NAMES if (path / name).is_file()), path)
        reading, root = read_yolo(file, naming), file.parent
    else:
        reading, root = read_folders(path, naming), path
    complete(reading, root)
    return reading


def told_apart(path: Path) -> Kind:
    """Return what kind of source lies at a path. BadData: none that is known."""
    if not path.exists():
        raise BadData(f"{path}: there is nothing")
    if (path / MODEL).is_file() and (path / MANIFEST).is_file():
        raise BadData(f"{path}: is a bundle, no labelled pictures: expected a folder a class, or a set of another kind")
    if path.is_file():
        if path.suffix.lower() in (".yaml", ".yml"):
            return "yolo"
        if is_manifest(path):
            return "manifest"
        if is_coco(path):
            return "coco"
        if is_label_studio(path):
            return "label-studio"
        raise BadData(f"{path}: expected data.yaml, or JSON of COCO, of Label Studio, or of a manifest")
    if LedgerReader(path).path.is_file():
        return "ledger"
    if any((path / name).is_file() for name in NAMES):
        return "yolo"
    if is_manifest(path / "manifest.json"):
        return "manifest"
    folders = {one.name for one in path.iterdir() if one.is_dir()}
    # A folder a class may hold JSON beside the pictures; only where no class has pictures does the JSON speak.
    if not any((path / side / "good").is_dir() for side in SIDES):
        for file in _candidates(path):
            if is_coco(file):
                return "coco"
            if is_label_studio(file):
                return "label-studio"
    if folders:
        return "folders"
    if any(one.suffix.lower() in SUFFIXES for one in path.iterdir()):
        raise BadData(
            f"{path}: pictures lie right in it, and nothing says of which class: put good ones into {path / GOOD}, "
            "defective ones into a folder a class beside it"
        )
    raise BadData(f"{path}: expected folders of classes, data.yaml, or JSON of COCO, Label Studio or a manifest")


def _candidates(path: Path) -> list[Path]:
    return sorted([*path.glob("*.json"), *path.glob("*/*.json")])


def _jsons(path: Path) -> list[Path]:
    """The JSON files of a source."""
    if path.is_file():
        return [path]
    found = [file for file in _candidates(path) if is_coco(file) or is_label_studio(file)]
    if not found:
        raise BadData(f"{path}: no JSON of COCO or Label Studio in it or in its folders")
    return found


def manifest_at(path: Path) -> Path:
    """Return the manifest of a set at a path: the file itself, or the one in the folder."""
    return path / "manifest.json" if path.is_dir() else path
