"""The ring: pixels travel once, through shared memory, and are never pickled.

One file per camera start under the run folder (a tmpfs), mapped by everyone. The writer takes the slots in turn and
never waits for a reader; a reader checks a slot's sequence before and after it uses the picture, and a difference
means the picture is gone and the part is UNJUDGED. `multiprocessing.shared_memory` is not used: on Python 3.11 a
reader's resource tracker unlinks the segment under everyone else.

Layout, little-endian: 64 bytes of head (`OKNGRING`, u32 version, u32 slots, u64 slot bytes), then per slot 64 bytes
(u64 sequence, u64 frame number, u32 epoch, u32 part, u64 size) and the pixels, each slot starting on a page.
"""

import contextlib
import itertools
import mmap
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Made = TypeVar("Made")
MAGIC = b"OKNGRING"
VERSION = 1
_HEAD = struct.Struct("<8sIIQ")
_SLOT = struct.Struct("<QQIIQ")
_SEQUENCE = struct.Struct("<Q")
_PAGE = 4096
_SLOT_HEAD = 64
_RINGS = itertools.count(1)


def _stride(slot_bytes: int) -> int:
    return (_SLOT_HEAD + slot_bytes + _PAGE - 1) // _PAGE * _PAGE


class RingWriter:
    """The camera's side. One thread of one process; the file goes when it is closed."""

    def __init__(self, folder: Path, camera: str, slots: int, slot_bytes: int) -> None:
        """Make `ring-CAMERA-PID.N` in folder, N counted in this process, and unlink older rings of this camera.

        slots: at least parts in flight + 2, 2..1024. slot_bytes: the largest payload.
        """
        if not 2 <= slots <= 1024:
            raise ValueError(f"slots {slots}: expected 2..1024")
        if slot_bytes < 1:
            raise ValueError(f"slot_bytes {slot_bytes}: expected 1 or more")
        for old in folder.glob(f"ring-{camera}-*"):
            if re.fullmatch(r"[0-9.]+", old.name.removeprefix(f"ring-{camera}-")):  # not those of `CAMERA-2`
                with contextlib.suppress(FileNotFoundError):
                    old.unlink()
        self.name = f"ring-{camera}-{os.getpid()}.{next(_RINGS)}"
        self._path = folder / self.name
        self._slots, self._slot_bytes, self._next = slots, slot_bytes, 0
        size = _PAGE + slots * _stride(slot_bytes)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            os.posix_fallocate(handle, 0, size)  # a full tmpfs is an error here, not a SIGBUS later
            self._map = mmap.mmap(handle, size)
        finally:
            os.close(handle)
        self._view = memoryview(self._map)
        _HEAD.pack_into(self._view, 0, MAGIC, VERSION, slots, slot_bytes)

    def begin(self) -> tuple[int, memoryview]:
        """Take the next slot: its index and its writable bytes. Readers of the old picture see it is gone."""
        slot = self._next
        at = _PAGE + slot * _stride(self._slot_bytes)
        (sequence,) = _SEQUENCE.unpack_from(self._view, at)
        _SEQUENCE.pack_into(self._view, at, sequence | 1)
        return slot, self._view[at + _SLOT_HEAD : at + _SLOT_HEAD + self._slot_bytes]

    def commit(self, slot: int, *, part: int, number: int, epoch: int, size: int) -> int:
        """Publish the slot begun last; return its sequence for `FrameReady`."""
        at = _PAGE + slot * _stride(self._slot_bytes)
        (sequence,) = _SEQUENCE.unpack_from(self._view, at)
        if slot != self._next or not sequence & 1:
            raise ValueError(f"slot {slot} was not begun")
        _SLOT.pack_into(self._view, at, sequence, number, epoch, part, size)
        _SEQUENCE.pack_into(self._view, at, sequence + 1)
        self._next = (slot + 1) % self._slots
        return int(sequence) + 1

    def close(self) -> None:
        """Unmap and unlink. Never raises; a second call does nothing."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        with contextlib.suppress(BufferError, ValueError):
            self._view.release()
            self._map.close()


class RingReader:
    """A reader of one ring, read-only. Keep it while `FrameReady.ring` stays the same."""

    def __init__(self, folder: Path, name: str) -> None:
        """FileNotFoundError: the camera has made a new ring since. ValueError: not a ring."""
        self.name = name
        with (folder / name).open("rb") as handle:
            self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        self._view = memoryview(self._map)
        magic, version, self._slots, self._slot_bytes = _HEAD.unpack_from(self._view, 0)
        if magic != MAGIC or version != VERSION:
            raise ValueError(f"{folder / name}: not a ring of version {VERSION}")

    def view(self, slot: int, sequence: int, size: int) -> memoryview | None:
        """Borrow the pixels, or None when the slot holds another picture by now.

        What was read from the view counts only if `still` is True afterwards.
        """
        if not 0 <= slot < self._slots or not 0 <= size <= self._slot_bytes or not self.still(slot, sequence):
            return None
        at = _PAGE + slot * _stride(self._slot_bytes) + _SLOT_HEAD
        return self._view[at : at + size]

    def read(self, slot: int, sequence: int, size: int, use: Callable[[memoryview], Made]) -> Made | None:
        """Return what `use` makes of the pixels where they lie, or None when they were overwritten meanwhile.

        use: gets the borrowed pixels, read-only, which may change while it works. What it returns must not lie in them:
        it would show another picture some day. What it raises goes through.
        """
        view = self.view(slot, sequence, size)
        if view is None:
            return None
        made = use(view)
        view.release()
        return made if self.still(slot, sequence) else None

    def still(self, slot: int, sequence: int) -> bool:
        """True while that very picture lies in the slot."""
        at = _PAGE + slot * _stride(self._slot_bytes)
        (found,) = _SEQUENCE.unpack_from(self._view, at)
        return bool(found == sequence)

    def close(self) -> None:
        """Unmap. Never raises; views still borrowed keep the mapping until they go."""
        with contextlib.suppress(BufferError, ValueError):
            self._view.release()
            self._map.close()


class RingShelf:
    """The rings a reader has open, one per camera: follows a camera that restarts with a new ring."""

    def __init__(self, folder: Path) -> None:
        """folder: the run folder; what belongs to the pictures lies there too."""
        self.folder = folder
        self._open: dict[str, RingReader] = {}

    def reader(self, camera: str, ring: str) -> RingReader | None:
        """The reader of that ring, or None when the ring is gone."""
        known = self._open.get(camera)
        if known is None or known.name != ring:
            try:
                fresh = RingReader(self.folder, ring)
            except (FileNotFoundError, ValueError):
                return None
            if known is not None:
                known.close()
            self._open[camera] = known = fresh
        return known

    def close(self) -> None:
        """Close all. Never raises."""
        for reader in self._open.values():
            reader.close()
        self._open.clear()
