"""Real models of torchvision, exported by torch: inside a bundle they say what torch says."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make test-train")
torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed: make test-train")
pytestmark = [pytest.mark.train, pytest.mark.timeout(180)]

from okng.models import crop
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.detector import Detector
from okng.models.parity import require_golden
from okng.training.import_options import import_options
from okng.training.imported import import_model

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES: dict[str, int | None] = {"scratch": None, "dent": None, "chip": None}
WHOLE = Box(0, 0, 300, 200)


def pixels(number: int) -> npt.NDArray[np.uint8]:
    picture = np.random.default_rng(number).integers(0, 90, (200, 300, 3)).astype(np.uint8)
    cv2.rectangle(picture, (30 + 20 * number, 60), (90 + 25 * number, 130), (240, 60 * number, 30), -1)
    return picture


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        cv2.imwrite(str(folder / f"{number}.png"), pixels(number)[..., ::-1])
    return folder


def exported(model: Any, example: Any, path: Path, *, dynamo: bool, **more: Any) -> Path:
    """The file torch itself writes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, many and no matter of ours
        torch.onnx.export(model, (example,), str(path), dynamo=dynamo, opset_version=18, **more)
    return path


def fed(number: int, size: tuple[int, int], mean: Any = 0.0, std: Any = 1.0) -> Any:
    """A picture as a torch user would feed it, [1, 3, h, w]."""
    cut = crop.crop_and_resize(pixels(number), WHOLE, size).astype(np.float64)
    return torch.from_numpy(((cut / 255 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32).copy())


@pytest.mark.parametrize("dynamo", [True, False])
def test_a_classifier_of_torchvision(dynamo: bool, tmp_path: Path, pictures: Path) -> None:
    torch.manual_seed(1)
    model = torchvision.models.mobilenet_v3_small(weights=None, num_classes=4).eval()
    path = exported(model, torch.rand(1, 3, 128, 96), tmp_path / "model.onnx", dynamo=dynamo)
    options = import_options(adapter="classification", name="part", classes=CLASSES, mean=MEAN, std=STD)
    done = import_model(path, pictures, tmp_path / "bundle", options)
    detector = Detector(open_bundle(tmp_path / "bundle", done.digest))
    for number in range(4):
        with torch.inference_mode():
            shares = model(fed(number, (128, 96), MEAN, STD)).softmax(1)[0].numpy()
        assert detector.find(pixels(number), WHOLE).score == pytest.approx(shares[1:].max() / 0.5, abs=1e-3)


@pytest.mark.parametrize("make", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"])
def test_a_segmentation_of_torchvision(make: str, tmp_path: Path, pictures: Path) -> None:
    torch.manual_seed(2)
    build: Callable[..., Any] = getattr(torchvision.models.segmentation, make)
    more = {"aux_loss": True} if make.startswith("deeplab") else {}
    model = build(weights=None, weights_backbone=None, num_classes=4, **more).eval()
    names = ["out", "aux"] if more else ["out"]
    path = exported(model, torch.rand(1, 3, 128, 160), tmp_path / "m.onnx", dynamo=False, output_names=names)
    options = import_options(adapter="segmentation", name="part", classes=CLASSES, mean=MEAN, std=STD)
    done = import_model(path, pictures, tmp_path / "bundle", options)
    bundle = open_bundle(tmp_path / "bundle", done.digest)
    assert (bundle.manifest.output.rows, bundle.manifest.output.columns) == (64, 80)
    detector = Detector(bundle)
    for number in range(4):
        with torch.inference_mode():
            shares = model(fed(number, (128, 160), MEAN, STD))["out"].softmax(1)[0, 1:].numpy()
        found = detector.find(pixels(number), WHOLE)
        assert found.score == pytest.approx(shares.max() / 0.5, abs=1e-3)
        blocks = shares.max(axis=0).reshape(64, 2, 80, 2).max(axis=(1, 3))
        assert found.heat == pytest.approx(blocks / 0.5, abs=1e-3)


def awake(model: Any) -> None:
    """Random weights let the signal die away, and every box is as good as any: scale it layer by layer, and decide."""

    def scaled(layer: Any, given: Any) -> None:
        layer.running_mean.copy_(given[0].mean((0, 2, 3)))
        layer.running_var.copy_(given[0].var((0, 2, 3)))

    norms = [layer for layer in model.modules() if hasattr(layer, "running_var")]
    hooks = [layer.register_forward_pre_hook(scaled) for layer in norms]
    with torch.no_grad():
        model([fed(0, (200, 300))[0]])
        model.rpn.head.cls_logits.weight.mul_(50.0)
    for hook in hooks:
        hook.remove()


def test_a_detector_of_torchvision(tmp_path: Path, pictures: Path) -> None:
    torch.manual_seed(3)
    detection = torchvision.models.detection
    model = detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None, num_classes=4).eval()
    awake(model)
    path = exported(model, [torch.rand(3, 200, 300)], tmp_path / "m.onnx", dynamo=False)
    options = import_options(adapter="torchvision_detection", name="part", classes=CLASSES)
    done = import_model(path, pictures, tmp_path / "bundle", options)
    bundle = open_bundle(tmp_path / "bundle", done.digest)
    assert (bundle.manifest.input.width, bundle.manifest.input.height) == (300, 200)
    detector = Detector(bundle)
    assert require_golden(detector).passed
    # Held to the export, not to torch: with random weights torch's own exporter moves what the detector is unsure of.
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    most = 0
    for number in range(4):
        boxes, labels, scores = found_by(
            session.run(names, {session.get_inputs()[0].name: fed(number, (200, 300))[0].numpy()})
        )
        found = detector.find(pixels(number), WHOLE)
        assert found.sound
        assert found.score == pytest.approx(float(scores.max()) / 0.5, abs=2e-3)
        assert sum(spot.ratio > 1.0 for spot in found.spots) == (scores > 0.5).sum()
        box, best = found.spots[0].box, int(scores.argmax())
        assert [box.x, box.y, box.x + box.w, box.y + box.h] == pytest.approx(boxes[best].tolist(), abs=2)
        assert found.spots[0].kind == list(CLASSES)[int(labels[best]) - 1]
        most = max(most, len(scores))
    assert most > 1


def found_by(outputs: list[Any]) -> tuple[Any, Any, Any]:
    """Boxes, labels and scores, whatever the exporter called them."""
    (boxes,) = [each for each in outputs if each.ndim == 2]
    (labels,) = [each for each in outputs if each.dtype == np.int64]
    (scores,) = [each for each in outputs if each.ndim == 1 and each.dtype == np.float32]
    return boxes, labels, scores
