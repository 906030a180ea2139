"""The detector gives sound findings, unsound ones that nothing can pass by, or a clear refusal at the start."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from okng.bus.errors import BadBundle, BadPicture, BadSettings
from okng.models import runtime
from okng.models.box import Box
from okng.models.bundle import Bundle
from okng.models.detector import Detector
from okng.models.parity import check_golden, require_golden

MakeBundle = Callable[..., Bundle]
WHOLE = Box(0, 0, 32, 32)


def spot(level: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    picture = np.zeros((32, 32), np.uint8)
    picture[17, 30] = level
    return picture


def test_findings_say_what_where_and_by_what(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    detector = Detector(bundle)
    findings = detector.find(spot(123), WHOLE)
    assert findings.sound
    assert findings.score == 123.0
    assert findings.heat.shape == (4, 4)
    assert findings.heat.dtype == np.float32
    assert int(findings.heat.argmax()) == 2 * 4 + 3
    assert findings.model == bundle.digest
    assert findings.region == WHOLE
    assert findings.took_ns > 0
    assert detector.provider == "CPUExecutionProvider"


def test_a_region_is_cut_and_stretched(make_bundle: MakeBundle) -> None:
    picture = np.zeros((200, 300), np.uint8)
    picture[100:164, 200:264] = 50
    picture[:50] = 255
    findings = Detector(make_bundle()).find(picture, Box(168, 68, 128, 128))
    assert findings.score == 50.0


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"scale": 0.0, "divide_by": 0.0}, "NaN"),
        ({"divide_by": 0.0}, "NaN or infinite"),
        ({"scale": 0.0}, "constant"),
        ({"scale": 1e7}, "out of range"),
    ],
)
def test_output_that_nothing_can_be_judged_by_is_unsound(
    model: dict[str, float], told: str, make_bundle: MakeBundle, tiny: Any
) -> None:
    findings = Detector(make_bundle(tiny.graph(**model))).find(spot(5), WHOLE)
    assert not findings.sound
    assert told in findings.trouble
    assert findings.score == math.inf  # whoever forgets to ask lets nothing pass
    assert not findings.heat.any()


def test_a_run_that_fails_is_unsound(make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector(make_bundle())

    def fail(outputs: object, feeds: object) -> None:
        raise RuntimeError("device lost")

    monkeypatch.setattr(detector._session, "run", fail)
    findings = detector.find(spot(5), WHOLE)
    assert not findings.sound
    assert "device lost" in findings.trouble


@pytest.mark.parametrize(
    ("picture", "region"),
    [
        (np.zeros((32, 32, 3), np.uint8), WHOLE),
        (np.zeros((32, 32, 4), np.uint8), WHOLE),
        (np.zeros((32, 32), np.uint16), WHOLE),
        (np.zeros((32, 32), np.uint8), Box(1, 0, 32, 32)),
    ],
)
def test_a_picture_of_another_kind_is_refused(picture: Any, region: Box, make_bundle: MakeBundle) -> None:
    with pytest.raises(BadPicture, match=r"expected|takes|not inside"):
        Detector(make_bundle()).find(picture, region)


def test_a_missing_provider_names_what_is_there(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    if "cuda" not in runtime.available_providers():
        with pytest.raises(BadSettings, match=r"'cuda'.*offers cpu"):
            Detector(bundle, provider="cuda")
    with pytest.raises(BadSettings, match=r"'npu'.*one of cpu, cuda, tensorrt"):
        Detector(bundle, provider="npu")
    with pytest.raises(BadSettings, match="threads = 0"):
        Detector(bundle, threads=0)


def test_a_provider_that_silently_falls_back_is_refused(
    make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = make_bundle()
    monkeypatch.setattr(runtime, "check_provider", lambda _: "CUDAExecutionProvider")
    real = onnxruntime.InferenceSession

    def fall_back(model: bytes, options: object, providers: object, enable_fallback: int) -> object:
        return real(model, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", fall_back)
    with pytest.raises(BadSettings, match="did not start, CPUExecutionProvider did"):
        Detector(bundle, provider="cuda")


def test_two_wheels_in_one_folder_are_refused(make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = make_bundle()
    monkeypatch.setattr(runtime, "installed_wheels", lambda: ["onnxruntime", "onnxruntime-gpu"])
    with pytest.raises(BadSettings, match="both installed"):
        Detector(bundle)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"side": 64}, r"input 'picture' is uint8 \[1, 64, 64, 1\]: the manifest says uint8 \[1, 32, 32, 1\]"),
        ({"channels": 3}, r"\[1, 32, 32, 3\]"),
        ({"dtype": TensorProto.FLOAT}, "is float32"),
        ({"outputs": ("score", "map")}, "output 'heat' is missing"),
    ],
)
def test_a_graph_unlike_its_manifest_is_refused(
    model: dict[str, Any], told: str, make_bundle: MakeBundle, tiny: Any
) -> None:
    bundle = make_bundle(tiny.graph(**model))
    with pytest.raises(BadBundle, match=told):
        Detector(bundle)


def test_other_arithmetic_of_the_crop_is_refused(make_bundle: MakeBundle, tiny: Any) -> None:
    entry = {**tiny.fields()["input"], "crop": "lanczos"}
    with pytest.raises(BadBundle, match="'lanczos'"):
        Detector(make_bundle(input=entry))


def test_golden_pictures_that_score_as_stored_pass(make_bundle: MakeBundle) -> None:
    report = require_golden(Detector(make_bundle()))
    assert (report.passed, report.pictures, report.flips, report.failures) == (True, 3, (), ())
    assert report.largest_difference <= 1e-3


def test_golden_pictures_that_score_otherwise_are_refused(make_bundle: MakeBundle) -> None:
    detector = Detector(make_bundle(scores={10: 10.0, 100: 100.01}))
    report = check_golden(detector)
    assert not report.passed
    assert report.largest_difference == pytest.approx(0.01, rel=1e-3)
    assert report.failures == ("100.png: score 100: expected 100.01",)
    with pytest.raises(BadBundle, match=r"score otherwise.*100\.png"):
        require_golden(detector)


def test_a_flipped_verdict_is_refused(make_bundle: MakeBundle) -> None:
    # 200 is the limit itself: a score 0.0005 above it is within the tolerance, yet another verdict.
    detector = Detector(make_bundle(scores={200: 200.0005}))
    report = check_golden(detector)
    assert report.failures == ()
    assert report.flips == ("200.png",)
    assert not report.passed


def test_a_golden_picture_of_another_size_is_refused(make_bundle: MakeBundle, tiny: Any) -> None:
    entry = {**tiny.fields()["input"], "width": 64, "height": 64}
    output = {**tiny.fields()["output"], "rows": 8, "columns": 8}
    detector = Detector(make_bundle(tiny.graph(side=64), input=entry, output=output))
    with pytest.raises(BadBundle, match="expected 64x64"):
        check_golden(detector)
