"""What the doctor says of the runtime and of a bundle."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from okng.models import bundle as bundle_module
from okng.models import detector as detector_module
from okng.models import parity, runtime
from okng.models.doctor import bundle_finding, runtime_findings
from okng.models.runtime_options import RuntimeOptions


def test_the_cpu_is_there() -> None:
    (found,) = runtime_findings("cpu")
    assert found.ok is True
    assert "CPUExecutionProvider" in found.found


def test_a_provider_that_is_missing_says_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "available_providers", lambda: ["cpu"])
    (found,) = runtime_findings("cuda")
    assert found.ok is False
    assert "cpu" in found.found
    assert "okng[gpu]" in found.advice


def test_two_runtimes_in_one_folder_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "installed_wheels", lambda: ["onnxruntime", "onnxruntime-gpu"])
    (found,) = runtime_findings("cpu")
    assert found.ok is False
    assert "both installed" in found.found


def test_a_bundle_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = bundle_finding(tmp_path / "none", RuntimeOptions())
    assert found.ok is False
    assert "okng teach" in found.advice


@pytest.mark.parametrize("passed", [True, False])
def test_golden_pictures_decide(passed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "open_bundle", lambda _: SimpleNamespace(digest="ab" * 32))
    monkeypatch.setattr(detector_module, "Detector", lambda *_, **__: None)
    report = parity.GoldenReport(
        6, 0.0 if passed else 0.5, 1e-3, (), () if passed else ("a.png: score 2: expected 1.5",)
    )
    monkeypatch.setattr(parity, "check_gate", lambda _: report)
    found = bundle_finding(Path("cap"), RuntimeOptions())
    assert found.ok is passed
    assert found.found.startswith("cap, digest abababababab: ")
    assert ("1 of 6 golden pictures score otherwise" in found.found) is not passed


def test_a_model_that_is_too_slow_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "open_bundle", lambda _: SimpleNamespace(digest="ab" * 32))
    monkeypatch.setattr(detector_module, "Detector", lambda *_, **__: None)
    report = parity.GoldenReport(6, 0.0, 1e-3, (), (), parity.Latency(31.0, 40.0, 60, 20.0))
    monkeypatch.setattr(parity, "check_gate", lambda _: report)
    found = bundle_finding(Path("cap"), RuntimeOptions())
    assert found.ok is False
    assert "31.0 ms an inference (budget 20 ms)" in found.found
    assert "Too slow" in found.advice
