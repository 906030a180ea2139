"""Rendered parts: a turned metal washer with bore, screw holes and two notches, seen from above on a belt.

The same seed and index give the same picture, on any machine with the same numpy and OpenCV. Defects come with
their truth: a mask of what was changed.

    python -m okng.simline.parts OUT [--seed 1] [--good 60] [--per-defect 10] [--size 320]   writes an MVTec folder
"""

import argparse
import functools
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from .defects import DEFECTS, Drawing, add_defect

Gray = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

LINE_INDEX = 0
TEACH_INDEX = 1_000_000
"""Indices from here on are shown for teaching and written by `write_folder`; the line runs below."""

OUTER, BORE, HOLES, HOLE, NOTCH = 0.415, 0.135, 0.275, 0.034, 0.052
"""Radii in units of the picture's shorter side: rim, bore, circle of the screw holes, one hole, one notch."""
HOLE_ANGLES = (30.0, 150.0, 270.0)
NOTCH_ANGLES = (0.0, 180.0)


@dataclass(frozen=True, slots=True)
class RenderedPart:
    """One part as the camera would see it, and the truth about it."""

    picture: Gray
    """rows x columns uint8, or rows x columns x 3 uint8 RGB."""
    mask: Gray
    """rows x columns uint8, 255 where a defect is, all 0 for a good part."""
    label: str
    """`good` or one of DEFECTS."""


@functools.lru_cache(maxsize=4)
def _grid(width: int, height: int) -> tuple[Field, Field, Field, Field]:
    """Return radius (shorter side = 1), angle (radians) and x, y in -0.5..0.5 of the shorter side."""
    short = min(width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x = (x - (width - 1) / 2) / short
    y = (y - (height - 1) / 2) / short
    return np.hypot(x, y).astype(np.float32), np.arctan2(y, x).astype(np.float32), x, y


@functools.lru_cache(maxsize=4)
def _belt(width: int, height: int) -> Field:
    """Return the empty belt, grey levels: a woven fabric. The same cloth for every part."""
    rng = np.random.default_rng(77)
    _, _, x, y = _grid(width, height)
    yarn = rng.normal(0, 1, (height, width)).astype(np.float32)
    cloth = cv2.GaussianBlur(yarn, (0, 0), 1.2) * 5
    weave = 1.6 * np.sin(x * 420) * np.sin(y * 420)
    return np.asarray(38 + cloth + weave, np.float32)


@functools.lru_cache(maxsize=4)
def _shape(width: int, height: int) -> tuple[Field, Field, Field]:
    """Return the good part's coverage (0..1), its chamfers (0..1), and the lathe's angle field for the gloss."""
    radius, angle, x, y = _grid(width, height)
    short = min(width, height)
    soft = 1.0 / short

    def inside(distance: Field, limit: float) -> Field:
        return np.asarray(np.clip((limit - distance) / soft + 0.5, 0, 1), np.float32)

    cover = inside(radius, OUTER) * (1 - inside(radius, BORE))
    edges = np.abs(radius - OUTER + 0.012)
    edges = np.minimum(edges, np.abs(radius - BORE - 0.010))
    for at in np.deg2rad(HOLE_ANGLES):
        away = np.hypot(x - HOLES * np.cos(at), y - HOLES * np.sin(at)).astype(np.float32)
        cover = cover * (1 - inside(away, HOLE))
        edges = np.minimum(edges, np.abs(away - HOLE - 0.006))
    for at in np.deg2rad(NOTCH_ANGLES):
        away = np.hypot(x - OUTER * np.cos(at), y - OUTER * np.sin(at)).astype(np.float32)
        cover = cover * (1 - inside(away, NOTCH))
        edges = np.minimum(edges, np.abs(away - NOTCH - 0.005))
    chamfer = np.clip(1 - edges / 0.011, 0, 1).astype(np.float32)
    return np.asarray(cover, np.float32), chamfer, angle


def _metal(rng: np.random.Generator, width: int, height: int) -> Field:
    """Return the turned face in the part's own frame, grey levels around 128: grooves, grain and cast shade."""
    radius, angle, _, _ = _grid(width, height)
    rows = 512
    grooves = cv2.GaussianBlur(rng.normal(0, 1, (rows, 1)).astype(np.float32), (0, 0), 1.0)[:, 0] * 9
    # Grain in polar coordinates, long along the cut: what a turning tool leaves.
    noise = rng.normal(0, 1, (256, 128)).astype(np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), sigmaX=3.0, sigmaY=0.7) * 14
    polar = cv2.remap(
        grain,
        ((angle + np.float32(np.pi)) * np.float32(128 / (2 * np.pi))).astype(np.float32),
        radius * np.float32(500),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    face = np.float32(132) + polar + grooves[np.minimum((radius * 1100).astype(np.int32), rows - 1)]
    cloud = cv2.resize(rng.normal(0, 3.0, (6, 6)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(face + cloud, np.float32)


def render(seed: int, index: int, defect: str | None, width: int, height: int, colour: bool = False) -> RenderedPart:
    """Draw part number index of a seed.

    defect: None for a good part or one of DEFECTS (ValueError otherwise). width, height: pixels, at least 64.
    colour: RGB instead of grey.
    """
    if defect is not None and defect not in DEFECTS:
        raise ValueError(f"defect {defect!r}: expected one of {', '.join(DEFECTS)}")
    if width < 64 or height < 64:
        raise ValueError(f"part of {width}x{height}: expected at least 64x64")
    rng = np.random.default_rng((seed, index))
    cover, chamfer, _ = _shape(width, height)
    drawing = Drawing(_metal(rng, width, height), cover.copy(), chamfer.copy(), np.zeros((height, width), np.float32))
    if defect is not None:
        # Dice of their own: the good part of the same index is the same part without the defect.
        add_defect(drawing, defect, np.random.default_rng((seed, index, 7)), HOLES, HOLE, HOLE_ANGLES, OUTER, BORE)

    move, across = _pose(rng, width, height)
    size = (width, height)
    face = np.asarray(
        cv2.warpAffine(drawing.face, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32
    )
    cover, chamfer, mask = (
        np.asarray(cv2.warpAffine(each, move, size, flags=cv2.INTER_LINEAR), np.float32)
        for each in (drawing.cover, drawing.chamfer, drawing.mask)
    )

    shown = _light(rng, face, cover, chamfer, across)
    mask8 = ((mask > 0.5) * 255).astype(np.uint8)
    if not colour:
        return RenderedPart(np.clip(shown, 0, 255).astype(np.uint8), mask8, defect or "good")
    part_tint = np.array([1.0, 0.985, 0.94], np.float32) + rng.normal(0, 0.004, 3).astype(np.float32)
    belt_tint = np.array([0.72, 0.95, 0.86], np.float32)
    tint = belt_tint + cover[..., None] * (part_tint - belt_tint)
    return RenderedPart(np.clip(shown[..., None] * tint, 0, 255).astype(np.uint8), mask8, defect or "good")


def pose(seed: int, index: int, width: int, height: int) -> Matrix:
    """Return how part number index lies: 2 x 3, from the upright part in the middle to the picture, px."""
    rng = np.random.default_rng((seed, index))
    _metal(rng, width, height)  # throws the dice that are thrown before
    return _pose(rng, width, height)[0]


def _pose(rng: np.random.Generator, width: int, height: int) -> tuple[Matrix, npt.NDArray[np.float64]]:
    """The part lies a little turned and shifted; the light does not turn with it. Returns the motion and its shift."""
    turn, scale = rng.normal(0, 1.6), 1 + rng.normal(0, 0.003)
    across = np.clip(rng.normal(0, 0.005, 2), -0.015, 0.015) * min(width, height)
    move = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), float(turn), float(scale))
    return np.asarray(move + np.array([[0, 0, across[0]], [0, 0, across[1]]]), np.float64), across


def _light(
    rng: np.random.Generator, face: Field, cover: Field, chamfer: Field, across: npt.NDArray[np.float64]
) -> Field:
    """Return the picture in grey levels: gloss, chamfers, shadow on the belt, gradient, drift and sensor noise."""
    height, width = face.shape
    radius, angle, x, y = _grid(width, height)
    lamp = np.deg2rad(-58.0) + rng.normal(0, 0.03)
    # A turned face shines in two opposite sectors (bow tie) across the lamp.
    tie = np.cos(angle - np.float32(lamp))
    gloss = 52 * tie**6 + 16 * tie**2
    metal = face + gloss + chamfer * (34 + 62 * tie)
    # Soft shadow away from the lamp: the part has height.
    off = 0.016 * min(width, height)
    shift = np.array([[1, 0, -off * np.cos(lamp)], [0, 1, -off * np.sin(lamp)]], np.float64)
    shadow = cv2.warpAffine(cv2.blur(cover, (9, 9)), shift, (width, height))
    belt = _belt(width, height) * (1 - np.float32(0.55) * shadow)
    shown = belt + cover * (metal - belt)
    slope = rng.normal(0, 0.02, 2)
    drift = 1 + rng.normal(0, 0.015)
    shade = drift + np.float32(0.05 + slope[0]) * x + np.float32(-0.08 + slope[1]) * y - np.float32(0.16) * radius**2
    shown = cv2.GaussianBlur(np.asarray(shown * shade, np.float32), (3, 3), 0.6)
    grain = rng.standard_normal((height, width), dtype=np.float32) * (
        np.float32(0.8) + np.float32(0.10) * np.sqrt(np.maximum(shown, 1))
    )
    return np.asarray(shown + grain, np.float32)


def draw_label(seed: int, index: int, defect_percent: float) -> str | None:
    """Return which defect part index gets, None for a good one: the line's own dice."""
    rng = np.random.default_rng((seed, index, 1))
    if rng.uniform(0, 100) >= defect_percent:
        return None
    return DEFECTS[int(rng.integers(len(DEFECTS)))]


def write_folder(
    out: Path, seed: int, goods: int = 60, per_defect: int = 10, width: int = 320, height: int = 320
) -> int:
    """Write rendered parts as a folder in MVTec layout and return how many pictures.

    `train/good` holds goods parts; `test/good` and each `test/<defect>` hold per_defect, with the masks of the
    defects in `ground_truth/<defect>/NNN_mask.png`.
    """
    index, written = TEACH_INDEX, 0
    for part, label, number in (
        ("train", None, goods),
        ("test", None, per_defect),
        *(("test", each, per_defect) for each in DEFECTS),
    ):
        folder = out / part / (label or "good")
        folder.mkdir(parents=True, exist_ok=True)
        for at in range(number):
            made = render(seed, index, label, width, height)
            _write(folder / f"{at:03}.png", made.picture)
            if label is not None:
                _write(out / "ground_truth" / label / f"{at:03}_mask.png", made.mask)
            index, written = index + 1, written + 1
    return written


def _write(path: Path, picture: Gray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    coded, data = cv2.imencode(".png", picture)
    if not coded:
        raise OSError(f"{path}: could not be coded as PNG")
    path.write_bytes(data.tobytes())


def main(arguments: list[str] | None = None) -> int:
    """Write a folder of rendered parts; print how many as JSON."""
    parser = argparse.ArgumentParser(prog="okng.simline.parts", description=write_folder.__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--good", type=int, default=60)
    parser.add_argument("--per-defect", type=int, default=10)
    parser.add_argument("--size", type=int, default=320)
    asked = parser.parse_args(arguments)
    written = write_folder(asked.out, asked.seed, asked.good, asked.per_defect, asked.size, asked.size)
    sys.stdout.write(json.dumps({"out": str(asked.out), "pictures": written}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
