"""Image health on seeded degradations: found, how soon, the right cause, and false alarms on a line that is well.

    .venv/bin/python bench/health.py [--frames 10000] [--seed 2026] [--data ../shared/data] [--json bench/health.json]
    .venv/bin/python bench/health.py --short      the rendered scene, 160 parts; writes nothing without --json

Each scene is commissioned from 30 pictures of good parts. Then parts run: a part differs from the next in grain, place,
turn and light, the lamp flickers by 2 %. At intervals the same parts are shown once more with each thing that can go
wrong, from one part to the next, for two windows, to a drift that has seen the healthy parts before them.

The rendered scene runs --frames parts; scenes of --data, where it is there, a fifth of that each. The limits were
chosen on other seeds than the one that is reported.
"""

import argparse
import json
import statistics
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from okng.bench.health_cases import CASES, HEIGHT, WIDTH, Case, Replay, Scene, scenes
from okng.bench.line import machine
from okng.bus.clock import utc_now
from okng.imaging.commission import commission
from okng.imaging.diagnosis import Cause
from okng.imaging.drift import Drift
from okng.imaging.health import Measurer
from okng.imaging.health_options import HealthOptions
from okng.imaging.measures import Measures
from okng.imaging.reference import Reference
from okng.simline.parts import render

HERE = Path(__file__).parent
OPTIONS = HealthOptions(reference="health.npz")
WINDOW = OPTIONS.window


@dataclass(slots=True)
class Tally:
    """One degradation in one scene."""

    episodes: int = 0
    found: int = 0
    """Any alarm within two windows."""
    right: int = 0
    """The right cause within two windows."""
    wrong: int = 0
    """A cause that is not the right one was named, too or alone."""
    others: dict[str, int] = field(default_factory=dict)
    """Which."""
    parts: list[int] = field(default_factory=list)
    """Parts until the right cause, where it was named."""


@dataclass(slots=True)
class SceneResult:
    """One scene."""

    frames: int = 0
    false_alarms: dict[str, int] = field(default_factory=dict)
    """Alarms raised on healthy parts, by cause."""
    false_frames: int = 0
    """Healthy parts on which one stood."""
    cases: dict[str, Tally] = field(default_factory=dict)
    seconds: float = 0.0


def play(scene: Scene, frames: int, every: int, seed: int) -> SceneResult:
    """Run healthy parts, and each degradation every so many of them."""
    begun = time.perf_counter()
    reference = commission(scene.commissioning())
    measurer, drift = Measurer(reference), Drift(OPTIONS, reference)
    result = SceneResult()
    before: deque[Measures] = deque(maxlen=WINDOW)
    standing: set[Cause] = set()
    for index in range(frames):
        if index % every == 0 and len(before) == WINDOW:
            shown = [scene.part(at) for at in range(index, index + 2 * WINDOW)]
            for number, case in enumerate(CASES):
                if case.cause is Cause.PRODUCT and isinstance(scene, Replay):
                    continue
                tally = result.cases.setdefault(case.name, Tally())
                episode(tally, case, shown, measurer, reference, before, (seed, index, number))
        measures = measurer.measure(scene.part(index))
        before.append(measures)
        raised = {alarm.cause for alarm in drift.add(measures)}
        for cause in raised - standing:
            result.false_alarms[cause.value] = result.false_alarms.get(cause.value, 0) + 1
        result.false_frames += bool(raised)
        standing = raised
        result.frames += 1
    result.seconds = time.perf_counter() - begun
    return result


def episode(
    tally: Tally,
    case: Case,
    shown: Sequence[Any],
    measurer: Measurer,
    reference: Reference,
    before: Sequence[Measures],
    seed: tuple[int, int, int],
) -> None:
    """Show two windows of degraded parts to a drift that knows the healthy ones before them."""
    drift = Drift(OPTIONS, reference)
    for measures in before:
        drift.add(measures)
    causes: set[Cause] = set()
    at = 0
    for number, picture in enumerate(shown, 1):
        dice = (np.random.default_rng(seed), np.random.default_rng((*seed, number)))
        raised = {alarm.cause for alarm in drift.add(measurer.measure(case.spoil(picture, *dice)))}
        if case.cause in raised and not at:
            at = number
        causes |= raised
    tally.episodes += 1
    tally.found += bool(causes)
    tally.right += bool(at)
    tally.wrong += bool(causes - {case.cause})
    for cause in causes - {case.cause}:
        tally.others[cause.value] = tally.others.get(cause.value, 0) + 1
    if at:
        tally.parts.append(at)


def cost(width: int, height: int, rounds: int = 60) -> dict[str, float]:
    """CPU milliseconds of one measurement and of one part of the drift, one thread; pictures of the rendered scene."""
    parts = [render(3, index, None, width, height).picture for index in range(10)]
    reference = commission(parts)
    measurer, drift = Measurer(reference), Drift(OPTIONS, reference)
    measuring, drifting = [], []
    for at in range(rounds):
        start = time.thread_time_ns()
        measures = measurer.measure(parts[at % len(parts)])
        middle = time.thread_time_ns()
        drift.add(measures)
        measuring.append((middle - start) / 1e6)
        drifting.append((time.thread_time_ns() - middle) / 1e6)
    return {
        "measure_ms": statistics.median(measuring),
        "measure_max_ms": max(measuring),
        "drift_ms": statistics.median(drifting),
    }


def table(results: dict[str, SceneResult]) -> Table:
    """One row a scene and degradation."""
    made = Table(title=f"degradations, within two windows of {WINDOW} parts", title_justify="left")
    for name in ("scene", "degradation", "found", "right cause", "other causes", "parts, median", "most", "n"):
        made.add_column(name)
    for scene, result in results.items():
        for name, tally in result.cases.items():
            n = tally.episodes
            median = f"{statistics.median(tally.parts):.0f}" if tally.parts else "-"
            most = str(max(tally.parts)) if tally.parts else "-"
            found, right = (f"{100 * count / n:.1f} %" for count in (tally.found, tally.right))
            others = ", ".join(f"{cause} {100 * count / n:.1f} %" for cause, count in tally.others.items()) or "-"
            made.add_row(scene, name, found, right, others, median, most, str(n))
    return made


def healthy(results: dict[str, SceneResult]) -> Table:
    """One row a scene: what was raised though nothing was wrong."""
    made = Table(title="nothing wrong", title_justify="left")
    for name in ("scene", "frames", "false alarms", "frames with one", "which", "s"):
        made.add_column(name)
    for scene, result in results.items():
        which = ", ".join(f"{cause} {count}" for cause, count in sorted(result.false_alarms.items())) or "-"
        made.add_row(
            scene,
            str(result.frames),
            str(sum(result.false_alarms.values())),
            str(result.false_frames),
            which,
            f"{result.seconds:.0f}",
        )
    return made


def main(arguments: list[str] | None = None) -> dict[str, SceneResult]:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=80, help="healthy parts between two rounds of degradations")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared/data")
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--short", action="store_true", help="the rendered scene only, 160 parts")
    parser.add_argument("--scene", default="", help="only scenes whose name holds this")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    console = Console()
    results: dict[str, SceneResult] = {}
    for name, scene in scenes(options.data, options.seed):
        if options.scene not in name or (options.short and results):
            continue
        frames = 160 if options.short else options.frames if not results else options.frames // 5
        console.print(f"{name}: {frames} parts")
        results[name] = play(scene, frames, options.every, options.seed)
    took = {f"{w}x{h}": cost(w, h) for w, h in ((WIDTH, HEIGHT), (1920, 1200))}
    console.print(table(results))
    console.print(healthy(results))
    for size, figures in took.items():
        console.print(f"{size}: " + ", ".join(f"{key} {value:.2f}" for key, value in figures.items()))
    if options.json is None and not options.short:
        options.json = HERE / "health.json"
    if options.json is not None:
        found = {
            "at": utc_now(),
            "machine": machine(),
            "seed": options.seed,
            "options": OPTIONS.model_dump(),
            "cpu": took,
            "scenes": {name: asdict(result) for name, result in results.items()},
        }
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return results


if __name__ == "__main__":
    main()
