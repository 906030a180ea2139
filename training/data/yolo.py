"""YOLO as a source: data.yaml, pictures in `images/`, one text file a picture in `labels/`.

A line is `class x_middle y_middle width height` or, for segmentation, `class x1 y1 x2 y2 x3 y3 ...`, all as shares of
the picture. A picture without a text file, or with an empty one, is good.
Format: https://docs.ultralytics.com/datasets/detect/ and /segment/
"""

import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ...bus.errors import BadData
from ...bus.outside import read_bounded
from ...bus.yaml_text import parsed_yaml
from ...models.pictures import SUFFIXES
from .coco import first_errors
from .dataset import GOOD, Annotation, Split
from .intake import Claim, Draw, Naming, Reading, label_of, pictures_below
from .shapes import Polygons, around

NAMES = ("data.yaml", "dataset.yaml", "data.yml")
_SLACK = 0.002
"""How far outside the picture a corner may be by rounding, as a share."""


class _Yaml(BaseModel):
    """data.yaml; what else stands in it is for other programs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    path: str | None = None
    train: str | list[str] | None = None
    val: str | list[str] | None = None
    test: str | list[str] | None = None
    names: dict[int, str] | list[str]
    nc: int | None = None


def read_yolo(file: Path, naming: Naming) -> Reading:
    """Read what data.yaml and the text files say. BadData: it is no such file, or names nothing that is there."""
    said = _read(file)
    names = dict(enumerate(said.names)) if isinstance(said.names, list) else said.names
    if said.nc is not None and said.nc != len(names):
        raise BadData(f"{file}: nc = {said.nc}: expected {len(names)}, as many as names")
    classes = {number: label_of(name) for number, name in names.items()}
    reading = Reading(f"YOLO {file}", classes=[name for _, name in sorted(classes.items()) if name != GOOD])
    root = file.parent if said.path is None else _existing(file, said.path)
    sides: list[tuple[Split, str | list[str] | None]] = [
        ("train", said.train),
        ("val", said.val),
        ("test", said.test),
    ]
    bare = 0
    for split, places in sides:
        for place in [places] if isinstance(places, str) else places or []:
            for picture in _pictures(file, root, place, reading):
                label = _label_file(picture)
                bare += not label.is_file()
                name = picture.relative_to(root).as_posix() if picture.is_relative_to(root) else str(picture)
                reading.claims.append(
                    Claim(
                        picture=picture,
                        name=name,
                        label=None,
                        part=naming.part(name),
                        lot=naming.lot(name),
                        split=split,
                        draw=_drawing(label, classes) if label.is_file() else None,
                    )
                )
    if bare:
        reading.notes.append(f"{bare} pictures have no text file in labels/: taken as good")
    reading.notes += naming.missing(reading.claims)
    return reading


def _read(file: Path) -> _Yaml:
    try:
        said: Any = parsed_yaml(read_bounded(file))
        return _Yaml.model_validate(said)
    except OSError as error:
        raise BadData(f"{file}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise BadData(first_errors(file, error)) from error
    except ValueError as error:
        raise BadData(f"{file}: {error}: expected YAML") from error


def _existing(file: Path, named: str) -> Path:
    """The folder `path` names: from data.yaml's own folder, or as it stands; moved sets often name one long gone."""
    for place in (file.parent / named, Path(named)):
        if place.is_dir():
            return place
    return file.parent


def _pictures(file: Path, root: Path, place: str, reading: Reading) -> list[Path]:
    """Pictures of one entry: a folder, or a text file that lists them."""
    # Exports of Roboflow say ../train/images from a folder that is not there.
    found = next((at for at in (root / place, root / place.removeprefix("../")) if at.exists()), None)
    if found is None:
        raise BadData(f"{file}: {place}: expected a folder of pictures or a list of them under {root}")
    if found.is_dir():
        return pictures_below(found, reading)
    lines = [line.strip() for line in found.read_text(encoding="utf-8").splitlines() if line.strip()]
    listed = [found.parent / line if line.startswith("./") else root / line for line in lines]
    for path in listed:
        if path.suffix.lower() not in SUFFIXES:
            reading.refuse(path, f"named in {found}: ending {path.suffix or 'none'} is none of a picture's")
    return [path for path in listed if path.suffix.lower() in SUFFIXES]


def _label_file(picture: Path) -> Path:
    """The last folder called images becomes labels, as YOLO itself does."""
    parts = list(picture.parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] == "images":
            parts[at] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _drawing(label: Path, classes: dict[int, str]) -> Draw:
    def draw(width: int, height: int) -> list[Annotation]:
        try:
            lines = label.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadData(f"{label}: cannot be read: {error}") from error
        found = []
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    one = _annotation(line.split(), classes, width, height)
                except ValueError as error:
                    raise BadData(f"{label}: line {number}: {error}") from error
                if one.kind != GOOD:
                    found.append(one)
        return found

    return draw


def _annotation(words: list[str], classes: dict[int, str], width: int, height: int) -> Annotation:
    number, values = int(words[0]), [float(word) for word in words[1:]]
    if number not in classes:
        raise ValueError(f"class {number}: expected one of {', '.join(map(str, sorted(classes)))}")
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise ValueError(f"{len(values)} values: expected 4 of a box, or pairs of 3 corners and more")
    wrong = [value for value in values if not math.isfinite(value) or not -_SLACK <= value <= 1.0 + _SLACK]
    if wrong:
        raise ValueError(f"value {wrong[0]}: expected shares of the picture, 0..1")
    if len(values) == 4:
        x, y, w, h = values
        corners = [((x - w / 2) * width, (y - h / 2) * height), ((x + w / 2) * width, (y + h / 2) * height)]
        box, shape = (around(corners, width, height) if w > 0 and h > 0 else None), None
    else:
        # To a millionth of a pixel: a corner that was a whole number of pixels is one again.
        pairs = zip(values[::2], values[1::2], strict=True)
        outline = tuple((round(x * width, 6), round(y * height, 6)) for x, y in pairs)
        shape = Polygons((outline,))
        box = shape.box(width, height)
    if box is None:
        raise ValueError(f"{' '.join(words)}: covers no pixel")
    return Annotation(classes[number], box, shape)
