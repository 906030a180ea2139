"""How much of a code may be lost until it is not read? Codes of foreign writers, blurred, noisy, turned, faint, small.

    .venv/bin/python bench/codes.py [--pictures 200] [--seed 7] [--json bench/codes.json]

DataMatrix by dmtxwrite, QR by qrencode, Code128 by zint, spoiled in one way at a time, and in all (codes_cases.py).
Read by the product as a recipe has it by default, once more with a second of time where nothing was read, and beside it
by one bare call of zxing-cpp on the same region, in turn. Then grounds without a code: what is read there is wrong.
It prints its tables and writes JSON. Milliseconds are CPU time of one thread.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zxingcpp
from rich.console import Console
from rich.table import Table

from okng.bench.codes_cases import KINDS, cases, nothing, seen, serials, writer_version, written
from okng.bench.line import machine
from okng.bus.clock import utc_now
from okng.imaging.code_options import CodeOptions
from okng.imaging.codes import CodeReader
from okng.imaging.picture import Box, Picture

HERE = Path(__file__).parent
TEXTS = 40
"""Codes of each kind; the pictures take them in turn."""
PATIENT_MS = 1000
NO_CODE = "no code"


@dataclass(slots=True)
class Row:
    """One kind in one case."""

    kind: str
    what: str
    level: str
    pictures: int = 0
    read: int = 0
    """The text that was written, by the product with the time a recipe gives by default."""
    patient: int = 0
    """The same with PATIENT_MS."""
    bare: int = 0
    """The same by one bare call of zxing-cpp."""
    wrong: int = 0
    """Another text was returned, with any time."""
    bare_wrong: int = 0
    wrong_texts: list[str] = field(default_factory=list)
    """Written and returned, at most ten."""
    ms: list[float] = field(default_factory=list)
    bare_ms: list[float] = field(default_factory=list)


class Bench:
    """The readers, and how each is asked."""

    def __init__(self) -> None:
        self.options = CodeOptions(kinds=KINDS)
        self._reader = CodeReader(self.options)
        self._patient = CodeReader(CodeOptions(kinds=KINDS, time_ms=PATIENT_MS))
        self._formats = zxingcpp.BarcodeFormats([getattr(zxingcpp.BarcodeFormat, kind) for kind in KINDS])

    def ask(self, row: Row, picture: Picture, box: Box, text: str) -> None:
        """Have one picture read by all, and count; an empty text: there is nothing to be read."""
        x, y, width, height = box
        region = np.ascontiguousarray(picture[y : y + height, x : x + width])

        def bare() -> str:
            return " ".join(sorted({code.text for code in zxingcpp.read_barcodes(region, formats=self._formats)}))

        def short() -> str:
            return self._reader.read(picture, box).text

        if row.pictures % 2:  # who comes second finds the picture in the cache
            second, first = timed(row.ms, short), timed(row.bare_ms, bare)
        else:
            first, second = timed(row.bare_ms, bare), timed(row.ms, short)
        # What was read in a short time is read in a long one: the same tries in the same order.
        third = second or self._patient.read(picture, box).text
        row.pictures += 1
        row.bare += bool(text) and first == text
        row.read += bool(text) and second == text
        row.patient += bool(text) and third == text
        row.bare_wrong += first not in ("", text)
        if third not in ("", text):
            row.wrong += 1
            row.wrong_texts = [*row.wrong_texts, f"{text} {third}"][:10]


def timed(took_ms: list[float], work: Callable[[], str]) -> str:
    """Run it; its CPU time goes to the list."""
    begun_ns = time.thread_time_ns()
    found = work()
    took_ms.append((time.thread_time_ns() - begun_ns) / 1e6)
    return found


def played(bench: Bench, pictures: int, seed: int) -> list[Row]:
    """Every kind in every case, and as many pictures without a code in regions of that kind's size."""
    rows = []
    for number, kind in enumerate(KINDS):
        texts = serials(np.random.default_rng((seed, number)), TEXTS)
        with tempfile.TemporaryDirectory() as folder:
            codes = [written(Path(folder), kind, text) for text in texts]
        for at, case in enumerate(cases()):
            row = Row(kind, case.what, case.level)
            for index in range(pictures):
                rng = np.random.default_rng((seed, number, at, index))
                bench.ask(row, *seen(rng, codes[index % TEXTS], case), texts[index % TEXTS])
            rows.append(row)
        row, side = Row(kind, NO_CODE, ""), seen(np.random.default_rng(seed), codes[0], next(cases()))[1][2]
        for index in range(pictures):
            rng = np.random.default_rng((seed, number, at + 1, index))
            bench.ask(row, *nothing(rng, index, side), "")
        rows.append(row)
    return rows


def percent(count: int, row: Row) -> str:
    """Share of a row's pictures; where there is no code, there is none."""
    return f"{100 * count / row.pictures:.1f}" if row.what != NO_CODE else "-"


def single(rows: list[Row], time_ms: int) -> Table:
    """One line a kind and case."""
    made = Table(title="codes read, % of the pictures", title_justify="left")
    heads = ("kind", "what", "level", f"{time_ms} ms", f"{PATIENT_MS} ms", "bare", "wrong", "bare wrong")
    for head in (*heads, "CPU ms p50", "p99", "bare p50"):
        made.add_column(head, no_wrap=True)
    for row in rows:
        shares = (percent(count, row) for count in (row.read, row.patient, row.bare))
        took = (statistics.median(row.ms), float(np.quantile(row.ms, 0.99)), statistics.median(row.bare_ms))
        wrong = (str(row.wrong), str(row.bare_wrong))
        made.add_row(row.kind, row.what, row.level, *shares, *wrong, *(f"{each:.1f}" for each in took))
    return made


def together(rows: list[Row]) -> dict[str, dict[str, Any]]:
    """Each kind over all its cases: what the further tries bring over one bare call, and cost."""
    summed: dict[str, dict[str, Any]] = {}
    for kind in KINDS:
        mine = [row for row in rows if row.kind == kind and row.what != NO_CODE]
        counts = {name: sum(getattr(row, name) for row in mine) for name in ("pictures", "read", "patient", "bare")}
        summed[kind] = counts | {
            "read_to_bare": counts["read"] / max(counts["bare"], 1),
            "cpu_to_bare": sum(sum(row.ms) for row in mine) / sum(sum(row.bare_ms) for row in mine),
            "wrong": sum(row.wrong for row in rows if row.kind == kind),
            "bare_wrong": sum(row.bare_wrong for row in rows if row.kind == kind),
        }
    return summed


def plain(row: Row) -> dict[str, Any]:
    """A row for the file: figures in place of each picture's milliseconds."""
    found = asdict(row)
    for name in ("ms", "bare_ms"):
        took = found.pop(name)
        found |= {f"{name}_p50": statistics.median(took), f"{name}_p99": float(np.quantile(took, 0.99))}
        found |= {f"{name}_max": max(took)}
    return found


def main(arguments: list[str] | None = None) -> list[Row]:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=200, help="of each kind in each case")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, default=HERE / "codes.json")
    options = parser.parse_args(arguments)
    on, at, console = machine(), utc_now(), Console(width=130)
    cv2.setNumThreads(1)
    bench = Bench()
    rows = played(bench, options.pictures, options.seed)
    summed = together(rows)
    console.print(single(rows, bench.options.time_ms))
    sums = Table(title="all cases of a kind", title_justify="left")
    for head in ("kind", *next(iter(summed.values()))):
        sums.add_column(head.replace("_", " "), no_wrap=True)
    for kind, figures in summed.items():
        shown = (f"{each:.2f}" if isinstance(each, float) else str(each) for each in figures.values())
        sums.add_row(kind, *shown)
    console.print(sums)
    libraries = {"opencv": cv2.__version__, "zxing-cpp": version("zxing-cpp")}
    result = {
        "at": at,
        "machine": on | libraries | {"load_at_end": os.getloadavg()[0]},
        "writers": {kind: writer_version(kind) for kind in KINDS},
        "seed": options.seed,
        "pictures": options.pictures,
        "options": bench.options.model_dump(),
        "patient_ms": PATIENT_MS,
        "kinds": summed,
        "rows": [plain(row) for row in rows],
    }
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return rows


if __name__ == "__main__":
    main()
