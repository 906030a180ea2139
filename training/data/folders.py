"""Folders as a source: MVTec's layout, or one folder a class, with or without sides of a split above.

    train/good/000.png  test/crack/000.png  ground_truth/crack/000_mask.png        good/a.png  crack/lot7/b.png

`manifest.csv` beside them may say more: columns file, and any of source_path, sha256, part, lot. `boxes_<class>.json`
may give each defect of a mask its class: {stem: [[left, top, right, bottom, class], ...]}.
"""

import csv
from pathlib import Path

from ...bus.errors import BadData
from ...bus.outside import MOST_LIST, parsed_json, read_bounded
from ...models.box import Box
from .dataset import GOOD, Annotation, Split
from .intake import Claim, Draw, Naming, Reading, label_of, pictures_below
from .shapes import MaskFile, around, box_of, hash_of

SIDES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""What others call the sides of a split."""
MASKS = "ground_truth"


def read_folders(root: Path, naming: Naming) -> Reading:
    """Read what the folders below root say. BadData: no folder, or none of a class in it."""
    if not root.is_dir():
        raise BadData(f"{root}: no such folder")
    below = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    sides = [path for path in below if path.name in SIDES]
    reading = Reading(f"folders {root}")
    listed = _manifest(root, reading)
    boxes = {path.stem.removeprefix("boxes_"): _boxes(path) for path in sorted(root.glob("boxes_*.json"))}
    groups: list[tuple[Split | None, Path]] = [(None, path) for path in below]
    if sides:
        groups = [
            (SIDES[side.name], path)
            for side in sides
            for path in sorted(side.iterdir())
            if path.is_dir() and not path.name.startswith(".")
        ]
        unread = [path.name for path in below if path not in sides and path.name != MASKS]
        if unread:
            reading.notes.append(f"folders beside the split that were not read: {', '.join(unread)}")
    used: set[Path] = set()
    for split, folder in groups:
        for path in pictures_below(folder, reading):
            name = path.relative_to(root).as_posix()
            row = listed.pop(name, {})
            source = row.get("source_path") or name
            deeper = path.relative_to(folder).parts[:-1]
            masks = _masks_of(root, folder.name, path)
            used.update(masks)
            reading.claims.append(
                Claim(
                    picture=path,
                    name=name,
                    label=label_of(folder.name),
                    part=row.get("part") or row.get("serial") or naming.part(source),
                    lot=row.get("lot") or naming.lot(source) or ("/".join(deeper) or None),
                    split=split,
                    draw=_drawing(label_of(folder.name), masks, boxes.get(folder.name, {}).get(path.stem)),
                    sha256=row.get("sha256", ""),
                    source_name=source,
                )
            )
    if not reading.claims and not reading.broken:
        raise BadData(f"{root}: no labelled pictures: expected train/good, test/<class>, or one folder a class")
    for name in sorted(listed):
        reading.refuse(root / name, "named in manifest.csv and missing")
    for path in sorted((root / MASKS).rglob("*.png")) if (root / MASKS).is_dir() else []:
        if path not in used:
            reading.refuse(path, "a mask without its picture")
    reading.notes += naming.missing(reading.claims)
    return reading


def _manifest(root: Path, reading: Reading) -> dict[str, dict[str, str]]:
    """What manifest.csv says, by file. BadData: it has no column `file`."""
    path = root / "manifest.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if "file" not in (rows.fieldnames or []):
            raise BadData(f"{path}: columns {', '.join(rows.fieldnames or [])}: expected one called file")
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            if row["file"] in found:
                reading.refuse(path, f"line {rows.line_num}: {row['file']} comes twice")
            found[row["file"]] = {key: value for key, value in row.items() if key and value}
    sides = {path.name for path in root.iterdir() if path.is_dir() and path.name in SIDES}
    # A list may also hold what lies beside the split; only what should be in the set can be missing from it.
    return {name: row for name, row in found.items() if not sides or name.split("/")[0] in sides}


def _boxes(path: Path) -> dict[str, list[tuple[Box, str]]]:
    try:
        said = parsed_json(read_bounded(path, MOST_LIST))
        return {str(stem): [(_box(*row[:4]), str(row[4])) for row in rows] for stem, rows in said.items()}
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise BadData(f"{path}: {error}: expected {{stem: [[left, top, right, bottom, class]]}}") from error


def _box(left: float, top: float, right: float, bottom: float) -> Box:
    found = around([(left, top), (right, bottom)], 1 << 30, 1 << 30)
    if found is None or right <= left or bottom <= top:
        raise ValueError(f"box {[left, top, right, bottom]}: expected left < right and top < bottom")
    return found


def _masks_of(root: Path, label: str, picture: Path) -> list[Path]:
    """The mask files of one picture: NNN_mask.png, NNN.png, or all in a folder NNN (as MVTec LOCO has it)."""
    folder = root / MASKS / label
    if not folder.is_dir():
        return []
    for name in (f"{picture.stem}_mask.png", f"{picture.stem}.png"):
        if (folder / name).is_file():
            return [folder / name]
    return sorted((folder / picture.stem).glob("*.png")) if (folder / picture.stem).is_dir() else []


def _drawing(label: str, masks: list[Path], boxes: list[tuple[Box, str]] | None) -> Draw | None:
    if label == GOOD or not (masks or boxes):
        return None

    def draw(width: int, height: int) -> list[Annotation]:
        found = []
        for path in masks:
            digest = hash_of(path)
            whole = MaskFile(path, digest).mask(width, height)
            around_all = box_of(whole)
            if around_all is not None and boxes is None:
                found.append(Annotation(label, around_all, MaskFile(path, digest)))
            for box, kind in boxes or []:
                if not box.lies_in(width, height):
                    raise BadData(f"box {box} of {kind} leaves the picture of {width}x{height}")
                found.append(Annotation(kind, box, MaskFile(path, digest, box)))
        if not masks:
            found += [Annotation(kind, box) for box, kind in boxes or []]
        return found

    return draw
