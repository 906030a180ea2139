"""What the processes of a box hold at one moment: memory, descriptors, threads, shared memory, disk."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOKS, LOOK_S = 10, 0.02


@dataclass(frozen=True, slots=True)
class Vital:
    """One process, with those that it started."""

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
    """Of the whole soak so far."""
    seconds: float
    """Since the segment's line began."""
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

    def cpu_ms(self, before: "Sample") -> dict[str, float]:
        """Milliseconds of a core that each process took for a part, since an earlier sample of the same segment."""
        parts = max(1, self.parts - before.parts)
        return {
            name: round((one.cpu_s - before.processes[name].cpu_s) / parts * 1000, 3)
            for name, one in self.processes.items()
            if name in before.processes
        }


def vitals(pids: Mapping[str, int]) -> dict[str, Vital]:
    """The processes that are there.

    Of descriptors and threads the fewest of some looks counts: a file that is just being written is no leak.
    """
    trees = {name: tree for name, pid in pids.items() if (tree := _tree(pid))}
    looks: dict[str, list[tuple[int, int]]] = {name: [] for name in trees}
    for _ in range(LOOKS):
        for name, tree in trees.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                looks[name].append((sum(one.num_fds() for one in tree), sum(one.num_threads() for one in tree)))
        time.sleep(LOOK_S)
    return {name: seen for name, tree in trees.items() if (seen := _vital(tree, looks[name])) is not None}


def _tree(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first] if pid == os.getpid() else [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _vital(tree: Sequence[psutil.Process], looks: Sequence[tuple[int, int]]) -> Vital | None:
    try:
        memory, cpu = [one.memory_full_info() for one in tree], [one.cpu_times() for one in tree]
    except psutil.NoSuchProcess:
        return None
    if not looks:
        return None
    fds, threads = (min(each) for each in zip(*looks, strict=True))
    cpu_s = sum(one.user + one.system for one in cpu)
    return Vital(tree[0].pid, sum(one.rss for one in memory), sum(one.pss for one in memory), fds, threads, cpu_s)


def held_bytes(folder: Path) -> int:
    """What the files under a folder take."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(base) / name).stat().st_blocks * 512
    return total


class Sampler:
    """Takes samples of one running segment."""

    def __init__(self, run_dir: Path, store: Path, before: int) -> None:
        """before: parts counted before the segment."""
        self._run_dir, self._store = run_dir, store
        self._parts = before
        self._seq = self._first = last_row(store)

    def take(self, pids: Mapping[str, int], seconds: float) -> Sample:
        """Look once. The latencies are those of the rows that came since."""
        late, unjudged = self._rows()
        return Sample(
            parts=self._parts,
            seconds=seconds,
            processes=vitals(pids),
            shared=held_bytes(self._run_dir),
            ledger=_size(self._store / "ledger.db"),
            wal=_size(self._store / "ledger.db-wal"),
            pictures=held_bytes(self._store / "pictures"),
            latency_p50_ms=_at(late, 0.5),
            latency_p99_ms=_at(late, 0.99),
            unjudged=unjudged,
        )

    def rows(self) -> int:
        """Rows that came since the segment began."""
        return last_row(self._store) - self._first

    def _rows(self) -> tuple[list[float], int]:
        with _ledger(self._store) as db:
            asked = "select seq, published_ns - triggered_ns, outcome = 'UNJUDGED' from part where seq > ? order by seq"
            rows = db.execute(asked, (self._seq,)).fetchall()
        if rows:
            self._seq = rows[-1][0]
        self._parts += len(rows)
        late = sorted(took / 1e6 for _, took, _ in rows if took is not None)
        return late, sum(unjudged for _, _, unjudged in rows)


def last_row(store: Path) -> int:
    """Number of the newest row of parts; 0: there is none, or no ledger."""
    return _first(store, "select coalesce(max(seq), 0) from part")


def last_epoch(store: Path) -> int:
    """Number of the newest run of io; 0: there was none."""
    return _first(store, "select coalesce(max(n), 0) from epoch")


def _first(store: Path, sql: str) -> int:
    if not (store / "ledger.db").exists():
        return 0
    with _ledger(store) as db:
        return int(db.execute(sql).fetchone()[0])


def _ledger(store: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(f"file:{store}/ledger.db?mode=ro", uri=True))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0
