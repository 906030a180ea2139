"""The commissioned picture: all that later pictures of a view are compared with, as one file beside the recipe."""

import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadRecipe
from .background import SIDE_PX, Patch, hold_of
from .light import Mask
from .measures import SCALARS, Grid
from .picture import Box

FORMAT = 1
_LARGEST_BYTES = 64 << 20
_TORN = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    RuntimeError,
    AttributeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy, zipfile and zlib raise on a damaged file (seen by flipping bytes)."""
_ARRAYS = ("light", "spread", "fixed", "textures", "details")


@dataclass(frozen=True, slots=True)
class Typical:
    """One figure over the commissioning pictures. NaN where it cannot be told in this view."""

    middle: float
    """Median."""
    spread: float
    """Standard deviation from part to part, estimated from the middle half, at least what a normal one would give."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What one view was like when it was commissioned."""

    width_px: int
    """Size of the developed pictures; it holds for no other."""
    height_px: int
    pictures: int
    """Pictures of good parts it was made from."""
    made_at: str
    """UTC, for people."""
    cell_px: int
    light: Grid
    """Mean grey level of each cell, rows x columns float32."""
    spread: Grid
    """Standard deviation of `Measures.local` of each cell, likewise."""
    fixed: Mask
    """Cells of the background that does not move with the part, rows x columns bool."""
    focus_box: Box
    """Where sharpness is told from."""
    focus: float
    """Sharpness there (`sharpness.sharpness`)."""
    noise_boxes: tuple[Box, ...]
    """Quiet places that noise is told from; empty: there are none."""
    noise_texture: tuple[float, ...]
    """Energy of the fixed fine texture in each, grey levels squared: no noise."""
    patches: tuple[Patch, ...]
    """Pieces of the background that position is told from; empty: it has no texture."""
    strength: float
    """Strength of their texture at commissioning, about 1.0."""
    typical: dict[str, Typical]
    """By the names of `measures.SCALARS`."""

    def write(self, path: Path) -> None:
        """Put it into a file (.npz), whole or not at all. OSError: it cannot be written."""
        header = {
            "okng_health": FORMAT,
            "width_px": self.width_px,
            "height_px": self.height_px,
            "pictures": self.pictures,
            "made_at": self.made_at,
            "cell_px": self.cell_px,
            "focus_box": self.focus_box,
            "focus": self.focus,
            "noise_boxes": self.noise_boxes,
            "noise_texture": self.noise_texture,
            "patches": [[patch.x, patch.y, patch.scale, patch.score] for patch in self.patches],
            "strength": self.strength,
            "typical": {name: [found.middle, found.spread] for name, found in self.typical.items()},
        }
        textures, details = np.zeros((2, len(self.patches), SIDE_PX, SIDE_PX), np.float32)
        for at, patch in enumerate(self.patches):
            textures[at], details[at] = patch.texture, patch.detail
        whole = io.BytesIO()
        np.savez_compressed(
            whole,
            header=np.frombuffer(json.dumps(header).encode(), np.uint8),
            light=self.light,
            spread=self.spread,
            fixed=self.fixed,
            textures=textures,
            details=details,
        )
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_bytes(whole.getvalue())
        draft.replace(path)


def read_reference(path: Path) -> Reference:
    """Read and check what `write` wrote. BadRecipe names what is wrong with it, and what was expected."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise BadRecipe(f"{path}: {path.stat().st_size} bytes: expected {_LARGEST_BYTES} at most")
        content = path.read_bytes()
    except OSError as error:
        raise BadRecipe(f"{path}: cannot be read: {error.strerror}") from error
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            header = json.loads(found["header"].tobytes())
            arrays = {name: found[name] for name in _ARRAYS}
    except _TORN as error:
        raise BadRecipe(f"{path}: expected the file of a commissioned view (.npz): {error}") from error
    if not isinstance(header, dict) or header.get("okng_health") != FORMAT:
        version = header.get("okng_health") if isinstance(header, dict) else None
        raise BadRecipe(f"{path}: format {version}: expected {FORMAT}; commission the view again")
    try:
        return _checked(header, arrays)
    except KeyError as error:
        raise BadRecipe(f"{path}: {error.args[0]}: missing") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise BadRecipe(f"{path}: {error}") from error


def _checked(header: dict[str, object], arrays: dict[str, npt.NDArray[np.generic]]) -> Reference:
    """Return the reference. ValueError, KeyError, TypeError: what is wrong with it."""
    width, height, cell = (_count(header, name, 1) for name in ("width_px", "height_px", "cell_px"))
    shape = (height // cell, width // cell)
    for name in ("light", "spread", "fixed"):
        wanted = np.dtype(np.bool_ if name == "fixed" else np.float32)
        found = arrays[name]
        if found.shape != shape or found.dtype != wanted or 0 in shape:
            raise ValueError(f"{name} of {found.shape} {found.dtype}: expected {shape} {wanted}")
    patches = _list(header, "patches")
    textures, details = (np.asarray(arrays[name], np.float32) for name in ("textures", "details"))
    for name in ("textures", "details"):
        if arrays[name].shape != (len(patches), SIDE_PX, SIDE_PX):
            raise ValueError(f"{name} of {arrays[name].shape}: expected {(len(patches), SIDE_PX, SIDE_PX)}")
    for name in ("light", "spread", "textures", "details"):
        if not np.isfinite(np.asarray(arrays[name], np.float32)).all():
            raise ValueError(f"{name}: expected finite numbers")
    placed = tuple(_patch(entry, textures[at], details[at], width, height) for at, entry in enumerate(patches))
    noise = tuple(_box(each, width, height, "noise_boxes") for each in _list(header, "noise_boxes"))
    energy = tuple(float(str(each)) for each in _list(header, "noise_texture"))
    if len(energy) != len(noise):
        raise ValueError(f"noise_texture: {len(energy)} entries: expected {len(noise)}")
    typical = header["typical"]
    if not isinstance(typical, dict) or set(typical) != set(SCALARS):
        raise ValueError(f"typical: expected {', '.join(SCALARS)}")
    focus = _positive(header, "focus")
    return Reference(
        width_px=width,
        height_px=height,
        pictures=_count(header, "pictures", 2),
        made_at=str(header["made_at"])[:40],
        cell_px=cell,
        light=np.asarray(arrays["light"], np.float32),
        spread=np.asarray(arrays["spread"], np.float32),
        fixed=np.asarray(arrays["fixed"], np.bool_),
        focus_box=_box(header["focus_box"], width, height, "focus_box"),
        focus=focus,
        noise_boxes=noise,
        noise_texture=energy,
        patches=placed,
        strength=_positive(header, "strength"),
        typical={name: Typical(float(pair[0]), float(pair[1])) for name, pair in typical.items()},
    )


def _list(header: dict[str, object], name: str) -> list[object]:
    found = header[name]
    if not isinstance(found, list):
        raise ValueError(f"{name} = {found!r}: expected a list")
    return found


def _count(header: dict[str, object], name: str, least: int) -> int:
    found = header[name]
    if not isinstance(found, int) or not least <= found <= 65535:
        raise ValueError(f"{name} = {found!r}: expected {least}..65535")
    return found


def _positive(header: dict[str, object], name: str) -> float:
    found = header[name]
    if not isinstance(found, float | int) or not 0 < found < 1e6:
        raise ValueError(f"{name} = {found!r}: expected a number above 0")
    return float(found)


def _box(entry: object, width: int, height: int, name: str) -> Box:
    if not isinstance(entry, list) or len(entry) != 4 or not all(isinstance(each, int) for each in entry):
        raise ValueError(f"{name}: {entry!r}: expected x, y, width and height")
    x, y, w, h = entry
    if x < 0 or y < 0 or w < 1 or h < 1 or x + w > width or y + h > height:
        raise ValueError(f"{name}: {entry}: expected to lie inside the picture of {width}x{height}")
    return x, y, w, h


def _patch(entry: object, texture: Grid, detail: Grid, width: int, height: int) -> Patch:
    if not isinstance(entry, list) or len(entry) != 4:
        raise ValueError(f"patches: {entry!r}: expected x, y, scale and score")
    x, y, scale, score = entry
    if not isinstance(scale, int) or not 1 <= scale <= 64:
        raise ValueError(f"patches: scale {scale!r}: expected 1..64")
    _box([x, y, SIDE_PX * scale, SIDE_PX * scale], width, height, "patches")
    return Patch(x, y, scale, texture, detail, hold_of(texture), float(score))
