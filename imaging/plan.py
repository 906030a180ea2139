"""How raw pixels become the picture that is judged, as one file that every reader of the ring takes. No numpy here.

The camera process writes it into the run folder and names it in each FrameReady, so that judging, keeping, showing and
teaching cannot differ, and none of them has to know a recipe.
"""

import contextlib
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
_DIGITS = 16
_KEPT = 40
"""Plans in a run folder: two for each of 16 cameras, the job that runs and the one that comes, and some to spare."""


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
    """Straightens too: the plane is known in the straight picture."""
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    levels: tuple[int, int] | None = None
    """Raw levels that become 0 and 255; None: the whole range of the pixel format, as its eight high bits."""
    crop: tuple[int, int, int, int] | None = None
    """x, y, width, height in px of the picture after all else."""

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

    @property
    def name(self) -> str:
        """What its file is called in a run folder: its digest, so it never changes. Empty for the plain plan."""
        return "" if self.plain else _PREFIX + hashlib.sha256(self._content).hexdigest()[:_DIGITS]

    def write(self, folder: Path) -> str:
        """Put it into the run folder, whole or not at all; return the file's name. Empty for the plain plan.

        The newest files are kept, older ones go: readers have long made their own of them. OSError: the folder takes
        no file.
        """
        name = self.name
        if not name:
            return ""
        if (folder / name).exists():
            os.utime(folder / name)  # in use again: not the next to go
            return name
        draft = folder / f"{name}.{os.getpid()}"
        draft.write_bytes(self._content)
        draft.replace(folder / name)
        _thin_out(folder)
        return name

    @property
    def _content(self) -> bytes:
        """One line of JSON, then the bytes of the two pictures."""
        fields = asdict(self) | {role: len(getattr(self, role)) for role in _BYTES}
        return json.dumps(fields).encode() + b"\n" + self.dark + self.flat


def read_written(folder: Path, name: str) -> DevelopPlan:
    """Read what `write` wrote. BadPicture: it is gone or damaged; without it the picture means nothing."""
    if not name:
        return DevelopPlan()
    try:
        content = (folder / name).read_bytes()
    except (OSError, ValueError) as error:
        raise BadPicture(f"how the picture is developed cannot be read: {error}") from error
    if name != _PREFIX + hashlib.sha256(content).hexdigest()[:_DIGITS]:
        raise BadPicture(f"{name}: damaged: its digest is another ({len(content)} bytes)")
    try:
        head, _, rest = content.partition(b"\n")
        fields = json.loads(head)
        dark, flat = (int(fields[role]) for role in _BYTES)
        if len(rest) != dark + flat:
            raise ValueError(f"{len(rest)} bytes of pictures: expected {dark + flat}")
        fields |= {"dark": rest[:dark], "flat": rest[dark:]}
        for key in ("white_balance", "levels", "crop"):
            fields[key] = fields[key] and tuple(fields[key])
        return DevelopPlan(**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise BadPicture(f"{name}: written by another version of okng: {error}") from error


def _thin_out(folder: Path) -> None:
    """Let the oldest files go: a run folder is memory, and a plan may hold two whole pictures."""
    found: list[tuple[int, Path]] = []
    for file in folder.glob(f"{_PREFIX}*"):
        if len(file.name) == len(_PREFIX) + _DIGITS:  # not the draft of a neighbour
            with contextlib.suppress(FileNotFoundError):  # a neighbour thins out too
                found.append((file.stat().st_mtime_ns, file))
    for _, file in sorted(found)[:-_KEPT]:
        file.unlink(missing_ok=True)


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
