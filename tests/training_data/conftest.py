"""Small pictures, written as every source has them."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

WIDTH, HEIGHT = 40, 30
Pixels = npt.NDArray[np.uint8]


def picture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """Return noise of its own: no two seeds look alike."""
    return np.random.default_rng(seed).integers(0, 255, (height, width), np.uint8)


def put(path: Path, pixels: Pixels) -> Path:
    """Write a picture; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture
def mvtec(tmp_path: Path) -> Path:
    """Four goods to learn, one to test, two scratches with a mask."""
    root = tmp_path / "plates"
    for number in range(4):
        put(root / f"train/good/{number:03}.png", picture(number))
    put(root / "test/good/000.png", picture(10))
    for number in range(2):
        put(root / f"test/scratch/{number:03}.png", picture(20 + number))
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[5 : 8 + number, 10:20] = 255
        put(root / f"ground_truth/scratch/{number:03}_mask.png", mask)
    return root
