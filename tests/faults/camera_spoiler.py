"""The simulated camera made to do wrong from outside, while the world that writes its scene goes on.

`Scene` belongs to the world: opening a second one would take back what is planned, and may meet the first in the middle
of a picture. Here only single words are set.
"""

import mmap
import struct
from pathlib import Path

from okng.simline import mishaps
from okng.simline.mishaps import FOREVER, Mishap

_UNPLUGGED_AT = 140


class Spoiler:
    """Sets words of a scene file."""

    def __init__(self, scene: Path) -> None:
        self._scene = scene

    def unplug(self, out: bool = True) -> None:
        """Pull the cable, or put it back."""
        self._write(_UNPLUGGED_AT, struct.pack("<I", out))

    def plan(self, kind: Mishap, at: int = 1, times: int = FOREVER, every: int = 1, value: int | None = None) -> None:
        """As `Scene.plan`; times 0 takes it back."""
        value = mishaps.DEFAULTS.get(kind, 1) if value is None else value
        entry, begin = mishaps.packed(at, times, every, value), mishaps.offset_of(kind)
        self._write(begin, struct.pack("<I", 0))  # the camera leaves it alone until it is whole
        self._write(begin + 4, entry[4:])
        self._write(begin, entry[:4])

    def happened(self, kind: Mishap) -> int:
        """How often since it was planned."""
        begin = mishaps.offset_of(kind) + 12
        with self._scene.open("rb") as file:
            file.seek(begin)
            return int(struct.unpack("<I", file.read(4))[0])

    def _write(self, at: int, data: bytes) -> None:
        with self._scene.open("r+b") as file, mmap.mmap(file.fileno(), 4096) as words:
            words[at : at + len(data)] = data
