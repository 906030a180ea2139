"""What a demonstration came to: the product's ledger, the outside judge and the labels, joined by part number.

Labels never reach the product: they lie in the simulated line's log and meet the ledger here, after the run.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..models.figures import auroc, clopper_pearson

STAGES: dict[str, tuple[str, str]] = {
    "trigger_to_frame": ("triggered_ns", "ready_ns"),
    "frame_to_verdict": ("ready_ns", "done_ns"),
    "verdict_to_register": ("done_ns", "published_ns"),
    "trigger_to_register": ("triggered_ns", "published_ns"),
}
"""Stages of the way of one part, by the moments in the ledger's export."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its exact (Clopper-Pearson) 95 % interval."""

    rate: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, k: int, n: int) -> "Rate":
        """K events in n trials; the rate of none in none is NaN."""
        low, high = clopper_pearson(k, n)
        return cls(k / n if n else math.nan, low, high, n)


@dataclass(frozen=True, slots=True)
class Spread:
    """How long a stage took, milliseconds."""

    p50: float
    p99: float
    p999: float
    max: float
    n: int

    @classmethod
    def of(cls, ms: Sequence[float]) -> "Spread":
        """Nearest-rank percentiles; NaN where nothing was measured."""
        if not ms:
            return cls(math.nan, math.nan, math.nan, math.nan, 0)
        ranked = sorted(ms)
        p50, p99, p999 = (ranked[math.ceil(share * len(ranked)) - 1] for share in (0.5, 0.99, 0.999))
        return cls(p50, p99, p999, ranked[-1], len(ranked))


def stages(lines: Iterable[dict[str, Any]]) -> dict[str, Spread]:
    """Spread of every stage over the ledger's lines that have both moments."""
    took: dict[str, list[float]] = {name: [] for name in STAGES}
    for line in lines:
        for name, (begin, end) in STAGES.items():
            if line.get(begin) is not None and line.get(end) is not None:
                took[name].append((line[end] - line[begin]) / 1e6)
    return {name: Spread.of(ms) for name, ms in took.items()}


@dataclass(frozen=True, slots=True)
class Quality:
    """How the verdicts stand against the labels. Parts without a picture judged (UNJUDGED) count as rejected."""

    escape: Rate
    """Defective parts that were passed, of all defective parts triggered."""
    overkill: Rate
    """Good parts that the model called NG, of all good parts judged."""
    good_rejected: Rate
    """Good parts rejected for whatever reason (NG, late, lost), of all good parts triggered."""
    auroc: float
    """Of the scores of all judged parts."""
    by_label: dict[str, dict[str, int]]
    """Label to outcome to count."""


def quality(lines: Iterable[dict[str, Any]], labels: dict[int, str]) -> Quality:
    """Compare the ledger's lines with the true labels by part number. `good` is the only good label."""
    by_label: dict[str, dict[str, int]] = {}
    scores: list[float] = []
    bad: list[bool] = []
    escaped = defective = good = good_ng = good_judged = good_out = 0
    for line in lines:
        label = labels.get(line["part"])
        if label is None:
            continue
        row = by_label.setdefault(label, {"OK": 0, "NG": 0, "UNJUDGED": 0})
        row[line["outcome"]] += 1
        passed = line["action"] == "PASS"
        judged = line["outcome"] in ("OK", "NG")
        if label == "good":
            good += 1
            good_out += not passed
            good_judged += judged
            good_ng += line["outcome"] == "NG"
        else:
            defective += 1
            escaped += passed
        if judged and line["score"] is not None:
            scores.append(line["score"])
            bad.append(label != "good")
    return Quality(
        escape=Rate.of(escaped, defective),
        overkill=Rate.of(good_ng, good_judged),
        good_rejected=Rate.of(good_out, good),
        auroc=auroc(scores, bad),
        by_label=dict(sorted(by_label.items(), key=lambda item: (item[0] != "good", item[0]))),
    )


def read_lines(file: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of a file."""
    with file.open(encoding="utf-8") as handle:
        return [json.loads(line) for line in handle if line.strip()]


def plain(value: Any) -> Any:
    """The same value fit for JSON: dataclasses become mappings, NaN becomes null."""
    if hasattr(value, "__dataclass_fields__"):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
