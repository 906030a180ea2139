"""A real PaDiM of anomalib, fitted by its engine and exported by its own hand: the bundle says what the export says."""

import os
import warnings
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch", reason="torch is not installed: make test-foreign")
pytest.importorskip("anomalib", reason="anomalib is not installed: make test-foreign")
pytestmark = [
    pytest.mark.train,
    pytest.mark.timeout(300),
    # Of anomalib, lightning and torch, while they fit and export.
    pytest.mark.filterwarnings("ignore"),
]

import onnxruntime

from okng.models import crop
from okng.models.box import Box
from okng.models.bundle import open_bundle
from okng.models.detector import Detector
from okng.models.parity import require_golden
from okng.training.import_options import import_options
from okng.training.imported import import_model

SIDE = 64
WHOLE = Box(0, 0, 128, 128)
Pixels = npt.NDArray[np.uint8]


def part(seed: int, *, scratched: bool = False) -> Pixels:
    picture = np.random.default_rng(seed).integers(90, 110, (128, 128, 3)).astype(np.uint8)
    cv2.circle(picture, (64, 64), 40, (160, 150, 140), -1)
    if scratched:
        cv2.line(picture, (40, 60), (90, 70), (20, 20, 20), 5)
    return picture


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that `Padim.to_onnx` writes after `Engine.fit`, and its weights beside it."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from anomalib.data import Folder
        from anomalib.engine import Engine
        from anomalib.models import Padim

        root = tmp_path_factory.mktemp("padim")
        (root / "good").mkdir()
        for seed in range(12):
            cv2.imwrite(str(root / "good" / f"{seed}.png"), part(seed)[..., ::-1])
        data = Folder(
            name="plates",
            root=root,
            normal_dir="good",
            num_workers=0,
            train_batch_size=4,
            eval_batch_size=4,
            test_split_mode="none",
            val_split_mode="synthetic",
            val_split_ratio=0.5,
        )
        model = Padim(
            backbone="resnet18",
            layers=["layer1", "layer2"],
            pre_trained=False,
            n_features=20,
            evaluator=False,
            pre_processor=Padim.configure_pre_processor(image_size=(SIDE, SIDE)),
        )
        engine = Engine(accelerator="cpu", devices=1, default_root_dir=str(root / "out"), logger=False, max_epochs=1)
        engine.fit(model=model, datamodule=data)
        return Path(model.eval().to_onnx(root, input_size=(SIDE, SIDE)))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(40, 46):
        cv2.imwrite(str(folder / f"{seed}.png"), part(seed, scratched=seed >= 44)[..., ::-1])
    return folder


def test_padim_of_anomalib_scores_as_its_export(export: Path, pictures: Path, tmp_path: Path) -> None:
    assert (export.parent / f"{export.name}.data").exists()  # what makes a plain copy of the file useless
    done = import_model(export, pictures, tmp_path / "bundle", import_options(adapter="anomaly", name="padim"))
    bundle = open_bundle(tmp_path / "bundle", done.digest)
    out = bundle.manifest.output
    assert (out.rows, out.columns, out.clipped) == (SIDE, SIDE, (0.0, 1.0))
    assert (bundle.manifest.input.width, bundle.manifest.threshold.value) == (SIDE, 0.5)
    detector = Detector(bundle, batch=3)
    assert require_golden(detector).passed
    session = onnxruntime.InferenceSession(str(export), providers=["CPUExecutionProvider"])
    asked = [(part(seed, scratched=seed % 2 == 1), WHOLE) for seed in range(60, 66)]
    together = detector.find_many(asked)
    for (picture, _), many in zip(asked, together, strict=True):
        fed = crop.crop_and_resize(picture, WHOLE, (SIDE, SIDE)).transpose(0, 3, 1, 2) / np.float32(255)
        score, heat = session.run(["pred_score", "anomaly_map"], {"input": np.ascontiguousarray(fed, np.float32)})
        found = detector.find(picture, WHOLE)
        assert found.sound
        assert found.score == pytest.approx(float(score[0, 0]), abs=1e-3)
        assert found.heat == pytest.approx(heat[0, 0], abs=1e-3)
        assert many.score == pytest.approx(found.score, abs=1e-3)
    print([round(found.score, 3) for found in together], done)  # noqa: T201


def test_a_map_of_full_size_is_brought_down_to_64_cells(export: Path, pictures: Path, tmp_path: Path) -> None:
    """The export takes one size only: another one is refused by name, not stretched in silence."""
    from okng.bus.errors import BadBundle

    options = import_options(adapter="anomaly", name="padim", size=(128, 128))
    with pytest.raises(BadBundle, match="takes 64x64, not 128x128"):
        import_model(export, pictures, tmp_path / "bundle", options)
