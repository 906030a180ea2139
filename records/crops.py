"""What may be shown of a part where only cut-outs leave the box: the places round its defects, what is masked black.

The cut-out has the size of the picture, so the record's coordinates hold in it; what is black packs into a few kB. It
is made when it is to be sent, and named by its content. What is not known for sure is not shown: without the recipe
that the part was judged by, nothing is.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..bus.yaml_text import parsed_yaml
from ..imaging.cutout import Place, seen_through
from ..imaging.picture import Box
from ..imaging.rigid import Motion
from .durable import make_folder, sync_folder, write_synced
from .known import known
from .read import LedgerReader

log = logging.getLogger(__name__)
MARGIN_PX = 24
"""Round a defect; more where it is large: half its size."""
MOST_BYTES = 256 << 20
"""Of cut-outs that lie there; the oldest go, and are made again when they are asked for."""


def crop_of(
    reader: LedgerReader, part: Mapping[str, Any], view: Mapping[str, Any], folder: Path
) -> tuple[Path, str] | None:
    """The cut-out of one picture of a part: file and SHA-256. None: nothing of it may be shown, or can be made.

    part, view: rows of the ledger; view is the part's own row for the deciding picture.
    """
    camera = str(view["camera"])
    if camera != part["camera"]:
        return None  # defects are told in the deciding picture alone
    windows = [_window(one) for one in json.loads(part["defects"])]
    if not windows:
        return None
    source = f"{view['picture_sha256']} {part['revision']} {windows}".encode()
    key = hashlib.sha256(source).hexdigest()[:32]
    for file in folder.glob(f"{key}-*.png"):
        return file, file.stem.partition("-")[2]
    try:
        recipe = _recipe(reader, str(part["revision"]))
        data = _made(reader.store / str(view["picture"]), part, camera, windows, recipe)
        if data is None:
            return None
        digest = hashlib.sha256(data).hexdigest()
        file = folder / f"{key}-{digest}.png"
        make_folder(folder)
        _bound(folder, len(data))
        waiting = file.with_suffix(".tmp")
        write_synced(waiting, data)
        waiting.rename(file)
        sync_folder(folder)
    except (OSError, ValueError, KeyError, TypeError, cv2.error) as error:
        log.warning("part %s: no cut-out of its picture leaves the box: %s", part["part"], error)
        return None
    return file, digest


def _made(
    picture: Path, part: Mapping[str, Any], camera: str, windows: Sequence[Box], recipe: Mapping[str, Any]
) -> bytes | None:
    data = np.frombuffer(picture.read_bytes(), np.uint8)
    whole = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR) if data.size else None
    if whole is None:
        raise ValueError(f"{picture.name} does not decode")
    rows, columns = whole.shape[:2]
    judged, hidden = _places(recipe, camera, (0, 0, columns, rows))
    motion = _motion(recipe, camera, json.loads(part["placements"]))
    made = seen_through(np.asarray(whole, np.uint8), windows, judged, hidden, motion)
    if made is None:
        return None
    done, packed = cv2.imencode(".png", made, [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise ValueError(f"{picture.name} does not encode")
    return packed.tobytes()


def _window(defect: Mapping[str, Any]) -> Box:
    x, y, w, h = (int(defect[name]) for name in ("x", "y", "w", "h"))
    more_x, more_y = max(MARGIN_PX, w // 2), max(MARGIN_PX, h // 2)
    return x - more_x, y - more_y, w + 2 * more_x, h + 2 * more_y


def _recipe(reader: LedgerReader, revision: str) -> Mapping[str, Any]:
    """The recipe of that revision as it was written down. ValueError: it was not, or not whole."""
    with reader.asking() as ask:
        found = known(ask, "recipe", revision)
    if found is None:
        raise ValueError(f"recipe {revision} is not known to this ledger")
    recipe = parsed_yaml(found.body)
    if not isinstance(recipe, dict):
        raise ValueError(f"recipe {revision}: expected keys and values")
    return recipe


def _places(recipe: Mapping[str, Any], camera: str, whole: Box) -> tuple[list[Place], list[Place]]:
    """What is judged of a camera's picture, and what of it is masked."""
    judged: list[Place] = []
    hidden: list[Place] = []
    regions = recipe.get("regions") or ([{}] if recipe.get("bundle") is not None else [])
    for section in (*regions, *(recipe.get("tools") or ())):
        if section.get("camera") not in (None, camera):
            continue
        box = section.get("box", "full")
        within = section.get("within")
        judged.append(_place(within) if within else Place.of_box(whole if box == "full" else box))
        hidden += [_place(shape) for shape in section.get("ignore") or ()]
    return judged, hidden


def _place(shape: Mapping[str, Any]) -> Place:
    if shape["kind"] == "polygon":
        return Place(tuple((float(x), float(y)) for x, y in shape["points"]))
    if shape["kind"] not in ("rect", "ellipse"):
        raise ValueError(f"shape {shape['kind']!r}: expected rect, ellipse or polygon")
    return Place.of_ellipse(shape["box"]) if shape["kind"] == "ellipse" else Place.of_box(shape["box"])


def _motion(recipe: Mapping[str, Any], camera: str, placements: Sequence[Mapping[str, Any]]) -> Motion | None:
    """How the part lay; None: the recipe does not look for it. ValueError: it does, and did not find it."""
    align = recipe.get("align")
    if align and "golden" not in align:
        align = align.get(camera)
    if not align:
        return None
    lay = next((one for one in placements if one["camera"] == camera and one["found"]), None)
    if lay is None:
        raise ValueError("where the part lay is not known, so its masks are not")
    x, y, w, h = align["box"]
    centre = x + (w - 1) / 2, y + (h - 1) / 2
    return Motion.about(centre, float(lay["angle_deg"]), float(lay["shift_x_px"]), float(lay["shift_y_px"]))


def _bound(folder: Path, more: int) -> None:
    """Let the oldest go until there is room for so many bytes more."""
    held = []
    for file in folder.glob("*.png"):
        with suppress(OSError):
            found = file.stat()
            held.append((found.st_mtime_ns, found.st_size, file))
    size = sum(one[1] for one in held) + more
    for _, bytes_, file in sorted(held):
        if size <= MOST_BYTES:
            return
        with suppress(OSError):
            file.unlink()
        size -= bytes_
