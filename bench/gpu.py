"""What a GPU gives: the same scores as the CPU, in which time; and a training on it beside one on the CPU.

    .venv/bin/python bench/gpu.py [--rounds 200] [--json bench/gpu.json] [--no-training]

1 a model taught on the CPU must pass its gate on the GPU: golden pictures score as stored, in time
2 300 rendered parts, half of them scratched, judged by both: largest difference of scores, verdicts that differ
3 one inference, cut to findings, by both in turn, one picture and four
4 `okng train` with labels by CPU, by GPU, and by GPU as torchrun starts it (NCCL): seconds an epoch, and the figure it
  comes to. Needs torch; without it this part is named as missing

Without a GPU it ends with 2: there is nothing to compare. Figures are of one run on one machine, CPU and GPU in turn.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from okng.bus.clock import utc_now
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.detector import Detector
from okng.models.parity import check_gate
from okng.models.runtime import available_providers
from okng.simline.parts import TEACH_INDEX, render
from okng.training.machine import machine
from okng.training.options import TeachOptions
from okng.training.teach import teach

HERE = Path(__file__).parent
SIDE, GOODS, PARTS = 256, 60, 300
BATCHES = (1, 4)
TRAIN = ("--task", "segmentation", "--size", "256", "--epochs", "8", "--patience", "8", "--batch", "16", "--seed", "1")


def picture(index: int, *, defect: bool) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """One rendered part, `(256, 256, 3)` uint8 RGB."""
    return render(5, index, "scratch" if defect else None, SIDE, SIDE, True).picture


def goods(folder: Path) -> Path:
    """Write the good parts that the model is taught from."""
    folder.mkdir()
    for at in range(GOODS):
        cv2.imwrite(str(folder / f"{at:03}.png"), picture(TEACH_INDEX + at, defect=False)[:, :, ::-1])
    return folder


def gate(bundle: Path, provider: str) -> dict[str, Any]:
    """How the golden pictures score on a provider, and how long one inference takes."""
    report = check_gate(Detector(open_bundle(bundle), provider, 1))
    return {
        "passed": report.passed,
        "largest_difference": report.largest_difference,
        "tolerance": report.tolerance,
        "flips": len(report.flips),
        "median_ms": report.latency.median_ms if report.latency else None,
    }


def agreement(bundle: Path) -> dict[str, Any]:
    """Scores and verdicts of the CPU and of the GPU over parts of both kinds."""
    opened, box = open_bundle(bundle), Box(0, 0, SIDE, SIDE)
    limit = opened.manifest.threshold.value
    shown = [picture(at, defect=bool(at % 2)) for at in range(PARTS)]
    scores = {}
    for provider in ("cpu", "cuda"):
        detector = Detector(opened, provider, 1)
        scores[provider] = np.array([detector.find(each, box).score for each in shown])
    cpu, cuda = scores["cpu"], scores["cuda"]
    return {
        "parts": PARTS,
        "largest_difference": float(np.abs(cpu - cuda).max()),
        "largest_score": float(cpu.max()),
        "other_verdicts": int(((cpu > limit) != (cuda > limit)).sum()),
        "ng": int((cpu > limit).sum()),
    }


def latency(bundle: Path, rounds: int) -> dict[str, Any]:
    """Milliseconds on the clock of one inference, CPU and GPU in turn."""
    opened, box = open_bundle(bundle), Box(0, 0, SIDE, SIDE)
    shown = [picture(at, defect=bool(at % 2)) for at in range(8)]
    told: dict[str, Any] = {}
    for batch in BATCHES:
        judges = {provider: Detector(opened, provider, 1, batch=batch) for provider in ("cpu", "cuda")}
        took: dict[str, list[float]] = {name: [] for name in judges}
        for at in range(rounds + 10):
            asked = [(shown[(at + k) % len(shown)], box) for k in range(batch)]
            for name, judge in judges.items():
                begun = time.perf_counter_ns()
                judge.find_many(asked)
                if at >= 10:
                    took[name].append((time.perf_counter_ns() - begun) / 1e6)
        told[str(batch)] = {
            name: {f"p{q}": round(float(np.percentile(each, q)), 3) for q in (50, 99)} for name, each in took.items()
        }
        told[str(batch)]["ratio_of_medians"] = round(
            told[str(batch)]["cpu"]["p50"] / told[str(batch)]["cuda"]["p50"], 2
        )
    return told


def labelled(folder: Path) -> Path:
    """Rendered parts in MVTec's layout; masks show where a defective part differs from the same good one."""
    for side, count, first in (("train", 160, 0), ("test", 40, 160)):
        for at in range(first, first + count):
            defect = bool(at % 2)
            shown, plain = picture(at, defect=defect), picture(at, defect=False)
            kind = folder / side / ("scratch" if defect else "good")
            kind.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(kind / f"{at:03}.png"), shown[:, :, ::-1])
            if defect:
                truth = folder / "ground_truth" / "scratch"
                truth.mkdir(parents=True, exist_ok=True)
                differs = (np.abs(shown.astype(int) - plain.astype(int)).max(axis=2) > 12).astype(np.uint8) * 255
                cv2.imwrite(str(truth / f"{at:03}_mask.png"), cv2.dilate(differs, np.ones((3, 3), np.uint8)))
    return folder


def training(folder: Path) -> dict[str, Any]:
    """Train by CPU, by GPU and by GPU under torchrun: seconds, epochs, and the figure on the validation pictures."""
    data = labelled(folder / "labelled")
    told: dict[str, Any] = {}
    plain = [sys.executable, "-m", "okng", "train"]
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=1",
        "-m",
        "okng",
        "train",
    ]
    for name, command, device in (("cpu", plain, "cpu"), ("gpu", plain, "cuda"), ("gpu, torchrun", torchrun, "cuda")):
        out = folder / name.replace(", ", "-")
        begun = time.monotonic()
        done = subprocess.run(
            [*command, str(data), "--out", str(out), *TRAIN, "--device", device, "--amp", "off"],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
        )
        if done.returncode:
            told[name] = {"failed": (done.stderr or done.stdout)[-1500:]}
            continue
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        told[name] = {
            "seconds": round(time.monotonic() - begun, 1),
            "epochs_s": report["seconds"]["epochs"],
            "figures": report["curves"][report["best_epoch"] - 1],
            "test": report["test"],
        }
    return told


def tables(result: dict[str, Any], console: Console) -> None:
    """Print what was found."""
    table = Table("picture(s)", "CPU p50", "CPU p99", "GPU p50", "GPU p99", "CPU / GPU", title="ms an inference")
    for batch, each in result["latency_ms"].items():
        cpu, cuda = each["cpu"], each["cuda"]
        table.add_row(batch, *(f"{v:.2f}" for v in (cpu["p50"], cpu["p99"], cuda["p50"], cuda["p99"])),
                      f"{each['ratio_of_medians']:.1f}")  # fmt: skip
    console.print(table)
    console.print(result["gate"], result["agreement"])
    console.print({name: each.get("seconds", each.get("failed")) for name, each in result["training"].items()})


def main() -> int:
    """Measure, print, write; 2: there is no GPU."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path, default=HERE / "gpu.json")
    parser.add_argument("--no-training", action="store_true")
    options = parser.parse_args()
    console = Console(width=130)
    if "cuda" not in available_providers():
        console.print("no CUDA provider here (pip install 'okng[gpu]' on a machine with a GPU): nothing to compare")
        return 2
    result: dict[str, Any] = {"at": utc_now(), "machine": machine("CUDAExecutionProvider", 1), "training": {}}
    with tempfile.TemporaryDirectory(prefix="okng-gpu-") as place:
        folder = Path(place)
        said = {"name": "gpu", "size_px": SIDE, "step_px": 16, "threads": 1}
        bundle = teach(goods(folder / "goods"), folder / "bundle", TeachOptions.model_validate(said)).bundle
        result["gate"] = {provider: gate(bundle, provider) for provider in ("cpu", "cuda")}
        result["agreement"] = agreement(bundle)
        result["latency_ms"] = latency(bundle, options.rounds)
        if not options.no_training:
            if importlib.util.find_spec("torch") is None:
                console.print("torch is not installed: training is left out")
            else:
                import torch

                result["gpu"] = torch.cuda.get_device_name(0)
                result["training"] = training(folder)
    tables(result, console)
    options.json.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
