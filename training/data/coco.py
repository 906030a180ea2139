"""COCO's JSON as a source: pictures, categories, and boxes, polygons or run lengths of each defect.

A picture without annotations is good. Several files (`instances_train.json`, `train/_annotations.coco.json`) are the
sides of a split. Format: https://cocodataset.org/#format-data
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...bus.errors import BadData
from ...bus.outside import MOST_LIST, parsed_json, read_bounded
from ...models.box import Box
from .dataset import GOOD, Annotation, Split
from .folders import SIDES
from .intake import Claim, Draw, Naming, Reading, label_of
from .rle import from_coco
from .shapes import Polygons, Shape, around, box_of

Outline = Annotated[list[float], Field(min_length=6)]
_SHOWN = 5


class _Lenient(BaseModel):
    """What others write may hold more than is read."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Runs(_Lenient):
    size: tuple[int, int]
    counts: list[int] | str


class _Image(_Lenient):
    id: int | str
    file_name: str = Field(min_length=1)
    width: int | None = None
    height: int | None = None
    part: str | None = None
    """Of okng's own exports, as is lot."""
    lot: str | None = None


class _Category(_Lenient):
    id: int
    name: str = Field(min_length=1)


class _Mark(_Lenient):
    id: int | str = ""
    image_id: int | str
    category_id: int
    bbox: tuple[float, float, float, float] | None = None
    segmentation: list[Outline] | _Runs | None = None


class _File(_Lenient):
    images: list[_Image]
    categories: list[_Category] = []
    annotations: list[_Mark] = []


def is_coco(path: Path) -> bool:
    """True when a JSON file is an object that lists pictures, as COCO's is."""
    try:
        said = parsed_json(read_bounded(path, MOST_LIST))
    except (OSError, ValueError):
        return False
    return isinstance(said, dict) and isinstance(said.get("images"), list) and "annotations" in said


def read_coco(files: Sequence[Path], pictures: Path | None, naming: Naming) -> Reading:
    """Read what COCO files say.

    pictures: folder the file names are relative to; None: beside the file, in `images/`, or a folder above.
    BadData: a file is no COCO, or two files differ in their categories.
    """
    reading = Reading(f"COCO {', '.join(str(path) for path in files)}")
    for path in files:
        said = _read(path)
        names = {category.id: label_of(category.name) for category in said.categories}
        if GOOD in names.values():
            reading.notes.append(f"{path}: a category is called good: its annotations mark no defect and are left out")
        reading.classes += [name for _, name in sorted(names.items()) if name != GOOD]
        marks: dict[int | str, list[_Mark]] = {image.id: [] for image in said.images}
        if len(marks) != len(said.images):
            raise BadData(f"{path}: images: the same id comes twice: expected each once")
        for mark in said.annotations:
            if mark.image_id not in marks:
                reading.refuse(path, f"annotation {mark.id}: image_id {mark.image_id} is none of its images")
            elif mark.category_id not in names:
                known = ", ".join(map(str, sorted(names)))
                reading.refuse(path, f"annotation {mark.id}: category_id {mark.category_id}: expected one of {known}")
                # A picture one of whose defects has no name would be taught as if that place were sound.
                marks[mark.image_id].append(mark)
            elif names[mark.category_id] != GOOD:
                marks[mark.image_id].append(mark)
        for image in said.images:
            picture = located(path, image.file_name, pictures)
            apart = len(files) > 1 and picture.is_relative_to(path.parent.parent)
            reading.claims.append(
                Claim(
                    picture=picture,
                    # Two sides may each have an a.png.
                    name=picture.relative_to(path.parent.parent).as_posix() if apart else image.file_name,
                    label=None,
                    part=image.part or naming.part(image.file_name),
                    lot=image.lot or naming.lot(image.file_name),
                    split=side_of(path),
                    draw=_drawing(image, marks[image.id], names),
                )
            )
    reading.notes += naming.missing(reading.claims)
    return reading


def located(path: Path, name: str, pictures: Path | None) -> Path:
    """Return where a picture lies that a file names; where it should lie when it is nowhere."""
    if pictures is not None:
        places = [pictures / name, pictures / Path(name).name]
    else:
        folders = [path.parent, path.parent / "images", path.parent.parent / "images", path.parent.parent]
        places = [folder / name for folder in folders] + [path.parent.parent / path.stem.split("_")[-1] / name]
    return next((place for place in places if place.is_file()), places[0])


def side_of(path: Path) -> Split | None:
    """Return the side of a split that a file's or its folder's name says: `instances_val2017.json` is `val`."""
    for name in (path.stem, path.parent.name):
        for word in name.lower().replace(".", "_").replace("-", "_").split("_"):
            if word.rstrip("0123456789") in SIDES:
                return SIDES[word.rstrip("0123456789")]
    return None


def first_errors(path: Path, error: ValidationError) -> str:
    """Say where a file is not as expected: key, what is wrong and what was found; the first five, and how many."""
    found = error.errors(include_url=False)
    said = [
        f"{path}: {'.'.join(str(part) for part in one['loc'])} = {str(one['input'])[:60]!r}: {one['msg']}"
        for one in found[:_SHOWN]
    ]
    return "\n".join([*said, f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else said)


def _read(path: Path) -> _File:
    try:
        said: Any = parsed_json(read_bounded(path, MOST_LIST))
    except OSError as error:
        raise BadData(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadData(f"{path}: {error}: expected JSON") from error
    try:
        return _File.model_validate(said)
    except ValidationError as error:
        raise BadData(first_errors(path, error)) from error


def _drawing(image: _Image, marks: Sequence[_Mark], names: dict[int, str]) -> Draw:
    def draw(width: int, height: int) -> list[Annotation]:
        stated = (image.width or width, image.height or height)
        if stated != (width, height):
            raise BadData(f"{width}x{height} pixels: its COCO file says {stated[0]}x{stated[1]}")
        found = []
        for mark in marks:
            if mark.category_id not in names:
                raise BadData(f"annotation {mark.id}: category_id {mark.category_id} is unknown")
            box, shape = _form(mark, width, height)
            found.append(Annotation(names[mark.category_id], box, shape))
        return found

    return draw


def _form(mark: _Mark, width: int, height: int) -> tuple[Box, Shape | None]:
    """Box and shape of one annotation."""
    box: Box | None = None
    shape: Shape | None = None
    if isinstance(mark.segmentation, _Runs):
        if mark.segmentation.size != (height, width):
            raise BadData(f"annotation {mark.id}: size {list(mark.segmentation.size)}: expected {[height, width]}")
        shape = from_coco(mark.segmentation.counts, width, height)
        box = box_of(shape.mask(width, height))
    elif mark.segmentation:
        if any(len(outline) % 2 for outline in mark.segmentation):
            raise BadData(f"annotation {mark.id}: segmentation: expected x and y in pairs")
        points = (tuple(zip(line[::2], line[1::2], strict=True)) for line in mark.segmentation)
        outlines = Polygons(tuple(points))
        box, shape = outlines.box(width, height), outlines
    elif mark.bbox is not None:
        left, top, w, h = mark.bbox
        box = around([(left, top), (left + w, top + h)], width, height) if w > 0 and h > 0 else None
    if box is None:
        where = mark.bbox if mark.bbox is not None else "no bbox"
        raise BadData(f"annotation {mark.id}: {where}: covers no pixel of the picture of {width}x{height}")
    return box, shape
