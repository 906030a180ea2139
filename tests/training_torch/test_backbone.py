"""Our backbone says in torch what its ONNX file says on the line; any of torchvision serves too."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make test-train")
pytestmark = [pytest.mark.train, pytest.mark.timeout(300)]

import torchvision

from okng.bus.errors import BadSettings
from okng.models.runtime import Session
from okng.training.backbone_export import BACKBONE
from okng.training.supervised.backbone import make_backbone
from okng.training.supervised.options import TrainOptions


def options(**fields: object) -> TrainOptions:
    return TrainOptions.model_validate({"task": "segmentation", **fields})


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (2, 3, 128, 160)])
def test_lite0_gives_what_its_onnx_file_gives(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    session = Session(BACKBONE.read_bytes(), "cpu", 1, batch=shape[0])
    theirs = session.run(["tap2", "tap4", "tap10"], {"pixels": (pixels - 127.0) / 128.0})
    with torch.inference_mode():
        mine = make_backbone(options()).eval()(torch.from_numpy(pixels))
    assert max(float(np.abs(a.numpy() - b).max()) for a, b in zip(mine, theirs, strict=True)) < 1e-4


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "regnet_y_400mf"])
def test_a_torchvision_backbone_gives_a_map_of_each_size(name: str) -> None:
    backbone = make_backbone(options(backbone=name)).eval()
    with torch.inference_mode():
        maps = backbone(torch.zeros(1, 3, 96, 96))
    assert backbone.reductions == (4, 8, 16, 32)
    assert [tuple(one.shape[1:]) for one in maps] == [
        (wide, 96 // by, 96 // by) for wide, by in zip(backbone.channels, backbone.reductions, strict=True)
    ]


def test_weights_come_from_a_file_and_freeze_the_statistics(tmp_path: Path) -> None:
    model = torchvision.models.resnet18()
    torch.nn.init.constant_(model.conv1.weight, 0.25)
    torch.save(model.state_dict(), tmp_path / "own.pt")
    backbone = make_backbone(options(backbone="resnet18", weights=str(tmp_path / "own.pt")))
    assert float(backbone.body.conv1.weight.detach().mean()) == pytest.approx(0.25)
    assert not backbone.train().body.bn1.training
    assert make_backbone(options(backbone="resnet18")).train().body.bn1.training


def test_what_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet34().state_dict(), tmp_path / "other.pt")
    torch.save({"x": object()}, tmp_path / "pickle.pt")
    (tmp_path / "noise.pt").write_bytes(b"no weights")
    for fields, said in (
        ({"backbone": "resnet18", "weights": str(tmp_path / "other.pt")}, "its tensors are not those of resnet18"),
        ({"backbone": "resnet18", "weights": str(tmp_path / "noise.pt")}, "no state dictionary"),
        ({"backbone": "resnet18", "weights": str(tmp_path / "pickle.pt")}, "no state dictionary"),
        ({"backbone": "resnet18", "weights": str(tmp_path / "missing.pt")}, "no state dictionary"),
        ({"backbone": "resnet9000"}, "expected lite0 or a classification model"),
        ({"backbone": "swin_t"}, "no maps at 1/8 and 1/16"),
    ):
        with pytest.raises(BadSettings, match=said):
            make_backbone(options(**fields))
