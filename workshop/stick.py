"""USB sticks: which are plugged in, and how a file gets onto one whole and checked, or not under its name at all.

    NAME.part written -> synced -> read back -> told -> NAME

Whoever pulls the stick out in the middle finds a `.part`, never a half that looks like a whole. What is there is never
overwritten. udev mounts a stick below one folder (`okng-usb@.service`); a folder that is no mount is none.
"""

import ctypes
import errno
import hashlib
import io
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..bus.errors import Refused, StoreLost

MOUNTS = Path("/proc/self/mountinfo")
FAT_MOST = (4 << 30) - 1
"""FAT32 takes no larger file."""
PIECE = 1 << 20
_SPACE_S = 1.0
_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_NO_MORE = {errno.ENOSPC, errno.EDQUOT}
_MOST_COPIES = 1000


@dataclass(frozen=True, slots=True)
class Stick:
    """One that is mounted."""

    name: str
    path: Path
    device: tuple[int, int]
    filesystem: str
    read_only: bool
    free_mb: int | None
    """None: it does not say in time, as a broken one."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A file on a stick that was read back."""

    file: str
    bytes: int
    sha256: str


def sticks(folder: Path, mounts: Path = MOUNTS) -> list[Stick]:
    """Those mounted directly below a folder, by name."""
    found = {}
    root = folder.resolve()
    for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        own, _, rest = line.partition(" - ")
        fields, more = own.split(), rest.split()
        path = Path(_unescaped(fields[4]))
        if path.parent != root:
            continue
        major, _, minor = fields[2].partition(":")
        read_only = "ro" in fields[5].split(",") or "ro" in more[2].split(",") or not os.access(path, os.W_OK | os.X_OK)
        found[path] = Stick(path.name, path, (int(major), int(minor)), more[0], read_only, _free_mb(path))
    return [found[path] for path in sorted(found)]


def choose(folder: Path, name: str = "") -> Stick:
    """The one of that name, or the only one. Refused: none, several, or it cannot be written."""
    there = sticks(folder)
    if name:
        there = [one for one in there if one.name == name]
    if not there:
        raise Refused("no USB stick is plugged in, or it is formatted neither as FAT32 nor as exFAT")
    if len(there) > 1:
        raise Refused("several USB sticks are plugged in: say which")
    if there[0].read_only:
        raise Refused("the USB stick is write-protected")
    return there[0]


def room_for(stick: Stick, size: int, most: int) -> None:
    """Refused: so many bytes may not be, or do not fit."""
    if size > most:
        raise Refused(f"it has {_mb(size)} MB, more than the {_mb(most)} MB that may go onto a USB stick")
    if stick.filesystem in ("vfat", "msdos") and size > FAT_MOST:
        raise Refused(f"it has {_mb(size)} MB, and FAT32 takes no file above 4095 MB: format the USB stick as exFAT")
    if stick.free_mb is not None and size > stick.free_mb << 20:
        raise Refused(f"the USB stick is full: {_mb(size)} MB are needed, {stick.free_mb} MB are free")


def save(
    stick: Stick,
    name: str,
    write: Callable[[BinaryIO], object],
    most: int,
    before_named: Callable[[Saved], None],
    tell: Callable[[int, bool], None],
) -> Saved:
    """Let `write` write a file, check it and name it. Refused, StoreLost: it is not there under its name.

    most: bytes. before_named: called with what is safe on the stick; an error of it undoes the file. tell: bytes
    written, or read back.
    """
    wanted = _NAME.sub("-", name)
    if stick.filesystem in ("vfat", "msdos"):
        most = min(most, FAT_MOST)
    try:
        room = os.open(stick.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _still_there(stick, room)
            return _save(stick, room, wanted, write, most, before_named, tell)
        finally:
            os.close(room)
    except OSError as error:
        if error.errno in _NO_MORE:
            raise Refused("the USB stick is full: what did not fit was taken away again") from error
        if error.errno == errno.EROFS:
            raise StoreLost("the USB stick was pulled out, is broken, or became write-protected") from error
        raise StoreLost(f"the USB stick was pulled out or is broken ({error.strerror or error})") from error


def _save(
    stick: Stick,
    room: int,
    name: str,
    write: Callable[[BinaryIO], object],
    most: int,
    before_named: Callable[[Saved], None],
    tell: Callable[[int, bool], None],
) -> Saved:
    final = _free_name(room, name)
    part = f"{final}.part"
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=room)
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640, dir_fd=room)
        try:
            out = _Out(handle, most, lambda done: tell(done, False))
            write(out)  # type: ignore[arg-type]  # what a BinaryIO is asked for here, a RawIOBase does
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)  # read back from the stick, not from memory
            if _digest(handle, lambda done: tell(done, True)) != out.sha256:
                raise StoreLost("the USB stick gives back something else than was written: take another one")
        finally:
            os.close(handle)
        saved = Saved(final, out.count, out.sha256)
        _still_there(stick, room)
        before_named(saved)
        os.rename(part, final, src_dir_fd=room, dst_dir_fd=room)
        os.fsync(room)
        _sync_all(room)
        _still_there(stick, room)
    except BaseException:
        with suppress(OSError):
            os.unlink(part, dir_fd=room)
        raise
    return saved


class _Out(io.RawIOBase):
    """The file while it is written: counted, bounded, digested."""

    def __init__(self, handle: int, most: int, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._handle, self._most, self._tell = handle, most, tell
        self._digest = hashlib.sha256()
        self.count = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.count

    def write(self, data: object) -> int:
        whole = memoryview(data).cast("B")  # type: ignore[arg-type]  # bytes or a view of them
        if self.count + len(whole) > self._most:
            raise Refused(f"it has more than the {_mb(self._most)} MB that may go onto a USB stick as one file")
        for start in range(0, len(whole), PIECE):
            left = whole[start : start + PIECE]
            self._digest.update(left)
            while left:
                done = os.write(self._handle, left)
                self.count += done
                left = left[done:]
            self._tell(self.count)
        return len(whole)


def _digest(handle: int, tell: Callable[[int], None]) -> str:
    digest, place = hashlib.sha256(), 0
    while piece := os.pread(handle, PIECE, place):
        digest.update(piece)
        place += len(piece)
        tell(place)
    return digest.hexdigest()


def _free_name(room: int, name: str) -> str:
    stem, dot, end = name.rpartition(".")
    for number in range(1, _MOST_COPIES):
        tried = name if number == 1 else f"{stem}-{number}{dot}{end}"
        try:
            os.stat(tried, dir_fd=room, follow_symlinks=False)
        except FileNotFoundError:
            return tried
    raise Refused(f"the USB stick has {_MOST_COPIES} files called {name}")


def _still_there(stick: Stick, room: int) -> None:
    """StoreLost: what is below the path is not the stick (any more), but the box's own disk."""
    device = os.makedev(*stick.device)
    if os.fstat(room).st_dev == device and stick.path.stat().st_dev == device:
        return
    raise StoreLost("the USB stick was pulled out")


def _sync_all(room: int) -> None:
    """All of the filesystem, so that it may be pulled out."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(room) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


_asking = threading.Lock()


def _free_mb(path: Path) -> int | None:
    """Asked aside: a stick that hangs must not hold up who asks. While one hangs no other is asked."""
    found: list[int] = []

    def look() -> None:
        with _asking, suppress(OSError):
            told = os.statvfs(path)
            found.append(told.f_bavail * told.f_frsize >> 20)

    if _asking.locked():
        return None
    thread = threading.Thread(target=look, name="stick", daemon=True)
    thread.start()
    thread.join(_SPACE_S)
    return found[0] if found else None


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _mb(size: int) -> int:
    return -(-size >> 20)
