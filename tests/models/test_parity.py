"""The gate: a bundle that scores otherwise or takes longer than promised is not used; a busy box is not its fault."""

import json
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from okng.bus.errors import BadBundle
from okng.models.bundle import Bundle, open_bundle, write_bundle
from okng.models.detector import Detector
from okng.models.parity import check_gate, check_golden, measure_latency, require_gate, require_golden

MakeBundle = Callable[..., Bundle]
MS = 1_000_000


def clock(durations_ms: Iterator[float]) -> Callable[[], int]:
    """A clock by which the runs take these durations, one after the other."""
    now, inside = [0], [False]

    def read() -> int:
        if inside[0]:
            now[0] += int(next(durations_ms) * MS)
        inside[0] = not inside[0]
        return now[0]

    return read


def test_scores_alone_are_as_before(make_bundle: MakeBundle) -> None:
    report = require_golden(Detector(make_bundle(budget_ms=0.001)))
    assert report.latency is None
    assert report.scores == {"10.png": 10.0, "100.png": 100.0, "250.png": 250.0}


def test_a_model_within_its_budget_passes(make_bundle: MakeBundle) -> None:
    report = require_gate(Detector(make_bundle(budget_ms=1000.0)))
    assert report.passed
    assert report.latency is not None
    assert 0 < report.latency.median_ms <= report.latency.worst_ms
    assert "budget 1000 ms" in report.detail


def test_a_model_that_is_too_slow_is_refused(make_bundle: MakeBundle) -> None:
    detector = Detector(make_bundle(budget_ms=20.0))
    report = check_gate(detector, clock(repeat(25.0)))
    assert not report.passed
    assert (report.failures, report.flips) == ((), ())
    assert "too slow: 25.0 ms an inference (budget 20 ms)" in report.detail
    with pytest.raises(BadBundle, match=r"too slow on CPUExecutionProvider: .*budget 1e-06 ms"):
        require_gate(Detector(make_bundle(budget_ms=1e-6)))


def test_a_busy_box_does_not_refuse_a_good_model(make_bundle: MakeBundle) -> None:
    """Other programs take the box for three rounds; one calm round is enough."""
    detector = Detector(make_bundle(budget_ms=20.0))
    latency = measure_latency(detector, clock(chain(repeat(60.0, 21), repeat(15.0))))
    assert latency.fits
    assert (latency.median_ms, latency.worst_ms) == (15.0, 60.0)


def test_one_quick_run_among_slow_ones_does_not_pass_it(make_bundle: MakeBundle) -> None:
    detector = Detector(make_bundle(budget_ms=20.0))
    latency = measure_latency(detector, clock(chain(repeat(10.0, 2), repeat(30.0))))
    assert not latency.fits


def test_without_a_budget_every_time_is_right(make_bundle: MakeBundle) -> None:
    report = check_gate(Detector(make_bundle()), clock(repeat(5000.0)))
    assert report.passed
    assert "no budget" in report.detail


def test_places_above_their_limit_are_counted(tmp_path: Path, tiny: Any) -> None:
    files = tiny.contents(tiny.graph().SerializeToString())
    expected = json.loads(files["golden/expected.json"])
    expected["pictures"]["10.png"]["spots"] = 0
    expected["pictures"]["250.png"]["spots"] = 2
    files["golden/expected.json"] = json.dumps(expected).encode()
    write_bundle(tmp_path / "b", files, tiny.fields())
    report = check_golden(Detector(open_bundle(tmp_path / "b")))
    assert report.failures == ("250.png: 0 places above their limit: expected 2",)


def test_a_golden_picture_that_does_not_decode_is_named(tmp_path: Path, tiny: Any) -> None:
    files = tiny.contents(tiny.graph().SerializeToString()) | {"golden/100.png": b"no picture"}
    write_bundle(tmp_path / "b", files, tiny.fields())
    with pytest.raises(BadBundle, match=r"golden/100\.png: does not decode"):
        check_gate(Detector(open_bundle(tmp_path / "b")))
