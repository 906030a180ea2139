"""A folder of pictures as a sequence: which, in what order, and when each was taken.

Without `frames.csv` the pictures come in the order of their names, and nothing is known of their moments. With it, the
folder is a recording (see `recorder.py`). Its columns, by name:

    file            a picture beside it
    at_ms           start of exposure, ms since any moment; never falling
    pixel_format    optional: the picture holds the raw samples of that PFNC format
    trigger         optional: triggers the camera had counted when the frame was started
"""

import csv
import itertools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..bus.clock import MS
from ..bus.errors import BadPicture, BadSettings
from ..bus.outside import read_bounded, too_large
from ..imaging.formats import FORMATS
from .sensor import Scene

INDEX = "frames.csv"
COLUMNS = ("file", "at_ms", "pixel_format", "trigger")
SUFFIXES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
MOST_PICTURE_BYTES = 1 << 30
"""Of one file: no picture of sense is larger."""
_LONGEST = 1_000_000
"""Rows of an index; more are refused, they would fill the memory."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a sequence."""

    file: Path
    at_ns: int | None
    """Since the first one; None: not known."""
    pixel_format: str
    """PFNC name of the raw samples in it; empty: a picture like any other."""
    trigger_count: int | None


def read_sequence(folder: Path) -> tuple[Shot, ...]:
    """Return the pictures of a folder. BadSettings: no folder, no picture in it, or an index that cannot be true."""
    if not folder.is_dir():
        raise BadSettings(f"folder = {str(folder)!r}: no such folder")
    index = folder / INDEX
    if index.exists():
        return _read_index(index)
    found = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not found:
        raise BadSettings(f"folder = {str(folder)!r}: no pictures, expected {' '.join(SUFFIXES)}")
    return tuple(Shot(file, None, "", None) for file in found)


def load_scene(file: Path) -> Scene:
    """Read a picture, grey or RGB, of 8 or 16 bits. BadPicture: it cannot be read, or does not decode."""
    try:
        content = read_bounded(file, MOST_PICTURE_BYTES)
    except OSError as error:
        raise BadPicture(f"{file}: cannot be read: {error.strerror}") from error
    if why := too_large(content):
        raise BadPicture(f"{file}: {why}")
    data = np.frombuffer(content, np.uint8)
    try:
        decoded = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    except cv2.error as error:  # absurd sizes in its header
        raise BadPicture(f"{file}: does not decode as a picture: {error.err}") from error
    if decoded is None or decoded.dtype not in (np.uint8, np.uint16):
        raise BadPicture(f"{file}: does not decode as a picture of 8 or 16 bits")
    scene = np.asarray(decoded)
    return scene if scene.ndim == 2 else np.ascontiguousarray(scene[:, :, ::-1])


def _read_index(index: Path) -> tuple[Shot, ...]:
    shots: list[Shot] = []
    try:
        with index.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines, strict=True)
            unknown = [name for name in rows.fieldnames or () if name not in COLUMNS]
            if unknown or not {"file", "at_ms"} <= set(rows.fieldnames or ()):
                found = ", ".join(rows.fieldnames or ()) or "nothing"
                raise BadSettings(f"{index}: columns {found}: expected {', '.join(COLUMNS)}, two may be missing")
            for number, row in enumerate(rows):
                if number >= _LONGEST:
                    raise BadSettings(f"{index}: more than {_LONGEST} rows")
                shots.append(_shot(index, rows.line_num, row))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadSettings(f"{index}: cannot be read: {error}") from error
    if not shots:
        raise BadSettings(f"{index}: no frames, expected one or more")
    first_ns = shots[0].at_ns or 0
    timed = [(shot.at_ns or 0) - first_ns for shot in shots]
    for number, (earlier, later) in enumerate(itertools.pairwise(timed)):
        if later < earlier:
            name = shots[number + 1].file.name
            raise BadSettings(f"{index}: {name}: at_ms is before the frame before it, expected it not to fall")
    return tuple(
        Shot(shot.file, at_ns, shot.pixel_format, shot.trigger_count) for shot, at_ns in zip(shots, timed, strict=True)
    )


def _shot(index: Path, line: int, row: dict[str, str]) -> Shot:
    try:
        if None in row or None in row.values():
            raise ValueError("expected as many values as columns")
        name = row["file"]
        if not name or Path(name).name != name:
            raise ValueError(f"file = {name!r}: expected the name of a file beside it")
        at_ms = float(row["at_ms"])
        if not abs(at_ms) < 1e13:
            raise ValueError(f"at_ms = {row['at_ms']}: expected milliseconds")
        pixel_format = row.get("pixel_format", "")
        if pixel_format and pixel_format not in FORMATS:
            raise ValueError(f"pixel_format = {pixel_format!r}: expected one of {', '.join(FORMATS)}")
        count = row.get("trigger", "")
        return Shot(index.parent / name, round(at_ms * MS), pixel_format, int(count) if count else None)
    except ValueError as error:
        raise BadSettings(f"{index}, line {line}: {error}") from error
