"""The race of `bench/models.py`: graphs in turn, in one process, by one thread; how long each takes for one picture.

Every graph runs under the options the product itself loads a model with: one thread, no spinning. Before it is timed a
graph must have said something else of each of its pictures: one that folded into a constant would win any race.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from okng.models.loading import session_options
from okng.models.runtime_options import RuntimeOptions

Array = npt.NDArray[Any]
TURN_S = 0.15
"""Of one graph in one round, besides one run before it that is not counted: the others had emptied the caches."""
MOST_RUNS = 8
ONE_THREAD = 1.1
"""CPU time above this share of the time that passed was taken by more than one thread."""


@dataclass(slots=True)
class Runner:
    """One graph in the race."""

    name: str
    session: Any
    feeds: list[Array]
    """Pictures as it takes them, different ones."""
    pictures: int = 1
    """Of one run."""
    model_mb: float = 0.0
    cpu_ms: list[float] = field(default_factory=list)
    """CPU time of this process for one picture, each run."""
    wall_ms: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, model: bytes | Path, pictures: Sequence[Array], count: int = 1) -> "Runner":
        """Load a graph. model: its bytes, or a file whose data lies beside it. pictures: uint8 RGB or grey, all of the
        graph's size; made into float32 [n, 3, h, w], 0..1, where the graph takes that."""
        told = session_options(1, 1, RuntimeOptions())
        source = model if isinstance(model, bytes) else str(model)
        session = onnxruntime.InferenceSession(source, told, providers=["CPUExecutionProvider"])
        entry = session.get_inputs()[0]
        feeds = []
        for at in range(len(pictures)):
            some = np.stack([pictures[(at + more) % len(pictures)] for more in range(count)])
            if entry.type == "tensor(float)":
                some = np.ascontiguousarray(some.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
            feeds.append(some)
        size = (
            len(model)
            if isinstance(model, bytes)
            else sum(path.stat().st_size for path in model.parent.glob(f"{model.name}*"))
        )
        made = cls(name, session, feeds, count, size / 1e6)
        made.check()
        return made

    def run(self, at: int) -> list[Array]:
        """One run, of one of its pictures."""
        found: list[Array] = self.session.run(
            None, {self.session.get_inputs()[0].name: self.feeds[at % len(self.feeds)]}
        )
        return found

    def check(self) -> None:
        """SystemExit: what comes out is not finite, or the same whatever the picture."""
        said = [self.run(at) for at in range(len(self.feeds))]
        floats = [at for at, value in enumerate(said[0]) if value.dtype == np.float32]
        if not floats or not all(np.isfinite(each[at]).all() for each in said for at in floats):
            raise SystemExit(f"{self.name}: gives no numbers, or some that are not finite")
        for at in floats:
            if any(np.array_equal(said[0][at], other[at]) for other in said[1:]):
                raise SystemExit(f"{self.name}: output {at} is the same for two pictures: it does not compute")

    def turn(self) -> None:
        """One turn: one run that is not counted, then as many as fit."""
        begun = time.perf_counter()
        self.run(0)
        took = time.perf_counter() - begun
        for at in range(min(MOST_RUNS, max(1, round(TURN_S / took)))):
            wall, cpu = time.perf_counter_ns(), time.process_time_ns()
            self.run(at)
            self.cpu_ms.append((time.process_time_ns() - cpu) / 1e6 / self.pictures)
            self.wall_ms.append((time.perf_counter_ns() - wall) / 1e6 / self.pictures)

    @property
    def least_ms(self) -> float:
        """Least CPU time of one picture."""
        return min(self.cpu_ms)

    @property
    def middle_ms(self) -> float:
        """Median CPU time of one picture."""
        return float(np.median(self.cpu_ms))

    @property
    def wall_middle_ms(self) -> float:
        """Median time that passed for one picture."""
        return float(np.median(self.wall_ms))

    def told(self) -> dict[str, Any]:
        """For the JSON."""
        return {
            "least_cpu_ms": round(self.least_ms, 3),
            "median_cpu_ms": round(self.middle_ms, 3),
            "least_ms": round(min(self.wall_ms), 3),
            "median_ms": round(self.wall_middle_ms, 3),
            "runs": len(self.cpu_ms),
            "pictures_a_run": self.pictures,
            "model_mb": round(self.model_mb, 1),
        }


def race(runners: Sequence[Runner], rounds: int, seed: int) -> None:
    """Let all run in turn, in another order each round. SystemExit: one took more than one thread."""
    dice = np.random.default_rng(seed)
    for _ in range(rounds):
        for at in dice.permutation(len(runners)):
            runners[at].turn()
    for each in runners:
        share = sum(each.cpu_ms) / sum(each.wall_ms)
        if share > ONE_THREAD:
            raise SystemExit(f"{each.name}: took {share:.2f} threads: expected one")
