"""Disks of their own under the box's store: a small one to fill, and one whose power or cable goes."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from okng.records.ground import NOTE
from okng.tests.powercut.disk import CutDisk, NoDisk

from .box import Box
from .evidence import Evidence
from .row import Finding, Stand

BLOCK = b"0" * (64 << 10)


def needs_root(run: Callable[[Stand], Finding]) -> Callable[[Stand], Finding]:
    """A row that cannot be done at this desk says so; where all must run it does not hold."""

    def tried(stand: Stand) -> Finding:
        try:
            return run(stand)
        except NoDisk as error:
            words = f"not done here: {error}"
            return Finding({}, (words,) if os.environ.get("CI") == "true" else (), (words,))

    return tried


@contextlib.contextmanager
def small_disk(box: Box, megabytes: int) -> Iterator[Path]:
    """The store lies on a tmpfs of that size while this lasts; the box is stopped before and after. NoDisk."""
    box.stop()
    store = box.space.store
    store.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", store], capture_output=True, check=False
    )
    if done.returncode:
        raise NoDisk(done.stderr.decode().strip())
    try:
        yield store
    finally:
        box.stop()
        subprocess.run(["umount", "-l", store], check=True)
        _meant(box)


@contextlib.contextmanager
def own_disk(stand: Stand, megabytes: int = 192) -> Iterator[CutDisk]:
    """The store lies on an ext4 of its own while this lasts. NoDisk."""
    box = stand.box
    box.stop()
    box.space.store.mkdir(exist_ok=True)
    disk = CutDisk(stand.folder / "own-disk", megabytes, box.space.store)
    try:
        yield disk
    finally:
        box.stop()
        disk.close()
        _meant(box)


def _meant(box: Box) -> None:
    """The disk is not there any more, and that is meant: the next ledger is to begin beneath it."""
    (box.space.run_dir / NOTE).unlink(missing_ok=True)


def fill(folder: Path) -> Path:
    """Fill the disk to the last byte; return the file to remove again."""
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(BLOCK)
    with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
        while True:
            file.write(b"0" * 512)
    return ballast


def instead(module: str, command: list[str]) -> list[str]:
    """The same door of okng, behind another module here than it is now."""
    return [command[0], "-m", f"okng.tests.faults.{module}", *command[command.index("-m") + 2 :]]


def answers(evidence: Evidence, begin_ns: int, end_ns: int = 2**63) -> list[float]:
    """From the write that carried a trigger to the read of its result, ms, of the parts triggered in that time."""
    return [
        (part.read_ns - part.written_ns) / 1e6
        for part in evidence.parts
        if part.written_ns is not None and part.read_ns is not None and begin_ns <= part.written_ns < end_ns
    ]


def quantile(values: list[float], share: float) -> float:
    """0.999: of fewer than a thousand the largest. 0 for none."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0


def compared(before: list[float], during: list[float]) -> dict[str, object]:
    """How late verdicts were with and without the fault."""
    return {
        "verdict p50 ms without": quantile(before, 0.5),
        "verdict p50 ms with": quantile(during, 0.5),
        "verdict p99.9 ms without": quantile(before, 0.999),
        "verdict p99.9 ms with": quantile(during, 0.999),
        "verdicts compared": [len(before), len(during)],
    }


def slower(before: list[float], during: list[float], most: float = 3.0, floor_ms: float = 60.0) -> str:
    """Why the verdicts are too late with the fault; empty: they are not.

    By the middle: on a machine that does other things the last thousandth says little of ours.
    """
    limit = max(floor_ms, most * quantile(before, 0.5))
    found = quantile(during, 0.5)
    if not during:
        return "no verdict came with the fault"
    return f"verdicts took {found} ms with the fault, {quantile(before, 0.5)} ms without" if found > limit else ""
