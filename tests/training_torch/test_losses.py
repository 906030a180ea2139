"""Each loss falls where the output is right, is a mean over pictures, and gives even the smallest box a cell."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make test-train")
pytestmark = [pytest.mark.train, pytest.mark.timeout(300)]

from okng.training.supervised.losses import Targets, loss_of, match
from okng.training.supervised.net import DETECTED_AT, Net, cell_centres
from okng.training.supervised.options import Task, TrainOptions

SIDE = 64


def targets(*boxes: tuple[float, float, float, float]) -> Targets:
    """Two pictures: one good, one with those boxes of class 0, its left quarter masked as class 1."""
    masks = torch.zeros(2, SIDE, SIDE, dtype=torch.int64)
    masks[1, :, : SIDE // 4] = 1
    found, kinds = torch.zeros(2, max(1, len(boxes)), 4), torch.full((2, max(1, len(boxes))), -1)
    for at, box in enumerate(boxes):
        found[1, at], kinds[1, at] = torch.tensor(box), 0
    return Targets(torch.tensor([0, 1]), masks, found, kinds)


@pytest.mark.parametrize("side", [1.0, 3.0, 10.0, 60.0, 64.0])
@pytest.mark.parametrize("at", [4.0, 17.3, 40.0])
def test_every_box_has_a_cell_near_its_middle(side: float, at: float) -> None:
    (_, matched) = match(targets((at, at, min(SIDE, at + side), min(SIDE, at + side))), SIDE)
    assert (matched == 0).any()
    centres = torch.cat([cell_centres(SIDE // by, SIDE // by, by) for by in DETECTED_AT], 1).T[matched == 0]
    assert float((centres - (at + min(SIDE, at + side)) / 2).abs().max()) <= 24.0


def test_of_two_boxes_the_smaller_has_the_cell_and_a_good_picture_has_none() -> None:
    good, bad = match(targets((8.0, 8.0, 56.0, 56.0), (28.0, 28.0, 36.0, 36.0)), SIDE)
    assert (good == -1).all()
    middle = cell_centres(8, 8, 8).T
    assert {int(place) for place in bad[:64][((middle - 32).abs() < 6).all(1)]} == {1}


def test_right_outputs_lose_less_than_wrong_ones() -> None:
    known = targets((24.0, 24.0, 40.0, 40.0))
    right = torch.full((2, 3, SIDE // 4, SIDE // 4), -6.0)
    right[:, 0] = 6.0
    right[1, 0, :, : SIDE // 16], right[1, 1, :, : SIDE // 16] = -6.0, 6.0
    wrong = right.flip(3)
    assert float(loss_of("segmentation", right, known, SIDE)) < 0.3 < float(loss_of("segmentation", wrong, known, SIDE))
    cells = sum((SIDE // by) ** 2 for by in DETECTED_AT)
    found = torch.zeros(2, 6, cells)
    found[:, :2], found[:, 2:4], found[:, 4:] = 32.0, 16.0, -8.0
    found[1, 4, match(known, SIDE)[1] == 0] = 8.0
    moved = found.clone()
    moved[:, :2] += 12.0
    assert float(loss_of("detection", found, known, SIDE)) < 0.05
    assert float(loss_of("detection", moved, known, SIDE)) > 0.3


@pytest.mark.parametrize("task", ["segmentation", "detection", "classification"])
def test_the_loss_of_a_step_is_the_mean_over_its_pictures(task: Task) -> None:
    net = Net(TrainOptions(task=task, size_px=SIDE, channels=3), 2).eval()
    pictures = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    known = targets((20.0, 20.0, 30.0, 44.0))
    with torch.inference_mode():
        raw = net(pictures)
        whole = float(loss_of(task, raw, known, SIDE))
        each = [
            float(
                loss_of(
                    task, raw[at : at + 1], Targets(*(getattr(known, n)[at : at + 1] for n in known.__slots__)), SIDE
                )
            )
            for at in range(2)
        ]
    assert whole == pytest.approx(sum(each) / 2, rel=1e-5)


@pytest.mark.parametrize("task", ["segmentation", "detection", "classification"])
def test_every_parameter_gets_a_gradient(task: Task) -> None:
    net = Net(TrainOptions(task=task, size_px=SIDE, channels=1), 2).train()
    loss_of(task, net(torch.randint(0, 256, (2, SIDE, SIDE, 1), dtype=torch.uint8)), targets(), SIDE).backward()
    assert [name for name, weight in net.named_parameters() if weight.grad is None] == []
