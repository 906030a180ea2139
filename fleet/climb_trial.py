"""LOADED and GOLDEN: a bundle that nobody here has run is run in a throw-away process, on the golden pictures, timed.

    rehearse(folder)  ->  python -I, okng.fleet.climb_trial FOLDER ...  ->  one line of JSON

First a trial on the CPU with every bound (`models/sandbox.py`); then its golden pictures again and again with the
provider of the line, until there are 300 runs.
"""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ..bus.errors import BadBundle, OkngError
from ..models.sandbox import confine, trial

RUNS = 300
SHARE = 0.8
"""Of the budget that the 99 % may take; the slowest may take all of it."""
LIMIT_S = 300.0
_BEGIN = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('okng.fleet.climb_trial', run_name='__main__')"
)
"""The very okng that asks, wherever it lies."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How golden pictures scored in a throw-away process, and how fast."""

    runs: int
    pictures: int
    detail: str
    """What came out, for people."""
    failed: str
    """Why it does not pass; empty: scores and verdicts are as stored."""
    typical_ms: float
    p99_ms: float
    slowest_ms: float
    peak_mb: int

    def refusal(self, budget_ms: float, memory_mb: int) -> str:
        """Why it may not go on, for people; empty: it may. budget_ms: 0: none was promised."""
        if self.failed:
            return self.failed
        if budget_ms and self.p99_ms > SHARE * budget_ms:
            return f"p99 of {self.runs} runs is {self.p99_ms:.1f} ms: expected at most {SHARE:g} of {budget_ms:g} ms"
        if budget_ms and self.slowest_ms > budget_ms:
            return f"the slowest of {self.runs} runs took {self.slowest_ms:.1f} ms: expected at most {budget_ms:g} ms"
        if self.peak_mb > memory_mb:
            return f"it took {self.peak_mb} MB: expected at most {memory_mb} MB"
        return ""


def load(folder: Path, memory_mb: int) -> dict[str, float]:
    """Load a bundle and run it once where it can harm nothing. BadBundle: refused, killed, too large or too slow."""
    done = trial(folder, memory_mb)
    return {"took_ms": done.took_ms, "peak_mb": done.peak_mb}


def rehearse(
    folder: Path, digest: str, provider: str, threads: int, memory_mb: int, runs: int = RUNS, limit_s: float = LIMIT_S
) -> Rehearsal:
    """Run the golden pictures of a bundle with the line's provider in a process of its own.

    digest: what it must be. BadBundle: it cannot be run, kills its process, or takes longer than limit_s.
    """
    order = [str(folder.resolve()), digest, provider, str(threads), str(memory_mb), str(runs), str(int(limit_s) + 1)]
    with tempfile.TemporaryDirectory(prefix="okng-golden-") as empty:
        Path(empty).chmod(0o500)  # a model may name files in the working folder: it is empty
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-c", _BEGIN, str(Path(__file__).parents[2]), *order],
                cwd=empty,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise BadBundle(f"{folder}: {runs} runs took longer than {limit_s:g} s") from error
    if done.returncode < 0:
        raise BadBundle(f"{folder}: the model ended its process by {signal.Signals(-done.returncode).name}")
    try:
        said = json.loads(done.stdout.decode().strip().rpartition("\n")[2])
        if said.get("error"):
            raise BadBundle(f"{folder}: {said['error']}")
        return Rehearsal(**said)
    except (ValueError, TypeError) as error:
        words = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:300]
        raise BadBundle(f"{folder}: its process ended with code {done.returncode} and no answer: {words}") from error


def _rehearsed(folder: Path, digest: str, provider: str, threads: int, runs: int) -> Rehearsal:
    from ..models.bundle import open_bundle
    from ..models.detector import Detector
    from ..models.parity import check_golden, golden_cut

    detector = Detector(open_bundle(folder, digest), provider, threads)
    report = check_golden(detector)
    failed = "" if report.passed else f"golden pictures score otherwise on {detector.provider}: {report.detail}"
    cuts = [golden_cut(detector, one) for one in detector.bundle.golden]
    times = []
    for turn in range(0 if failed else runs):
        before = time.perf_counter_ns()
        found = detector.find_cut(cuts[turn % len(cuts)])
        times.append((time.perf_counter_ns() - before) / 1e6)
        if not found.sound:
            failed = f"run {turn + 1}: {found.trouble}"
            break
    times.sort()
    return Rehearsal(
        runs=len(times),
        pictures=report.pictures,
        detail=report.detail,
        failed=failed,
        typical_ms=_rank(times, 0.5),
        p99_ms=_rank(times, 0.99),
        slowest_ms=_rank(times, 1.0),
        peak_mb=_peak_mb(),
    )


def _rank(times: list[float], quantile: float) -> float:
    """Nearest rank of sorted times; 0 without any."""
    return times[max(0, math.ceil(quantile * len(times)) - 1)] if times else 0.0


def _peak_mb() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) // 1024


def main(arguments: list[str]) -> int:
    """Rehearse what the arguments name; print what came out as JSON."""
    folder, digest, provider, threads, memory_mb, runs, cpu_s = arguments
    tempfile.gettempdir()  # it is found by writing to it, which is over after the next line
    # A GPU maps far more than it uses: there the peak alone is looked at, afterwards.
    confine(int(memory_mb) if provider == "cpu" else 1 << 20, int(cpu_s))
    answer: dict[str, object]
    try:
        answer = asdict(_rehearsed(Path(folder), digest, provider, int(threads), int(runs)))
    except OkngError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": f"it wants more memory than {memory_mb} MB"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
