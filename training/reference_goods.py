"""Goods laid over a template of their own kind: the mean print, and how much each place of it varies.

The first template is the good most like all others; goods are laid over it and averaged, and laid anew over that mean,
which is sharper. Goods that fit it far worse than the others do are another kind of print, if there are some of them,
and get a template of their own; a single one is no kind, and will be found among the goods most unlike the others.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .features import workers
from .reference_field import BLOCK_PX, HALF, halved
from .reference_template import Laid, lay_over

Array = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

FEWEST_OF_A_KIND = 4
_FAR = 3.0
"""Times the usual misfit from which a good may be of another kind."""
_FAR_LEVELS = 2.0
"""And so many grey levels of mean difference more."""
_WORST_PLACES = 0.95
_THUMB_PX = 64
_FOR_A_MEAN = 48
_AT_ONCE = 16
PRIOR_GOODS = 10.0
"""Weight, in goods, of the deviation usual round a place: with few goods a place's own is chance."""
_AROUND_PX = 9


@dataclass(frozen=True, slots=True)
class Kind:
    """Goods of one kind, laid over their mean."""

    members: npt.NDArray[np.int64]
    """Which goods."""
    half: Array
    """What they were laid over."""
    pixels: Pixels
    """`(goods, height, width, channels)`: laid over, rounded."""
    seen: Pixels
    """`(goods, height, width)`: 0..255 for 0..1."""
    total: npt.NDArray[np.float64]
    """Sum of `pixels` over the goods."""
    squares: npt.NDArray[np.float64]
    """Sum of their squares."""

    def laid(self, at: int) -> Laid:
        """Return one of the goods as it lies."""
        return Laid(self.pixels[at].astype(np.float32), self.seen[at].astype(np.float32) / np.float32(255.0))

    def statistics(self, without: int | None = None) -> tuple[Array, Array]:
        """Return mean and deviation of each place, float32 `(height, width, channels)`; without: one good left out."""
        total, squares, goods = self.total, self.squares, len(self.pixels)
        if without is not None and goods > 1:
            own = self.pixels[without].astype(np.float64)
            total, squares, goods = total - own, squares - own * own, goods - 1
        mean = total / goods
        variance = np.maximum(squares / goods - mean * mean, 0.0)
        around = cv2.blur(variance, (_AROUND_PX, _AROUND_PX)).reshape(variance.shape)
        drawn = (goods * variance + PRIOR_GOODS * around) / (goods + PRIOR_GOODS)
        return mean.astype(np.float32), np.sqrt(drawn).astype(np.float32)


def kinds_of(
    cuts: Pixels, search_px: int, most: int, threads: int, progress: Callable[[float], None]
) -> tuple[Kind, ...]:
    """Return the kinds among goods, uint8 `(goods, height, width, channels)`, the first one that of most goods."""
    thumbs = np.stack([_thumb(cut) for cut in cuts])
    left = np.arange(len(cuts))
    halves: list[Array] = []
    misfits = np.empty((len(cuts), 0))
    while len(halves) < most and len(left) >= (FEWEST_OF_A_KIND if halves else 1):
        anchor = left[_middle(thumbs[left])]
        half = halved(cuts[anchor])
        # The half most like the anchor: where there are two kinds, the mean is to be of one.
        like = np.abs(thumbs[left] - thumbs[anchor]).mean(axis=(1, 2)).argsort(kind="stable")
        few = left[like[: min(_FOR_A_MEAN, (len(left) + 1) // 2)]]
        total = np.zeros(cuts.shape[1:])
        for each in _laid_over(cuts[few], half, search_px, threads):
            total += each.pixels
        half = halved((total / len(few)).astype(np.float32))
        over = _laid_over(cuts, half, search_px, threads)
        misfit = np.array([_misfit(halved(each.pixels) - half) for each in over])
        halves.append(half)
        misfits = np.column_stack([misfits, misfit / (4 * cuts.shape[3])])
        best = misfits.min(axis=1)
        usual = float(np.median(best))
        left = np.flatnonzero(best > max(_FAR * usual, usual + _FAR_LEVELS))
        progress(0.5 * len(halves) / most)
    nearest = misfits.argmin(axis=1)
    made = []
    for number, half in enumerate(halves):
        members = np.flatnonzero(nearest == number)
        if len(members) >= FEWEST_OF_A_KIND or not number:
            made.append(_kind(cuts, members if len(members) else np.arange(len(cuts)), half, search_px, threads))
        progress(0.5 + 0.5 * (number + 1) / len(halves))
    covered = np.concatenate([kind.members for kind in made])
    if len(covered) < len(cuts):  # of a kind that came to nothing: they go with the first
        rest = np.setdiff1d(np.arange(len(cuts)), covered)
        made[0] = _kind(cuts, np.union1d(made[0].members, rest), halves[0], search_px, threads)
    return tuple(sorted(made, key=lambda kind: -len(kind.members)))


def _kind(cuts: Pixels, members: npt.NDArray[np.int64], half: Array, search_px: int, threads: int) -> Kind:
    """The kind of these goods."""
    pixels = np.empty((len(members), *cuts.shape[1:]), np.uint8)
    seen = np.empty(pixels.shape[:3], np.uint8)
    total, squares = np.zeros(pixels.shape[1:]), np.zeros(pixels.shape[1:])
    for at, each in enumerate(_laid_over(cuts[members], half, search_px, threads)):
        pixels[at], seen[at] = np.rint(each.pixels), np.rint(each.seen * 255)
        wide = pixels[at].astype(np.float64)
        total += wide
        squares += wide * wide
    return Kind(members, half, pixels, seen, total, squares)


def _laid_over(cuts: Pixels, half: Array, search_px: int, threads: int) -> Iterator[Laid]:
    """Each good over a template, in order; no more than a handful are held at a time."""
    with ThreadPoolExecutor(workers(threads), "lay") as pool:
        for first in range(0, len(cuts), _AT_ONCE):
            yield from pool.map(lambda cut: lay_over(cut, half, search_px), cuts[first : first + _AT_ONCE])


def _misfit(off: Array) -> float:
    """How far the worst places are off as a whole: another letter counts, noise and a brighter lamp hardly do."""
    rows, columns = (side * HALF // BLOCK_PX for side in off.shape)
    away = cv2.resize(np.abs(off - np.median(off)), (columns, rows), interpolation=cv2.INTER_AREA)
    return float(np.quantile(away, _WORST_PLACES))


def _thumb(cut: Pixels) -> Array:
    height, width = cut.shape[:2]
    shrink = min(1.0, _THUMB_PX / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = cv2.resize(cut.mean(axis=2).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _middle(thumbs: Array) -> int:
    """The one nearest to the median of all."""
    return int(np.abs(thumbs - np.median(thumbs, axis=0)).mean(axis=(1, 2)).argmin())
