"""Calibrated confidences tell goods from defects at one half, spread out, and rank pictures as before."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make test-train")
pytestmark = [pytest.mark.train, pytest.mark.timeout(300)]

import numpy as np

from okng.models.figures import auroc
from okng.training.data.dataset import Dataset
from okng.training.supervised.calibrate import calibrate
from okng.training.supervised.fit import fit
from okng.training.supervised.material import Material, material_of
from okng.training.supervised.net import Net
from okng.training.supervised.options import Task, options_of
from okng.training.supervised.ranks import Ranks
from okng.training.supervised.release import confidences

EPOCHS = {"segmentation": 8, "detection": 8, "classification": 5}


@pytest.fixture(scope="module", params=["segmentation", "detection", "classification"])
def learnt(
    request: pytest.FixtureRequest, plates: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Net, Material]:
    task: Task = request.param
    options = options_of(task=task, size_px=96, channels=1, threads=1, epochs=EPOCHS[task], rate=4e-3)
    work = tmp_path_factory.mktemp(task)
    material = material_of(plates, options, work, lambda share: None)
    fitted = fit(material.learnt, material.validation, 2, options, Ranks(0, 1, "cpu"), work, {})
    return fitted.net, material


@pytest.mark.timeout(400)
def test_a_net_that_is_sure_of_everything_becomes_modest(learnt: tuple[Net, Material]) -> None:
    net, material = learnt
    last = net.head.kind if net.task == "detection" else net.head.head
    with torch.no_grad():  # sure of everything: goods as well
        last.weight *= 10.0
        last.bias *= 10.0
        last.bias[0 if net.task == "detection" else 1 :] += 25.0
    labels = material.validation.labels
    before = confidences(net, material.validation.pictures, 2)
    assert (before > 0.98).mean() > 0.3
    temperature, _ = calibrate(net, material.validation, 2)
    assert temperature > 2.0
    after = confidences(net, material.validation.pictures, 2)
    for kind in range(2):
        goods, mine = after[labels == 0, kind], after[labels == kind + 1, kind]
        assert np.median(goods) < 0.5 < np.median(mine)
        assert goods.max() < 0.98
    test = material.test
    assert test is not None
    scores = confidences(net, test.pictures, 2).max(axis=1)
    assert auroc(scores.tolist(), (test.labels > 0).tolist()) > 0.9
