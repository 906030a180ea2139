"""Where the line's parts get their looks: rendered, or a folder of real pictures. The truth stays on this side.

A folder is in MVTec layout: `train/good/*` to teach from, `test/<label>/*` for the line. Pictures of various
sizes are stretched to fill the field of view, so nothing of a part is cut off; equal ones are left as they are.

    python -m okng.simline.pictures FOLDER      prints the field of view the folder asks for, as JSON
"""

import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from . import parts
from .plan import Plan
from .scene import Picture

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
LARGEST_PX = 1280
"""A field of view found by itself is no wider and no higher."""
RENDERED_PX = 320


class BadPictures(ValueError):
    """A folder without pictures, or a picture that does not decode. The text names it."""


@dataclass(frozen=True, slots=True)
class View:
    """What the camera sees of each part."""

    width: int
    height: int
    colour: bool

    @property
    def size_bytes(self) -> int:
        """Bytes of one picture."""
        return self.width * self.height * (3 if self.colour else 1)


@dataclass(frozen=True, slots=True)
class Look:
    """One part's look. Label and name are truth: they go to the world's log and nowhere else."""

    label: str
    name: str
    """File below the folder, or `rendered/<index>`."""


class Looks(Protocol):
    """The parts of a run, in order."""

    @property
    def view(self) -> View:
        """Return the field of view all pictures have."""

    def __len__(self) -> int: ...

    def look(self, at: int) -> Look:
        """Return the truth about part at, 0..len-1."""

    def picture(self, at: int) -> Picture:
        """Return the picture of part at: uint8, height x width, or height x width x 3 RGB. Raises BadPictures."""


class FolderLooks:
    """Real pictures. Decoded when needed, and kept while the cache has room."""

    def __init__(
        self, folder: Path, files: Sequence[tuple[Path, str]], view: View, order: Sequence[int], cache: int
    ) -> None:
        """Take files with their labels, and the order of showing. cache: how many pictures are kept."""
        self.view = view
        self._folder, self._files, self._order = folder, files, order
        self._load = functools.lru_cache(maxsize=max(cache, 1))(self._decode)

    def __len__(self) -> int:
        return len(self._order)

    def look(self, at: int) -> Look:
        """Return the truth about part at."""
        path, label = self._files[self._order[at]]
        return Look(label, str(path.relative_to(self._folder)))

    def picture(self, at: int) -> Picture:
        """Return the picture of part at, filling the view."""
        return self._load(self._order[at])

    def _decode(self, which: int) -> Picture:
        return fill(decode(self._files[which][0], self.view.colour), self.view)


class RenderedLooks:
    """Drawn parts, from a pool made beforehand: drawing in the middle of the run would cost the box its cores."""

    def __init__(self, pool: Sequence[tuple[Picture, Look]], view: View, order: Sequence[int]) -> None:
        """Take pictures with their truth, and the order of showing."""
        self.view = view
        self._pool, self._order = pool, order

    def __len__(self) -> int:
        return len(self._order)

    def look(self, at: int) -> Look:
        """Return the truth about part at."""
        return self._pool[self._order[at]][1]

    def picture(self, at: int) -> Picture:
        """Return the picture of part at."""
        return self._pool[self._order[at]][0]


def open_looks(plan: Plan, teach: bool = False) -> Looks:
    """Return what a run shows: the line's parts, or with teach the good ones to learn from, in order.

    Raises BadPictures.
    """
    if plan.source.kind == "folder":
        assert plan.source.folder is not None
        return _open_folder(plan, Path(plan.source.folder), teach)
    return _open_rendered(plan, teach)


def _open_folder(plan: Plan, folder: Path, teach: bool) -> FolderLooks:
    files = find_pictures(folder, "train" if teach else "test")
    found = find_view(folder)
    view = View(
        plan.width or found.width,
        plan.height or found.height,
        found.colour if plan.colour is None else plan.colour,
    )
    if teach:
        order = list(range(len(files)))[: plan.count]
    else:
        order = _shuffled(len(files), plan.count or len(files), plan.seed)
    return FolderLooks(folder, files, view, order, cache=400_000_000 // view.size_bytes)


def _open_rendered(plan: Plan, teach: bool) -> RenderedLooks:
    view = View(plan.width or RENDERED_PX, plan.height or RENDERED_PX, bool(plan.colour))
    count = plan.count or plan.source.pool
    first = parts.TEACH_INDEX if teach else parts.LINE_INDEX
    pool: list[tuple[Picture, Look]] = []
    for index in range(first, first + min(plan.source.pool, count)):
        defect = None if teach else parts.draw_label(plan.seed, index, plan.source.defect_percent)
        made = parts.render(plan.seed, index, defect, view.width, view.height, view.colour)
        pool.append((made.picture, Look(made.label, f"rendered/{index}")))
    order = list(range(len(pool))) if teach else _shuffled(len(pool), count, plan.seed)
    return RenderedLooks(pool, view, order)


def _shuffled(pictures: int, count: int, seed: int) -> list[int]:
    """Return count numbers below pictures: all of them once, shuffled, before any comes again."""
    rng = np.random.default_rng((seed, 2))
    rounds = -(-count // pictures)
    return [int(each) for _ in range(rounds) for each in rng.permutation(pictures)][:count]


def find_pictures(folder: Path, part: str) -> list[tuple[Path, str]]:
    """Return (file, label) of all pictures below folder/part, sorted; part is `train` (goods only) or `test`.

    Raises BadPictures where there is none.
    """
    wanted = folder / part / "good" if part == "train" else folder / part
    if not wanted.is_dir():
        raise BadPictures(f"{wanted}: no such folder, expected pictures in MVTec layout ({_layout(part)})")
    pattern = "*" if part == "train" else "*/*"
    found = sorted(each for each in wanted.glob(pattern) if each.suffix.lower() in SUFFIXES)
    if not found:
        raise BadPictures(f"{wanted}: no pictures in it, expected {_layout(part)} ({', '.join(SUFFIXES)})")
    return [(each, each.parent.name) for each in found]


def _layout(part: str) -> str:
    return "train/good/*" if part == "train" else "test/<label>/*"


def decode(path: Path, colour: bool) -> Picture:
    """Read one picture as uint8, grey (rows x columns) or RGB (rows x columns x 3). Raises BadPictures."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as why:
        raise BadPictures(f"{path}: {why.strerror}") from why
    # imdecode raises on an empty buffer and returns None on a damaged one.
    made = cv2.imdecode(data, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE) if data.size else None
    if made is None:
        raise BadPictures(f"{path}: does not decode as a picture")
    return np.ascontiguousarray(made[..., ::-1]) if colour else np.ascontiguousarray(made)


def fill(picture: Picture, view: View) -> Picture:
    """Stretch a picture to the view's width and height; one that has them already is returned as it is."""
    rows, columns = picture.shape[:2]
    if (columns, rows) == (view.width, view.height):
        return picture
    smaller = view.width * view.height < rows * columns
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.ascontiguousarray(cv2.resize(picture, (view.width, view.height), interpolation=how))


def find_view(folder: Path) -> View:
    """Return the field of view a folder asks for: its goods' own size where all are equal and small enough.

    Otherwise the median, rounded to 16 px and at most LARGEST_PX on a side. Raises BadPictures.
    """
    files = find_pictures(folder, "train")
    # Some hundred headers tell it as well as all of them do.
    chosen = files[:: max(1, len(files) // 100)]
    shapes = [_shape(path) for path, _ in chosen]
    colour = any(channels == 3 for _, _, channels in shapes)
    sizes = {(width, height) for width, height, _ in shapes}
    if len(sizes) == 1:
        width, height = sizes.pop()
        if max(width, height) <= LARGEST_PX and width % 4 == 0 and height % 2 == 0:
            return View(width, height, colour)
    wide, high = (float(np.median([each[axis] for each in shapes])) for axis in (0, 1))
    shrink = min(1.0, LARGEST_PX / max(wide, high))
    return View(_to_16(wide * shrink), _to_16(high * shrink), colour)


def _to_16(length: float) -> int:
    return max(16, round(length / 16) * 16)


def _shape(path: Path) -> tuple[int, int, int]:
    """Return width, height and channels (1 or 3) of a picture. Raises BadPictures."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    made = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if made is None:
        raise BadPictures(f"{path}: does not decode as a picture")
    grey = made.ndim == 2 or (made.shape[2] >= 3 and bool((made[..., :3] == made[..., :1]).all()))
    return made.shape[1], made.shape[0], 1 if grey else 3


def main(arguments: list[str] | None = None) -> int:
    """Print the field of view of a folder as JSON."""
    (folder,) = sys.argv[1:] if arguments is None else arguments
    try:
        view = find_view(Path(folder))
    except BadPictures as why:
        sys.stderr.write(f"{why}\n")
        return 78
    sys.stdout.write(json.dumps({"width": view.width, "height": view.height, "colour": view.colour}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
