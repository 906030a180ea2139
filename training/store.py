"""What a bundle remembers of its lesson, so that goods and labels can be added without the old pictures.

`lesson.npz`: arrays only, no pickle. Features are float16: goods added one by one give a
threshold within 2 % of all at once, because rounding changes which vectors the memory takes.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadBundle
from ..models.manifest import LESSON, MOST_BYTES
from .supervise import Defects
from .targets import DEFECT, UNKNOWN

_KINDS = {
    "features": "f",
    "names": "U",
    "digests": "U",
    "defect_features": "f",
    "defect_cells": "i",
    "defect_names": "U",
    "defect_kinds": "U",
    "defect_exact": "b",
    "defect_digests": "U",
}
"""The arrays, and what each holds as numpy calls it: float, int, bool, text."""
_FOR_NAMES = 16 << 20
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""What a damaged or hostile archive makes numpy and zipfile raise."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The goods and defects of a teaching."""

    features: npt.NDArray[np.float32]
    """`(goods, cells, channels)`."""
    names: tuple[str, ...]
    """Of the goods' picture files."""
    digests: tuple[str, ...]
    """sha256 of them."""
    defects: Defects | None


def packed(kept: Remembered) -> bytes:
    """Return `lesson.npz`."""
    cells, channels = kept.features.shape[1:]
    defects = kept.defects or Defects(
        (), (), np.empty((0, cells, channels), np.float32), np.empty((0, cells), np.int8), (), ()
    )
    out = io.BytesIO()
    np.savez(
        out,
        features=_halved(kept.features),
        names=np.array(kept.names, np.str_),
        digests=np.array(kept.digests, np.str_),
        defect_features=_halved(defects.features),
        defect_cells=defects.cells,
        defect_names=np.array(defects.names, np.str_),
        defect_kinds=np.array(defects.kinds, np.str_),
        defect_exact=np.array(defects.exact, bool),
        defect_digests=np.array(defects.digests, np.str_),
    )
    return out.getvalue()


def unpacked(folder: Path, cells: int, channels: int) -> Remembered:
    """Return what a bundle remembers. The bundle was verified; what its lesson holds is checked here.

    BadBundle: it remembers nothing, or arrays are missing or of other shapes than the model's.
    """
    path = folder / LESSON
    if not path.is_file():
        raise BadBundle(f"{folder}: has no {LESSON}: it was taught without keeping the goods' features, so teach anew")
    held = _arrays(path, _KINDS)
    goods, count = held["names"].size, held["defect_names"].size
    shapes = {
        "names": (goods,),
        "defect_names": (count,),
        "features": (goods, cells, channels),
        "digests": (goods,),
        "defect_features": (count, cells, channels),
        "defect_cells": (count, cells),
        "defect_kinds": (count,),
        "defect_exact": (count,),
        "defect_digests": (count,),
    }
    for name, shape in shapes.items():
        if held[name].shape != shape:
            raise BadBundle(f"{path}: {name} of shape {held[name].shape}: expected {shape}")
    features, bad = held["features"].astype(np.float32), held["defect_features"].astype(np.float32)
    if not (np.isfinite(features).all() and np.isfinite(bad).all()):
        raise BadBundle(f"{path}: holds numbers that are not finite")
    cells_ = held["defect_cells"]
    if not ((cells_ >= UNKNOWN) & (cells_ <= DEFECT)).all():
        raise BadBundle(f"{path}: defect_cells: expected {UNKNOWN}, 0 or {DEFECT}")
    defects = Defects(
        names=tuple(map(str, held["defect_names"])),
        kinds=tuple(map(str, held["defect_kinds"])),
        features=bad,
        cells=cells_.astype(np.int8),
        exact=tuple(map(bool, held["defect_exact"])),
        digests=tuple(map(str, held["defect_digests"])),
    )
    names, digests = tuple(map(str, held["names"])), tuple(map(str, held["digests"]))
    return Remembered(features, names, digests, defects if count else None)


def _halved(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    return np.clip(features, -60_000.0, 60_000.0).astype(np.float16)


def known_digests(folder: Path) -> frozenset[str]:
    """Return the sha256 of the pictures a bundle was taught from, goods and defects. BadBundle: its lesson is none."""
    held = _arrays(folder / LESSON, ("digests", "defect_digests"))
    return frozenset(map(str, [*held["digests"].reshape(-1), *held["defect_digests"].reshape(-1)]))


def most_pictures(cells: int, channels: int) -> int:
    """Return how many pictures of so many cells a lesson may hold: what a bundle's file may weigh, less names."""
    return (MOST_BYTES - _FOR_NAMES) // (cells * (channels * np.dtype(np.float16).itemsize + 1))


def _arrays(path: Path, wanted: Iterable[str]) -> dict[str, npt.NDArray[Any]]:
    """Return arrays of a lesson. BadBundle: it is none, or holds others, or of other kinds, or too large ones."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry.file_size for entry in archive.infolist()}
            if sum(entries.values()) > MOST_BYTES:
                raise BadBundle(f"{path}: unpacks to more than {MOST_BYTES} bytes")
            if set(entries) != {f"{name}.npy" for name in _KINDS}:
                raise BadBundle(f"{path}: arrays {sorted(entries)}: expected {sorted(_KINDS)}")
            held = {}
            for name in wanted:
                _check_header(path, name, archive, entries[f"{name}.npy"])
                with archive.open(f"{name}.npy") as file:
                    held[name] = np.lib.format.read_array(file, allow_pickle=False)
            return held
    except _UNREADABLE as error:
        raise BadBundle(f"{path}: not a lesson: {error}") from error


def _check_header(path: Path, name: str, archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an array whose header claims another kind, or more than its entry holds: numpy would allocate it first."""
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(file)
    if kind.kind != _KINDS[name]:
        raise BadBundle(f"{path}: {name} of {kind}: expected kind {_KINDS[name]!r}")
    if math.prod(shape) * kind.itemsize > size:
        raise BadBundle(f"{path}: {name} of shape {shape}: more than the {size} bytes it has")
