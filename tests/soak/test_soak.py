"""The soak: what grows is found, and a short one of the whole line grows nothing and balances."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from okng.tests.soak.slopes import growth, slope
from okng.tests.soak.verdict import MB, Limits, verdict
from okng.tests.soak.vitals import Sample, Vital

PARTS = 600


def sample(at: int, **over: float) -> Sample:
    """A box that holds the same after every 100,000 parts, unless said otherwise."""
    vital = Vital(7, 100 * MB, 60 * MB, 20, 4, 1.0)
    processes: Mapping[str, Vital] = {"io": vital, "records": replace(vital, pid=8)}
    return replace(Sample(at * 100_000, at, processes, MB, MB, MB, 0, 4.0, 9.0, 0), **over)  # type: ignore[arg-type]


def with_records(one: Sample, **over: int) -> Sample:
    return replace(one, processes={**one.processes, "records": replace(one.processes["records"], **over)})


def test_one_odd_sample_does_not_move_a_slope_and_steady_growth_is_told_exactly() -> None:
    parts = [1e5, 2e5, 3e5, 4e5, 5e5]
    assert slope(parts, [3, 3, 90, 3, 3]) == 0
    assert slope(parts, [1, 3, 5, 7, 9]) == pytest.approx(2)
    assert growth(parts, [1, 3, 5, 7, 9]) == pytest.approx(8)
    assert slope([1.0], [5.0]) == 0


def test_a_box_that_holds_the_same_is_sound() -> None:
    samples = [sample(at) for at in range(1, 11)]
    samples[0] = with_records(samples[0], rss=40 * MB, fds=9)  # the first is warm-up
    samples[5] = with_records(samples[5], fds=29, rss=130 * MB)
    found = verdict(samples, Limits())
    assert found.holds, found.as_json()


@pytest.mark.parametrize(
    ("figure", "step"), [("rss", MB), ("pss", MB), ("fds", 1), ("threads", 1)], ids=lambda each: str(each)
)
def test_a_process_that_leaks_a_little_with_every_stretch_is_named(figure: str, step: int) -> None:
    samples = [with_records(sample(at), **{figure: 20 + at * step}) for at in range(1, 11)]
    found = verdict(samples, Limits(rss=7 * MB))
    assert [(one.of, one.figure) for one in found.growths if not one.holds] == [("records", figure)]
    assert not found.holds


def test_a_process_that_was_started_again_a_long_log_and_a_slow_line_are_objected_to() -> None:
    samples = [sample(at) for at in range(1, 8)]
    again = [*samples[:4], *(with_records(one, pid=99) for one in samples[4:])]
    assert verdict(again, Limits()).objections == ["records did not live through the run"]
    long = [*samples[:3], replace(samples[3], wal=65 * MB), *samples[4:]]
    assert verdict(long, Limits()).objections == ["WAL of 65.0 MB: expected at most 64"]
    slow = [replace(one, latency_p50_ms=4.0 + 2 * at) for at, one in enumerate(samples)]
    assert [one.figure for one in verdict(slow, Limits()).growths if not one.holds] == ["latency p50 ms"]
    assert not verdict(samples[:3], Limits()).holds


@pytest.mark.line
def test_a_short_soak_of_the_whole_line_grows_nothing_wraps_and_balances(tmp_path: Path) -> None:
    """The part's number goes past 2**32 - 1 in the middle."""
    told = tmp_path / "soak.json"
    command = [sys.executable, "-m", "okng.tests.soak", "--parts", str(PARTS), "--every", "100", "--rate", "40"]
    done = subprocess.run(
        [*command, "--out", tmp_path / "soak", "--json", told], capture_output=True, text=True, timeout=55, check=False
    )
    assert done.stdout, done.stderr[-2000:]
    found = json.loads(told.read_text())
    assert not [one for one in found["growth"] if not one["holds"]]
    assert found["objections"] == []
    assert done.returncode == 0
    assert found["tally"]["wrapped"]
    assert found["tally"]["parts"] == PARTS
    assert found["ledger"]["triggers"] == found["tally"]["triggered"] > 0.9 * PARTS
    assert len(found["samples"]) >= 5
    assert {"io", "camera-top", "inspect", "records", "web", "shift"} <= set(found["samples"][-1]["processes"])
