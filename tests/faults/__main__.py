"""The fault matrix on the running simulated line.

python -m okng.tests.faults [--rows 1,2,8] [--short] [--seed N] [--times N] [--out FOLDER] [--docs FOLDER]
"""

import argparse
import json
import logging
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from okng.records.schema import FILE

from .matrix import all_rows, run_row
from .report import Report, figure_words, table, write
from .row import Stand


def main() -> int:
    """Run the rows asked for; return 0 when all hold, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", help="numbers, for example 1,2,8; default: all")
    parser.add_argument("--short", action="store_true", help="a few injuries of a kind, as in the tests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, default=0, help="injuries of a kind, in place of the row's own number")
    parser.add_argument("--out", type=Path, default=Path("faults-out"), help="for the taught box and all logs")
    parser.add_argument("--docs", type=Path, help="write faults.json and faults.md there")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=asked.out / "faults.log", level=logging.INFO)
    console = Console()
    wanted = {int(number) for number in asked.rows.split(",") if number}
    rows = [row for row in all_rows() if not wanted or row.number in wanted]
    if missing := wanted - {row.number for row in rows}:
        parser.error(f"no such row: {', '.join(map(str, sorted(missing)))}")
    results, balanced = [], True
    stand = Stand(asked.out.resolve(), asked.short, asked.seed, asked.times)
    try:
        for row in rows:
            console.print(f"row {row.number}: {row.fault}", highlight=False)
            results.append(done := run_row(row, stand))
            for words in (*figure_words(done.figures), *(f"[red]{each}[/red]" for each in done.complaints)):
                console.print(f"    {words}", highlight=False)
            console.print(f"    {'holds' if done.holds else 'DOES NOT HOLD'} ({done.seconds} s)", highlight=False)
    finally:
        balanced = _last_word(stand, console)
        stand.close()
    report = Report(results)
    console.print(table(report))
    if asked.docs is not None:
        write(report, asked.docs)
    return 0 if report.holds and balanced else 1


def _last_word(stand: Stand, console: Console) -> bool:
    """The command's own word on the ledger of all rows, every picture hashed, with the box stopped."""
    if not stand.evidence:
        return True
    stand.afresh()
    if not (stand.box.space.store / FILE).exists():
        console.print("the last rows had disks of their own, and every line on them was checked there")
        return True
    command = [sys.executable, "-m", "okng", "ledger", "check", "--full", "--json", "--store"]
    done = subprocess.run([*command, str(stand.box.space.store)], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout) if done.stdout.startswith("{") else {"problems": [done.stderr]}
    console.print(f"okng ledger check --full: {'balanced' if done.returncode == 0 else found['problems']}")
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
