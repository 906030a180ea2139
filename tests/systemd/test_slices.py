"""The weights of the slices under a real scheduler: where both want one core, the line has it, the office starves."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.tests.systemd.test_units import UNITS, settings_of

V1 = Path("/sys/fs/cgroup/cpu")
V2 = Path("/sys/fs/cgroup")
BUSY = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass\n"


def cannot(why: str) -> None:
    """Skip at a desk; fail where all the checks must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def weighted(name: str, weight: int) -> Path | None:
    """A group of the scheduler with that weight; None: this machine lets nobody make one."""
    root, file, value = (V1, "cpu.shares", weight * 1024 // 100) if V1.is_dir() else (V2, "cpu.weight", weight)
    try:
        made = root / f"okng-test-{os.getpid()}-{name}"
        made.mkdir()
        (made / file).write_text(str(value), encoding="ascii")
    except OSError:
        return None
    return made


@pytest.fixture
def groups() -> Iterator[dict[str, Path]]:
    if os.geteuid() != 0:
        cannot("needs root")
    made: dict[str, Path] = {}
    try:
        for name in ("line", "office"):
            (weight,) = settings_of(UNITS / f"okng-{name}.slice")["CPUWeight"]
            group = weighted(name, int(weight))
            if group is None:
                cannot("no group of the scheduler can be made here")
            else:
                made[name] = group
        yield made
    finally:
        for group in made.values():
            for _ in range(50):
                try:
                    group.rmdir()
                    break
                except OSError:
                    time.sleep(0.02)


@pytest.mark.needs_root
def test_the_line_has_the_core_that_the_office_wants_too(groups: dict[str, Path]) -> None:
    core = min(os.sched_getaffinity(0))
    busy = {}
    try:
        for name, group in groups.items():
            busy[name] = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(1 if name == "line" else 3)]
            for process in busy[name]:
                os.sched_setaffinity(process.pid, {core})
                (group / "cgroup.procs").write_text(str(process.pid), encoding="ascii")
        before = {name: sum(map(ticks, each)) for name, each in busy.items()}
        time.sleep(2)
        had = {name: sum(map(ticks, each)) - before[name] for name, each in busy.items()}
    finally:
        for each in busy.values():
            for process in each:
                process.kill()
                process.wait()
    assert had["line"] > 10 * max(1, had["office"]), had


def ticks(process: "subprocess.Popen[bytes]") -> int:
    """CPU time of a process so far, in the kernel's ticks."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
