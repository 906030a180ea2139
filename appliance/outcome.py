"""The table a demonstration ends with, and the same as JSON (documented in docs/demo.md)."""

import math
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table

from .result import Quality, Spread, plain, quality, read_lines, stages
from .workspace import Workspace

ZEROS = ("passed_without_ok", "ok_but_hit", "no_disposition", "two_dispositions")
"""What the outside judge must not find at all."""
NAMES = {
    "trigger_to_frame": "trigger to frame",
    "frame_to_verdict": "frame to verdict",
    "verdict_to_register": "verdict to register image",
    "trigger_to_register": "trigger to register image",
    "plc_trigger_to_ok": "PLC: trigger written to OK read",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of the line came to."""

    parts: int
    """Triggers in the ledger."""
    ok: int
    ng: int
    unjudged: int
    balance: dict[str, Any]
    quality: Quality
    judge: dict[str, Any]
    """What the outside judge said, whole."""
    latency: dict[str, Spread]
    parts_per_s: float
    teach_s: float
    at: str
    """UTC of the end."""

    @classmethod
    def of(
        cls, space: Workspace, judged: dict[str, Any], balance: dict[str, Any], teach_s: float, at: str
    ) -> "Outcome":
        """Put together what the ledger, the judge and the labels say."""
        lines = read_lines(space.ledger_lines)
        labels = true_labels(space.line_log)
        latency = stages(lines)
        latency["plc_trigger_to_ok"] = _spread(judged["trigger_to_ok_ms"])
        moments = [line["triggered_ns"] for line in lines]
        span_s = (max(moments) - min(moments)) / 1e9 if len(moments) > 1 else 0.0
        return cls(
            parts=balance["triggers"],
            ok=balance["ok"],
            ng=balance["ng"],
            unjudged=balance["unjudged"],
            balance=balance,
            quality=quality(lines, labels),
            judge=judged,
            latency=latency,
            parts_per_s=(len(moments) - 1) / span_s if span_s else 0.0,
            teach_s=teach_s,
            at=at,
        )

    @property
    def holds(self) -> bool:
        """True when the ledger balances and the judge found none of what must not be."""
        return bool(self.balance["balanced"]) and bool(self.judge["clean"])

    def as_json(self) -> dict[str, Any]:
        """Fit for `json.dump`; NaN is null."""
        return dict(
            plain(
                {
                    "parts": self.parts,
                    "ok": self.ok,
                    "ng": self.ng,
                    "unjudged": self.unjudged,
                    "challenge": self.balance["challenge"],
                    "bypass": self.balance["bypass"],
                    "balanced": self.balance["balanced"],
                    "auroc": self.quality.auroc,
                    "escape": self.quality.escape,
                    "overkill": self.quality.overkill,
                    "good_rejected": self.quality.good_rejected,
                    "by_label": self.quality.by_label,
                    "gate": {name: self.judge[name] for name in ZEROS},
                    "latency_ms": self.latency,
                    "parts_per_s": self.parts_per_s,
                    "teach_s": self.teach_s,
                    "ledger": self.balance,
                    "judge": self.judge,
                    "at": self.at,
                    "machine": {
                        "cores": os.cpu_count(),
                        "load": os.getloadavg()[0],
                        "python": platform.python_version(),
                    },
                }
            )
        )


def _spread(seen: dict[str, float]) -> Spread:
    """What the judge measured; it gives only a count of none where it saw none."""
    p50, p99, p999, most = (float(seen.get(name, math.nan)) for name in ("p50", "p99", "p999", "max"))
    return Spread(p50, p99, p999, most, int(seen["n"]))


def true_labels(line_log: Path) -> dict[int, str]:
    """Return part number to label: the world knows the label, the PLC the number, both the encoder count at the eye."""
    looks = {row["eye"]: str(row["label"]) for row in read_lines(line_log / "world.jsonl") if row["kind"] == "part"}
    numbers = {row["eye"]: int(row["part"]) for row in read_lines(line_log / "plc.jsonl") if row["kind"] == "part"}
    return {number: looks[eye] for eye, number in numbers.items() if eye in looks}


def outcome_table(outcome: Outcome) -> Group:
    """Return the tables for a terminal."""
    return Group(_verdicts(outcome), _figures(outcome), _latency(outcome))


def _verdicts(outcome: Outcome) -> Table:
    table = Table(title="Verdicts against the labels (the product never saw a label)", title_justify="left")
    for name in ("label", "parts", "OK", "NG", "UNJUDGED"):
        table.add_column(name, justify="left" if name == "label" else "right")
    for label, row in outcome.quality.by_label.items():
        table.add_row(label, str(sum(row.values())), *(str(row[name]) for name in ("OK", "NG", "UNJUDGED")))
    table.add_section()
    table.add_row("all", *(str(n) for n in (outcome.parts, outcome.ok, outcome.ng, outcome.unjudged)))
    return table


def _figures(outcome: Outcome) -> Table:
    table = Table(show_header=False, title="What it came to", title_justify="left")
    found, judge = outcome.quality, outcome.judge
    for name, rate in (
        ("escape: defective parts passed", found.escape),
        ("overkill: good parts called NG", found.overkill),
        ("good parts rejected for any reason", found.good_rejected),
    ):
        share = f"{100 * rate.rate:.2f} %" if rate.n else "none seen"
        table.add_row(name, f"{share}  (95 %: {100 * rate.low:.2f} .. {100 * rate.high:.2f} %, n = {rate.n})")
    table.add_row("image AUROC", f"{found.auroc:.4f}")
    table.add_section()
    table.add_row("ledger", "balanced" if outcome.balance["balanced"] else "NOT balanced")
    for name in ZEROS:
        table.add_row(f"gate, by the outside judge: {name.replace('_', ' ')}", str(judge[name]))
    table.add_row("other objections of the judge", ", ".join(_objections(judge)) or "none")
    table.add_section()
    table.add_row("parts a second", f"{outcome.parts_per_s:.1f}")
    table.add_row("teaching", f"{outcome.teach_s:.1f} s")
    return table


def _objections(judge: dict[str, Any]) -> list[str]:
    """What else it objects to, with its count."""
    return [
        f"{name.replace('_', ' ')} {judge[name]}" for name in judge["offenders"] if judge[name] and name not in ZEROS
    ]


def _latency(outcome: Outcome) -> Table:
    table = Table(title="Latency, ms", title_justify="left")
    table.add_column("stage")
    for name in ("p50", "p99", "p99.9", "max", "n"):
        table.add_column(name, justify="right")
    for key, name in NAMES.items():
        spread = outcome.latency[key]
        row = (f"{value:.1f}" for value in (spread.p50, spread.p99, spread.p999, spread.max))
        table.add_row(name, *row, str(spread.n))
    return table
