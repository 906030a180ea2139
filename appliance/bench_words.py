"""Figures of `okng bench` as people read them."""

import dataclasses
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from ..models.stages import Stages

_WORDS = {
    "decode": "decode the file",
    "cut": "cut and resize",
    "inference": "inference",
    "findings": "inference and findings",
    "part": "cut to findings",
}


def stages_json(found: Stages) -> dict[str, Any]:
    """Return the figures as plain values."""
    return {**dataclasses.asdict(found), "parts_a_second": round(found.parts_a_second, 2)}


def stages_table(found: Stages, title: str) -> RenderableType:
    """Return the figures as tables: by stage, and inside the graph."""
    table = Table("stage", "min ms", "p50 ms", "p99 ms", "runs", title=title, title_justify="left")
    for name, spread in found.stages.items():
        words = _WORDS[name] + (f", {found.batch} pictures" if name == "inference" and found.batch > 1 else "")
        figures = (spread.least_ms, spread.p50_ms, spread.p99_ms)
        table.add_row(words, *(f"{value:.2f}" for value in figures), str(spread.runs))
    inside = Table("inside the graph", "ms", "share", title_justify="left")
    total = sum(found.inside.values())
    for name, value in found.inside.items():
        inside.add_row(name, f"{value:.2f}", f"{100 * value / total:.0f} %")
    said = f"{found.parts_a_second:.1f} parts/s on one worker; warm after {found.warm_runs} runs"
    return Group(table, inside, said if found.settled else f"{said}, but the times did not settle: a busy machine?")
