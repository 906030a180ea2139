"""`make soak`: a million parts through every process of the box, and what grows meanwhile.

    python -m okng.tests.soak [--parts 1000000] [--every 50000] [--out soak-out] [--minutes 0] [--json FILE]

A run is a segment: one that was stopped (SIGINT, --minutes) or killed is gone on with by the next run in the same
folder, on the same ledger, with the box's processes begun afresh. Parts of a segment that was killed do not count.
Exit status 1: something grows by more than it may, a process died, or the accounts do not agree. 3: all well so far,
but not all parts are through: run it again.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from okng.bus.errors import OkngError

from .line import Soak
from .options import SoakOptions
from .report import as_json, growth_table, judged, sample_line, summary
from .segments import write_json
from .vitals import Sample

UNFINISHED = 3


def main() -> int:
    """Run, print, write."""
    known = SoakOptions()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--parts", type=int, default=known.parts, help="of the whole soak, all segments together")
    parser.add_argument("--every", type=int, default=known.every, help="parts between two samples")
    parser.add_argument("--rate", type=float, default=known.rate, help="parts a second that the belt brings at most")
    parser.add_argument("--out", type=Path, default=known.out, help="folder of ledger, logs and figures")
    parser.add_argument("--seed", type=int, default=known.seed)
    parser.add_argument("--minutes", type=float, default=known.minutes, help="end this segment after so long; 0: not")
    parser.add_argument("--no-standby", action="store_true", help="without the second judge")
    parser.add_argument("--afresh", action="store_true", help="do not go on with the soak in that folder")
    parser.add_argument("--keep-model", action="store_true", help="use the model of an earlier soak in the same folder")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here, at each sample")
    asked = parser.parse_args()
    options = SoakOptions(
        parts=asked.parts,
        every=asked.every,
        rate=asked.rate,
        out=asked.out,
        seed=asked.seed,
        keep_model=asked.keep_model,
        standby=not asked.no_standby,
        minutes=asked.minutes,
    )
    console = Console()

    def write() -> None:
        if asked.json is not None:
            write_json(asked.json, as_json(soak.course, judged(soak.course)))

    def told(sample: Sample) -> None:
        console.print(sample_line(sample), highlight=False, soft_wrap=True)
        write()

    try:
        soak = Soak(options, told, console, afresh=asked.afresh)
        soak.go()
    except OkngError as error:
        console.print(f"[red]{error}[/red]")
        return 1
    write()
    found = judged(soak.course)
    console.print(growth_table(found))
    console.print(summary(soak.course), highlight=False, soft_wrap=True)
    for text in found.objections:
        console.print(f"[red]{text}[/red]")
    if found.holds:
        return 0
    grown = any(not one.holds for one in found.growths) or any(one.objections for one in soak.course.segments)
    return 1 if grown or soak.course.finished else UNFINISHED


if __name__ == "__main__":
    sys.exit(main())
