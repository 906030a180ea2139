"""Figures of a demonstration: percentiles, intervals, and the comparison with the labels."""

import math
from typing import Any

import pytest

from okng.appliance.result import Rate, Spread, plain, quality, stages


def line(part: int, outcome: str, score: float | None = 1.0, action: str | None = None) -> dict[str, object]:
    passed = "PASS" if outcome == "OK" else "REJECT"
    return {"part": part, "outcome": outcome, "action": action or passed, "score": score}


def test_escape_and_overkill_with_exact_intervals() -> None:
    labels = {1: "good", 2: "good", 3: "good", 4: "crack", 5: "crack", 6: "pit"}
    lines = [line(1, "OK", 1.0), line(2, "NG", 5.0), line(3, "UNJUDGED"), line(4, "OK", 2.0), line(5, "NG", 9.0)]
    found = quality([*lines, line(6, "UNJUDGED"), line(99, "OK")], labels)
    assert found.escape.rate == pytest.approx(1 / 3)
    assert found.escape.n == 3
    assert (found.overkill.rate, found.overkill.n) == (0.5, 2)
    assert found.good_rejected.rate == pytest.approx(2 / 3)
    assert found.good_rejected.n == 3
    assert found.auroc == pytest.approx(0.75)
    assert found.by_label["crack"] == {"OK": 1, "NG": 1, "UNJUDGED": 0}
    assert list(found.by_label) == ["good", "crack", "pit"]


def test_no_misses_in_299_bounds_the_rate_by_the_known_figure() -> None:
    assert Rate.of(0, 299).high == pytest.approx(0.01226, abs=1e-5)  # two-sided 95 %
    assert Rate.of(0, 299).low == 0.0
    assert math.isnan(Rate.of(0, 0).rate)


def test_percentiles_are_measured_values() -> None:
    spread = Spread.of([float(n) for n in range(1, 1001)])
    assert (spread.p50, spread.p99, spread.p999, spread.max, spread.n) == (500.0, 990.0, 999.0, 1000.0, 1000)
    assert math.isnan(Spread.of([]).p50)


def test_a_stage_counts_only_parts_that_have_both_moments() -> None:
    lines: list[dict[str, Any]] = [
        {"triggered_ns": 0, "ready_ns": 2_000_000, "done_ns": 5_000_000, "published_ns": 6_000_000},
        {"triggered_ns": 0, "ready_ns": None, "done_ns": None, "published_ns": 9_000_000},
    ]
    found = stages(lines)
    assert (found["trigger_to_frame"].n, found["trigger_to_frame"].p50) == (1, 2.0)
    assert (found["trigger_to_register"].n, found["trigger_to_register"].max) == (2, 9.0)


def test_nan_becomes_null() -> None:
    assert plain({"a": Rate.of(0, 0)}) == {"a": {"rate": None, "low": 0.0, "high": 1.0, "n": 0}}
