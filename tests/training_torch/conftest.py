"""A product that exists only in numbers: brushed plates with a hole, some scratched or stained, each with its mask."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from okng.models.pictures import encode_png
from okng.training.data.dataset import Dataset, Sample
from okng.training.data.sources import open_dataset

SIDE = 96
KINDS = ("scratch", "stain")
Pixels = npt.NDArray[np.uint8]
Plates = Callable[..., Dataset]


def plate(seed: int, defect: str = "") -> tuple[Pixels, Pixels]:
    """Return one plate and the mask of what is wrong with it, both `(96, 96)` uint8."""
    rng = np.random.default_rng(seed)
    lines = rng.normal(0, 9, (SIDE, 1)) + cv2.GaussianBlur(rng.normal(0, 22, (SIDE, SIDE)), (31, 1), 0)
    light = np.linspace(-12, 12, SIDE)[None, :] + rng.normal(0, 3)
    picture = np.clip(130 + lines + light, 0, 255).astype(np.uint8)
    cv2.circle(picture, (SIDE // 2 + int(rng.integers(-2, 3)), SIDE // 2), SIDE // 8, 25, -1, cv2.LINE_AA)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    x, y = (int(place) for place in rng.integers(SIDE // 8, SIDE * 3 // 4, 2))
    for pixels, level in ((picture, 240 if defect == "scratch" else 55), (mask, 255)):
        if defect == "scratch":
            cv2.line(pixels, (x, y), (x + SIDE // 6, y + SIDE // 6), level, 2)
        elif defect == "stain":
            cv2.ellipse(pixels, (x, y), (SIDE // 12, SIDE // 18), 30, 0, 360, level, -1)
    return picture, mask


def write_plates(root: Path, counts: dict[str, int]) -> Path:
    """Write so many plates on each side (train, val, test): half good, a quarter scratched, a quarter stained.

    MVTec's layout: train/good/0001.png, train/scratch/0003.png, ground_truth/scratch/0003_mask.png.
    """
    seed = 0
    for side, count in counts.items():
        for at in range(count):
            defect = ("", "scratch", "", "stain")[at % 4]
            picture, mask = plate(seed, defect)
            folder = root / side / (defect or "good")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{seed:04}.png").write_bytes(encode_png(picture))
            if defect:
                truth = root / "ground_truth" / defect
                truth.mkdir(parents=True, exist_ok=True)
                (truth / f"{seed:04}_mask.png").write_bytes(encode_png(mask))
            seed += 1
    return root


@pytest.fixture(scope="session")
def plates_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 plates to train on, 40 to validate by, 80 to judge on."""
    return write_plates(tmp_path_factory.mktemp("plates"), {"train": 80, "val": 40, "test": 80})


@pytest.fixture(scope="session")
def plates(plates_folder: Path) -> Dataset:
    """Those plates as a set."""
    return open_dataset(plates_folder)


@pytest.fixture(scope="session")
def few_plates(plates: Dataset) -> Dataset:
    """16 to train on, 8 to validate by, 8 to judge on: enough to run, too few to learn."""
    wanted = {"train": 16, "val": 8, "test": 8}
    kept: list[Sample] = []
    for sample in plates.samples:
        kind = (sample.split, sample.label)
        most = wanted[sample.split or "train"] // (2 if sample.ok else 4)
        if sum((one.split, one.label) == kind for one in kept) < most:
            kept.append(sample)
    return replace(plates, samples=tuple(kept))
