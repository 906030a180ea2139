"""A camera's frames through okng against bare harvesters, side by side in one run, on the simulated producer.

    .venv/bin/python bench/camera.py [--seconds 8] [--rounds 3] [--json bench/camera.json]

Bare: one process, `fetch`, one copy of the pixels into a buffer of its own, `queue`. okng: the camera process with its
ring, its bus and its checks, and a reader in another process that touches every picture in the ring. Both take the same
frames of the same producer in turn, round after round: at the highest rate at which a side lost no frame (the simulated
sensor draws in the process of its consumer, so a rate beyond its power starves either), at 60 a second, and at 60 a
second with a model scoring every picture. CPU is that of the process that holds the camera, with the simulated sensor.
It prints its table, writes JSON, and adds its lines to bench/RESULTS.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from okng.appliance.result import Spread
from okng.bus.channel import Subscriber, camera_address
from okng.bus.clock import now_ns
from okng.bus.errors import OkngError
from okng.bus.messages import CameraState, FrameReady
from okng.bus.ring import RingShelf
from okng.simline.build import build

HERE = Path(__file__).parent
CASES = {"1920x1200 Mono8": (1920, 1200, "Mono8"), "2448x2048 BayerRG8": (2448, 2048, "BayerRG8")}
LOADS = {"60 Hz": False, "60 Hz, model": True}
"""Whether the reader scores each picture."""
CLIMB_FROM_HZ = {"1920x1200 Mono8": 420.0, "2448x2048 BayerRG8": 190.0}
"""Rate to begin with; a machine that loses frames there begins lower."""
CLIMB_BY = 1.06
EXPOSURE_US = 100.0
WARM_UP_S = 1.5


@dataclass(frozen=True, slots=True)
class Seen:
    """What one side did in one round."""

    frames_per_s: float
    cpu_ms: float
    """CPU of the camera's process a frame."""
    reader_cpu_ms: float
    """CPU of the reader a frame; 0 for the bare side, which has none."""
    p50_ms: float
    """End of exposure to the pixels in the hands of who asked for them."""
    p99_ms: float
    dropped: int
    """Frame numbers skipped, and pictures gone from the ring before they were read."""
    frames: int


def bare(case: str, rate_hz: float, seconds: float) -> Seen:
    """The bare side, in this process."""
    from harvesters.core import Harvester

    width, height, pixel_format = CASES[case]
    harvester = Harvester()
    harvester.add_file(str(build()))
    harvester.update()
    camera = harvester.create(0)
    nodes = camera.remote_device.node_map
    nodes.PixelFormat.value, nodes.Width.value, nodes.Height.value = pixel_format, width, height
    nodes.TriggerMode.value, nodes.SimClockOffset.value = "Off", 0  # so that its stamps are the host's
    nodes.ExposureTime.value, nodes.AcquisitionFrameRate.value = EXPOSURE_US, rate_hz
    camera.num_buffers = 8
    into = np.empty(width * height, np.uint8)
    camera.start()
    process, took, numbers = psutil.Process(), [], []
    begun, cpu_s = time.monotonic() + WARM_UP_S, 0.0
    started = False
    while time.monotonic() < begun + seconds:
        buffer = camera.fetch(timeout=2.0)
        into[:] = buffer.payload.components[0].data
        at_ns = now_ns()
        if started:
            took.append((at_ns - buffer.timestamp_ns) / 1e6 - EXPOSURE_US / 1000)
            numbers.append(int(buffer.frame_id))
        buffer.queue()
        if not started and time.monotonic() >= begun:
            started, cpu_s = True, sum(process.cpu_times()[:2])
    cpu_s = sum(process.cpu_times()[:2]) - cpu_s
    camera.stop()
    camera.destroy()
    harvester.reset()
    dropped = numbers[-1] - numbers[0] + 1 - len(numbers)
    spread = Spread.of(took)
    return Seen(
        len(took) / seconds,
        cpu_s * 1000 / len(took),
        0.0,
        spread.p50,
        spread.p99,
        dropped,
        len(took),
    )


def hold(run_dir: Path, case: str, rate_hz: float) -> int:
    """Be the camera process of okng. Returns its exit code."""
    from okng.camera.options import CameraOptions
    from okng.camera.process import run
    from okng.camera.profiles import Profile, Setup

    width, height, pixel_format = CASES[case]
    fields: dict[str, Any] = {"pixel_format": pixel_format, "width": width, "height": height}
    profile = Profile(**fields, trigger="off", exposure_us=EXPOSURE_US, frame_rate_hz=rate_hz)
    return run("top", CameraOptions(producer=build()), Setup(0, "", profile), run_dir)


def read(run_dir: Path, case: str, seconds: float, model: Path | None) -> Seen:
    """The reader of okng's side, in this process; model: a bundle that scores every picture."""
    from okng.camera.frame import read_picture
    from okng.models.box import Box
    from okng.models.bundle import open_bundle
    from okng.models.detector import Detector

    width, height, _ = CASES[case]
    detector = None if model is None else Detector(open_bundle(model), "cpu", 1)
    whole = Box(0, 0, width, height)
    shelf, took, gone, numbers = RingShelf(run_dir), [], 0, []
    frames = Subscriber([camera_address(run_dir, "top")], (FrameReady, CameraState))
    holder = 0
    process = psutil.Process()
    begun, cpu_s, holder_s, started = time.monotonic() + WARM_UP_S + 2.0, 0.0, 0.0, False
    while time.monotonic() < begun + seconds:
        ready = frames.receive(100)
        if not isinstance(ready, FrameReady):
            continue
        holder = holder or int(ready.ring.split("-")[-1].split(".")[0])  # ring-NAME-PID.N
        good = True
        if detector is not None:
            picture = read_picture(shelf, ready)
            good = picture is not None
            if picture is not None:
                detector.find(picture, whole)
        else:
            reader = shelf.reader(ready.camera, ready.ring)
            view = None if reader is None else reader.view(ready.slot, ready.sequence, ready.size_bytes)
            good = view is not None
            if reader is not None and view is not None:
                int(np.frombuffer(view, np.uint8)[::4096].sum())
                good = reader.still(ready.slot, ready.sequence)
        if started:
            gone += not good
            took.append((now_ns() - ready.exposed_at_ns) / 1e6 - EXPOSURE_US / 1000)
            numbers.append(ready.number)
        elif time.monotonic() >= begun:
            started, cpu_s = True, sum(process.cpu_times()[:2])
            holder_s = sum(psutil.Process(holder).cpu_times()[:2])
    cpu_s = sum(process.cpu_times()[:2]) - cpu_s
    holder_s = sum(psutil.Process(holder).cpu_times()[:2]) - holder_s
    if not took:
        raise SystemExit("the camera process gave no frame")
    dropped = numbers[-1] - numbers[0] + 1 - len(numbers) + gone
    count, spread = len(took), Spread.of(took)
    return Seen(
        count / seconds,
        holder_s * 1000 / count,
        cpu_s * 1000 / count,
        spread.p50,
        spread.p99,
        dropped,
        count,
    )


def child(*arguments: str) -> Seen:
    """Run this script as one side and return what it says."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=False, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
    return Seen(**json.loads(done.stdout.splitlines()[-1]))


def through_okng(case: str, rate_hz: float, seconds: float, model: Path | None) -> Seen:
    """One round of okng: its camera process and a reader, each a process."""
    with tempfile.TemporaryDirectory(prefix="okng-", dir="/dev/shm") as folder:
        said = [case, str(rate_hz), str(seconds)]
        holder = subprocess.Popen(
            [sys.executable, __file__, "--role", "hold", "--case", *said, "--run-dir", folder],
            stderr=subprocess.DEVNULL,
        )
        try:
            more = [] if model is None else ["--model", str(model)]
            return child("--role", "read", "--case", *said, "--run-dir", folder, *more)
        finally:
            holder.terminate()
            holder.wait(10)


def taught(folder: Path, *, colour: bool) -> Path:
    """A bundle of 256 px that takes grey or colour pictures; what it is taught matters to no figure here."""
    import cv2

    from okng.training.options import TeachOptions
    from okng.training.teach import teach

    goods = folder / f"goods-{colour}"
    goods.mkdir()
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[0:600, 0:960]
    for number in range(24):
        picture = np.clip((rows // 8 + columns // 8) % 200 + rng.normal(20, 3, rows.shape), 0, 255).astype(np.uint8)
        if not cv2.imwrite(
            str(goods / f"{number}.png"), cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR) if colour else picture
        ):
            raise OkngError(f"{goods}: cannot be written")
    return teach(goods, folder / f"model-{colour}", TeachOptions(name="bench", size_px=256, threads=1)).bundle


def twice(side: Callable[[float], Seen], rate_hz: float) -> Iterator[Seen]:
    """Run a side, and once more if that is asked for: a machine that others use, too, loses a frame now and then."""
    yield side(rate_hz)
    yield side(rate_hz)


def whole(seen: Seen, rate_hz: float) -> bool:
    """Nothing was lost, and the frames came at the rate that was asked for."""
    return not seen.dropped and seen.frames_per_s >= 0.98 * rate_hz


def highest(case: str, options: argparse.Namespace, console: Console) -> dict[str, dict[str, float]]:
    """The highest rate at which each side loses no frame; the sides climb in turn, each once more after a loss."""
    best: dict[str, Seen] = {}
    sides = {
        "bare": lambda hz: child("--role", "bare", "--case", case, str(hz), str(options.seconds)),
        "okng": lambda hz: through_okng(case, hz, options.seconds, None),
    }
    start_hz = CLIMB_FROM_HZ[case]
    while len(best) < len(sides) and start_hz > 10:
        best.clear()
        climbing, rate_hz = set(sides), start_hz
        while climbing:
            for name in sorted(climbing):
                seen = next((each for each in twice(sides[name], rate_hz) if whole(each, rate_hz)), None)
                if seen is None:
                    climbing.discard(name)
                else:
                    best[name] = seen
            console.print(f"{case}: {rate_hz:.0f} Hz without loss: {', '.join(sorted(climbing)) or 'none'}")
            rate_hz *= CLIMB_BY
        start_hz /= 1.5
    missing = sorted(set(sides) - set(best))
    if missing:
        raise SystemExit(f"{case}: {missing[0]} loses frames at any rate: the machine is too busy to measure on")
    return {name: middle([best[name]]) for name in sides}


def middle(rounds: list[Seen]) -> dict[str, float]:
    """Median of each figure over the rounds; what was dropped and seen is summed."""
    made = {
        name: statistics.median(getattr(each, name) for each in rounds)
        for name in ("frames_per_s", "cpu_ms", "reader_cpu_ms", "p50_ms", "p99_ms")
    }
    return made | {"dropped": sum(each.dropped for each in rounds), "frames": sum(each.frames for each in rounds)}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=HERE / "camera.json")
    parser.add_argument("--role", choices=("bare", "hold", "read"), default=None, help=argparse.SUPPRESS)
    parser.add_argument("--case", nargs=3, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--run-dir", type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        sys.exit(side(options))
    from okng.bench.line import machine  # it brings the whole demonstration, which the sides do without

    machine_ = machine()
    build()
    os.environ.pop("OKNG_SIM", None)  # no world: the built-in picture
    console = Console(width=130)
    found: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="okng-bench-") as folder:
        for case, (_, _, pixel_format) in CASES.items():
            model = taught(Path(folder), colour=pixel_format != "Mono8")
            found[f"{case}, no loss"] = highest(case, options, console)
            for name, scored in LOADS.items():
                rounds: dict[str, list[Seen]] = {"bare": [], "okng": []}
                for _ in range(options.rounds):
                    console.print(f"{case}, {name}")
                    rounds["bare"].append(child("--role", "bare", "--case", case, "60", str(options.seconds)))
                    rounds["okng"].append(through_okng(case, 60.0, options.seconds, model if scored else None))
                bare_, okng_ = middle(rounds["bare"]), middle(rounds["okng"])
                found[f"{case}, {name}"] = {"bare": bare_, "okng": okng_}
    for both in found.values():
        both["okng"]["ratio"] = both["okng"]["frames_per_s"] / both["bare"]["frames_per_s"]
    result = {"machine": machine_, "seconds": options.seconds, "rounds": options.rounds, "cases": found}
    options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    table, lines = Table(title="frames from the camera to who asked for them", title_justify="left"), []
    heads = ("case", "side", "frames/s", "ratio", "CPU ms/frame", "reader", "p50 ms", "p99 ms", "dropped", "frames")
    for head in heads:
        table.add_column(head)
    lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for case, both in found.items():
        for row in rows(case, both):
            table.add_row(*row)
            lines.append(f"| {' | '.join(row)} |")
    console.print(table)
    on = machine_
    head = f"\n## Camera against bare harvesters, {time.strftime('%Y-%m-%d', time.gmtime())}\n\n"
    head += f"{on['cores']} cores of {on['cpu']}, load {on['load_at_start']:.1f} at the start. Median of "
    head += f"{options.rounds} rounds of {options.seconds:.0f} s, in turn. "
    head += "60 Hz, model: every picture is scored at 256 px by the reader.\n\n"
    with (HERE / "RESULTS.md").open("a", encoding="utf-8") as results:
        results.write(head + "\n".join(lines) + "\n")


def rows(case: str, both: dict[str, dict[str, float]]) -> list[list[str]]:
    """The two lines of one case."""
    made = []
    for name, seen in both.items():
        numbers = (f"{seen[key]:.2f}" for key in ("cpu_ms", "reader_cpu_ms", "p50_ms", "p99_ms"))
        counts = (f"{seen[key]:.0f}" for key in ("dropped", "frames"))
        made.append([case, name, f"{seen['frames_per_s']:.1f}", f"{seen.get('ratio', 1.0):.2f}", *numbers, *counts])
    return made


def side(options: argparse.Namespace) -> int:
    """Be one side of a round; a measuring one says what it saw as one line of JSON."""
    case, rate_hz, seconds = options.case[0], float(options.case[1]), float(options.case[2])
    if options.role == "hold":
        return hold(options.run_dir, case, rate_hz)
    seen = (
        bare(case, rate_hz, seconds) if options.role == "bare" else read(options.run_dir, case, seconds, options.model)
    )
    sys.stdout.write(json.dumps({name: getattr(seen, name) for name in Seen.__slots__}) + "\n")
    return 0


if __name__ == "__main__":
    main()
