"""Label Studio's JSON export as a source: boxes, polygons, ellipses, brush and choices; units are percent.

Of several annotations of a task the newest that was not cancelled counts; a task that has only predictions is labelled
by a model, and marked so. Pictures are read from local files only.
Format: https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from ...bus.errors import BadData
from ...bus.outside import MOST_LIST, parsed_json, read_bounded
from ...models.pictures import SUFFIXES
from .coco import first_errors, side_of
from .dataset import GOOD, Annotation, PartId
from .intake import Claim, Draw, Naming, Reading, label_of
from .rle import counts_of, from_brush
from .shapes import Point, Polygons, RunLengths, box_of

_CORNERS = 64
"""Of the polygon that stands for an ellipse."""
_DRAWN = {
    "rectanglelabels": "rectanglelabels",
    "polygonlabels": "polygonlabels",
    "ellipselabels": "ellipselabels",
    "brushlabels": "brushlabels",
    "rectangle": "",
    "polygon": "",
    "ellipse": "",
    "brush": "",
}


class _Result(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = ""
    type: str
    value: dict[str, Any] = {}
    to_name: str = ""
    original_width: int | None = None
    original_height: int | None = None


class _Annotated(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: int | str = ""
    result: list[_Result] = []
    was_cancelled: bool = False
    updated_at: str = ""


class _Predicted(BaseModel):
    """What a model said: a pre-annotation."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    result: list[_Result] = []
    model_version: str | None = ""


class _Task(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: int | str = ""
    data: dict[str, Any]
    annotations: list[_Annotated] = []
    predictions: list[_Predicted] = []
    meta: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One result that marks a place."""

    name: str
    form: str
    kind: str
    value: Mapping[str, Any]
    size: tuple[int | None, int | None]


def is_label_studio(path: Path) -> bool:
    """True when a JSON file is a list of tasks with data, as Label Studio's export is."""
    try:
        said = parsed_json(read_bounded(path, MOST_LIST))
    except (OSError, ValueError):
        return False
    return isinstance(said, list) and bool(said) and isinstance(said[0], dict) and "data" in said[0]


def read_label_studio(file: Path, pictures: Path | None, naming: Naming) -> Reading:
    """Read what an export says. pictures: folder that local files are looked for in; None: the export's own.

    A task that nobody annotated is named as broken: nothing is known of it. BadData: it is no such export.
    """
    reading = Reading(f"Label Studio {file}")
    skipped: dict[str, int] = {}
    several = by_model = 0
    for at, task in enumerate(_read(file)):
        name = f"task {task.id or at}"
        address = _address(task.data)
        if address is None:
            reading.refuse(file, f"{name}: data has no picture: expected a path or address of one, found {task.data}")
            continue
        picture = _local(address, file, pictures)
        if picture is None:
            reading.refuse(address, f"{name}: is not local: expected a file; fetch it, and say where with --pictures")
            continue
        valid = [one for one in task.annotations if not one.was_cancelled]
        if not valid and not task.predictions:
            reading.refuse(picture, f"{name}: nobody has annotated it")
            continue
        by_model += not valid
        several += len(valid) > 1
        # Of a model's words the last that was added counts.
        newest: _Annotated | _Predicted
        newest = max(valid, key=lambda one: one.updated_at) if valid else task.predictions[-1]
        label: str | None = None
        drawn: list[_Drawn] = []
        for result in newest.result:
            form = result.type.lower()
            if form == "choices":
                choices = [label_of(str(choice)) for choice in result.value.get("choices", [])]
                label = choices[0] if choices and label is None else label
            elif form in _DRAWN or form == "labels":
                drawn += _marked(result, newest.result)
            else:
                skipped[form] = skipped.get(form, 0) + 1
        reading.classes += sorted({one.kind for one in drawn} - {GOOD, ""})
        root = pictures or file.parent
        shown = picture.relative_to(root) if picture.is_relative_to(root) else picture
        known = {**task.meta, **task.data}
        reading.claims.append(
            Claim(
                picture=picture,
                name=_word(known, "name") or shown.as_posix(),
                label=label,
                part=_word(known, "part") or naming.part(shown.as_posix()),
                lot=_word(known, "lot") or naming.lot(shown.as_posix()),
                split=side_of(Path(_word(known, "split") or "")),
                draw=_drawing(drawn),
                said_by="file" if valid else "verdict",
                sha256=_hash(known),
                serial=_word(known, "serial"),
                seen=_part_id(known),
            )
        )
    if by_model:
        reading.notes.append(f"{by_model} labels are predictions of a model: let a person look first")
    if several:
        reading.notes.append(f"{several} tasks have several annotations: the newest counts")
    for form, count in sorted(skipped.items()):
        reading.notes.append(f"{count} results of type {form} say nothing of a defect's place: not read")
    reading.notes += naming.missing(reading.claims)
    return reading


def _read(file: Path) -> list[_Task]:
    try:
        said: Any = parsed_json(read_bounded(file, MOST_LIST))
    except OSError as error:
        raise BadData(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadData(f"{file}: {error}: expected JSON") from error
    if not isinstance(said, list):
        raise BadData(f"{file}: {type(said).__name__}: expected a list of tasks (export as JSON)")
    if said and isinstance(said[0], dict) and "annotations" not in said[0]:
        raise BadData(f"{file}: 0: no annotations: expected the export called JSON, not JSON-MIN or CSV")
    tasks = []
    for at, one in enumerate(said):
        try:
            tasks.append(_Task.model_validate(one))
        except ValidationError as error:
            raise BadData(first_errors(Path(f"{file}: task {at}"), error)) from error
    return tasks


def _address(data: Mapping[str, Any]) -> str | None:
    """The first value that ends like a picture, `image` first."""
    for key in ("image", *sorted(data)):
        said = data.get(key)
        if isinstance(said, str) and Path(_path_in(said)).suffix.lower() in SUFFIXES:
            return said
    said = data.get("image")
    return said if isinstance(said, str) and said else None


def _path_in(address: str) -> str:
    """The path an address holds: `/data/local-files/?d=a/b.png` holds a/b.png."""
    parts = urlsplit(address)
    query = parse_qs(parts.query).get("d")
    return query[0] if query else unquote(parts.path) if parts.scheme else unquote(address)


def _local(address: str, file: Path, pictures: Path | None) -> Path | None:
    """Where the picture lies; where it should lie when it is nowhere; None: it is elsewhere in the net."""
    path, base = _path_in(address), pictures or file.parent
    bare = Path(path).name
    # An upload gets eight hex digits before its name.
    head, dash, tail = bare.partition("-")
    without = tail if dash and len(head) == 8 and all(letter in "0123456789abcdef" for letter in head) else bare
    places = [base / path.lstrip("/"), base / bare, base / "images" / bare, base / without, base / "images" / without]
    # An absolute path is taken as it stands only where the tool ran on this machine.
    if Path(path).is_absolute() and not path.startswith("/data/") and urlsplit(address).scheme in ("", "file"):
        places.insert(0, Path(path))
    # Local storage is given from its root, of which the folder at hand may be a part.
    pieces = Path(path.lstrip("/")).parts
    places += [base.joinpath(*pieces[at:]) for at in range(1, len(pieces))]
    inside = [place for place in places if ".." not in place.relative_to(place.anchor or ".").parts]
    found = next((place for place in inside if place.is_file()), None)
    if found is None and urlsplit(address).scheme not in ("", "file"):
        return None
    return found or base / bare


def _marked(result: _Result, others: Sequence[_Result]) -> list[_Drawn]:
    """The places a result marks. Where form and labels are apart (`rectangle` + `labels`), they share their id."""
    form = result.type.lower()
    if form == "labels":
        return []
    shape = form.removesuffix("labels")
    labels = result.value.get(_DRAWN[form], []) if _DRAWN[form] else []
    if not labels:
        same = [one for one in others if one.id and one.id == result.id]
        labels = next((one.value["labels"] for one in same if one.value.get("labels")), [])
    size = (result.original_width, result.original_height)
    name = f"result {result.id}"
    return [_Drawn(name, shape, label_of(str(label)), result.value, size) for label in labels or [""]]


def _drawing(drawn: Sequence[_Drawn]) -> Draw:
    def draw(width: int, height: int) -> list[Annotation]:
        found = []
        for one in drawn:
            if not one.kind:
                raise BadData(f"{one.name}: a {one.form} without a label")
            if one.kind == GOOD:
                continue
            stated = (one.size[0] or width, one.size[1] or height)
            if stated != (width, height):
                raise BadData(f"{width}x{height} pixels: {one.name} was drawn on {stated[0]}x{stated[1]}")
            try:
                found.append(_annotation(one, width, height))
            except (KeyError, TypeError, ValueError) as error:
                raise BadData(f"{one.name}: {one.form}: {error}") from error
        return found

    return draw


def _annotation(one: _Drawn, width: int, height: int) -> Annotation:
    value = one.value
    if one.form == "brush":
        if value.get("format") != "rle":
            raise ValueError(f"format {value.get('format')!r}: expected 'rle'")
        mask = from_brush(value["rle"], width, height)
        painted = box_of(mask)
        if painted is None:
            raise ValueError("nothing is painted")
        return Annotation(one.kind, painted, RunLengths(counts_of(mask), width, height))
    if one.form == "polygon":
        outline = [(float(x), float(y)) for x, y in value["points"]]
    elif one.form == "ellipse":
        turn = [2 * math.pi * step / _CORNERS for step in range(_CORNERS)]
        across, down = float(value["radiusX"]), float(value["radiusY"])
        x, y = float(value["x"]), float(value["y"])
        outline = [(x + across * math.cos(a), y + down * math.sin(a)) for a in turn]
    else:
        x, y, w, h = (float(value[key]) for key in ("x", "y", "width", "height"))
        outline = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    angle = float(value.get("rotation", 0.0))
    # To a millionth of a pixel: a corner that was a whole number of pixels is one again.
    points: list[Point] = [(round(x * width / 100.0, 6), round(y * height / 100.0, 6)) for x, y in outline]
    if angle:
        # Boxes turn about their corner, ellipses about their middle, in pixels (percent are not square).
        pivot = (float(value["x"]) * width / 100.0, float(value["y"]) * height / 100.0)
        points = _rotated(points, pivot, angle)
    if len(points) < 3 or not all(math.isfinite(part) for point in points for part in point):
        raise ValueError(f"{len(points)} corners: expected 3 and more, all of them numbers")
    shape = Polygons((tuple(points),))
    box = shape.box(width, height)
    if box is None:
        raise ValueError("covers no pixel of the picture")
    return Annotation(one.kind, box, None if one.form == "rectangle" and not angle else shape)


def _rotated(points: Sequence[Point], pivot: Point, degrees: float) -> list[Point]:
    """Turn clockwise, as it is seen on the screen."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    away = [(x - pivot[0], y - pivot[1]) for x, y in points]
    return [(pivot[0] + x * cosine - y * sine, pivot[1] + x * sine + y * cosine) for x, y in away]


def _hash(known: Mapping[str, Any]) -> str:
    said = known.get("sha256")
    plain = isinstance(said, str) and len(said) == 64 and not set(said) - set("0123456789abcdef")
    return str(said) if plain else ""


def _part_id(known: Mapping[str, Any]) -> PartId | None:
    box, epoch, seq = (_word(known, key) for key in ("box", "epoch", "seq"))
    if box is None or epoch is None or seq is None or not (epoch.isdecimal() and seq.isdecimal()):
        return None
    return PartId(box, int(epoch), int(seq))


def _word(known: Mapping[str, Any], key: str) -> str | None:
    said = known.get(key)
    return str(said) if isinstance(said, str | int) and str(said) else None
