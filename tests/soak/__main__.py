"""`make soak`: a million parts through every process of the box, and what grows meanwhile.

    python -m okng.tests.soak [--parts 1000000] [--every 100000] [--rate 40] [--out soak-out] [--json FILE]

The JSON is written at each sample, so that a run that is broken off has its figures too. Exit status 1: something grows
by more than it may, a process died, or the accounts do not agree.
"""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from okng.bus.clock import utc_now

from .line import Soak, SoakOptions
from .verdict import MB, Limits, Verdict, verdict
from .vitals import Sample

NIGHT_S = 3600


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--parts", type=int, default=1_000_000)
    parser.add_argument("--every", type=int, default=100_000, help="parts between two samples")
    parser.add_argument("--rate", type=float, default=40.0, help="parts a second that the belt brings")
    parser.add_argument("--out", type=Path, default=Path("soak-out"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep-model", action="store_true", help="use the model of an earlier soak in the same folder")
    parser.add_argument("--json", type=Path, default=None)
    asked = parser.parse_args()
    options = SoakOptions(asked.parts, asked.every, asked.rate, asked.out, asked.seed, asked.keep_model)
    console = Console()

    def told(sample: Sample) -> None:
        console.print(sample_line(sample), highlight=False)
        write(asked.json, as_json(soak, None))

    soak = Soak(options, told, console)
    soak.go()
    found = verdict(soak.samples, Limits.of(options.parts))
    found.objections += soak.objections
    write(asked.json, as_json(soak, found))
    console.print(growth_table(found))
    console.print(summary(soak), highlight=False)
    for text in found.objections:
        console.print(f"[red]{text}[/red]")
    return 0 if found.holds else 1


def as_json(soak: Soak, found: Verdict | None) -> dict[str, Any]:
    """All figures so far; found: None while the line runs."""
    made: dict[str, Any] = {
        "at": utc_now(),
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0], "kernel": platform.release()},
        "asked": {**asdict(soak.soak), "out": soak.soak.out.name},
        "samples": [asdict(one) for one in soak.samples],
    }
    if found is not None:
        made |= found.as_json()
        made["parts_per_s"] = round(rate(soak), 2)
        made["tally"] = {**asdict(soak.tally), "wrapped": soak.tally.wrapped}
        made["ledger"] = {
            name: getattr(soak.balance, name) for name in ("triggers", "ok", "ng", "unjudged", "late", "missed")
        }
    return made


def rate(soak: Soak) -> float:
    """Parts a second that the line reached."""
    return soak.samples[-1].parts / soak.seconds if soak.samples and soak.seconds else 0.0


def summary(soak: Soak) -> str:
    """How fast it was, and how long a million takes so."""
    reached = rate(soak)
    hours = 1_000_000 / reached / NIGHT_S if reached else 0.0
    unjudged = sum(one.unjudged for one in soak.samples)
    return (
        f"{soak.samples[-1].parts} parts at {reached:.1f} a second ({soak.soak.rate:g} asked for), "
        f"{unjudged} UNJUDGED; a million takes {hours:.1f} h so"
    )


def sample_line(sample: Sample) -> str:
    """One sample for a log."""
    rss = ", ".join(f"{name} {one.rss / MB:.0f}" for name, one in sample.processes.items())
    return (
        f"{sample.parts:>9} parts  {sample.seconds:8.0f} s  p50 {sample.latency_p50_ms:.1f} ms  "
        f"p99 {sample.latency_p99_ms:.1f} ms  WAL {sample.wal / MB:.1f} MB  RSS MB: {rss}"
    )


def growth_table(found: Verdict) -> Table:
    """What grew."""
    table = Table(title="Growth after the first sample, by Theil and Sen", title_justify="left")
    for name in ("of", "figure", "first", "last", "per 100,000 parts", "over the run", "limit"):
        table.add_column(name, justify="left" if name in ("of", "figure") else "right")
    for one in found.growths:
        unit = MB if one.figure in ("rss", "pss", "shared") else 1
        style = "" if one.holds else "red"
        values = (one.first, one.last, one.per_100k, one.over_run, one.limit)
        figure = f"{one.figure}, MB" if unit == MB else one.figure
        table.add_row(one.of, figure, *(f"{value / unit:.2f}" for value in values), style=style)
    return table


def write(file: Path | None, found: dict[str, Any]) -> None:
    """Beside it first: whoever looks finds whole JSON."""
    if file is not None:
        waiting = file.with_name(file.name + ".tmp")
        waiting.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        waiting.rename(file)


if __name__ == "__main__":
    sys.exit(main())
