"""Makes the Nth operation fail: of the disk through os and SQLite's VFS, of shared memory, of the bus's sockets.

`each_failure(work, judge)` runs `work` with its 1st operation failing, then with its 2nd, ... until a run meets no
failure; `judge` looks at what each left behind, without failures. OKNG_NTH=all takes every number; otherwise a few of
each scenario, spread over it, the first and the last among them.
"""

import contextlib
import errno
import fcntl
import io
import mmap
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import apsw
import pytest
import zmq

WHOLE = os.environ.get("OKNG_NTH") == "all"
FEW = 24
"""Points of one scenario in the short form."""
DISK = (
    "open",
    "write",
    "fsync",
    "rename",
    "replace",
    "unlink",
    "mkdir",
    "posix_fallocate",
    "fstat",
    "statvfs",
    "pread",
)
KILL = -1
"""In place of an errno: the process is killed before the operation."""
VFS = "okng-nth"
SOCKET = ("bind", "connect", "send_multipart", "recv_multipart", "poll")


@dataclass
class Countdown:
    """Operation number `at` fails, all others pass."""

    at: int = 0
    """0: none."""
    how: int = errno.EIO
    count: int = 0
    met: Counter[str] = field(default_factory=Counter)
    armed: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, kind: str) -> bool:
        """Count one operation; True: it fails."""
        if not self.armed:
            return False
        with self.lock:
            self.count += 1
            if self.count != self.at:
                return False
            self.met[kind] += 1
        if self.how == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    def os_step(self, kind: str) -> None:
        """An operation of the operating system."""
        if self.due(kind):
            raise OSError(self.how, f"{os.strerror(self.how)} (failed on purpose: {kind})")

    def vfs_step(self, kind: str) -> None:
        """An operation of SQLite."""
        if self.due(f"sqlite {kind}"):
            if kind == "open":
                raise apsw.CantOpenError("failed on purpose")
            raise apsw.FullError("disk full") if self.how == errno.ENOSPC and kind == "write" else apsw.IOError("EIO")

    def socket_step(self, kind: str) -> None:
        """An operation of a socket."""
        if self.due(f"socket {kind}"):
            raise zmq.ZMQError(self.how, "failed on purpose")


NTH = Countdown()


class _File(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        NTH.vfs_step("write")
        super().xWrite(data, offset)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        NTH.vfs_step("read")
        return bytes(super().xRead(amount, offset))

    def xSync(self, flags: int) -> None:  # noqa: N802
        NTH.vfs_step("sync")
        super().xSync(flags)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        NTH.vfs_step("truncate")
        super().xTruncate(size)


class _Vfs(apsw.VFS):
    def __init__(self) -> None:
        super().__init__(VFS, "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> _File:  # noqa: N802
        NTH.vfs_step("open")
        return _File(name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        NTH.vfs_step("delete")
        super().xDelete(filename, syncdir)


def _counting(step: Callable[[str], None], kind: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*args: Any, **named: Any) -> Any:
        step(kind)
        return real(*args, **named)

    return counted


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """All that opens, writes, syncs, maps or sends in this process goes by NTH. It counts inside `armed` only."""
    with pytest.MonkeyPatch.context() as patch:
        for name in DISK:
            patch.setattr(os, name, _counting(NTH.os_step, name, getattr(os, name)))
        patch.setattr(io, "open", _counting(NTH.os_step, "open", io.open))
        patch.setattr(mmap, "mmap", _mapping(mmap.mmap))
        patch.setattr(fcntl, "flock", _counting(NTH.os_step, "flock", fcntl.flock))
        for name in SOCKET:
            patch.setattr(zmq.Socket, name, _counting(NTH.socket_step, name, getattr(zmq.Socket, name)))
        # A fault met while something is being closed has no caller it could go to.
        patch.setattr(sys, "unraisablehook", lambda _: None)
        before = apsw.vfs_names()[0]
        vfs = _Vfs()
        try:
            yield
        finally:
            vfs.unregister()
            assert apsw.vfs_names()[0] == before


def _mapping(real: type[mmap.mmap]) -> type[mmap.mmap]:
    class Mapped(real):  # type: ignore[misc, valid-type]
        def __new__(cls, *args: Any, **named: Any) -> "Mapped":
            NTH.os_step("mmap")
            made: Mapped = real.__new__(cls, *args, **named)
            return made

    return Mapped


@contextlib.contextmanager
def armed(at: int, how: int) -> Iterator[None]:
    """Operation number `at` of the block fails with that errno."""
    NTH.at, NTH.how, NTH.count = at, how, 0
    NTH.armed = True
    try:
        yield
    finally:
        NTH.armed = False


Work = Callable[[int], Any]
Judge = Callable[[int, Any, bool], None]


def each_failure(work: Work, judge: Judge, hows: tuple[int, ...] = (errno.EIO, errno.ENOSPC)) -> int:
    """Run `work(point)` with each operation failing in turn; return how many points there were.

    judge(point, result, failed): asserts what must hold then.
    """
    points = 0
    for how in hows:
        points += 1
        with armed(0, how):
            made = work(points)
        total = NTH.count
        judge(points, made, False)
        assert total, "nothing was counted: the scenario does not go by what fails"
        step = 1 if WHOLE else max(1, total // FEW)
        for at in sorted({*range(1, total + 1, step), total}):
            points += 1
            before = NTH.met.total()
            with armed(at, how):
                made = work(points)
            judge(points, made, NTH.met.total() > before)
        # What a failure makes longer (a second try) has operations of its own: until a run passes clean.
        at = total
        while WHOLE:
            at, points, before = at + 1, points + 1, NTH.met.total()
            with armed(at, how):
                made = work(points)
            failed = NTH.met.total() > before
            judge(points, made, failed)
            if not failed:
                break
    if WHOLE:
        os.write(2, f"{work.__qualname__}: {points} points, {dict(NTH.met)}\n".encode())  # pytest -s shows it
    return points
