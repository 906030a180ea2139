"""Where the time of one part goes: from the file to the findings, and inside the graph.

What is measured is the line's own code. The graph's inside comes from ONNX Runtime's profile of a session of its own,
because profiling costs time; only its shares are taken, and laid on the time of the session that is not profiled.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from . import crop, pictures
from .box import Box
from .bundle import Bundle
from .detector import Detector
from .runtime import Session
from .runtime_options import RuntimeOptions
from .warmup import warm_up

MS = 1_000_000
PARTS = {
    "picture": "input",
    "pixels": "input",
    "cells": "whitening",
    "whitening": "whitening",
    "memory": "memory",
    "gaussian": "gaussian",
    "head": "head",
    "map": "map",
    "height": "map",
    "heat": "map",
    "score": "map",
    "features": "map",
}
"""Groups of a taught graph's nodes by the first word of their names; the others are its backbone."""
_OWN = frozenset({"memory", "gaussian", "head"})
"""A graph with one of these is a taught one; the nodes of any other are told by their kind."""
_KINDS_TOLD = 8


@dataclass(frozen=True, slots=True)
class Spread:
    """Times of one stage, ms."""

    least_ms: float
    p50_ms: float
    p99_ms: float
    runs: int


@dataclass(frozen=True, slots=True)
class Stages:
    """What one picture costs, stage by stage."""

    stages: dict[str, Spread]
    """decode (only of a file), cut, inference (of the whole batch), findings (cut to findings, one picture), part (all
    of one picture but decoding)."""
    inside: dict[str, float]
    """Median ms of one inference by group of nodes, the largest first; sums up to the inference."""
    batch: int
    warm_runs: int
    settled: bool
    """False: the times were still falling or wavering when warming up was cut short."""

    @property
    def parts_a_second(self) -> float:
        """One worker, pictures at hand: by the median of cut and findings, or of a batch's share of an inference."""
        one_ms = self.stages["part"].p50_ms
        if self.batch > 1:
            one_ms = self.stages["cut"].p50_ms + self.stages["inference"].p50_ms / self.batch
        return 1000.0 / one_ms


def measure(
    bundle: Bundle, source: Path | tuple[int, int], options: RuntimeOptions, batch: int = 1, seconds: float = 3.0
) -> Stages:
    """Measure a bundle on one provider.

    source: a picture file, or (width, height) of an invented one. batch: pictures of one inference. seconds: for each
    stage, with 20 runs at least.
    BadPicture: the file is no picture the bundle takes. BadSettings, BadBundle: see `Session`, `Detector`.
    """
    entry = bundle.manifest.input
    stages: dict[str, Spread] = {}
    if isinstance(source, Path):
        data = source.read_bytes() if source.is_file() else b""
        stages["decode"] = _spread(lambda: pictures.decode(data, str(source)), seconds / 2)
        picture = pictures.with_channels(pictures.decode(data, str(source)), entry.channels)
    else:
        picture = _invented(source, entry.channels)
    whole = Box(0, 0, picture.shape[1], picture.shape[0])
    size = (entry.height, entry.width)
    stages["cut"] = _spread(lambda: crop.crop_and_resize(picture, whole, size), seconds / 2)
    cut = crop.crop_and_resize(picture, whole, size)
    session = Session(bundle.model, options.provider, options.threads, batch, options)
    feeds = {entry.name: np.ascontiguousarray(np.repeat(cut, batch, axis=0))}
    if session.inputs[0].shape[0] != batch:
        raise BadPicture(f"batch = {batch}: the graph of {bundle.folder} takes {session.inputs[0].shape[0]} at a time")
    warmed = warm_up(lambda: session.run(None, feeds))
    stages["inference"] = _spread(lambda: session.run(None, feeds), seconds)
    detector = Detector(bundle, options.provider, options.threads)
    warm_up(lambda: detector.find_cut(cut), most_runs=20)
    stages["findings"] = _spread(lambda: detector.find_cut(cut), seconds)
    stages["part"] = _spread(lambda: detector.find(picture, whole), seconds)
    inside = _inside(bundle, options, batch, feeds, stages["inference"].p50_ms)
    return Stages(stages, inside, batch, warmed.runs, warmed.settled)


def _invented(size: tuple[int, int], channels: int) -> npt.NDArray[np.uint8]:
    """A smooth picture with noise on it, the same every time."""
    width, height = size
    rng = np.random.default_rng(1)
    slope = np.linspace(40, 200, width, dtype=np.float32)[None, :].repeat(height, axis=0)
    grey = np.clip(slope + rng.normal(0, 8, (height, width)), 0, 255).astype(np.uint8)
    return pictures.with_channels(grey, channels)


def _spread(run: Callable[[], object], seconds: float) -> Spread:
    times: list[int] = []
    until = time.perf_counter_ns() + int(seconds * 1e9)
    while len(times) < 20 or time.perf_counter_ns() < until:
        before = time.perf_counter_ns()
        run()
        times.append(time.perf_counter_ns() - before)
    at = np.array(times) / MS
    return Spread(float(at.min()), float(np.median(at)), float(np.percentile(at, 99)), len(times))


def _inside(
    bundle: Bundle, options: RuntimeOptions, batch: int, feeds: dict[str, npt.NDArray[Any]], inference_ms: float
) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="okng-profile-") as folder:
        profiled = Session(bundle.model, options.provider, options.threads, batch, options, Path(folder) / "nodes")
        for _ in range(30):
            profiled.run(None, feeds)
        events = json.loads(profiled.end_profiling().read_text(encoding="utf-8"))
    return grouped(events, inference_ms)


def grouped(events: list[dict[str, Any]], inference_ms: float) -> dict[str, float]:
    """Lay an inference's time on groups of nodes by their shares in a profile. events: ONNX Runtime's, any order.

    The first third of each node's runs is left out: it warms up.
    """
    runs: dict[str, list[float]] = {}
    kinds: dict[str, str] = {}
    for event in events:
        if event.get("cat") == "Node" and str(event.get("name", "")).endswith("_kernel_time"):
            name = str(event["name"]).removesuffix("_kernel_time")
            runs.setdefault(name, []).append(float(event["dur"]))
            kinds[name] = str(event.get("args", {}).get("op_name", "?"))
    taught = bool(_OWN & {_first_word(name) for name in runs})
    sums: Counter[str] = Counter()
    for name, times in runs.items():
        group = PARTS.get(_first_word(name), "backbone") if taught else kinds[name]
        sums[group] += int(1000 * float(np.median(times[len(times) // 3 :])))
    if not taught and len(sums) > _KINDS_TOLD:
        told = sums.most_common(_KINDS_TOLD - 1)
        sums = Counter(dict(told) | {"others": sum(sums.values()) - sum(each for _, each in told)})
    total = sum(sums.values())
    return {group: inference_ms * value / total for group, value in sums.most_common()} if total else {}


def _first_word(name: str) -> str:
    return name.partition(".")[0].partition("/")[0]
