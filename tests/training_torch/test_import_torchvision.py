"""Real models of torchvision, exported by torch: inside a bundle they say what torch says."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
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


def test_a_detector_of_torchvision(tmp_path: Path, pictures: Path) -> None:
    """Random weights are unsure of everything; the last layer is made sure of some class, so that boxes come out."""
    torch.manual_seed(3)
    detection = torchvision.models.detection
    model = detection.fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None, num_classes=4).eval()
    with torch.no_grad():
        model.roi_heads.box_predictor.cls_score.weight.mul_(20.0)
    path = exported(model, [torch.rand(3, 200, 300)], tmp_path / "m.onnx", dynamo=False)
    options = import_options(adapter="torchvision_detection", name="part", classes=CLASSES)
    done = import_model(path, pictures, tmp_path / "bundle", options)
    bundle = open_bundle(tmp_path / "bundle", done.digest)
    assert (bundle.manifest.input.width, bundle.manifest.input.height) == (300, 200)
    detector = Detector(bundle)
    assert require_golden(detector).passed
    boxes = 0
    for number in range(4):
        with torch.inference_mode():
            (said,) = model([fed(number, (200, 300))[0]])
        found = detector.find(pixels(number), WHOLE)
        assert found.sound
        assert found.score == pytest.approx(float(said["scores"].max()) / 0.5 if len(said["scores"]) else 0.0, abs=2e-3)
        boxes += len(said["scores"])
        if found.spots:
            box = found.spots[0].box
            mine = np.array([box.x, box.y, box.x + box.w, box.y + box.h])
            # Random weights give ties: the best of ours is one of torch's that are as good.
            good = said["scores"].numpy() >= float(said["scores"].max()) - 2e-3
            assert np.abs(said["boxes"].numpy()[good] - mine).max(axis=1).min() <= 2
    assert boxes > 0
