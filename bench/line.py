"""The line against the bare model, side by side in one run: what do trigger, camera, judge, PLC and ledger cost?

    .venv/bin/python bench/line.py [--parts FOLDER] [--seconds 20] [--json bench/line.json]

1 the bare loop: `InferenceSession.run` on the same graph, pictures and threads, nothing else running
2 the whole line, offered more parts than it can judge: what is judged in time is its sustained rate
3 the bare loop again, so that a machine that became slower or faster meanwhile shows
4 the whole line at 50 % and 90 % of its sustained rate: latency per stage

It prints its table, writes JSON, and adds its lines to bench/RESULTS.md.
"""

import argparse
import json
import math
import os
import platform
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table

from okng.appliance.demo import Demonstration, DemoOptions
from okng.appliance.outcome import NAMES, Outcome
from okng.appliance.result import Spread, plain
from okng.bus.clock import utc_now
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.crop import crop_and_resize

HERE = Path(__file__).parent
WARM_UP = 20


def bare(model: Path, goods: Path, seconds: float) -> tuple[float, Spread]:
    """Run the bare loop: its inferences a second, and the milliseconds of one."""
    bundle = open_bundle(model)
    size = (bundle.manifest.input.height, bundle.manifest.input.width)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        (model / "model.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    crops = []
    for file in sorted(goods.glob("*.png"))[:64]:
        decoded = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if decoded is None:
            raise SystemExit(f"{file}: does not decode")
        picture = np.ascontiguousarray(decoded[:, :, ::-1] if decoded.ndim == 3 else decoded, np.uint8)
        height, width = picture.shape[:2]
        crops.append(np.ascontiguousarray(crop_and_resize(picture, Box(0, 0, width, height), size)))
    for crop in crops[:WARM_UP]:
        session.run(None, {name: crop})
    took: list[float] = []
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        session.run(None, {name: crops[len(took) % len(crops)]})
        took.append((time.perf_counter() - start) * 1000)
    return len(took) / (time.perf_counter() - begun), Spread.of(took)


def line(
    options: argparse.Namespace, console: Console, rate: float, name: str, *, teach: bool = False
) -> tuple[float, Outcome]:
    """Run the whole line at that offered rate; return the parts judged in time a second, and the outcome."""
    console.print(f"line offered {rate:.1f} parts/s ({name})")
    demonstration = Demonstration(
        DemoOptions(
            parts=options.parts,
            headless=True,
            count=max(50, math.ceil(rate * options.seconds)),
            rate=rate,
            port=0,
            size=options.size,
            out=options.out,
            keep_model=not teach,
            bench=True,
        ),
        Console(quiet=True),
    )
    demonstration.play()
    outcome = demonstration.outcome
    if outcome is None or not outcome.parts:
        raise SystemExit(f"the line did not run; see {options.out}/okng.log")
    judged = outcome.parts_per_s * (outcome.ok + outcome.ng) / outcome.parts
    return judged, outcome


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--parts", type=Path, default=None, help="folder in MVTec layout; default: rendered parts")
    parser.add_argument("--seconds", type=float, default=20.0)
    # Smaller, and one core infers faster than a belt of 3 m/s brings parts: the belt would be measured, not the line.
    parser.add_argument("--size", type=int, default=512, help="model input, px")
    parser.add_argument("--json", type=Path, default=HERE / "line.json")
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    options = parser.parse_args()
    console = Console()
    _, _ = line(options, console, 5.0, "teaching, warming up", teach=True)
    first, first_ms = bare(options.out / "model", options.out / "goods", options.seconds)
    sustained, full = line(options, console, 1.15 * first, "more than it can")
    second, second_ms = bare(options.out / "model", options.out / "goods", options.seconds)
    bare_rate = (first + second) / 2
    loads: dict[str, Outcome] = {}
    for share in (0.5, 0.9):
        _, loads[f"{100 * share:.0f} %"] = line(options, console, share * sustained, f"{100 * share:.0f} % load")
    result = {
        "at": utc_now(),
        "machine": machine(),
        "bare": {"per_s": [first, second], "ms": [first_ms, second_ms]},
        "line": {
            "sustained_per_s": sustained,
            "ratio_to_bare": sustained / bare_rate,
            "offered_per_s": full.parts_per_s,
            "latency_ms": full.latency,
            "holds": full.holds,
        },
        "loads": {
            name: {
                "parts_per_s": found.parts_per_s,
                "parts": found.parts,
                "judged": found.ok + found.ng,
                "holds": found.holds,
                "latency_ms": found.latency,
            }
            for name, found in loads.items()
        },
    }
    options.json.write_text(json.dumps(plain(result), indent=2) + "\n", encoding="utf-8")
    console.print(table(loads))
    text = markdown(result, bare_rate, max(first_ms.p99, second_ms.p99), loads)
    console.print(text)
    with (HERE / "RESULTS.md").open("a", encoding="utf-8") as results:
        results.write(text)


def machine() -> dict[str, Any]:
    """What it ran on, without names of hosts."""
    model = "unknown"
    for text in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if text.startswith("model name"):
            model = text.partition(":")[2].strip()
            break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load_at_start": os.getloadavg()[0],
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
    }


def table(loads: dict[str, Outcome]) -> Table:
    """Latency per stage at each load."""
    made = Table(title="latency, ms", title_justify="left")
    for name in ("load", "stage", "p50", "p99", "p99.9", "max", "n"):
        made.add_column(name)
    for load, outcome in loads.items():
        for key, name in NAMES.items():
            s = outcome.latency[key]
            made.add_row(load, name, *(f"{v:.1f}" for v in (s.p50, s.p99, s.p999, s.max)), str(s.n))
    return made


def markdown(result: dict[str, Any], bare_rate: float, bare_p99: float, loads: dict[str, Outcome]) -> str:
    """Return the lines for RESULTS.md."""
    found, on = result["line"], result["machine"]
    lines = [
        f"\n## Line against bare model, {result['at'][:10]}\n",
        f"{on['cores']} cores of {on['cpu']}, load {on['load_at_start']:.1f} at the start, "
        f"onnxruntime {on['onnxruntime']}, Python {on['python']}.\n",
        "| | parts/s | ratio |",
        "|---|---|---|",
        f"| bare `InferenceSession.run`, 1 thread (mean of before and after) | {bare_rate:.1f} | 1 |",
        f"| whole line, offered {found['offered_per_s']:.1f}/s | {found['sustained_per_s']:.1f} "
        f"| {found['ratio_to_bare']:.2f} |\n",
        "| load | stage | p50 ms | p99 ms | p99.9 ms | max ms | n |",
        "|---|---|---|---|---|---|---|",
    ]
    for load, outcome in loads.items():
        for key, name in NAMES.items():
            s = outcome.latency[key]
            lines.append(f"| {load} | {name} | {s.p50:.1f} | {s.p99:.1f} | {s.p999:.1f} | {s.max:.1f} | {s.n} |")
    lines.append(f"\nBare inference p99: {bare_p99:.1f} ms.\n")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
