"""What the processes of a box hold at one moment: memory, descriptors, threads, shared memory, disk."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOKS, LOOK_S = 10, 0.02


@dataclass(frozen=True, slots=True)
class Vital:
    """One process."""

    pid: int
    rss: int
    """Bytes."""
    pss: int
    """Bytes, shared pages counted by their share."""
    fds: int
    threads: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """All of a box after so many parts."""

    parts: int
    """Rows in the ledger."""
    seconds: float
    """Since the line began."""
    processes: Mapping[str, Vital]
    shared: int
    """Bytes in the run folder: rings, heartbeats, scenes."""
    ledger: int
    """Bytes of the ledger's file."""
    wal: int
    pictures: int
    """Bytes of all pictures kept."""
    latency_p50_ms: float
    """Trigger to result on the wire, of the parts since the sample before."""
    latency_p99_ms: float
    unjudged: int
    """Of the parts since the sample before."""


def vital(pid: int) -> Vital | None:
    """One process; None: it is gone.

    Of descriptors and threads the fewest of some looks counts: a file that is just being written is no leak.
    """
    try:
        process = psutil.Process(pid)
        looks = []
        for _ in range(LOOKS):
            looks.append((process.num_fds(), process.num_threads()))
            time.sleep(LOOK_S)
        with process.oneshot():
            memory, cpu = process.memory_full_info(), process.cpu_times()
            fds, threads = (min(each) for each in zip(*looks, strict=True))
            return Vital(pid, memory.rss, memory.pss, fds, threads, cpu.user + cpu.system)
    except psutil.NoSuchProcess:
        return None


def held_bytes(folder: Path) -> int:
    """What the files under a folder take."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(base) / name).stat().st_blocks * 512
    return total


class Sampler:
    """Takes samples of one running box."""

    def __init__(self, run_dir: Path, store: Path) -> None:
        self._run_dir, self._store = run_dir, store
        self._seq = 0

    def take(self, pids: Mapping[str, int], seconds: float) -> Sample:
        """Look once. The latencies are those of the rows that came since."""
        parts, late, unjudged = self._rows()
        found = {name: seen for name, pid in pids.items() if (seen := vital(pid)) is not None}
        return Sample(
            parts=parts,
            seconds=seconds,
            processes=found,
            shared=held_bytes(self._run_dir),
            ledger=_size(self._store / "ledger.db"),
            wal=_size(self._store / "ledger.db-wal"),
            pictures=held_bytes(self._store / "pictures"),
            latency_p50_ms=_at(late, 0.5),
            latency_p99_ms=_at(late, 0.99),
            unjudged=unjudged,
        )

    def _rows(self) -> tuple[int, list[float], int]:
        with contextlib.closing(sqlite3.connect(f"file:{self._store}/ledger.db?mode=ro", uri=True)) as db:
            asked = "select seq, published_ns - triggered_ns, outcome = 'UNJUDGED' from part where seq > ? order by seq"
            rows = db.execute(asked, (self._seq,)).fetchall()
        if rows:
            self._seq = rows[-1][0]
        late = sorted(took / 1e6 for _, took, _ in rows if took is not None)
        return self._seq, late, sum(unjudged for _, _, unjudged in rows)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
