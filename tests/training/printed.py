"""A label that exists only in numbers: letters, lines and a bar, printed anew each time with what print varies by."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from okng.models.pictures import encode_png

HEIGHT, WIDTH = 160, 240
Pixels = npt.NDArray[np.uint8]
DEFECTS = ("missing", "extra", "shifted", "hair")


@dataclass(frozen=True, slots=True)
class Printing:
    """How far one print may lie from another."""

    shift_px: float = 2.0
    turn_deg: float = 0.3
    ink_px: float = 0.4
    noise: float = 3.0
    light: float = 0.03


USUAL = Printing()


def label(seed: int, defect: str = "", *, text: str = "LOT 52", colour: bool = False, how: Printing = USUAL) -> Pixels:
    """Return one label. defect: empty, or one of DEFECTS, at a place of its own."""
    rng = np.random.default_rng(seed)
    scale = 4
    ink = np.zeros((HEIGHT * scale, WIDTH * scale), np.uint8)
    off = 6 * scale if defect == "shifted" else 0
    cv2.putText(ink, text[:3], (20 * scale, 70 * scale), cv2.FONT_HERSHEY_SIMPLEX, 1.4 * scale, 255, 5 * scale)
    cv2.putText(ink, text[3:], (110 * scale, 70 * scale + off), cv2.FONT_HERSHEY_SIMPLEX, 1.4 * scale, 255, 5 * scale)
    cv2.rectangle(ink, (20 * scale, 100 * scale), (220 * scale, 112 * scale), 255, -1)
    for line in range(8):
        cv2.line(ink, ((30 + 24 * line) * scale, 122 * scale), ((30 + 24 * line) * scale, 145 * scale), 255, 3 * scale)
    if defect == "missing":
        x = int(rng.integers(30, 200)) * scale
        cv2.circle(ink, (x, 106 * scale), 4 * scale, 0, -1)
    elif defect == "extra":
        x, y = int(rng.integers(30, 210)) * scale, int(rng.integers(84, 92)) * scale
        cv2.circle(ink, (x, y), 3 * scale, 255, -1)
    elif defect == "hair":
        x = int(rng.integers(20, 190)) * scale
        cv2.line(ink, (x, 14 * scale), (x + 18 * scale, 22 * scale), 255, 2 * scale)
    spread = rng.uniform(-how.ink_px, how.ink_px) * scale
    side = 2 * round(abs(spread)) + 1
    ink = (cv2.dilate if spread > 0 else cv2.erode)(ink, np.ones((side, side), np.uint8)).astype(np.uint8)
    turn = cv2.getRotationMatrix2D((WIDTH * scale / 2, HEIGHT * scale / 2), rng.uniform(-1, 1) * how.turn_deg, 1.0)
    way = np.asarray(turn, np.float64)
    way[:, 2] += rng.uniform(-how.shift_px, how.shift_px, 2) * scale
    ink = cv2.warpAffine(ink, way, (WIDTH * scale, HEIGHT * scale)).astype(np.uint8)
    share = cv2.resize(ink, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / 255.0
    paper = 200 * (1 + rng.uniform(-how.light, how.light))
    grey = paper - 150 * share
    if not colour:
        return np.clip(grey + rng.normal(0, how.noise, grey.shape), 0, 255).astype(np.uint8)
    tinted = np.stack([grey, paper - 100 * share, paper - 60 * share], axis=2)
    return np.clip(tinted + rng.normal(0, how.noise, tinted.shape), 0, 255).astype(np.uint8)


def write_labels(
    folder: Path, seeds: range, defect: str = "", *, text: str = "LOT 52", colour: bool = False
) -> list[Path]:
    """Write labels of these seeds as PNG files and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for seed in seeds:
        path = folder / f"{text.replace(' ', '')}{seed:04}.png"
        path.write_bytes(encode_png(label(seed, defect, text=text, colour=colour)))
        files.append(path)
    return files
