"""What a bundle remembers of its lesson, so that goods and labels can be added without the old pictures.

`lesson.npz`: arrays only, no pickle. Features are float16: against float32 held-out scores move by less than 0.5 %.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadBundle
from ..models.manifest import LESSON
from .supervise import Defects

MOST_BYTES = 1 << 30
_ARRAYS = frozenset(
    {"features", "names", "digests", "defect_features", "defect_cells", "defect_names", "defect_kinds", "defect_exact"}
)


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
        (), (), np.empty((0, cells, channels), np.float32), np.empty((0, cells), np.int8), ()
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
    )
    return out.getvalue()


def unpacked(folder: Path, cells: int, channels: int) -> Remembered:
    """Return what a bundle remembers. The bundle was verified; what its lesson holds is checked here.

    BadBundle: it remembers nothing, or arrays are missing or of other shapes than the model's.
    """
    path = folder / LESSON
    if not path.is_file():
        raise BadBundle(f"{folder}: has no {LESSON}: it was taught without keeping the goods' features, so teach anew")
    try:
        with np.load(path, allow_pickle=False) as file:
            if sum(entry.file_size for entry in file.zip.infolist()) > MOST_BYTES:
                raise BadBundle(f"{path}: unpacks to more than {MOST_BYTES} bytes")
            if set(file.files) != _ARRAYS:
                raise BadBundle(f"{path}: arrays {sorted(file.files)}: expected {sorted(_ARRAYS)}")
            held = {name: file[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError) as error:
        raise BadBundle(f"{path}: not a lesson: {error}") from error
    goods, count = len(held["names"]), len(held["defect_names"])
    shapes = {
        "features": (goods, cells, channels),
        "digests": (goods,),
        "defect_features": (count, cells, channels),
        "defect_cells": (count, cells),
        "defect_kinds": (count,),
        "defect_exact": (count,),
    }
    for name, shape in shapes.items():
        if held[name].shape != shape:
            raise BadBundle(f"{path}: {name} of shape {held[name].shape}: expected {shape}")
    features, bad = held["features"].astype(np.float32), held["defect_features"].astype(np.float32)
    if not (np.isfinite(features).all() and np.isfinite(bad).all()):
        raise BadBundle(f"{path}: holds numbers that are not finite")
    defects = Defects(
        names=tuple(map(str, held["defect_names"])),
        kinds=tuple(map(str, held["defect_kinds"])),
        features=bad,
        cells=held["defect_cells"].astype(np.int8),
        exact=tuple(map(bool, held["defect_exact"])),
    )
    names, digests = tuple(map(str, held["names"])), tuple(map(str, held["digests"]))
    return Remembered(features, names, digests, defects if count else None)


def _halved(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    return np.clip(features, -60_000.0, 60_000.0).astype(np.float16)


def known_digests(folder: Path) -> frozenset[str]:
    """Return the sha256 of the goods a bundle was taught from. BadBundle: its lesson is none."""
    path = folder / LESSON
    try:
        with np.load(path, allow_pickle=False) as file:
            return frozenset(map(str, file["digests"]))
    except (OSError, ValueError, KeyError) as error:
        raise BadBundle(f"{path}: not a lesson: {error}") from error
