"""What a box has and lacks, in the words of the person who stands before it. This file: the frame and the host itself.

Each room has a `doctor.py` of its own that returns the same `Finding`s. They look, they change nothing.
"""

import ctypes
import importlib.metadata
import os
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .clock import MS, now_ns

MEGABYTE = 1_000_000
STORE_FREE_MB = 2_000
"""Below this much room for the ledger and pictures a day's rejects may not fit."""
RUN_FREE_MB = 64
MEMORY_FREE_MB = 1_000
FSYNC_SLOW_MS = 50
"""A disk slower than this at the median still holds the ledger, but pictures will be shed."""
FSYNC_USELESS_MS = 1000
FIFO_PRIORITY = 50
RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
_STA_UNSYNC = 0x40
_TIMEX_BYTES = 208


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    """What it is, for example `disk`."""
    ok: bool | None
    """True: well. None: works, but worse than it could. False: the box cannot do its work until this is mended."""
    found: str
    """What is there, with figures."""
    advice: str = ""
    """What to do about it; empty when well."""


def host_findings(run_dir: Path, store: Path) -> list[Finding]:
    """Look at the computer itself. run_dir: sockets, rings, heartbeats. store: the ledger and pictures."""
    return [
        python_finding(),
        cores_finding(),
        memory_finding(),
        *disk_findings(store),
        run_dir_finding(run_dir),
        clock_finding(),
        realtime_finding(),
        runtime_finding(),
    ]


def python_finding() -> Finding:
    """Version and word size."""
    found = f"Python {sys.version.split()[0]}, {64 if sys.maxsize > 2**32 else 32} bit"
    if sys.version_info < (3, 11) or sys.maxsize <= 2**32:
        return Finding("python", False, found, "okng needs Python 3.11 or newer, 64 bit.")
    return Finding("python", True, found)


def cores_finding() -> Finding:
    """Cores this process may use."""
    cores = len(os.sched_getaffinity(0))
    if cores < 2:
        advice = "The PLC's process needs a core of its own. Use a box with two cores or more."
        return Finding("cores", None, f"{cores} core", advice)
    return Finding("cores", True, f"{cores} cores")


def memory_finding() -> Finding:
    """Memory that is free now, in the kernel's own estimate."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free_mb = next(int(line.split()[1]) * 1024 // MEGABYTE for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError, IndexError):
        return Finding("memory", None, "cannot be read", "Look at it with `free -m`.")
    found = f"{free_mb} MB free"
    if free_mb < MEMORY_FREE_MB:
        advice = f"Less than {MEMORY_FREE_MB} MB is free: close other programs or add memory."
        return Finding("memory", None, found, advice)
    return Finding("memory", True, found)


def _nearest(folder: Path) -> Path:
    """The folder itself or the first one above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def disk_findings(store: Path) -> list[Finding]:
    """Room on the store's disk, and how long it takes until what was written is really there."""
    place = _nearest(store)
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        advice = f"Make the folder {store} and give it to the user that runs okng (okng-records on a box)."
        return [Finding("disk", False, f"{place}: cannot be written to", advice)]
    room = os.statvfs(place)
    free_mb = room.f_bavail * room.f_frsize // MEGABYTE
    found = f"{store}: {free_mb} MB free"
    full = Finding("disk", True, found)
    if free_mb < STORE_FREE_MB:
        advice = f"Less than {STORE_FREE_MB} MB: free some room or put the store on a larger disk."
        full = Finding("disk", None if free_mb > STORE_FREE_MB // 10 else False, found, advice)
    return [full, fsync_finding(place)]


def fsync_finding(place: Path) -> Finding:
    """How long one small durable write takes, the middle one of nine."""
    times_ms = []
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            for _ in range(9):
                file.write(b"o" * 4096)
                file.flush()
                begun_ns = now_ns()
                os.fdatasync(file.fileno())
                times_ms.append((now_ns() - begun_ns) / MS)
    except OSError as error:
        advice = "The disk refuses to be written to. Look for a full, read-only or broken disk (dmesg)."
        return Finding("disk speed", False, f"{place}: {error.strerror}", advice)
    middle_ms = statistics.median(times_ms)
    found = f"{middle_ms:.1f} ms per durable write, {max(times_ms):.1f} ms at worst"
    if middle_ms > FSYNC_SLOW_MS:
        advice = "The disk is slow: pictures will be shed. Use an industrial SSD, no SD card or USB stick."
        return Finding("disk speed", None if middle_ms < FSYNC_USELESS_MS else False, found, advice)
    return Finding("disk speed", True, found)


def _filesystem(folder: Path, mounts: str) -> str:
    """Kind of filesystem a folder lies on, by the longest mount point above it."""
    kinds = {}
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split()
        kinds[Path(point.replace("\\040", " "))] = kind
    above = [folder, *folder.parents]
    return next((kinds[place] for place in above if place in kinds), "unknown")


def run_dir_finding(run_dir: Path) -> Finding:
    """The folder of sockets and pictures in flight: writable, in memory, and with room."""
    place = _nearest(run_dir)
    if not os.access(place, os.W_OK | os.X_OK):
        advice = f"Make {run_dir} for the group okng: install systemd/okng.tmpfiles.conf, or set box.run_dir."
        return Finding("run folder", False, f"{run_dir}: cannot be written to", advice)
    try:
        kind = _filesystem(place.resolve(), Path("/proc/mounts").read_text(encoding="utf-8"))
    except OSError:
        kind = "unknown"
    room = os.statvfs(place)
    free_mb = room.f_bavail * room.f_frsize // MEGABYTE
    found = f"{run_dir}: {kind}, {free_mb} MB free"
    if free_mb < RUN_FREE_MB:
        return Finding("run folder", False, found, f"Pictures in flight need {RUN_FREE_MB} MB or more there.")
    if kind not in {"tmpfs", "ramfs"}:
        advice = "Pictures in flight would go over the disk. Set box.run_dir to a folder under /run or /dev/shm."
        return Finding("run folder", None, found, advice)
    return Finding("run folder", True, found)


def clock_finding() -> Finding:
    """Whether the wall clock follows a time server. Deadlines do not use it; the history does."""
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)  # modes 0: only reads
    except AttributeError:
        return Finding("clock", None, f"{shown}, state unknown", "Compare it with your watch.")
    status = ctypes.c_int.from_buffer(timex, 40).value
    if state < 0 or status & _STA_UNSYNC:
        advice = "No time server is followed: the history may carry wrong times. Install chrony."
        return Finding("clock", None, f"{shown}, not synchronised", advice)
    return Finding("clock", True, f"{shown}, synchronised")


def realtime_finding() -> Finding:
    """Whether this user may run ahead of others and keep memory from being swapped."""
    lacks = []
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY))
        os.sched_setscheduler(0, *before)
    except PermissionError:
        lacks.append("real-time priority")
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if os.geteuid() != 0 and locked != resource.RLIM_INFINITY:
        lacks.append("locked memory")
    if lacks:
        advice = (
            "Answers to the PLC may come late under load. On a box the unit okng-io gives both; by hand, set "
            "rtprio 60 and memlock unlimited for this user in /etc/security/limits.d."
        )
        return Finding("punctuality", None, "not allowed: " + ", ".join(lacks), advice)
    return Finding("punctuality", True, "real-time priority and locked memory are allowed")


def runtime_finding() -> Finding:
    """Which ONNX Runtime is installed, without loading it: two share a folder and spoil each other."""
    there = {}
    for name in RUNTIMES:
        try:
            there[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    found = ", ".join(f"{name} {version}" for name, version in there.items()) or "none"
    if len(there) != 1:
        advice = "Uninstall both, then" if there else "No model can run:"
        return Finding(
            "model runtime", False, found, f"{advice} install one: okng[cpu], or okng[gpu] for an NVIDIA card."
        )
    return Finding("model runtime", True, found)
