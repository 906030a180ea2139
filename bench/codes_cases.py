"""Codes of foreign writers as a camera sees them, and the ways a picture of one is spoiled. For bench/codes.py.

A code is drawn large by its writer, laid on a rough ground at a place between the pixels with FINE samples a pixel
side, averaged as a sensor does, then blurred, and noisy.
"""

import math
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from okng.imaging.code_options import CodeKind
from okng.imaging.picture import Box, Picture

KINDS: tuple[CodeKind, ...] = ("DataMatrix", "QRCode", "Code128")
WRITERS = {"DataMatrix": "dmtxwrite", "QRCode": "qrencode", "Code128": "zint"}
WRITTEN_PX = 12
"""A module as the writers draw it."""
FINE = 4
SLACK_PX, BORDER_PX = 10, 16
"""How far the region reaches beyond the code however it is turned, and the picture beyond the region."""
MIDDLE = 120.0


@dataclass(frozen=True, slots=True)
class Case:
    """One way to spoil a picture. What is not named is as on a well lit, sharp, straight label."""

    what: str
    level: str
    blur_modules: float = 0.0
    """Sigma of a Gaussian, in modules of the code."""
    noise: float = 2.0
    """Sigma, in grey levels."""
    turn_deg: tuple[float, float] = (-3.0, 3.0)
    contrast: float = 160.0
    """Light minus dark, in grey levels, around 120."""
    module_px: float = 3.0


def cases() -> Iterator[Case]:
    """What a line does to a code, one thing at a time, then together."""
    whole = (-180.0, 180.0)
    yield Case("as written", "")
    yield from (Case("blur", f"{each} modules", blur_modules=each) for each in (0.3, 0.5, 0.6, 0.7, 0.8, 1.0))
    yield from (Case("noise", f"{each} levels", noise=each) for each in (10, 20, 30, 40, 60))
    yield from (Case("turn", f"{each} deg", turn_deg=(each - 3.0, each + 3.0)) for each in (10, 20, 30, 45, 90))
    yield Case("turn", "any", turn_deg=whole)
    yield from (Case("contrast", f"{each} levels", contrast=each) for each in (80, 40, 20, 10))
    yield from (Case("module", f"{each} px", module_px=each) for each in (2.5, 2.0, 1.5, 1.2))
    yield Case("all", "mild", blur_modules=0.4, noise=6.0, turn_deg=whole, contrast=80.0)
    yield Case("all", "hard", blur_modules=0.5, noise=12.0, turn_deg=whole, contrast=60.0)


def installed(kind: str) -> str:
    """The writer's command, where it is there."""
    if shutil.which(WRITERS[kind]) is None:
        raise SystemExit(f"{WRITERS[kind]} is not installed: apt-get install dmtx-utils qrencode zint")
    return WRITERS[kind]


def writer_version(kind: str) -> str:
    """What the writer says of itself, for example `qrencode version 4.1.1`."""
    said = subprocess.run([installed(kind), "--version"], check=True, capture_output=True, text=True)
    return (said.stdout or said.stderr).splitlines()[0]


def written(folder: Path, kind: str, text: str) -> Picture:
    """The code as its writer draws it, WRITTEN_PX a module, with the quiet zone of its standard."""
    file = folder / "code.png"
    writer, quiet = installed(kind), ["--notext", "--height=40", "-w", "10", "--vwhitesp=2"]
    if kind == "DataMatrix":
        command = [writer, f"-d{WRITTEN_PX}", f"-m{2 * WRITTEN_PX}", "-o", str(file)]
    elif kind == "QRCode":
        command = [writer, f"-s{WRITTEN_PX}", "-m4", "-o", str(file), text]
    else:
        command = [writer, "-b", "20", f"--scale={WRITTEN_PX / 2}", *quiet, "-d", text, "-o", str(file)]
    subprocess.run(command, check=True, input=text.encode() if kind == "DataMatrix" else None, capture_output=True)
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise SystemExit(f"{writer}: what it wrote does not decode")
    return np.asarray(picture, np.uint8)


def ground(rng: np.random.Generator, side: int) -> npt.NDArray[np.float32]:
    """A rough surface, 150 and 15 grey levels of sigma, grains of some pixels."""
    grain = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 4)
    return np.asarray(150 + 15 * grain / grain.std(), np.float32)


def seen(rng: np.random.Generator, code: Picture, case: Case) -> tuple[Picture, Box]:
    """The code as the camera sees it, and the region of the recipe: it holds the code however it is turned."""
    rows, columns = code.shape
    box_px = math.ceil(math.hypot(rows, columns) * case.module_px / WRITTEN_PX) + 2 * SLACK_PX
    side = box_px + 2 * BORDER_PX
    scale = FINE * case.module_px / WRITTEN_PX
    way = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), rng.uniform(*case.turn_deg), scale)
    middle = FINE * (side / 2 + rng.uniform(-SLACK_PX / 2, SLACK_PX / 2, 2))
    way[:, 2] += middle - ((columns - 1) / 2, (rows - 1) / 2)
    fine = (FINE * side, FINE * side)
    toned = MIDDLE + (code.astype(np.float32) / 255 - 0.5) * case.contrast
    # The label's share of each pixel; the ink is weighted by it already.
    ink, label = (
        cv2.resize(cv2.warpAffine(each, way, fine), (side, side), interpolation=cv2.INTER_AREA)
        for each in (toned, np.ones_like(toned))
    )
    picture = ink + (1 - label) * ground(rng, side)
    if case.blur_modules:
        picture = cv2.GaussianBlur(picture, (0, 0), case.blur_modules * case.module_px)
    return digitised(rng, picture, case.noise), (BORDER_PX, BORDER_PX, box_px, box_px)


def nothing(rng: np.random.Generator, index: int, side: int) -> tuple[Picture, Box]:
    """A picture with no code in it: bare ground, grinding marks, print, a grid of holes."""
    picture = ground(rng, side)
    kind = index % 4
    if kind == 1:  # stripes of random widths, as bars are
        edges = np.cumsum(rng.integers(1, 8, side))
        lit = np.searchsorted(edges, np.arange(side)) % 2
        picture += np.float32(rng.uniform(20, 100)) * (lit.astype(np.float32) - 0.5)
    elif kind == 2:
        print_mask = np.zeros((side, side), np.uint8)
        for row in range(20, side, 26):
            text = "".join(rng.choice(list("ABCDEFHKLMNPRTUX0123456789-/ "), side // 10))
            cv2.putText(print_mask, text, (4, row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (1,), 2)
        picture = np.where(print_mask > 0, np.float32(40), picture)
    elif kind == 3:  # squares at random on a grid, as modules are
        cells = rng.integers(0, 2, (side // 4 + 1, side // 4 + 1)).astype(np.float32)
        picture += 100 * (cv2.resize(cells, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)[:side, :side] - 0.5)
    return digitised(rng, picture, 2.0), (0, 0, side, side)


def digitised(rng: np.random.Generator, picture: npt.NDArray[np.float32], noise: float) -> Picture:
    """With the sensor's noise, in eight bits."""
    return np.clip(np.rint(picture + rng.normal(0, noise, picture.shape)), 0, 255).astype(np.uint8)


def serials(rng: np.random.Generator, count: int) -> list[str]:
    """Numbers as parts have them: letter, digit, six digits, letter."""
    letters = list("ABCDEFGHKLMNPRSTUVWXYZ")
    return [
        f"{rng.choice(letters)}{rng.integers(10)}-{rng.integers(1_000_000):06d}-{rng.choice(letters)}"
        for _ in range(count)
    ]
