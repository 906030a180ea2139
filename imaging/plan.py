"""How raw pixels become the picture that is judged, as one file that every reader of the ring takes. No numpy here.

The camera process writes it into the run folder and names it in each FrameReady, so that judging, keeping, showing and
teaching cannot differ, and none of them has to know a recipe.
"""

import base64
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ..bus.errors import BadPicture, BadRecipe
from .develop_options import DevelopOptions
from .lens_file import LensFile, read_lens_file

_PREFIX = "develop-"
_BYTES = ("dark", "flat")


@dataclass(frozen=True, slots=True)
class DevelopPlan:
    """All that `develop.Developer` needs. The plain plan changes nothing but the format."""

    dark: bytes = b""
    """The dark picture's file (PNG or TIFF, 8 or 16 bit); empty: none."""
    flat: bytes = b""
    lens: str = ""
    """A LensFile as JSON; empty: none."""
    undistort: bool = False
    rectify: bool = False
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    levels: tuple[int, int] | None = None
    crop: tuple[int, int, int, int] | None = None

    @property
    def plain(self) -> bool:
        """True: nothing is done beyond unpacking and demosaicing."""
        return self == DevelopPlan()

    @property
    def calibration(self) -> LensFile | None:
        """The lens; None: not known."""
        return LensFile.model_validate_json(self.lens) if self.lens else None

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the developed picture of a raw one."""
        return (width, height) if self.crop is None else (self.crop[2], self.crop[3])

    def write(self, folder: Path) -> str:
        """Put it into the run folder, whole or not at all; return the file's name. Empty for the plain plan.

        The name is its digest, so it is written once and never changed. OSError: the folder takes no file.
        """
        if self.plain:
            return ""
        fields = asdict(self) | {name: base64.b64encode(getattr(self, name)).decode() for name in _BYTES}
        content = json.dumps(fields).encode()
        name = _PREFIX + hashlib.sha256(content).hexdigest()[:16]
        if not (folder / name).exists():
            draft = folder / f"{name}.{os.getpid()}"
            draft.write_bytes(content)
            draft.replace(folder / name)
        return name


def read_written(folder: Path, name: str) -> DevelopPlan:
    """Read what `write` wrote. BadPicture: it is gone or damaged; without it the picture means nothing."""
    if not name:
        return DevelopPlan()
    try:
        fields = json.loads((folder / name).read_bytes())
        fields |= {key: base64.b64decode(fields[key], validate=True) for key in _BYTES}
        for key in ("white_balance", "levels", "crop"):
            fields[key] = fields[key] and tuple(fields[key])
        return DevelopPlan(**fields)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadPicture(f"{name}: cannot be read: {error}") from error


def plan_of(options: DevelopOptions, folder: Path, width: int, height: int) -> DevelopPlan:
    """Return the plan that a recipe's section asks for.

    folder: where the recipe's files lie. width, height: of the raw picture, px. BadRecipe: a file is missing, or the
    calibration is of another size or knows no plane where one is asked for.
    """
    lens = ""
    if options.lens:
        found = read_lens_file(folder / options.lens)
        if (found.width, found.height) != (width, height):
            raise BadRecipe(
                f"{folder / options.lens}: made from pictures of {found.width}x{found.height}, "
                f"expected the camera's {width}x{height}"
            )
        if options.rectify and found.plane is None:
            raise BadRecipe(f"{folder / options.lens}: rectify = true: expected a calibration that knows the plane")
        lens = found.model_dump_json()
    return DevelopPlan(
        dark=_content(folder, options.dark),
        flat=_content(folder, options.flat),
        lens=lens,
        undistort=options.undistort,
        rectify=options.rectify,
        white_balance=options.white_balance,
        levels=options.levels,
        crop=None if options.crop == "full" else options.crop,
    )


def _content(folder: Path, name: str) -> bytes:
    if not name:
        return b""
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise BadRecipe(f"{folder / name}: cannot be read: {error.strerror}") from error
