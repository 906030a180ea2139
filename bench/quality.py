"""What teaching sees: image AUROC, AUPRO, escape and overkill, three seeds each, on real and on rendered products.

    .venv/bin/python bench/quality.py [--data ../shared/data] [--seeds 3] [--json bench/quality.json]

Each product is taught from its good pictures alone with the default options (size and heads chosen from the goods
themselves), then again with four labelled defects of each class added to that bundle, drawn by the seed; those are left
out of what is measured. Nothing is chosen on a test picture. The rendered washers of the simulated line come at three
levels: the defect as drawn, at half and at a quarter of its contrast.

A test picture that shows a part of the training pictures once more (`okng data check` finds them) makes a figure look
better than it is: the last column is the AUROC without these.

Golden-reference mode has a bench of its own (`golden.py`).
"""

import argparse
import functools
import json
import math
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from okng.models.bundle import open_bundle
from okng.models.figures import auroc
from okng.simline.defects import DEFECTS
from okng.simline.parts import render
from okng.training.data.dataset import GOOD, Sample
from okng.training.data.doubles import find_doubles
from okng.training.data.sources import open_dataset
from okng.training.evaluate import evaluate
from okng.training.machine import machine
from okng.training.options import TeachOptions
from okng.training.taught_report import TeachReport
from okng.training.teach import teach

HERE = Path(__file__).parent
PRODUCTS = ("magnetic_tile", "mvtec_bottle")
LEVELS = {"easy": 1.0, "medium": 0.5, "hard": 0.25}
LABELS_A_CLASS = 4
OVERKILL_PERCENT = 5.0
GOODS, TEST_GOODS, A_CLASS, SIDE = 120, 60, 20, 320


@dataclass(frozen=True, slots=True)
class Row:
    """One product, taught with one seed."""

    product: str
    seed: int
    labelled: int
    auroc: float
    auroc_apart: float
    """Without test pictures of parts that are in train, too."""
    aupro: float
    aupro_low: float
    escape: float
    overkill: float
    chosen: str
    judged_by: str
    seconds: float


def rendered(folder: Path, contrast: float) -> Path:
    """Write washers in MVTec layout, defects at a share of their contrast."""
    for at in range(GOODS):
        _write(folder / "train" / "good" / f"{at:03}.png", render(3, 1_000_000 + at, None, SIDE, SIDE).picture)
    for at in range(TEST_GOODS):
        _write(folder / "test" / "good" / f"{at:03}.png", render(3, 2_000_000 + at, None, SIDE, SIDE).picture)
    for number, defect in enumerate(DEFECTS):
        for at in range(A_CLASS):
            index = 3_000_000 + 1000 * number + at
            plain, spoilt = render(3, index, None, SIDE, SIDE), render(3, index, defect, SIDE, SIDE)
            difference = spoilt.picture.astype(np.float32) - plain.picture
            mixed = np.clip(np.rint(plain.picture + contrast * difference), 0, 255).astype(np.uint8)
            _write(folder / "test" / defect / f"{at:03}.png", mixed)
            _write(folder / "ground_truth" / defect / f"{at:03}_mask.png", spoilt.mask)
    return folder


def _write(path: Path, picture: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture if picture.ndim == 2 else picture[..., ::-1]):
        raise SystemExit(f"{path}: cannot be written")


def measured(product: str, folder: Path, seed: int, work: Path) -> Iterator[Row]:
    """Teach and score, without labels and with."""
    options = TeachOptions(name=product, overkill_percent=OVERKILL_PERCENT, seed=seed)
    test = [one for one in open_dataset(folder).samples if one.split == "test"]
    copies = _copies(folder)
    plain, labelled = work / f"{product}-{seed}", work / f"{product}-{seed}-labels"
    report = teach(folder / "train" / "good", plain, options)
    yield _row(product, seed, 0, plain, test, copies, report)
    chosen = _drawn(test, seed)
    if chosen:
        report = teach([], labelled, options, defects=chosen, base=plain)
        known = {one.name for one in chosen}
        rest = [one for one in test if one.name not in known]
        yield _row(product, seed, len(chosen), labelled, rest, copies, report)


def _drawn(test: Sequence[Sample], seed: int) -> list[Sample]:
    """Four defects of each class, of those that are drawn, by the seed; where nothing is drawn, of all."""
    rng = np.random.default_rng(seed)
    bad = [one for one in test if not one.ok]
    drawn = [one for one in bad if one.drawn] or bad
    found = []
    for label in sorted({one.label for one in drawn}):
        mine = [one for one in drawn if one.label == label]
        found += [mine[at] for at in rng.choice(len(mine), min(LABELS_A_CLASS, len(mine) // 2), replace=False)]
    return found


@functools.lru_cache(maxsize=2)
def _copies(folder: Path) -> frozenset[str]:
    """Names of test pictures that show a part of the training pictures once more."""
    found = set()
    for double in find_doubles(open_dataset(folder)):
        pair = {double.one.split: double.one, double.other.split: double.other}
        if {"train", "test"} <= set(pair):
            found.add(pair["test"].name)
    return frozenset(found)


def _row(
    product: str,
    seed: int,
    labelled: int,
    bundle: Path,
    test: Sequence[Sample],
    copies: frozenset[str],
    report: TeachReport,
) -> Row:
    opened = open_bundle(bundle)
    metrics = evaluate(opened, test)
    kept = [part for part in metrics.scored if part.name not in copies and math.isfinite(part.score)]
    apart = auroc([part.score for part in kept], [part.label != GOOD for part in kept])
    aupro = metrics.pixels.aupro if metrics.pixels is not None else {}
    return Row(
        product,
        seed,
        labelled,
        metrics.auroc,
        apart,
        aupro.get(0.3, math.nan),
        aupro.get(0.05, math.nan),
        metrics.escape.rate,
        metrics.overkill.rate,
        report.chosen.split(":")[0],
        str(opened.manifest.train.get("judged_by", "")),
        report.seconds["total"],
    )


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Mean and spread over the seeds."""
    found = []
    for product, labelled in dict.fromkeys((row.product, row.labelled) for row in rows):
        mine = [row for row in rows if (row.product, row.labelled) == (product, labelled)]
        entry: dict[str, Any] = {"product": product, "labelled_defects": labelled, "seeds": len(mine)}
        for name in ("auroc", "auroc_apart", "aupro", "aupro_low", "escape", "overkill", "seconds"):
            values = [getattr(row, name) for row in mine]
            known = all(math.isfinite(value) for value in values)
            entry[name] = round(statistics.fmean(values), 4) if known else None
            entry[f"{name}_spread"] = round(statistics.stdev(values), 4) if known and len(values) > 1 else None
        entry["chosen"] = sorted({row.chosen for row in mine})
        entry["judged_by"] = sorted({row.judged_by for row in mine})
        found.append(entry)
    return found


def table(found: Sequence[dict[str, Any]]) -> Table:
    """For people."""
    shown = Table("product", "labels", "AUROC", "AUPRO 0.3", "AUPRO 0.05", "escape", "overkill", "s", "by", "apart")
    for entry in found:
        cells = [
            "-" if entry[name] is None else f"{entry[name]:.3f} ± {entry[f'{name}_spread'] or 0.0:.3f}"
            for name in ("auroc", "aupro", "aupro_low", "escape", "overkill")
        ]
        shown.add_row(
            entry["product"],
            str(entry["labelled_defects"]),
            *cells,
            f"{entry['seconds']:.1f}",
            "; ".join(entry["judged_by"]),
            "-" if entry["auroc_apart"] is None else f"{entry['auroc_apart']:.3f}",
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=HERE / "quality.json")
    asked = parser.parse_args()
    console = Console(width=180)
    rows: list[Row] = []
    missing = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        folders = {name: asked.data / name for name in PRODUCTS}
        folders |= {f"washer {level}": rendered(work / level, share) for level, share in LEVELS.items()}
        for product, folder in folders.items():
            if not (folder / "train" / "good").is_dir():
                missing.append(product)
                console.print(f"{product}: {folder} is not there: left out")
                continue
            for seed in range(asked.seeds):
                rows += measured(product, folder, seed, work)
                console.print(f"{product}, seed {seed}: {rows[-1].auroc:.3f}")
    found = summary(rows)
    console.print(table(found))
    told = {
        "machine": machine("CPUExecutionProvider", 1),
        "missing": missing,
        "overkill_asked_percent": OVERKILL_PERCENT,
        "minutes": round((time.monotonic() - started) / 60, 1),
        "products": found,
    }
    asked.json.write_text(json.dumps(told, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
