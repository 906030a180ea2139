"""One disk through many cuts: records is started, pressed, cut off, judged and started again."""

import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from okng.bus.heartbeat import Pulse
from okng.bus.messages import Health
from okng.records.check import check
from okng.records.options import RecordsOptions
from okng.records.retention_options import RetentionOptions

from .disk import CutDisk
from .judge import Finding, Judge
from .line import StandIn

RECORDS = Path(__file__).parent.parent / "records" / "run_records.py"
LAZY = Path(__file__).with_name("lazy_records.py")
"""The same with a disk that syncs nothing: the judge has to find what that loses."""
CUTS_OF_A_DISK = 20
"""Then the next begins with an empty one: the judge hashes all it sees after each cut."""
START_S = 30.0


@dataclass(slots=True)
class Result:
    """What all cuts came to."""

    cuts: int = 0
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    pictures: int = 0
    pictures_missing: int = 0
    pictures_wrong: int = 0
    litter: int = 0
    unsound_file_systems: int = 0
    ready_s: list[float] = field(default_factory=list)
    """From starting records on what the cut left to READY."""
    unbalanced: list[str] = field(default_factory=list)
    """What the product's own check has to say of each disk at its end."""
    recovered: int = 0
    """Parts that were open when the power went, closed as UNJUDGED afterwards."""

    @property
    def holds(self) -> bool:
        """Nothing that was acknowledged is lost, and nothing is damaged."""
        wrong = self.lost or self.corrupt or self.unbalanced
        return not (wrong or self.pictures_missing or self.pictures_wrong or self.unsound_file_systems)

    def take(self, found: Finding) -> None:
        """Add one cut."""
        self.cuts += 1
        self.acknowledged += found.acknowledged
        self.lost += found.lost
        self.corrupt += found.corrupt
        self.pictures += found.pictures
        self.pictures_missing += found.pictures_missing
        self.pictures_wrong += found.pictures_wrong
        self.litter = max(self.litter, found.litter)


def power_cuts(
    folder: Path,
    cuts: int,
    seed: int = 1,
    told: Callable[[Result], None] | None = None,
    longest_s: float = 1.5,
    script: Path = RECORDS,
) -> Result:
    """Cut the power of the records process so many times under load. NoDisk: not possible here.

    longest_s: a cut comes within so many seconds of load. script: what runs the records process.
    """
    result, pick = Result(), random.Random(seed)
    parts = itertools.count(1)
    done = 0
    while done < cuts:
        disk = CutDisk(folder)
        try:
            now = min(CUTS_OF_A_DISK, cuts - done)
            _Disk(disk, script, pick, parts, result).cuts(now, told, longest_s)
            done += now
        finally:
            disk.close()
    return result


class _Disk:
    """The cuts of one disk."""

    def __init__(
        self, disk: CutDisk, script: Path, pick: random.Random, parts: "itertools.count[int]", result: Result
    ) -> None:
        self._disk, self._script, self._pick, self._parts, self._result = disk, script, pick, parts, result
        self._store = disk.root / "store"
        self._judge = Judge(self._store, disk.image.with_name("copy"))
        for_ever = RetentionOptions(ok_days=0, uncertain_days=0, reject_days=0)
        self._options = RecordsOptions(store=self._store, min_free_mb=0, retention=for_ever)
        self._log = disk.image.with_name("records.log")

    def cuts(self, cuts: int, told: Callable[[Result], None] | None, longest_s: float) -> None:
        """Cut, judge and begin anew so many times, then let it end in peace and check what stands there."""
        for at in range(cuts):
            self._cut(f"run-{self._result.cuts}", longest_s, first=at == 0)
            if told is not None:
                told(self._result)
        self._peace()

    def _cut(self, epoch: str, longest_s: float, *, first: bool) -> None:
        run_dir = Path(tempfile.mkdtemp(prefix="okp", dir="/tmp"))
        child = self._start(run_dir)
        line = StandIn(run_dir, epoch, self._parts, self._pick.randrange(2**31))
        try:
            # One cut in five comes while records starts, migrates, or closes what the cut before left open.
            early = self._pick.random() < 0.2
            if not early:
                ready_s = self._ready(run_dir, child)
                if not first:
                    self._result.ready_s.append(ready_s)
            line.run(self._pick.uniform(0.05, longest_s))
            if not early:
                self._judge.look_ahead()
            line.hear()
            self._disk.cut()
        finally:
            child.kill()
            child.wait()
            line.close()
            shutil.rmtree(run_dir, ignore_errors=True)
        if not self._disk.repaired():
            self._result.unsound_file_systems += 1
        self._result.take(self._judge.judge(line.said))

    def _peace(self) -> None:
        """A last run that ends as it should: then every sum has to agree."""
        run_dir = Path(tempfile.mkdtemp(prefix="okp", dir="/tmp"))
        child = self._start(run_dir)
        line = StandIn(run_dir, f"last-{self._result.cuts}", self._parts, 0)
        try:
            self._result.ready_s.append(self._ready(run_dir, child))
            line.run(0.3, asks=False)
            if not line.settled(10):
                self._result.unbalanced.append("records took no more entries after the last cut")
            line.end()
            self._wait_for_closed()
            child.terminate()
            child.wait(10)
        finally:
            child.kill()
            child.wait()
            line.close()
            shutil.rmtree(run_dir, ignore_errors=True)
        balance = check(self._store, full=True)
        self._result.unbalanced += balance.problems
        self._result.recovered += balance.recovered

    def _wait_for_closed(self) -> None:
        """What runs that were cut off left open is closed 3 s after a new one was heard."""
        end = time.monotonic() + 8
        while time.monotonic() < end and check(self._store).open:
            time.sleep(0.3)

    def _start(self, run_dir: Path) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, self._script, run_dir, self._options.model_dump_json()],
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def _ready(self, run_dir: Path, child: "subprocess.Popen[bytes]") -> float:
        begun, pulse = time.monotonic(), Pulse(run_dir)
        while (took := time.monotonic() - begun) < START_S and child.poll() is None:
            beat = pulse.beats().get("records")
            if beat is not None and beat.pid == child.pid and beat.health is Health.READY:
                pulse.close()
                return took
            time.sleep(0.01)
        pulse.close()
        tail = self._log.read_text(encoding="utf-8")[-2000:]
        raise AssertionError(f"records did not start on what the cut left:\n{tail}")
