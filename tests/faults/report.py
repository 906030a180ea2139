"""The fault matrix as it came out: a table for people, JSON for programs, one page for the docs."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from rich.table import Table

ABOUT = """\
Written by `make faults`; do not edit. Each row hurts a running line: every process of the box under its supervisor, a
simulated GenICam camera behind GenTL, a PLC over Modbus TCP, a belt and a gate. After each row the outside judge
compares the logs of world and PLC with the exported ledger, and the ledger's check proves the balance: escapes,
parts with two dispositions or none, and unbalanced sums must be 0 in every row. Detection and recovery are what the PLC
saw: READY fallen, heartbeat missed or link gone, and READY again. `N of a kind` is a run with N injuries, or parts, of
a kind, `full length` one with as many as the row has of itself.""".splitlines()


@dataclass(frozen=True, slots=True)
class Result:
    """One row that was run."""

    number: int
    fault: str
    how: str
    expected: str
    figures: Mapping[str, Any]
    complaints: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    parts: int = 0
    """Parts that came by while it was run."""
    escapes: int = 0
    seconds: float = 0.0
    short: bool = True
    """The short form, as in the tests."""
    times: int = 0
    """Injuries of a kind, where another number was asked for than short form or full length have; 0: it was not."""
    seed: int = 1
    at: str = ""
    """UTC."""
    machine: str = ""

    @property
    def form(self) -> str:
        """How long the run was."""
        if self.times:
            return f"{self.times:,} of a kind"
        return "short form" if self.short else "full length"

    @property
    def holds(self) -> bool:
        """True when there is nothing to complain of."""
        return not self.complaints


@dataclass(frozen=True, slots=True)
class Report:
    """One run of the matrix."""

    rows: list[Result]

    @property
    def holds(self) -> bool:
        """True when every row holds."""
        return all(row.holds for row in self.rows)


def machine() -> str:
    """What ran it."""
    model = platform.processor() or platform.machine()
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = os.getloadavg()[0]
    python = platform.python_version()
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}, Python {python}, load {load:.1f}"


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def figure_words(figures: Mapping[str, Any]) -> list[str]:
    """One line a figure; a spread as `name: p50 1.0, max 2.0 (n 3)`."""
    return [f"{name.replace('_', ' ')}: {_said(value)}" for name, value in figures.items()]


def _said(value: Any) -> str:
    if isinstance(value, Mapping) and "n" in value:
        count = f"(n {value['n']}" + (f", never {value['never']})" if "never" in value else ")")
        return f"p50 {value['p50']}, max {value['max']} {count}" if "p50" in value else f"none {count}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(inner)}" for name, inner in value.items()) or "none"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def table(report: Report) -> Table:
    """For a terminal."""
    made = Table(title="Fault matrix", title_justify="left")
    for name in ("#", "fault", "figures", "escapes", "verdict"):
        made.add_column(name)
    for row in report.rows:
        verdict = "holds" if row.holds else "\n".join(["DOES NOT HOLD", *row.complaints])
        figures = "\n".join(figure_words(row.figures))
        made.add_row(str(row.number), row.fault, figures, str(row.escapes), verdict, end_section=True)
    return made


def as_json(report: Report) -> dict[str, Any]:
    """Fit for `json.dump`."""
    rows = [asdict(row) | {"holds": row.holds} for row in report.rows]
    return asdict(report) | {"rows": rows, "holds": report.holds}


def page(report: Report) -> str:
    """The page of the docs, whole."""
    lines = [
        "# Fault matrix",
        "",
        *ABOUT,
        "",
        "| # | fault | run | parts | escapes | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for row in report.rows:
        verdict = "holds" if row.holds else "**does not hold**"
        lines.append(f"| {row.number} | {row.fault} | {row.form} | {row.parts} | {row.escapes} | {verdict} |")
    for row in report.rows:
        lines += ["", f"## {row.number}. {row.fault}", "", f"How: {row.how}.", "", f"Expected: {row.expected}.", ""]
        lines += [f"Run: {row.form}. {row.at}, seed {row.seed}, {row.seconds:.0f} s. {row.machine}.", ""]
        lines += [f"* {words}" for words in figure_words(row.figures)]
        lines += [f"* **not as expected:** {words}" for words in row.complaints]
        lines += [f"* note: {words}" for words in row.notes]
    return "\n".join(lines) + "\n"


def with_earlier(report: Report, folder: Path) -> Report:
    """The same with the rows of an earlier run that were not run this time."""
    try:
        found = json.loads((folder / "faults.json").read_text(encoding="utf-8"))["rows"]
    except FileNotFoundError:
        return report
    now = {row.number for row in report.rows}
    known = {each.name for each in fields(Result)}
    earlier = [Result(**{key: value for key, value in row.items() if key in known}) for row in found]
    rows = [*report.rows, *(row for row in earlier if row.number not in now)]
    return Report(sorted(rows, key=lambda row: row.number))


def write(report: Report, folder: Path) -> None:
    """Write `faults.json` and `faults.md`; rows of an earlier run that were not run this time stay."""
    report = with_earlier(report, folder)
    text = json.dumps(as_json(report), indent=1, ensure_ascii=False, default=str)
    (folder / "faults.json").write_text(text + "\n", encoding="utf-8")
    (folder / "faults.md").write_text(page(report), encoding="utf-8")
