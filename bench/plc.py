"""From the verdict to the PLC: how long does each wire take, beside a bare pymodbus call on the same kind of wire?

    .venv/bin/python bench/plc.py [--seconds 4] [--json bench/plc.json]

A process of its own with the product's link is given verdicts at random moments (`plc_box.py`); a peer that is not the
product says when it saw each: a master that polls without pause (pyModbusTCP, minimalmodbus, plain TLS), the log of a
libmodbus slave, a reader of lines. Both clocks are CLOCK_MONOTONIC of one machine. "Seen" is from the verdict to the
value at the peer; "confirmed" to the slave's answer back in the box. Serial lines are the paced cable of the tests: it
takes the wire's time, 10 bits a character. Each wire is run by normal scheduling and by SCHED_FIFO (box, peer and
cable). It prints its table, writes JSON, and adds its lines to bench/RESULTS.md.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from okng.appliance.result import Spread, plain
from okng.bench.line import machine
from okng.bench.plc_peers import RATES, Wires
from okng.bus.clock import utc_now

HERE = Path(__file__).parent
PEER_PRIORITY = 30


def scheduled(realtime: bool) -> str:
    """Schedule this process so; what it starts inherits it. Returns why not, or nothing."""
    try:
        if realtime:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PEER_PRIORITY))
        else:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except OSError as error:
        return error.strerror or str(error)
    return ""


def measured(seconds: float, folder: Path, console: Console) -> tuple[list[dict[str, Any]], str]:
    """Run all; return the rows, and why there is no SCHED_FIFO here, or nothing."""
    rows: list[dict[str, Any]] = []
    refused = ""
    for realtime in (False, True):
        refused = scheduled(realtime)
        if refused:
            console.print(f"SCHED_FIFO is not allowed here: {refused}")
            break
        wires = Wires(folder, seconds, realtime)
        plays = [wires.tcp_client, wires.tcp_server, wires.tls_server, wires.ascii_tcp]
        for baud in RATES:
            plays += [wires.rtu_client(baud), wires.rtu_server(baud), wires.ascii_serial(baud)]
        for play in plays:
            for wire, way, took in play():
                spread = Spread.of(took)
                rows.append({"wire": wire, "way": way, "fifo": realtime, "ms": spread})
                console.print(f"{wire}, {way}{', FIFO' if realtime else ''}: p50 {spread.p50:.2f} ms, n {spread.n}")
    scheduled(False)
    for row in rows:
        bare = [r["ms"].p50 for r in rows if r["wire"] == row["wire"] and r["fifo"] == row["fifo"] and _is_bare(r)]
        row["ratio"] = row["ms"].p50 / bare[0] if bare else None
    return rows, refused


def _is_bare(row: dict[str, Any]) -> bool:
    return bool(row["way"] == "pymodbus FC16")


def _cells(row: dict[str, Any]) -> list[str]:
    ms, ratio = row["ms"], row["ratio"]
    figures = [f"{value:.2f}" for value in (ms.p50, ms.p99, ms.p999, ms.max)]
    fifo = "FIFO" if row["fifo"] else "normal"
    return [row["wire"], row["way"], fifo, *figures, str(ms.n), "" if ratio is None else f"{ratio:.2f}"]


NAMES = ("wire", "way", "sched.", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "n", "to FC16")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each wire")
    parser.add_argument("--json", type=Path, default=HERE / "plc.json")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md")
    options = parser.parse_args()
    console = Console(width=110)
    on, at = machine(), utc_now()
    with tempfile.TemporaryDirectory(prefix="okng-bench-", dir="/tmp") as folder:
        rows, refused = measured(options.seconds, Path(folder), console)
    load = os.getloadavg()[0]
    result = {"at": at, "machine": on, "load_at_end": load, "fifo_refused": refused, "rows": rows}
    options.json.write_text(json.dumps(plain(result), indent=2) + "\n", encoding="utf-8")
    table = Table(
        title="from the verdict to the PLC; to FC16: p50 beside pymodbus' FC16 of that wire", title_justify="left"
    )
    for name in NAMES:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    lines = [
        f"\n## Wires to the PLC, {at[:10]}\n",
        f"{on['cores']} cores of {on['cpu']}, load {on['load_at_start']:.1f} at the start and {load:.1f} at the end, "
        f"Python {on['python']}. FIFO: box, peer and cable under SCHED_FIFO"
        f"{f'; not allowed here: {refused}' if refused else ''}.\n",
        "Seen: from the verdict at the box's end to the value at the peer; confirmed: to its answer back in the box. "
        "Masters poll without pause. Serial lines are a pseudo terminal that takes 10 bits a character. Below n = 1000 "
        "p99.9 is the maximum. pymodbus by TLS writes into the box, elsewhere into a libmodbus slave.\n",
        "| " + " | ".join(NAMES) + " |",
        "|" + "---|" * len(NAMES),
        *("| " + " | ".join(_cells(row)) + " |" for row in rows),
        "",
    ]
    with options.results.open("a", encoding="utf-8") as results:
        results.write("\n".join(lines))


if __name__ == "__main__":
    main()
