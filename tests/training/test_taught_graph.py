"""The graph computes what the heads compute in numpy: any shape, shared covariances, several pictures at once."""

import numpy as np
import onnxruntime
import pytest

from okng.training.calibration import Calibration
from okng.training.coreset import Memory
from okng.training.features import extract
from okng.training.gaussian import Gaussian
from okng.training.graph import CHANNELS
from okng.training.heads import Heads, Mix
from okng.training.layout import Layout
from okng.training.linear import LinearHead
from okng.training.taught_graph import taught_graph
from okng.training.whitening import Whitening

DIRECTIONS = 12


def made_up(layout: Layout, mix: Mix, keeps: bool | None) -> Heads:
    """Heads of any numbers. keeps: whether a linear head adds to the unlikeness; None: there is none."""
    rng = np.random.default_rng(layout.cells)

    def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
        return rng.normal(0.0, scale, shape).astype(np.float32)

    cells, blocks = layout.cells, layout.cells // layout.block**2
    linear = LinearHead(normal(DIRECTIONS), normal(DIRECTIONS), 0.3, -0.2, -1.0, 1.7, 0.4, keeps_unlikeness=bool(keeps))
    return Heads(
        whitening=Whitening(normal(CHANNELS), normal(CHANNELS, DIRECTIONS, scale=0.1)),
        memory=Memory(normal(40, DIRECTIONS), np.zeros(40, np.int64)),
        gaussian=Gaussian(
            normal(cells, DIRECTIONS), normal(blocks, DIRECTIONS, DIRECTIONS, scale=0.3), layout.columns, layout.block
        ),
        memory_z=Calibration(normal(cells), 0.5 + np.abs(normal(cells))),
        gaussian_z=Calibration(normal(cells), 0.5 + np.abs(normal(cells))),
        mix=mix,
        linear=None if keeps is None else linear,
    )


@pytest.mark.parametrize(
    ("layout", "block"),
    [
        (Layout(96, 64, 1), 1),
        (Layout(64, 96, 3), 1),
        (Layout(640, 416, 1), 2),
        (Layout(416, 640, 1), 2),
        (Layout(256, 320, 1, 8), 2),
        (Layout(1024, 1024, 1), 4),
    ],
)
@pytest.mark.timeout(120)
def test_the_graph_is_the_heads(layout: Layout, block: int) -> None:
    assert layout.block == block
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (4, layout.height_px // 8, layout.width_px // 8, layout.channels), np.uint8)
    pictures = np.ascontiguousarray(coarse.repeat(8, 1).repeat(8, 2))
    cells = extract(pictures, layout, 1, lambda _: None)
    for mix, keeps in ((Mix(0.5, 1.0), None), (Mix(0.0, 1.0), True), (Mix(1.0, 0.0), True), (Mix(0.5, 1.0), False)):
        heads = made_up(layout, mix, keeps)
        expected = heads.heat(cells)
        session = onnxruntime.InferenceSession(taught_graph(layout, heads), providers=["CPUExecutionProvider"])
        score, heat, features = session.run(None, {"picture": pictures})
        reach = 1e-5 * float(np.abs(expected).max())
        assert heat.shape == (4, layout.rows, layout.columns)
        assert heat == pytest.approx(expected, abs=reach), (mix, keeps)
        assert score == pytest.approx(expected.max(axis=(1, 2)), abs=reach)
        assert features == pytest.approx(heads.whitening.apply(cells).mean(axis=1), abs=1e-4)
        alone = session.run(["heat"], {"picture": pictures[2:3]})[0]
        assert alone[0] == pytest.approx(heat[2], abs=reach)
