"""A set written as others have it: MVTec folders, COCO, YOLO, Label Studio. Pictures are copied byte for byte.

What a format cannot say is refused or told, never dropped: COCO and YOLO know no label without a place, so a defective
picture on which nothing is drawn would come back as good.
"""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
import yaml

from ...bus.errors import BadData
from ...models.pictures import SUFFIXES
from .beside import write_beside
from .dataset import GOOD, SPLITS, Annotation, Dataset, Sample
from .folders import MASKS
from .losses import Format, losses
from .rle import to_brush, to_coco
from .shapes import Mask, Polygons, write_mask

Places = list[tuple[str, Sample]]
"""Where each picture was written, inside the folder."""
_FINER = 4
_MAGIC = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"BM": ".bmp", b"II*\0": ".tif", b"MM\0*": ".tif"}
_STUDIO = """<View>
  <Image name="image" value="$image"/>
  <Choices name="verdict" toName="image" showInline="true">{choices}</Choices>
  <RectangleLabels name="box" toName="image">{labels}</RectangleLabels>
  <PolygonLabels name="outline" toName="image">{labels}</PolygonLabels>
  <BrushLabels name="brush" toName="image">{labels}</BrushLabels>
</View>
"""


def export(dataset: Dataset, out: Path, form: Format) -> tuple[str, ...]:
    """Write the set into a folder that is not there yet; return what the format could not say.

    BadData: something is at out, a name leads out of it, or the format cannot say what matters. BadPicture: a mask.
    """
    if out.exists():
        raise BadData(f"{out}: is there already: expected a folder to make")
    if form in ("coco", "yolo"):
        bare = [sample.name for sample in dataset.defects if not sample.annotations]
        if bare:
            raise BadData(
                f"{len(bare)} defective pictures have nothing drawn ({bare[0]}): {form} would call them good; "
                "expected boxes or masks, or another format"
            )
    waiting = out.with_name(out.name + ".part")
    shutil.rmtree(waiting, ignore_errors=True)
    waiting.mkdir(parents=True)
    try:
        places: list[tuple[str, Sample]] = []
        notes = _WRITERS[form](dataset, waiting, places)
        write_beside(waiting, places, dataset.classes)
        waiting.rename(out)
    except BaseException:
        shutil.rmtree(waiting, ignore_errors=True)
        raise
    return (*notes, *losses(dataset, form))


def outlines(mask: Mask) -> list[list[tuple[float, float]]]:
    """Return the outer edges of the pieces of a mask, picture pixels; filled they give its pixels, holes apart."""
    finer = cv2.resize(mask.astype(np.uint8), None, fx=_FINER, fy=_FINER, interpolation=cv2.INTER_NEAREST)
    pieces, _ = cv2.findContours(finer, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [[((x + 0.5) / _FINER, (y + 0.5) / _FINER) for x, y in piece[:, 0].tolist()] for piece in pieces]


def _side(sample: Sample) -> str:
    """MVTec's own way where there is no split: goods teach, defects test."""
    return sample.split or ("train" if sample.ok else "test")


def _ending(sample: Sample) -> str:
    """Ending of its file; by its content where it has none, as in a store of data sets."""
    if sample.picture.suffix.lower() in SUFFIXES:
        return sample.picture.suffix.lower()
    with sample.picture.open("rb") as file:
        begins = file.read(4)
    return next((ending for magic, ending in _MAGIC.items() if begins.startswith(magic)), ".png")


def _called(sample: Sample) -> str:
    """Its name, with an ending that others know it for a picture by."""
    known = PurePosixPath(sample.name).suffix.lower() in SUFFIXES
    return sample.name if known else sample.name + _ending(sample)


def _copied(sample: Sample, folder: Path, name: str) -> None:
    """Copy a picture into a folder under a name. BadData: the name leads out of it, or is taken."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BadData(f"{name}: leads out of the folder it would be written to")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise BadData(f"{name}: two pictures would be written under it")
    shutil.copyfile(sample.picture, target)


def _mvtec(dataset: Dataset, out: Path, places: Places) -> tuple[str, ...]:
    numbers: Counter[str] = Counter()
    rows: list[list[str]] = []
    boxes: dict[str, dict[str, list[list[Any]]]] = {}
    for sample in dataset.samples:
        stem = f"{numbers[sample.label]:05}"
        numbers[sample.label] += 1
        file, mask = f"{_side(sample)}/{sample.label}/{stem}{_ending(sample)}", ""
        _copied(sample, out, file)
        places.append((file, sample))
        drawn = sample.mask() if sample.annotations else None
        if drawn is not None:
            mask = f"{MASKS}/{sample.label}/{stem}_mask.png"
            (out / mask).parent.mkdir(parents=True, exist_ok=True)
            write_mask(out / mask, drawn)
            if len(sample.annotations) > 1 or sample.kinds != (sample.label,):
                corners = [[box.x, box.y, box.x + box.w, box.y + box.h, kind] for kind, box in sample.boxes()]
                boxes.setdefault(sample.label, {})[stem] = corners
        rows.append([file, sample.label, mask, sample.name, sample.sha256, sample.part or "", sample.lot or ""])
    for label, said in boxes.items():
        (out / f"boxes_{label}.json").write_text(json.dumps(said), encoding="utf-8")
    with (out / "manifest.csv").open("w", newline="", encoding="utf-8") as written:
        table = csv.writer(written, lineterminator="\n")
        table.writerow(["file", "label", "mask", "source_path", "sha256", "part", "lot"])
        table.writerows(rows)
    return ()


def _coco(dataset: Dataset, out: Path, places: Places) -> tuple[str, ...]:
    kinds = {kind: number for number, kind in enumerate(dict.fromkeys((*dataset.classes, *dataset.kinds)), 1)}
    categories = [{"id": number, "name": kind, "supercategory": "defect"} for kind, number in kinds.items()]
    (out / "annotations").mkdir()
    for side in (*SPLITS, None):
        samples = dataset.of(side)
        if not samples:
            continue
        images: list[dict[str, Any]] = []
        marks: list[dict[str, Any]] = []
        for number, sample in enumerate(samples, 1):
            _copied(sample, out / "images", _called(sample))
            places.append((f"images/{_called(sample)}", sample))
            images.append(
                {"id": number, "file_name": _called(sample), "width": sample.width, "height": sample.height}
                | {key: value for key, value in (("part", sample.part), ("lot", sample.lot)) if value is not None}
            )
            for one in sample.annotations:
                mark = _coco_mark(one, sample)
                marks.append({"id": len(marks) + 1, "image_id": number, "category_id": kinds[one.kind], **mark})
        said = {"images": images, "categories": categories, "annotations": marks}
        name = f"instances_{side}.json" if side else "instances.json"
        (out / "annotations" / name).write_text(json.dumps(said), encoding="utf-8")
    return ()


def _coco_mark(one: Annotation, sample: Sample) -> dict[str, Any]:
    box = [one.box.x, one.box.y, one.box.w, one.box.h]
    area = one.box.w * one.box.h
    segmentation: list[list[float]] = []
    if one.shape is not None:
        mask = one.mask(sample.width, sample.height)
        area = int(mask.sum())
        if isinstance(one.shape, Polygons):
            segmentation = [[value for point in line for value in point] for line in one.shape.outlines]
        else:
            runs = {"size": [sample.height, sample.width], "counts": to_coco(mask)}
            return {"bbox": box, "area": area, "iscrowd": 0, "segmentation": runs}
    return {"bbox": box, "area": area, "iscrowd": 0, "segmentation": segmentation}


def _yolo(dataset: Dataset, out: Path, places: Places) -> tuple[str, ...]:
    kinds = {kind: number for number, kind in enumerate(dict.fromkeys((*dataset.classes, *dataset.kinds)))}
    marks = [one for sample in dataset.samples for one in sample.annotations]
    # A text file holds boxes or outlines, not both: trainers refuse a mixture.
    drawn = bool(marks) and all(one.shape is not None for one in marks)
    sides: dict[str, str] = {}
    for sample in dataset.samples:
        side = sample.split or "train"
        sides[side] = f"images/{side}"
        _copied(sample, out / "images" / side, _called(sample))
        places.append((f"images/{side}/{_called(sample)}", sample))
        lines = [line for one in sample.annotations for line in _yolo_lines(one, sample, kinds[one.kind], drawn=drawn)]
        path = (out / "labels" / side / PurePosixPath(_called(sample))).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise BadData(f"{sample.name}: another picture has the same name but for its ending")
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    said: dict[str, Any] = {"path": ".", **sides}
    names = {number: kind for kind, number in kinds.items()}
    (out / "data.yaml").write_text(yaml.safe_dump({**said, "names": names}, allow_unicode=True), encoding="utf-8")
    notes = [] if dataset.of("val") else ["no val side: YOLO trainers ask for one; `okng data split` makes it"]
    return tuple(notes)


def _yolo_lines(one: Annotation, sample: Sample, number: int, *, drawn: bool) -> list[str]:
    width, height = sample.width, sample.height
    if drawn:
        lines = one.shape.outlines if isinstance(one.shape, Polygons) else outlines(one.mask(width, height))
        return [
            " ".join([str(number), *(f"{v:.12f}" for x, y in line for v in _inside(x / width, y / height))])
            for line in lines
        ]
    x, y = (one.box.x + one.box.w / 2) / width, (one.box.y + one.box.h / 2) / height
    return [f"{number} {x:.12f} {y:.12f} {one.box.w / width:.12f} {one.box.h / height:.12f}"]


def _inside(*shares: float) -> list[float]:
    return [min(max(share, 0.0), 1.0) for share in shares]


def _label_studio(dataset: Dataset, out: Path, places: Places) -> tuple[str, ...]:
    tasks = []
    for number, sample in enumerate(dataset.samples, 1):
        _copied(sample, out / "images", _called(sample))
        places.append((f"images/{_called(sample)}", sample))
        size = {"original_width": sample.width, "original_height": sample.height, "image_rotation": 0}
        results: list[dict[str, Any]] = [
            {
                **{"id": "verdict", "type": "choices", "from_name": "verdict", "to_name": "image"},
                **size,
                "value": {"choices": [sample.label]},
            }
        ]
        for place, one in enumerate(sample.annotations):
            name, kind, value = _studio_value(one, sample)
            results.append(
                {"id": f"d{place}", "type": kind, "from_name": name, "to_name": "image", **size, "value": value}
            )
        known = {"part": sample.part, "lot": sample.lot, "split": sample.split, "name": sample.name}
        known |= {"serial": sample.serial, "sha256": sample.sha256}
        if sample.seen is not None:
            known |= {"box": sample.seen.box, "epoch": str(sample.seen.epoch), "seq": str(sample.seen.seq)}
        data = {"image": f"/data/local-files/?d=images/{_called(sample)}"}
        data |= {key: value for key, value in known.items() if value is not None}
        task: dict[str, Any] = {"id": number, "data": data, "annotations": [], "predictions": []}
        if sample.said_by == "verdict":
            # What a model said is no annotation: a person sees it, and confirms or corrects it.
            task["predictions"].append({"model_version": "okng", "result": results})
        else:
            person = {"id": number, "was_cancelled": False, "ground_truth": False}
            task["annotations"].append({**person, "result": results})
        tasks.append(task)
    (out / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    choices = "".join(f"<Choice value={quoteattr(name)}/>" for name in (GOOD, *dataset.classes))
    labels = "".join(f"<Label value={quoteattr(name)}/>" for name in dataset.kinds)
    (out / "label_config.xml").write_text(_STUDIO.format(choices=choices, labels=labels), encoding="utf-8")
    return ()


def _studio_value(one: Annotation, sample: Sample) -> tuple[str, str, dict[str, Any]]:
    across, down = 100.0 / sample.width, 100.0 / sample.height
    if isinstance(one.shape, Polygons) and len(one.shape.outlines) == 1:
        points = [[x * across, y * down] for x, y in one.shape.outlines[0]]
        return "outline", "polygonlabels", {"points": points, "closed": True, "polygonlabels": [one.kind]}
    if one.shape is not None:
        packed = to_brush(one.mask(sample.width, sample.height))
        return "brush", "brushlabels", {"format": "rle", "rle": packed, "brushlabels": [one.kind]}
    where = {"x": one.box.x * across, "y": one.box.y * down, "width": one.box.w * across, "height": one.box.h * down}
    return "box", "rectanglelabels", {**where, "rotation": 0, "rectanglelabels": [one.kind]}


_WRITERS = {"mvtec": _mvtec, "coco": _coco, "yolo": _yolo, "label-studio": _label_studio}
