"""Is the part found where it lies? Rendered parts, moved and turned, seeded; and pictures it must not be found in.

    .venv/bin/python bench/align.py [--pictures 1000] [--json bench/align.json]

Each picture is another part than the golden one, moved and turned within what the recipe allows, its light 10 % up or
down, with noise. Beside them: the empty belt, a part covered by more than half, one outside the range, another product.
It prints its table and writes JSON. Milliseconds are of one thread.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from okng.imaging.align_options import AlignOptions
from okng.imaging.picture import Picture
from okng.imaging.registration import Aligner
from okng.imaging.rigid import Motion
from okng.simline.parts import pose, render

HERE = Path(__file__).parent
SIZES = {"640x480": (640, 480), "1920x1200": (1920, 1200)}
METHODS = ("template", "features", "ecc")
SEARCH_PX, ANGLE_DEG = 40, 5.0
WRONG_PX = 2.0
"""A finding further off than this is a wrong one."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    size: str
    method: str
    pictures: int
    found: int
    wrong: int
    """Found, and more than WRONG_PX off."""
    off_p50_px: float
    off_p99_px: float
    turn_p50_deg: float
    turn_p99_deg: float
    false_finds: int
    """Of `absent` pictures in which there is nothing to be found."""
    absent: int
    ms: float
    """Median of one picture."""


def golden(size: tuple[int, int]) -> tuple[Picture, tuple[int, int, int, int]]:
    """The golden picture and the box of its pattern: the bore, the holes and the notches."""
    width, height = size
    side = round(0.7 * min(size))
    return render(1, 0, None, *size).picture, ((width - side) // 2, (height - side) // 2, side, side)


def seen(rng: np.random.Generator, index: int, size: tuple[int, int], motion: Motion) -> Picture:
    """Another part of the product, moved from where the golden one lies, in another light, with noise."""
    picture = render(1, index, None, *size).picture

    def square(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.vstack([matrix, [0, 0, 1]])

    # A rendered part has a pose of its own, as the golden one has.
    own, golden_pose = (square(pose(1, each, *size)) for each in (index, 0))
    way = (square(motion.matrix) @ golden_pose @ np.linalg.inv(own))[:2]
    moved = cv2.warpAffine(picture, way, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    lit = moved * rng.uniform(0.9, 1.1) + rng.normal(0, 3, moved.shape)
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def drawn(rng: np.random.Generator, size: tuple[int, int], reach: float = 0.95) -> Motion:
    """A motion within what the recipe allows; reach above 1: beyond it."""
    centre = ((size[0] - 1) / 2, (size[1] - 1) / 2)
    shift = rng.uniform(-reach, reach, 2) * SEARCH_PX
    if reach > 1:
        shift[0] = math.copysign(SEARCH_PX * rng.uniform(1.2, 1.5), shift[0])
    return Motion.about(centre, float(rng.uniform(-min(reach, 0.95), min(reach, 0.95)) * ANGLE_DEG), *shift)


def absent(rng: np.random.Generator, index: int, size: tuple[int, int]) -> Picture:
    """A picture in which the part is not to be found."""
    kind = index % 4
    if kind == 0:  # the belt alone: a corner of the picture, mirrored over it
        corner = render(1, index, None, *size).picture[: size[1] // 8, : size[0] // 8]
        return np.asarray(cv2.copyMakeBorder(corner, 0, size[1] - corner.shape[0], 0, size[0] - corner.shape[1], 2))
    if kind == 1:  # covered by more than half
        motion, (_, (x, y, w, h)) = drawn(rng, size), golden(size)
        picture = seen(rng, index, size, motion)
        edge, _ = motion.apply((x + 0.55 * w, y + h / 2))
        picture[:, : round(edge)] = rng.integers(60, 200)
        return picture
    if kind == 2:  # outside the range
        return seen(rng, index, size, drawn(rng, size, 1.5))
    noise = cv2.GaussianBlur(rng.normal(120, 90, (size[1], size[0])).astype(np.float32), (0, 0), 5)
    return np.clip((noise - 120) * 4 + 120, 0, 255).astype(np.uint8)  # something else


def measured(name: str, method: str, pictures: int, seed: int) -> Line:
    """One line: so many pictures with the part, a quarter as many without."""
    size, rng = SIZES[name], np.random.default_rng(seed)
    picture, box = golden(size)
    options = AlignOptions.model_validate(
        {"golden": "golden.png", "box": box, "method": method, "search_px": SEARCH_PX, "angle_deg": ANGLE_DEG}
    )
    aligner = Aligner(picture, options)
    centre = (box[0] + (box[2] - 1) / 2, box[1] + (box[3] - 1) / 2)
    off: list[float] = []
    turn: list[float] = []
    took: list[float] = []
    for index in range(pictures):
        motion = drawn(rng, size)
        shown = seen(rng, index + 1, size, motion)
        begun = time.perf_counter()
        found = aligner.find(shown, "top")
        took.append((time.perf_counter() - begun) * 1000)
        if found.motion is not None:
            off.append(math.dist(found.motion.apply(centre), motion.apply(centre)))
            turn.append(abs(found.motion.degrees - motion.degrees))
    nothing = max(pictures // 4, 4)
    false_finds = sum(aligner.find(absent(rng, index, size), "top").placement.found for index in range(nothing))

    def middle(values: list[float], share: float) -> float:
        return float(np.quantile(values, share)) if values else math.nan

    return Line(
        size=name,
        method=method,
        pictures=pictures,
        found=len(off),
        wrong=sum(each > WRONG_PX for each in off),
        off_p50_px=middle(off, 0.5),
        off_p99_px=middle(off, 0.99),
        turn_p50_deg=middle(turn, 0.5),
        turn_p99_deg=middle(turn, 0.99),
        false_finds=false_finds,
        absent=nothing,
        ms=middle(took, 0.5),
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--pictures", type=int, default=1000, help="with the part, at 640x480; a tenth at 1920x1200")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--json", type=Path, default=HERE / "align.json")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    table = Table(title="where the part lies", title_justify="left")
    heads = (
        "size",
        "method",
        "pictures",
        "found",
        "wrong",
        "off p50 px",
        "p99",
        "turn p50 deg",
        "p99",
        "false",
        "of",
        "ms",
    )
    for head in heads:
        table.add_column(head)
    lines = []
    for name in SIZES:
        for method in METHODS:
            count = options.pictures if name == "640x480" else max(options.pictures // 10, 4)
            line = measured(name, method, count, options.seed)
            lines.append(line)
            table.add_row(
                *(f"{value:.3f}" if isinstance(value, float) else str(value) for value in asdict(line).values())
            )
    Console(width=140).print(table)
    options.json.write_text(json.dumps([asdict(line) for line in lines], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
