"""Teach in a process of its own and say what it took, as one line of JSON: for `bench/models.py`.

    .venv/bin/python bench/models_teach.py GOODS OUT [BASE]

Seconds and CPU are of the whole process, its start included. Its peak is VmHWM: what `getrusage` calls the peak is the
parent's where that was larger.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from okng.training.options import TeachOptions
from okng.training.teach import teach


def peak_mb() -> float:
    """The most memory this process has held so far, MB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("/proc/self/status: has no VmHWM")


def main() -> None:
    """Teach, with every option at its default."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("goods", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("base", type=Path, nargs="?", default=None)
    options = parser.parse_args()
    begun, before = time.monotonic(), time.process_time()
    report = teach(options.goods, options.out, TeachOptions(name="bench"), base=options.base)
    said = {
        "goods": report.goods,
        "added": report.added,
        "seconds": round(time.monotonic() - begun + before, 2),
        "cpu_s": round(time.process_time(), 2),
        "start_cpu_s": round(before, 2),
        "peak_mb": round(peak_mb()),
        "chosen": report.chosen,
        "phases_s": report.seconds,
    }
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
