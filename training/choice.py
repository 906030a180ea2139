"""Choosing size and heads for a product from its goods alone.

Goods are held out, copies of them are spoilt on purpose (`spoil.py`), and the candidates are compared by how well they
tell the spoilt from the unspoilt, neither of which they were fitted on. The size first, on a sample: the largest the
budget allows, unless a smaller one is clearly better. Then the weights of the heads, on all goods, because how far the
Gaussian can be trusted depends on their number: the usual weights unless others are clearly better. No picture of a
real defect takes part, so none can be chosen for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadSettings
from ..models import crop
from ..models.box import Box
from ..models.figures import auroc
from ..models.pictures import Picture
from .calibration import fit_calibration
from .features import extract
from .gaussian import left_out
from .heads import Mix, smoothed, unlikeness
from .layout import LEAST_PX, MOST_GAUSSIAN_BYTES, MOST_PX, Layout
from .lesson import Grid, fit, worst
from .options import TeachOptions
from .spoil import spoil

SIZES_PX = (256, 320, 384, 512, 768, 1024)
"""Sides of a square input; of another shape, the square's area."""
USUAL = Mix(0.5, 1.0)
"""Weights where nothing speaks for others: Gaussian alone wins where parts lie still, memory where they do not."""
MIXES = (USUAL, Mix(0.0, 1.0), Mix(1.0, 1.0), Mix(1.0, 0.0))
FEWEST = 20
"""With fewer goods nothing can be told; the largest size and the usual weights are taken."""
CLEARLY = 0.015
FITTED, HELD = 60, 40
"""Goods fitted on and held out for the size, at most."""
MOST_HELD = 60
"""Goods held out for the heads, at most: a quarter."""
SPOILT_EACH = 2
_STRETCH = 1.5
"""A model's input may hold so many times the pixels of the region; more adds nothing."""

Tell = Callable[[float], None]
Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, and on what evidence. AUROC is of spoilt goods against others, unknown to the model all."""

    layout: Layout
    mix: Mix
    sizes: dict[Layout, float] = field(default_factory=dict)
    """AUROC by size, of a sample; empty: there was one candidate, or too few goods."""
    mixes: dict[Mix, float] = field(default_factory=dict)
    reason: str = ""
    """For people."""

    def told(self) -> dict[str, Any]:
        """For the report."""
        return {
            "size": self.layout.words,
            "heads": self.mix.words,
            "reason": self.reason,
            "auroc_of_spoilt_goods_by_size": {each.words: round(value, 4) for each, value in self.sizes.items()},
            "auroc_of_spoilt_goods_by_heads": {each.words: round(value, 4) for each, value in self.mixes.items()},
        }


def candidates(options: TeachOptions, channels: int, region: tuple[int, int], *, one_shape: bool) -> list[Layout]:
    """Return the sizes that may be chosen, the smallest first.

    region: height and width in pixels of what is seen. one_shape: all pictures have it, so the input may
    have its shape.
    BadSettings: the budget allows none.
    """
    if options.size_px:
        return [_layout(options.size_px, channels, options, region, one_shape=one_shape and options.shape == "region")]
    found: list[Layout] = []
    for size in SIZES_PX:
        layout = _layout(size, channels, options, region, one_shape=one_shape and options.shape != "square")
        sensible = not found or layout.width_px * layout.height_px <= _STRETCH * region[0] * region[1]
        if layout.cost_ms <= options.budget_ms and sensible and layout not in found:
            found.append(layout)
    if not found:
        least = _layout(SIZES_PX[0], channels, options, region, one_shape=False)
        raise BadSettings(f"budget_ms = {options.budget_ms:g}: expected {least.cost_ms:.0f} or more, or a size_px")
    return found


def choose_size(
    pictures: Sequence[Picture], layouts: Sequence[Layout], options: TeachOptions, tell: Tell
) -> tuple[Layout, dict[Layout, float]]:
    """Return the size for a product, and how well each told spoilt goods from others.

    pictures: regions of goods at full size, those that `sample` names; layouts: as `candidates` gives them.
    """
    if len(layouts) == 1 or len(pictures) < FEWEST:
        return layouts[-1], {}
    rng = np.random.default_rng(options.seed)
    order = rng.permutation(len(pictures))
    held = order[: min(HELD, len(order) * 2 // 5)]
    others = [pictures[at] for at in order[len(held) :]]
    goods = [pictures[at] for at in held]
    shown = [*others, *goods, *spoilt(goods, others, rng)]
    tried: dict[Layout, float] = {}
    for number, layout in enumerate(layouts):
        part = _part(tell, number, len(layouts))
        features = extract(np.stack([cut(picture, layout) for picture in shown]), layout, options.threads, part)
        ends = len(others), len(others) + len(held)
        parted = features[: ends[0]], features[ends[0] : ends[1]], features[ends[1] :]
        tried[layout] = max(_told_apart(*parted, Grid(layout.columns, layout.block), _mixes(options), options).values())
    return next(each for each in reversed(layouts) if tried[each] >= max(tried.values()) - CLEARLY), tried


def held_for_heads(count: int, options: TeachOptions) -> npt.NDArray[np.int64]:
    """Return which of so many goods are held out to choose the heads by; none: there is nothing to choose, or by."""
    if len(_mixes(options)) == 1 or count < FEWEST:
        return np.empty(0, np.int64)
    return np.random.default_rng(options.seed).permutation(count)[: min(MOST_HELD, count // 4)]


def choose_mix(
    features: Array, held: npt.NDArray[np.int64], spoilt_: Array, grid: Grid, options: TeachOptions
) -> tuple[Mix, dict[Mix, float]]:
    """Return the weights for a product, and how well each told spoilt goods from others.

    features: of all goods, `(goods, cells, channels)`. held: as `held_for_heads` names them. spoilt_: features of
    copies of these, spoilt.
    """
    mixes = _mixes(options)
    if not len(held):
        return mixes[0], {}
    tried = _told_apart(np.delete(features, held, axis=0), features[held], spoilt_, grid, mixes, options)
    best = max(mixes, key=lambda each: tried[each])
    return (best if tried[best] > tried[mixes[0]] + CLEARLY else mixes[0]), tried


def reason_of(mix: Mix, mixes: dict[Mix, float]) -> str:
    """Return why these weights were taken, for people. mixes: as `choose_mix` returns them."""
    if not mixes:
        return "as asked for, or too few goods to choose by"
    if mix == USUAL:
        return "no other told goods spoilt on purpose from others clearly better"
    return "clearly better than the usual at telling goods spoilt on purpose"


def spoilt(goods: Sequence[Picture], others: Sequence[Picture], rng: np.random.Generator) -> list[Picture]:
    """Return copies of goods, each spoilt in its own way."""
    return [spoil(picture, others, rng) for picture in goods for _ in range(SPOILT_EACH)]


def sample(count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return which of so many goods to choose by."""
    most = FITTED + HELD
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def _told_apart(
    fitted: Array, held: Array, spoilt_: Array, grid: Grid, mixes: Sequence[Mix], options: TeachOptions
) -> dict[Mix, float]:
    """AUROC of spoilt goods against held-out ones by mix, of a model of the fitted ones."""
    made = fit(fitted, grid, options, np.random.default_rng(options.seed))
    white = made.whitening.apply(fitted)
    gaussian = made.gaussian.distances(white)
    # Where cells share a covariance the closed form does not hold; calibration by the fit itself is near enough here.
    calibrations = (
        fit_calibration(made.memory.distances(white, leave_out=True)),
        fit_calibration(left_out(gaussian) if grid.block == 1 else gaussian),
    )
    both = np.concatenate([held, spoilt_])
    zs = [each.z(found) for each, found in zip(calibrations, made.distances(both), strict=True)]
    labels = [False] * len(held) + [True] * len(spoilt_)
    return {mix: auroc(worst(smoothed(unlikeness(zs[0], zs[1], mix), grid.columns)).tolist(), labels) for mix in mixes}


def _mixes(options: TeachOptions) -> tuple[Mix, ...]:
    named = {"memory": Mix(1.0, 0.0), "gaussian": Mix(0.0, 1.0), "sum": Mix(1.0, 1.0), "usual": USUAL}
    return MIXES if options.heads == "auto" else (named[options.heads],)


def cut(picture: Picture, layout: Layout) -> npt.NDArray[np.uint8]:
    """Return a whole picture as the model's input, `(height, width, channels)`."""
    whole = Box(0, 0, picture.shape[1], picture.shape[0])
    made: npt.NDArray[np.uint8] = crop.crop_and_resize(picture, whole, (layout.height_px, layout.width_px))[0]
    return made


def _layout(size: int, channels: int, options: TeachOptions, region: tuple[int, int], *, one_shape: bool) -> Layout:
    step = options.step_px
    if not one_shape:
        return Layout(size, size, channels, step)
    root = (region[1] / region[0]) ** 0.5
    for unit in (16, 2 * step, 4 * step):  # the map of a large one has to part into blocks
        width, height = (min(MOST_PX, max(LEAST_PX, round(side / unit) * unit)) for side in (size * root, size / root))
        layout = Layout(width, height, channels, step)
        if layout.gaussian_bytes <= MOST_GAUSSIAN_BYTES:
            break
    return layout


def _part(tell: Tell, number: int, count: int) -> Tell:
    return lambda share: tell((number + share) / count)
