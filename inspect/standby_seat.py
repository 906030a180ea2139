"""The judge's seat: of two processes that could judge, the kernel lets one speak.

    inspect.desk-1, inspect.desk-2   each held by a process as long as it lives; it says at which address it speaks
    inspect.seat                     held by the one that judges; holds which frames were taken up

All are locks of the kernel (flock): gone with the process that held them, whatever ended it, and never before. One
that is stopped or stuck holds the seat until it is killed, so that nothing it says later can meet a successor's word.

In the seat's file stands, for each camera, which frame was answered last; it is written just before its verdict goes
out. A successor judges what came after it: a frame is judged by one of them, or by none, and then its part is rejected.
"""

import contextlib
import fcntl
import hashlib
import mmap
import os
from collections.abc import Iterable
from pathlib import Path

from ..bus.clock import now_ns
from ..bus.errors import Refused
from ..bus.messages import FrameReady

DESKS = (1, 2)
_DIGEST = 32
_MOST_CAMERAS = 16
_BYTES = _DIGEST + 8 * _MOST_CAMERAS


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o660)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Seat:
    """What one process holds of it. One thread."""

    def __init__(self, run_dir: Path, cameras: tuple[str, ...]) -> None:
        """Sit down at a desk; the seat is taken by `take`. Refused: two judges are there already."""
        self._path = run_dir / "inspect.seat"
        self._cameras = {name: _DIGEST // 8 + at for at, name in enumerate(cameras[:_MOST_CAMERAS])}
        self._names = hashlib.sha256("\n".join(cameras).encode()).digest()
        self.judge_ns = 0
        """When the seat was taken; 0: it was not."""
        self.left: dict[str, int] = {}
        """By camera: frames that were whole at or before this moment are the predecessor's."""
        self.desk, self._desk = self._sit(run_dir)
        self._seat = _opened(self._path)
        if os.fstat(self._seat).st_size < _BYTES:
            os.posix_fallocate(self._seat, 0, _BYTES)
        self._map = mmap.mmap(self._seat, _BYTES)
        self._words = memoryview(self._map).cast("Q")

    @staticmethod
    def _sit(run_dir: Path) -> tuple[int, int]:
        for desk in DESKS:
            handle = _opened(run_dir / f"inspect.desk-{desk}")
            if _locked(handle):
                return desk, handle
            os.close(handle)
        raise Refused(f"{run_dir}: two judges run there already; a third is not wanted")

    @property
    def taken(self) -> bool:
        """This process is the judge."""
        return self.judge_ns > 0

    def take(self) -> bool:
        """Take the seat if it is free. True: this process is the judge from now until it ends.

        Not one whose file was taken away: the next judge sits on another (`is_gone`).
        """
        if self.taken or not _locked(self._seat):
            return self.taken
        if self.is_gone():
            fcntl.flock(self._seat, fcntl.LOCK_UN)
            return False
        at_ns = now_ns()
        known = self._map[:_DIGEST] == self._names
        # Of other cameras nothing is known: all that is whole by now counts as answered. What a run of the machine
        # before left there is later than now, and counts as now.
        self.left = {name: min(self._words[at], at_ns) if known else at_ns for name, at in self._cameras.items()}
        for name, at in self._cameras.items():
            self._words[at] = self.left[name]
        self._map[:_DIGEST] = self._names
        self.judge_ns = at_ns
        return True

    def answered(self, frame: FrameReady) -> None:
        """The verdict of that frame goes out now: nobody else is to judge it."""
        self._words[self._cameras[frame.camera]] = frame.ready_ns

    def is_left_to_us(self, frame: FrameReady) -> bool:
        """False: a predecessor answered that frame, or died while it did."""
        return frame.ready_ns > self.left.get(frame.camera, 0)

    def open(self, frames: Iterable[FrameReady]) -> int:
        """How many of those frames no judge has answered yet, as far as it is known; for one that waits."""
        known = self._map[:_DIGEST] == self._names
        return sum(not known or frame.ready_ns > self._words[self._cameras[frame.camera]] for frame in frames)

    def is_gone(self) -> bool:
        """The file was taken away or made anew under us: another may sit in a seat of its own."""
        try:
            there = self._path.lstat()
        except OSError:
            return True
        mine = os.fstat(self._seat)
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)

    def close(self) -> None:
        """Stand up. Never raises; a second call does nothing."""
        if self._map.closed:
            return
        self._words.release()
        self._map.close()
        for handle in (self._seat, self._desk):
            with contextlib.suppress(OSError):
                os.close(handle)
