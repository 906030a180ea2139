"""A memory limit round all processes of a box, and one process that wants more and more of it."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from okng.tests.powercut.disk import NoDisk

V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
UNITS = Path(__file__).parent.parent.parent / "systemd"
HOG = """
import ctypes, sys, time
held, piece = [], 4 << 20
try:
    open("/proc/self/oom_score_adj", "w").write("-1000")
except PermissionError:
    pass
print("up", flush=True)
sys.stdin.readline()
while True:
    held.append(bytearray(piece))
    time.sleep(0.03)
"""
MB = 1 << 20


class Group:
    """A control group with a memory limit, of version 1 or 2."""

    def __init__(self) -> None:
        """NoDisk: this kernel or this user has none to give."""
        self._v1 = (V1 / "memory.limit_in_bytes").exists()
        self.folder = (V1 if self._v1 else V2) / f"okng-faults-{os.getpid()}"
        try:
            if not self._v1:
                (V2 / "cgroup.subtree_control").write_text("+memory", encoding="ascii")
            self.folder.mkdir()
        except OSError as error:
            raise NoDisk(f"no memory control group: {error}") from error
        self._home = self._here()

    def _here(self) -> Path:
        """Where this process is now."""
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
            _, names, path = line.split(":", 2)
            if (self._v1 and "memory" in names.split(",")) or (not self._v1 and not names):
                return (V1 if self._v1 else V2) / path.lstrip("/")
        return V1 if self._v1 else V2

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """What is started meanwhile belongs to it, with all it will hold."""
        self.take(os.getpid())
        try:
            yield
        finally:
            (self._home / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def take(self, pid: int) -> None:
        """Put a process into it."""
        (self.folder / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def used(self) -> int:
        """Bytes."""
        name = "memory.usage_in_bytes" if self._v1 else "memory.current"
        return int((self.folder / name).read_text(encoding="ascii"))

    def limit(self, size: int) -> None:
        """At most so many bytes from now on."""
        name = "memory.limit_in_bytes" if self._v1 else "memory.max"
        (self.folder / name).write_text(str(size), encoding="ascii")

    def close(self) -> None:
        """Let all go home, and remove it."""
        with contextlib.suppress(OSError):
            for pid in (self.folder / "cgroup.procs").read_text(encoding="ascii").split():
                (self._home / "cgroup.procs").write_text(pid, encoding="ascii")
            self.folder.rmdir()


def score_of(name: str) -> int:
    """`OOMScoreAdjust` of the unit of a process, by the name of its heartbeat."""
    unit = "okng-camera@" if name.startswith("camera-") else f"okng-{name}"
    text = (UNITS / f"{unit}.service").read_text(encoding="utf-8")
    found = re.search(r"^OOMScoreAdjust=(-?\d+)$", text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def as_by_unit(pids: dict[str, int]) -> int:
    """Give each process, and what it started, the score that its unit gives it; return what all were moved up by.

    Who may not lower a score moves all of them up by the same: only their order and distances decide.
    """
    lowest = min(score_of(name) for name in pids)
    for up in (0, -lowest):
        try:
            for name, pid in sorted(pids.items(), key=lambda one: score_of(one[0])):
                for one in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
                    score = min(1000, score_of(name) + up)
                    Path(f"/proc/{one.pid}/oom_score_adj").write_text(str(score), encoding="ascii")
        except PermissionError:
            continue
        return up
    raise NoDisk("scores cannot be set")


class Hog:
    """A process in the group that grows until it is stopped; the kernel has to choose among the others."""

    def __init__(self, group: Group) -> None:
        with group.inside():
            self._process = subprocess.Popen(
                [sys.executable, "-c", HOG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=_die_with_parent
            )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def grow(self) -> None:
        """From now on."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """Give all back."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def victims(pids: dict[str, int], seen: list[str]) -> list[str]:
    """Add to seen, in order, the processes that are gone by now; return it."""
    for name, pid in pids.items():
        if name not in seen and not _lives(pid):
            seen.append(name)
    return seen


def _lives(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
