"""Unpacking against harvesters' own expansion of the same bytes, side by side in one run, and what each step costs.

    .venv/bin/python bench/unpack.py [--rounds 60] [--json bench/unpack.json]

The rival is what harvesters runs inside `fetch` on a packed format: `numpy.frombuffer` and `expand` of the format's
class (`Component2DImage._to_np_array`). Both sides take the same 2448x2048 pictures in turn, round after round, and are
compared by their medians; first they are compared by their samples. Unpacking runs in one thread. Developing is
measured twice: with OpenCV's threads, as in the product, and with one. Steps are added to a plain plan one at a time,
so the difference to `plain` is what a step costs. It prints its tables, writes JSON, and adds to bench/RESULTS.md.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from harvesters.util.pfnc import Dictionary
from rich.console import Console
from rich.table import Table

from okng.bench.line import machine
from okng.bus.clock import utc_now
from okng.imaging.correction import reference_png
from okng.imaging.develop import Developer
from okng.imaging.formats import FORMATS
from okng.imaging.lens_file import LensFile
from okng.imaging.plan import DevelopPlan
from okng.imaging.unpack import unpack, unpack8

HERE = Path(__file__).parent
WIDTH, HEIGHT = 2448, 2048
PACKED = ("BayerRG12p", "BayerRG12Packed", "BayerRG10p", "BayerRG10Packed", "Mono12p", "Mono10p")
DEVELOPED = ("Mono8", "Mono12p", "BayerRG8", "BayerRG12p", "YUV422_8")
HEADS = ("format", "harvesters ms", "unpack ms", "times as fast", "eight bits ms", "times as fast")
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """One format, medians over the rounds, one thread."""

    harvesters_ms: float
    unpack_ms: float
    unpack8_ms: float

    @property
    def ratio(self) -> float:
        """Times as fast as harvesters, all bits."""
        return self.harvesters_ms / self.unpack_ms

    @property
    def ratio8(self) -> float:
        """The same for the eight high bits."""
        return self.harvesters_ms / self.unpack8_ms


def in_turn(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median ms of each side; they take turns, so that what slows the machine down slows all of them."""
    took: dict[str, list[float]] = {name: [] for name in sides}
    for at in range(rounds + 3):  # three to warm up
        for name, work in sides.items():
            begun_ns = time.perf_counter_ns()
            work()
            if at >= 3:
                took[name].append((time.perf_counter_ns() - begun_ns) / 1e6)
    return {name: statistics.median(each) for name, each in took.items()}


def random_bytes(name: str) -> bytes:
    """A picture of that format."""
    return np.random.default_rng(1).bytes(FORMATS[name].payload_bytes(WIDTH, HEIGHT))


def against_harvesters(name: str, rounds: int) -> Unpacked:
    """Unpack one format by both."""
    fmt, raw = FORMATS[name], random_bytes(name)
    proxy = Dictionary.get_proxy(symbolic=name)
    size = fmt.payload_bytes(WIDTH, HEIGHT)

    def rival() -> Any:
        return proxy.expand(np.frombuffer(raw, count=size, dtype="uint8", offset=0))

    samples = rival().reshape(HEIGHT, WIDTH)
    if not np.array_equal(unpack(raw, WIDTH, HEIGHT, fmt), samples):
        raise SystemExit(f"{name}: harvesters reads other samples")
    if not np.array_equal(unpack8(raw, WIDTH, HEIGHT, fmt), samples >> (fmt.depth_bits - 8)):
        raise SystemExit(f"{name}: the eight high bits are others")
    sides: dict[str, Callable[[], object]] = {
        "harvesters": rival,
        "unpack": lambda: unpack(raw, WIDTH, HEIGHT, fmt),
        "unpack8": lambda: unpack8(raw, WIDTH, HEIGHT, fmt),
    }
    took = in_turn(sides, rounds)
    return Unpacked(took["harvesters"], took["unpack"], took["unpack8"])


def plans(name: str) -> dict[str, DevelopPlan]:
    """The plain plan, with one step each, and all."""
    depth = FORMATS[name].depth_bits
    top = (1 << depth) - 1
    dark = reference_png([np.full((HEIGHT, WIDTH), top // 50, np.uint16)], depth)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    fall = 0.9 - 0.3 * (((rows - HEIGHT / 2) / HEIGHT) ** 2 + ((columns - WIDTH / 2) / WIDTH) ** 2)
    flat = reference_png([(fall * top).astype(np.uint16)], depth)
    lens = LensFile(
        width=WIDTH,
        height=HEIGHT,
        camera_matrix=((3000.0, 0.0, WIDTH / 2), (0.0, 3000.0, HEIGHT / 2), (0.0, 0.0, 1.0)),
        distortion=(-0.1, 0.02, 0.0, 0.0, 0.0),
        plane=((1.0, 0.02, 0.0), (0.01, 1.03, 0.0), (0.0, 1e-5, 1.0)),
        mm_per_px=0.05,
        reprojection_px=0.2,
        pictures=10,
    ).model_dump_json()
    levels, balance, crop = (top // 20, top * 9 // 10), (1.6, 1.0, 1.9), (700, 500, 1024, 1024)
    steps = {
        "plain": DevelopPlan(),
        "dark": DevelopPlan(dark=dark),
        "dark and flat": DevelopPlan(dark=dark, flat=flat),
        "white balance": DevelopPlan(white_balance=balance),
        "levels": DevelopPlan(levels=levels),
        "undistort": DevelopPlan(lens=lens, undistort=True),
        "undistort and rectify": DevelopPlan(lens=lens, undistort=True, rectify=True),
        "crop 1024x1024": DevelopPlan(crop=crop),
        "all, whole": DevelopPlan(dark, flat, lens, True, True, balance, levels),
        "all, crop 1024x1024": DevelopPlan(dark, flat, lens, True, True, balance, levels, crop),
    }
    if FORMATS[name].colour not in ("grey", "bayer"):
        steps = {step: plan for step, plan in steps.items() if not plan.dark}
    if FORMATS[name].colour == "grey":
        del steps["white balance"]
    return steps


def developing(name: str, rounds: int) -> dict[str, float]:
    """Median ms of each plan."""
    raw = random_bytes(name)
    sides: dict[str, Callable[[], object]] = {}
    for step, plan in plans(name).items():
        developer = Developer(plan)
        developer.prepare(WIDTH, HEIGHT, name)
        sides[step] = lambda developer=developer: developer.develop(raw, WIDTH, HEIGHT, name)  # type: ignore[misc]
    return in_turn(sides, rounds)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", type=Path, default=HERE / "unpack.json")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md")
    options = parser.parse_args()
    on, at, console = machine(), utc_now(), Console(width=130)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    unpacked = {name: against_harvesters(name, options.rounds) for name in PACKED}
    alone = {name: developing(name, max(options.rounds // 4, 3)) for name in DEVELOPED}
    cv2.setNumThreads(threads)
    together = {name: developing(name, max(options.rounds // 4, 3)) for name in DEVELOPED}
    load = os.getloadavg()[0]
    figures = [
        [
            name,
            f"{s.harvesters_ms:.2f}",
            f"{s.unpack_ms:.2f}",
            f"{s.ratio:.1f}",
            f"{s.unpack8_ms:.2f}",
            f"{s.ratio8:.1f}",
        ]
        for name, s in unpacked.items()
    ]
    steps = list(dict.fromkeys(step for each in alone.values() for step in each))
    costs = [
        [step, *(f"{alone[n][step]:.1f} / {together[n][step]:.1f}" if step in alone[n] else "" for n in DEVELOPED)]
        for step in steps
    ]
    show(console, f"unpacking {WIDTH}x{HEIGHT}, one thread", HEADS, figures)
    show(console, f"developing {WIDTH}x{HEIGHT}, ms: 1 thread / {threads} threads", ("plan", *DEVELOPED), costs)
    result = {
        "at": at,
        "machine": on | {"opencv": cv2.__version__, "numpy": np.__version__, "load_at_end": load},
        "width_px": WIDTH,
        "height_px": HEIGHT,
        "rounds": options.rounds,
        "unpacking": {
            name: {
                "harvesters_ms": s.harvesters_ms,
                "unpack_ms": s.unpack_ms,
                "times_as_fast": s.ratio,
                "unpack8_ms": s.unpack8_ms,
                "times_as_fast_8": s.ratio8,
            }
            for name, s in unpacked.items()
        },
        "developing_ms": {"1": alone, str(threads): together},
    }
    options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    lines = [
        f"\n## Raw pixels to the picture, {at[:10]}\n",
        f"{on['cores']} cores of {on['cpu']}, load {on['load_at_start']:.1f} at the start and {load:.1f} at the end, "
        f"Python {on['python']}, numpy {np.__version__}, OpenCV {cv2.__version__}. {WIDTH}x{HEIGHT}, medians of "
        f"{options.rounds} rounds in turn (developing: {max(options.rounds // 4, 3)}).\n",
        "Unpacking, one thread, the same bytes; harvesters: `expand` of the format's class, as `fetch` runs it.\n",
        *markdown(HEADS, figures),
        f"\nDeveloping, ms with 1 thread / with {threads} of OpenCV's: the plain plan, and one step more.\n",
        *markdown(("plan", *DEVELOPED), costs),
        "",
    ]
    with options.results.open("a", encoding="utf-8") as results:
        results.write("\n".join(lines))


def show(console: Console, title: str, heads: tuple[str, ...], rows: list[list[str]]) -> None:
    """Print one table."""
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def markdown(heads: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    """The same for the file of results."""
    return [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


if __name__ == "__main__":
    main()
