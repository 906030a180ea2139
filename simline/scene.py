"""The scene feed: what a simulated camera would see right now, in one memory-mapped file per camera.

The world writes, the camera's C side copies. A lock word counts up around each change of the picture: odd while
it is written, so a reader that sees it odd or changed copies again. Single words (encoder, faults) are set alone.

    0 char[8] OKNGSCEN    8 u32 version      12 u32 lock       16 u32 width    20 u32 height   24 u32 stride
    28 u32 format         32 i64 origin      40 f64 px_per_count               48 i64 encoder  56 u64 scene id
    64 u32 background     68 u32 noise       72 f64 reference exposure in us
    128 u32 drop_next     132 incomplete_next 136 freeze       140 unplugged   144 repeat_next 148 late_us
    152 u32 trigger_seen  156 u32 line0_missed                 160 u32 missed  164 u32 clockless
    256 planned mishaps (`mishaps.py`)                         4096 pixels
"""

import contextlib
import mmap
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from . import mishaps
from .mishaps import Mishap
from .optics import Optics

Picture = npt.NDArray[np.uint8]

MAGIC = b"OKNGSCEN"
VERSION = 1
PIXELS_AT = 4096
MONO8, RGB8 = 0, 1
FAULT_WORDS = {"drop": 128, "incomplete": 132, "freeze": 136, "unplug": 140, "repeat": 144, "late": 148}
"""Where each camera fault is asked for. `late` takes microseconds, the others 1."""
_TRIGGER_SEEN, _LINE0_MISSED, _MISSED, _CLOCKLESS = 152, 156, 160, 164
_PULSE = struct.Struct("<BI")


@dataclass(frozen=True, slots=True)
class _Shown:
    """What was shown last, as it was given: to be seen anew through other optics."""

    picture: Picture
    scene_id: int
    origin: int
    px_per_count: float
    background: int
    noise: int
    reference_exposure_us: float


class BadScene(ValueError):
    """A file that is no scene, or a picture that does not fit into it."""


class Scene:
    """Writer of one camera's scene. One thread of one process owns it."""

    def __init__(self, folder: Path, serial: str, capacity_bytes: int) -> None:
        """Open or make `<folder>/<serial>.scene` with room for pictures of capacity_bytes.

        An existing file is used in place and only ever grows: a camera that has it mapped keeps looking at it.
        Raises BadScene where the file is something else.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{serial}.scene"
        self._line0_at = str(folder / f"{serial}.line0")
        self._eye: socket.socket | None = None
        self._optics = Optics()
        self._shown: _Shown | None = None
        size = PIXELS_AT + capacity_bytes
        if not self.path.exists():
            self._make(size)
        with self.path.open("r+b") as file:
            if file.read(8) != MAGIC:
                raise BadScene(f"{self.path}: not a scene file")
            here = os.fstat(file.fileno()).st_size
            if here < size:
                file.truncate(size)
            self._map = mmap.mmap(file.fileno(), max(here, size))
        self._words = memoryview(self._map)[:PIXELS_AT].cast("I")
        self._longs = memoryview(self._map)[:PIXELS_AT].cast("q")
        self._capacity = max(here, size) - PIXELS_AT
        if self._words[3] % 2:
            self._words[3] += 1  # a writer died in the middle of a picture
        self.clear_faults()
        self.set_clock(True)

    def _make(self, size: int) -> None:
        # Whole before it is seen: cameras are found by looking for *.scene.
        draft = self.path.with_suffix(f".draft{os.getpid()}")
        with draft.open("wb") as file:
            file.truncate(size)
            file.write(struct.pack("<8sIIIIIIqdqQIId", MAGIC, VERSION, 0, 16, 16, 16, MONO8, 0, 0, 0, 0, 40, 0, 0))
        draft.replace(self.path)

    def show(
        self,
        picture: Picture,
        scene_id: int,
        origin: int = 0,
        px_per_count: float = 0.0,
        background: int = 40,
        noise: int = 0,
        reference_exposure_us: float = 0.0,
    ) -> None:
        """Put a picture before the camera.

        picture: uint8, rows x columns (Mono8) or rows x columns x 3 (RGB8).
        origin: encoder counts at which it is centred. px_per_count: how far it moves per count, 0 for not at all.
        Through the optics; the picture is kept by reference, to be seen anew when they change.
        Raises BadScene where it does not fit.
        """
        shown = _Shown(picture, scene_id, origin, px_per_count, background, noise, reference_exposure_us)
        self._write(shown)
        self._shown = shown

    def set_optics(self, optics: Optics) -> None:
        """Put other optics between the world and the camera: what is shown now is seen through them from here on."""
        self._optics = optics
        if self._shown is not None:
            self._write(self._shown)

    @property
    def optics(self) -> Optics:
        """What is between the world and the camera."""
        return self._optics

    def _write(self, shown: _Shown) -> None:
        rows, columns = shown.picture.shape[:2]
        colour = shown.picture.ndim == 3
        stride = columns * (3 if colour else 1)
        if rows * stride > self._capacity:
            raise BadScene(
                f"{self.path}: picture of {columns}x{rows} needs {rows * stride} bytes, expected at most "
                f"{self._capacity}"
            )
        seen = self._optics.seen(shown.picture, shown.background)
        words = self._words
        words[3] = words[3] + 1 & 0xFFFFFFFF
        try:
            words[4], words[5], words[6], words[7] = columns, rows, stride, RGB8 if colour else MONO8
            struct.pack_into("<qd", self._map, 32, shown.origin, shown.px_per_count)
            struct.pack_into(
                "<QIId",
                self._map,
                56,
                shown.scene_id,
                shown.background,
                shown.noise,
                shown.reference_exposure_us,
            )
            into = np.frombuffer(self._map, np.uint8, rows * stride, PIXELS_AT)
            into[:] = seen.reshape(-1)
        finally:
            words[3] = words[3] + 1 & 0xFFFFFFFF

    def set_encoder(self, counts: int) -> None:
        """Tell the camera where the belt is (its picture moves with it)."""
        self._longs[6] = counts

    def fault(self, kind: str, value: int = 1) -> None:
        """Ask for a fault of FAULT_WORDS at once; 0 takes it back. `plan` knows more kinds, and when."""
        self._words[FAULT_WORDS[kind] // 4] = value

    def pending(self, kind: str) -> int:
        """Return what is still asked for: a one-shot fault goes to 0 when the camera has done it."""
        return self._words[FAULT_WORDS[kind] // 4]

    def plan(self, kind: Mishap | str, at: int = 1, times: int = 1, every: int = 1, value: int | None = None) -> None:
        """Plan a mishap from now on: at its at-th occasion (1: the next one), then every so many, times in all.

        times: mishaps.FOREVER until it is taken back, 0 takes it back. value: how much, see `Mishap`; None: the usual.
        ValueError: no such kind, or a number out of range.
        """
        kind = Mishap(kind)
        entry = mishaps.packed(at, times, every, mishaps.DEFAULTS.get(kind, 1) if value is None else value)
        begin = mishaps.offset_of(kind)
        self._words[begin // 4] = 0  # the camera leaves it alone until it is whole
        self._map[begin + 4 : begin + mishaps.ENTRY_BYTES] = entry[4:]
        self._words[begin // 4] = times

    def planned(self, kind: Mishap | str) -> int:
        """Return how often a planned mishap is still to happen."""
        return self._words[mishaps.offset_of(Mishap(kind)) // 4]

    def happened(self, kind: Mishap | str) -> int:
        """Return how often a mishap has happened since it was planned."""
        return self._words[mishaps.offset_of(Mishap(kind)) // 4 + 3]

    def set_clock(self, present: bool) -> None:
        """Give the camera a clock, or take it: without one no frame has a stamp, and there is no TimestampLatch."""
        self._words[_CLOCKLESS // 4] = 0 if present else 1

    def clear_faults(self) -> None:
        """Take all faults and planned mishaps back."""
        for kind in FAULT_WORDS:
            self.fault(kind, 0)
        for planned in Mishap:
            self.plan(planned, times=0)

    @property
    def exposures(self) -> int:
        """How many exposures the camera has made, modulo 2**32."""
        return self._words[_TRIGGER_SEEN // 4]

    @property
    def line0_missed(self) -> int:
        """How many rising edges on Line0 the camera could not take, modulo 2**32."""
        return self._words[_LINE0_MISSED // 4]

    @property
    def missed_triggers(self) -> int:
        """How many triggers of any source the camera could not take, modulo 2**32."""
        return self._words[_MISSED // 4]

    def pulse_line0(self, width_us: int = 1000) -> bool:
        """Send one pulse to the camera's Line0: its rising edge now. Returns False where no camera listens."""
        return self.pulse_line(0, width_us)

    def pulse_line(self, line: int, width_us: int = 1000) -> bool:
        """The same on Line0 or Line1. The falling edge comes width_us (0..2**32-1) later, in the camera."""
        if self._eye is None:
            self._eye = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._eye.sendto(_PULSE.pack(line, width_us), self._line0_at)
        except OSError:
            return False  # unplugged, not yet there, or its inbox is full: the edge is gone, as on a cut wire
        return True

    def close(self) -> None:
        """Let go of the file. It stays for the camera. A second call does nothing."""
        if self._eye is not None:
            self._eye.close()
            self._eye = None
        self._words.release()
        self._longs.release()
        with contextlib.suppress(BufferError, ValueError):
            self._map.close()

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
