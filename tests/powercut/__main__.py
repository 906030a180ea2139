"""`make powercut`: the power goes while records writes, and before each file operation of what changes the box.

    python -m okng.tests.powercut [--cuts 200] [--seed 1] [--json powercut.json]

Root, a loop device and e2fsprogs are needed. Exit status 1: something that was acknowledged is lost, or
anything is half.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from okng.bus.clock import utc_now

from .acts import ACTS
from .disk import CutDisk, NoDisk
from .points import Outcome, stopped_everywhere
from .trial import Result, power_cuts


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, default=None, help="write the figures there")
    parser.add_argument("--folder", type=Path, default=None, help="where the loop file lies (default: a new one)")
    options = parser.parse_args()
    console, begun = Console(), time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="okng-powercut-", dir=options.folder) as folder,
        Progress(console=console, transient=True) as progress,
    ):
        try:
            task = progress.add_task("cuts under load", total=options.cuts)
            result = power_cuts(
                Path(folder), options.cuts, options.seed, lambda now: progress.update(task, completed=now.cuts)
            )
            task = progress.add_task("cuts at each file operation", total=len(ACTS))
            outcomes = []
            disk = CutDisk(Path(folder), 128)
            try:
                for act in ACTS:
                    outcomes.append(stopped_everywhere(act, Path(folder), disk))
                    progress.advance(task)
            finally:
                disk.close()
        except NoDisk as error:
            console.print(f"no power can be cut here: {error}")
            return 2
    found = as_json(result, outcomes, options.seed, time.monotonic() - begun)
    console.print(cut_table(result), act_table(outcomes))
    for text in (*result.lost[:20], *result.corrupt[:20], *result.unbalanced[:20]):
        console.print(text)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if found["holds"] else 1


def as_json(result: Result, outcomes: list[Outcome], seed: int, took_s: float) -> dict[str, Any]:
    """All figures as plain data."""
    ready = sorted(result.ready_s)
    return {
        "at": utc_now(),
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0], "kernel": platform.release()},
        "seed": seed,
        "took_s": round(took_s, 1),
        "holds": result.holds and all(one.holds for one in outcomes),
        "cuts": result.cuts,
        "acknowledged": result.acknowledged,
        "acknowledged_lost": len(result.lost),
        "corrupt": len(result.corrupt),
        "file_systems_unsound": result.unsound_file_systems,
        "pictures_whole": result.pictures,
        "pictures_missing": result.pictures_missing,
        "pictures_wrong": result.pictures_wrong,
        "files_without_a_row_at_most": result.litter,
        "unbalanced": len(result.unbalanced),
        "parts_closed_as_unjudged": result.recovered,
        "ready_s": {
            "n": len(ready),
            "p50": round(ready[len(ready) // 2], 3) if ready else None,
            "max": round(ready[-1], 3) if ready else None,
        },
        "acts": [
            {"act": one.act, "points": one.points, "old": one.old, "new": one.new, "neither": one.neither}
            for one in outcomes
        ],
    }


def cut_table(result: Result) -> Table:
    """The cuts under load."""
    table = Table(title="Power cuts of the records process at random instants under load", title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right")
    ready = sorted(result.ready_s)
    for name, value in (
        ("power cuts", result.cuts),
        ("acknowledged: entries and lines of the trail", result.acknowledged),
        ("acknowledged and lost", len(result.lost)),
        ("damaged: ledger, chain, outbox, note beside it", len(result.corrupt)),
        ("file systems not sound", result.unsound_file_systems),
        ("pictures whole", result.pictures),
        ("pictures missing", result.pictures_missing),
        ("pictures wrong", result.pictures_wrong),
        ("objections of the ledger's own check", len(result.unbalanced)),
        ("parts that were open, closed as UNJUDGED", result.recovered),
        ("files without a row, at most", result.litter),
        ("to READY again, s: p50", f"{ready[len(ready) // 2]:.2f}" if ready else "-"),
        ("to READY again, s: max", f"{ready[-1]:.2f}" if ready else "-"),
    ):
        table.add_row(name, str(value))
    return table


def act_table(outcomes: list[Outcome]) -> Table:
    """The cuts at each file operation."""
    table = Table(title="The power goes before each file operation of", title_justify="left")
    for name in ("what", "points", "old", "new", "neither"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for one in outcomes:
        table.add_row(one.act, str(one.points), str(one.old), str(one.new), str(len(one.neither)))
    return table


if __name__ == "__main__":
    sys.exit(main())
