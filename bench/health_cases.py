"""What the cameras of the health bench see: scenes of moving parts before a fixed background, and what goes wrong.

Seeded throughout. Pictures are grey, 640 x 480. The sensor's noise is 0.8 + 0.10 * sqrt(level) grey levels, as
simline renders it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from okng.imaging.diagnosis import Cause
from okng.imaging.picture import Picture
from okng.simline.parts import TEACH_INDEX, render

WIDTH, HEIGHT = 640, 480
FLICKER = 0.02
"""Standard deviation of the lamp from part to part, as a share; the renderer's own 1.5 % comes on top."""
Field = npt.NDArray[np.float32]


def noise(rng: np.random.Generator, level: Field, share: float = 1.0) -> Field:
    """Return the sensor's noise at these levels; share of its variance."""
    grains = rng.standard_normal(level.shape, dtype=np.float32)
    return np.asarray(grains * np.sqrt(share) * (0.8 + 0.10 * np.sqrt(np.maximum(level, 1))), np.float32)


def unstepped(picture: Picture, rng: np.random.Generator) -> Field:
    """Return levels spread evenly over their steps: brightened or dimmed steps would make a pattern of their own."""
    return np.asarray(picture + rng.random(picture.shape, np.float32) - np.float32(0.5), np.float32)


def picture_of(level: Field) -> Picture:
    return np.asarray(np.clip(np.rint(level), 0, 255), np.uint8)


class Scene:
    """Rendered parts, one after another: on their own belt, or before a backdrop that stands still."""

    def __init__(self, seed: int, backdrop: Picture | None = None) -> None:
        self._seed = seed
        self._backdrop = None if backdrop is None else np.asarray(backdrop, np.float32)

    def part(self, index: int) -> Picture:
        """Good part of that index, with its own place, light and noise. The same index is the same picture."""
        rng = np.random.default_rng((self._seed, index, 11))
        seen = unstepped(render(self._seed, index, None, WIDTH, HEIGHT).picture, rng)
        if self._backdrop is not None:
            slope = rng.normal(0, 0.02, 2)
            v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) / np.float32(HEIGHT)
            light = 1 + slope[0] * (u - WIDTH / HEIGHT / 2) + slope[1] * (v - 0.5)
            behind = np.asarray(self._backdrop * light, np.float32)
            behind += noise(rng, behind)
            # The belt is below 50 grey levels, the part above 60.
            cover = np.clip((cv2.GaussianBlur(seen, (0, 0), 1.0) - 52) / 16, 0, 1)
            seen = behind + cover * (seen - behind)
        return picture_of(np.asarray(seen * (1 + rng.normal(0, FLICKER)), np.float32))

    def commissioning(self, count: int = 30) -> list[Picture]:
        return [self.part(TEACH_INDEX + index) for index in range(count)]


class Replay(Scene):
    """Real pictures of good parts in random order, with flicker and noise: there is no background but theirs."""

    def __init__(self, seed: int, pictures: list[Picture]) -> None:
        super().__init__(seed)
        self._pictures = pictures

    def part(self, index: int) -> Picture:
        rng = np.random.default_rng((self._seed, index, 12))
        seen = unstepped(self._pictures[int(rng.integers(len(self._pictures)))], rng)
        seen = seen * np.float32(1 + rng.normal(0, FLICKER))
        return picture_of(seen + noise(rng, seen))


def scenes(data: Path, seed: int) -> Iterator[tuple[str, Scene]]:
    """Yield the scenes there are pictures for; the rendered one is always there."""
    yield "washer on a belt", Scene(seed)
    for backdrop, folder in (("magnetic tile", "magnetic_tile"), ("bottle", "mvtec_bottle")):
        found = sorted((data / folder / "train/good").glob("*.jpg"))
        if found:
            yield f"washer before a {backdrop}", Scene(seed, _fitted(found[seed % len(found)]))
    bottles = sorted((data / "mvtec_bottle/train/good").glob("*.jpg"))
    if bottles:
        yield "bottles, no fixed background", Replay(seed, [_fitted(file) for file in bottles])


def _fitted(file: Path) -> Picture:
    """Read a picture, grey, filling 640 x 480."""
    found = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
    if found is None:
        raise SystemExit(f"{file}: does not decode")
    height, width = found.shape
    scale = max(WIDTH / width, HEIGHT / height)
    size = (max(WIDTH, round(width * scale)), max(HEIGHT, round(height * scale)))
    large = cv2.resize(found, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    x, y = (size[0] - WIDTH) // 2, (size[1] - HEIGHT) // 2
    return np.ascontiguousarray(large[y : y + HEIGHT, x : x + WIDTH], np.uint8)


Spoil = Callable[[Picture, np.random.Generator, np.random.Generator], Picture]
"""Picture, dice of the episode (the same for all its parts), dice of the part."""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that goes wrong, from one part to the next."""

    name: str
    cause: Cause
    spoil: Spoil


def _scaled(picture: Picture, episode: np.random.Generator, part: np.random.Generator, *, by: float) -> Picture:
    return picture_of(unstepped(picture, part) * np.float32(by))


def _blurred(picture: Picture, episode: np.random.Generator, part: np.random.Generator, *, sigma: float) -> Picture:
    soft = cv2.GaussianBlur(np.asarray(picture, np.float32), (0, 0), sigma)
    # The lens blurs what comes in, not the sensor's noise.
    return picture_of(np.asarray(soft + noise(part, np.asarray(soft, np.float32)), np.float32))


def _shaded(picture: Picture, episode: np.random.Generator, part: np.random.Generator, *, by: float) -> Picture:
    """Darker by a share from one side of the picture to the other, in any direction; the mean is kept."""
    turn = episode.uniform(0, 2 * np.pi)
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    along = np.cos(turn) * (u / WIDTH - 0.5) + np.sin(turn) * (v / HEIGHT - 0.5)
    along /= np.abs(np.cos(turn)) + np.abs(np.sin(turn))
    return picture_of(np.asarray(unstepped(picture, part) * (1 + by * along), np.float32))


def _shifted(picture: Picture, episode: np.random.Generator, part: np.random.Generator) -> Picture:
    """By 5 px in one of twelve directions, without a blur from interpolation."""
    x, y = episode.permutation(list(episode.choice([(5, 0), (4, 3), (3, 4)]))) * episode.choice([-1, 1], 2)
    move = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
    return np.asarray(cv2.warpAffine(picture, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT), np.uint8)


def _turned(picture: Picture, episode: np.random.Generator, part: np.random.Generator, *, by: float) -> Picture:
    move = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), by * float(episode.choice([-1, 1])), 1.0)
    seen = np.asarray(picture, np.float32)
    seen = np.asarray(
        cv2.warpAffine(seen, move, (WIDTH, HEIGHT), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT), np.float32
    )
    # Interpolation takes a sixth of the noise's variance (measured on white noise); it is given back.
    return picture_of(seen + noise(part, seen, 0.16))


def _dirty(picture: Picture, episode: np.random.Generator, part: np.random.Generator) -> Picture:
    """One to three soft dark spots anywhere, 14-34 px in radius, that take 20-40 % of the light."""
    veil = np.zeros((HEIGHT, WIDTH), np.float32)
    for _ in range(int(episode.integers(1, 4))):
        at = (int(episode.uniform(0, WIDTH)), int(episode.uniform(0, HEIGHT)))
        spot = np.zeros_like(veil)
        radius = int(episode.uniform(0.03, 0.07) * HEIGHT)
        cv2.circle(spot, at, radius, float(episode.uniform(0.2, 0.4)), -1)
        veil = np.maximum(veil, cv2.GaussianBlur(spot, (0, 0), radius / 3))
    return picture_of(unstepped(picture, part) * (1 - veil))


def _noisier(picture: Picture, episode: np.random.Generator, part: np.random.Generator, *, by: float) -> Picture:
    seen = unstepped(picture, part)
    return picture_of(seen + noise(part, seen, by * by - 1))


def _other_parts(picture: Picture, episode: np.random.Generator, part: np.random.Generator, *, by: float) -> Picture:
    """Parts of duller metal before the same background. Only the rendered part knows what is part."""
    seen = unstepped(picture, part)
    radius = np.hypot(*(np.mgrid[0:HEIGHT, 0:WIDTH] - np.array([HEIGHT / 2, WIDTH / 2])[:, None, None]))
    ring = (radius < 0.40 * HEIGHT) & (radius > 0.15 * HEIGHT)
    return picture_of(np.asarray(np.where(ring, seen * by, seen), np.float32))


CASES: tuple[Case, ...] = (
    Case("blur, sigma 1 px", Cause.LENS, partial(_blurred, sigma=1.0)),
    Case("blur, sigma 1.5 px", Cause.LENS, partial(_blurred, sigma=1.5)),
    Case("blur, sigma 2 px", Cause.LENS, partial(_blurred, sigma=2.0)),
    Case("light -20 %", Cause.LAMP, partial(_scaled, by=0.8)),
    Case("light -10 %", Cause.LAMP, partial(_scaled, by=0.9)),
    Case("light +20 %", Cause.LAMP, partial(_scaled, by=1.2)),
    Case("exposure x 2, clipped", Cause.LAMP, partial(_scaled, by=2.0)),
    Case("shading 10 %", Cause.LAMP, partial(_shaded, by=0.10)),
    Case("shading 20 %", Cause.LAMP, partial(_shaded, by=0.20)),
    Case("noise x 2", Cause.LAMP, partial(_noisier, by=2.0)),
    Case("shift 5 px", Cause.CAMERA_MOVED, _shifted),
    Case("turn 2 degrees", Cause.CAMERA_MOVED, partial(_turned, by=2.0)),
    Case("dirt on the lens", Cause.LENS, _dirty),
    Case("parts 20 % duller", Cause.PRODUCT, partial(_other_parts, by=0.8)),
)
"""The last one needs a part that is known; it is left out where parts are replayed."""
