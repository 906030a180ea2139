"""A disk whose power can be cut: ext4 on a loop file, stopped dead by EXT4_IOC_SHUTDOWN without a flush.

What had not reached the loop file is gone, as with a plug that is pulled. What it does not model: a drive that lies
about a flush, and sectors torn or reordered inside the drive.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_EXT4_IOC_SHUTDOWN = 0x8004587D
"""_IOR('X', 125, __u32)."""
_LIBC = ctypes.CDLL(None, use_errno=True)
_NOLOGFLUSH = 2
"""The journal's running transaction is dropped too: a power cut, no clean stop."""


class NoDisk(RuntimeError):
    """There is no disk to cut here: no root, no loop device or no ext4."""


def cut(mount: Path) -> None:
    """Take the power from the file system under a folder, at once. Nothing after this reaches its disk."""
    handle = os.open(mount, os.O_RDONLY)
    try:
        fcntl.ioctl(handle, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NOLOGFLUSH))
    finally:
        os.close(handle)


class CutDisk:
    """One file system of its own, mounted at `root`."""

    def __init__(self, folder: Path, megabytes: int = 256, root: Path | None = None) -> None:
        """folder: for its file. root: an empty folder to mount it at; None: one beside the file. NoDisk."""
        self.image, self.root = folder / "disk.img", root or folder / "disk"
        self._own_root = root is None
        folder.mkdir(parents=True, exist_ok=True)
        self.root.mkdir(parents=True, exist_ok=True)
        self.megabytes = megabytes
        self.mounted, self._beneath = False, 0
        self.make()

    def make(self) -> None:
        """An empty file system, mounted. NoDisk."""
        self.unmount()
        self.image.unlink(missing_ok=True)
        with self.image.open("wb") as file:
            file.truncate(self.megabytes << 20)
        self._run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", str(self.image))
        self.mount()

    def mount(self) -> None:
        """ext4 replays its journal. NoDisk."""
        self._run("mount", "-o", "loop", str(self.image), str(self.root))
        self.mounted = True

    def sync(self) -> None:
        """All that stands there now reaches the disk."""
        handle = os.open(self.root, os.O_RDONLY)
        try:
            _LIBC.syncfs(handle)
        finally:
            os.close(handle)

    def cut(self) -> None:
        """Take the power."""
        cut(self.root)

    def back(self) -> None:
        """The same disk again after a cut, while somebody still holds the dead one.

        A copy of the file: of the same one, mount would find the dead file system that is still in use. It is mounted
        over the dead one, so that at no moment the folder beneath is what a process finds.
        """
        copy = self.image.with_name(f"disk-{time.monotonic_ns()}.img")
        subprocess.run(["cp", "--sparse=always", self.image, copy], check=True)
        self.image.unlink()
        self.image = copy
        self._beneath += self.mounted
        self.mount()

    def repaired(self) -> bool:
        """Unmount what was cut, replay, look through it and mount again. True: the file system is sound."""
        self.unmount()
        replayed = subprocess.run(["e2fsck", "-p", self.image], capture_output=True, check=False).returncode
        sound = subprocess.run(["e2fsck", "-fn", self.image], capture_output=True, check=False).returncode
        self.mount()
        if not self._lives():  # another mount namespace, made meanwhile, keeps the dead one
            self.back()
        return replayed in (0, 1) and sound == 0

    def _lives(self) -> bool:
        probe = self.root / ".lives"
        try:
            probe.touch()
            probe.unlink()
        except OSError:
            return False
        return True

    def unmount(self) -> None:
        """TimeoutError: a process still has a file open on it."""
        end = time.monotonic() + 10
        while self.mounted:
            done = subprocess.run(["umount", self.root], capture_output=True, check=False)
            if done.returncode == 0:
                self.mounted = False
                for _ in range(self._beneath):
                    subprocess.run(["umount", "-l", self.root], check=True)
                self._beneath = 0
            elif time.monotonic() > end:
                raise TimeoutError(f"{self.root} stays busy: {done.stderr.decode().strip()}")
            else:
                time.sleep(0.02)

    def close(self) -> None:
        """Unmount and remove. Never raises."""
        with contextlib.suppress(TimeoutError):
            self.unmount()
        for _ in range(self._beneath + self.mounted):
            subprocess.run(["umount", "-l", self.root], capture_output=True, check=False)
        self.image.unlink(missing_ok=True)
        if self._own_root:
            shutil.rmtree(self.root, ignore_errors=True)

    def _run(self, *command: str) -> None:
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except FileNotFoundError as error:
            raise NoDisk(f"{command[0]} is not there") from error
        if done.returncode:
            raise NoDisk(f"{command[0]}: {done.stderr.decode().strip()}")


@contextlib.contextmanager
def cut_disk(folder: Path, megabytes: int = 256) -> Iterator[CutDisk]:
    """A disk for one trial. NoDisk."""
    disk = CutDisk(folder, megabytes)
    try:
        yield disk
    finally:
        disk.close()
