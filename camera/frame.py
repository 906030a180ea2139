"""From the bytes of a slot to a picture: the one conversion for judging, keeping, showing and teaching.

The pixels are read where they lie in the ring: the picture that is made of them is the only copy.
"""

import threading
from dataclasses import dataclass
from pathlib import Path

from ..bus.messages import FrameReady
from ..bus.ring import RingShelf
from ..imaging.develop import Developer
from ..imaging.picture import Picture
from ..imaging.plan import DevelopPlan, read_written

_PLAIN = Developer(DevelopPlan())
_KEPT = 2
"""Plans kept ready for each camera: of the job that runs, and of the one that comes. The oldest goes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of one part, taken out of the ring."""

    part: int
    """Part number; 0: free run, nobody's part."""
    camera: str
    number: int
    """The camera's frame number inside the epoch."""
    epoch: int
    exposed_at_ns: int
    """Start of exposure on the host's monotonic clock."""
    device_ns: int | None
    taken_at: str
    """UTC, for people."""
    picture: Picture
    """The developed pixels, an array of its own."""


class _Developers:
    """What makes the pictures of each camera, kept ready. Any number of threads may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[Path, str], dict[str, Developer]] = {}

    def of(self, folder: Path, camera: str, name: str) -> Developer:
        """That of a plan's file in a run folder. BadPicture: it cannot be read."""
        if not name:
            return _PLAIN
        with self._lock:
            known = self._kept.get((folder, camera), {}).get(name)
        return known or self.keep(folder, camera, name, Developer(read_written(folder, name)))

    def keep(self, folder: Path, camera: str, name: str, developer: Developer) -> Developer:
        """Keep it, and return it; or the one that another thread has made of the same plan meanwhile."""
        with self._lock:
            kept = self._kept.setdefault((folder, camera), {})
            known = kept.setdefault(name, developer)
            while len(kept) > _KEPT:
                kept.pop(next(iter(kept)))
            return known


_developers = _Developers()


def make_ready(run_dir: Path, camera: str, plan: DevelopPlan, width: int, height: int, pixel_format: str) -> None:
    """Do the work of a plan before its first picture comes, so that this one is no later than the others.

    width, height: of the camera's raw picture, px. BadRecipe: the plan does not fit it.
    """
    developer = Developer(plan)
    developer.prepare(width, height, pixel_format)
    if plan.name:
        _developers.keep(run_dir, camera, plan.name, developer)


def to_picture(pixels: memoryview | bytes, width: int, height: int, pixel_format: str) -> Picture:
    """Return the picture as the camera saw it, an array of its own: rows x columns, or rows x columns x 3 RGB.

    pixels: row by row without padding. pixel_format: one of `imaging/formats.py`. Raises BadPicture where it is
    another, or the bytes are too few.
    """
    return _PLAIN.develop(pixels, width, height, pixel_format)


def read_picture(shelf: RingShelf, ready: FrameReady) -> Picture | None:
    """Return the developed picture FrameReady speaks of, or None when it is gone (overwritten, or a new ring).

    Raises BadPicture where the announced size and format do not fit together, or what is said of its development
    cannot be read or does not fit it.
    """
    reader = shelf.reader(ready.camera, ready.ring)
    if reader is None:
        return None
    developer = _developers.of(shelf.folder, ready.camera, ready.develop)

    def develop(pixels: memoryview) -> Picture:
        return developer.develop(pixels, ready.width, ready.height, ready.pixel_format)

    return reader.read(ready.slot, ready.sequence, ready.size_bytes, develop)


def read_frame(shelf: RingShelf, ready: FrameReady) -> Frame | None:
    """As `read_picture`, with what is known of the picture."""
    picture = read_picture(shelf, ready)
    if picture is None:
        return None
    return Frame(
        part=ready.part,
        camera=ready.camera,
        number=ready.number,
        epoch=ready.epoch,
        exposed_at_ns=ready.exposed_at_ns,
        device_ns=ready.device_ns,
        taken_at=ready.taken_at,
        picture=picture,
    )
