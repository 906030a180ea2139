"""What labelled defects add: the linear head, and whether it may judge, decided by leaving each defect out.

Three ways are compared: the goods' unlikeness alone, the head alone, both together. Each defect is scored by a head
that never saw it, each good by one that never saw that good, and what told them apart best is taken; the goods alone
unless labels gain something. The scores so found are those the threshold and its promises rest on.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ..models.figures import auroc
from .gaussian import fit_gaussian
from .heads import Heads, smoothed, unlikeness
from .lesson import Grid, Lesson, Tell, worst
from .linear import LinearHead, described, fit_linear
from .options import TeachOptions
from .targets import DEFECT, Cells, narrowed

Array = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]

FEWEST_DEFECTS = 3
MOST_FOLDS = 10
GOODS_FOLDS = 4
"""For the goods' offsets as if they were new."""
MOST_DESCRIBED_BYTES = 256 << 20
NEAR = 0.02
"""The head alone has to be better than both together by more than this: a handful of defects tells no less apart."""
USUAL_SHARE = 0.999
"""Of goods' cells that lie below what is called usual."""


class Way(StrEnum):
    """What judges."""

    GOODS = "goods alone"
    BOTH = "goods and labels"
    LABELS = "labels alone"


@dataclass(frozen=True, slots=True)
class Defects:
    """Labelled defect pictures as features."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    features: Array
    """`(defects, cells, channels)` float32."""
    cells: npt.NDArray[np.int8]
    """`(defects, cells)`, see `targets.py`."""
    exact: tuple[bool, ...]
    digests: tuple[str, ...]
    """sha256 of the pictures' files."""

    def joined(self, more: "Defects") -> "Defects":
        """Return these and more. A picture labelled anew counts once, as it is labelled now.

        Twice, the one left out would be judged by a head that learnt from the other.
        """
        kept = self.without(more.digests)
        if kept is None:
            return more
        return Defects(
            kept.names + more.names,
            kept.kinds + more.kinds,
            np.concatenate([kept.features, more.features]),
            np.concatenate([kept.cells, more.cells]),
            kept.exact + more.exact,
            kept.digests + more.digests,
        )

    def without(self, digests: Collection[str]) -> "Defects | None":
        """Return these without some pictures; None: none is left."""
        kept = [at for at, digest in enumerate(self.digests) if digest not in digests]
        if not kept:
            return None
        return Defects(
            tuple(self.names[at] for at in kept),
            tuple(self.kinds[at] for at in kept),
            self.features[kept],
            self.cells[kept],
            tuple(self.exact[at] for at in kept),
            tuple(self.digests[at] for at in kept),
        )


@dataclass(frozen=True, slots=True)
class Supervision:
    """What came of the labels."""

    heads: Heads
    way: Way
    held_out: Scores
    """Scores of goods by a model that knew neither them nor more of the defects than others, `(goods,)`."""
    defects: Scores
    """Scores of the defects, each by a model that did not know it, `(defects,)`."""
    auroc: dict[Way, float]
    folds: int
    reason: str

    @classmethod
    def none(cls, lesson: Lesson) -> "Supervision":
        """Return what there is without labels."""
        return cls(lesson.heads, Way.GOODS, lesson.held_out, np.empty(0), {}, 0, "no labelled defects")

    def defects_by_class(self, defects: Defects | None) -> dict[str, Scores]:
        """Return the defects' scores by class."""
        kinds = np.array(defects.kinds if defects is not None else ())
        return {str(kind): self.defects[kinds == kind] for kind in np.unique(kinds)}

    def told(self, defects: Defects) -> dict[str, Any]:
        """For the report."""
        classes = {kind: defects.kinds.count(kind) for kind in sorted(set(defects.kinds))}
        return {
            "judged_by": str(self.way),
            "reason": self.reason,
            "auroc_left_out": {str(way): round(value, 4) for way, value in self.auroc.items()},
            "folds": self.folds,
            "defects": classes,
            "defects_drawn_exactly": sum(defects.exact),
            "left_out_defect_scores": [
                {"name": name, "kind": kind, "score": round(float(score), 4)}
                for name, kind, score in zip(defects.names, defects.kinds, self.defects, strict=True)
            ],
        }


def supervise(
    lesson: Lesson, features: Array, defects: Defects, grid: Grid, options: TeachOptions, tell: Tell
) -> Supervision:
    """Return what the labels add to a lesson. features: those of the goods, `(goods, cells, channels)`."""
    rng = np.random.default_rng(options.seed)
    heads = lesson.heads
    white = heads.whitening.apply(defects.features)
    turned = heads.gaussian.turned(white)
    gaussian_z = heads.gaussian_z.z(np.sqrt(np.einsum("gcd,gcd->gc", turned, turned)))
    memory_z = heads.memory_z.z(heads.memory.distances(white))
    unlike = unlikeness(memory_z, gaussian_z, heads.mix)
    plain = worst(smoothed(unlike, grid.columns))
    usual = float(np.quantile(unlikeness(lesson.memory_z, lesson.gaussian_z, heads.mix), USUAL_SHARE))
    cells = [
        each if exact else narrowed(each, found, usual)
        for each, exact, found in zip(defects.cells, defects.exact, unlike, strict=True)
    ]
    usable = sum(bool((each == DEFECT).any()) for each in cells)
    alone = _auroc(lesson.held_out, plain)
    if usable < FEWEST_DEFECTS:
        reason = f"{usable} labelled defects: {FEWEST_DEFECTS} or more are needed to tell whether labels help"
        return Supervision(heads, Way.GOODS, lesson.held_out, plain, {Way.GOODS: alone}, 0, reason)
    chosen = _goods_taken(features, turned.shape[-1], rng)
    goods = described(
        _turned_as_new(heads.whitening.apply(features), chosen, grid, rng),
        lesson.memory_z[chosen],
        lesson.gaussian_z[chosen],
    )
    labelled = described(turned, memory_z, gaussian_z)
    said_goods, said_defects, full, folds = _left_out(goods, labelled, cells, defects.kinds, rng, tell)
    goods_unlike = unlikeness(lesson.memory_z[chosen], lesson.gaussian_z[chosen], heads.mix)
    spread = float(lesson.held_out.std()) / max(float(worst(smoothed(said_goods, grid.columns)).std()), 1e-6)
    level = float(np.median(lesson.held_out))
    scored, made = {Way.GOODS: (lesson.held_out, plain)}, {Way.GOODS: heads}
    for way in (Way.BOTH, Way.LABELS):
        keeps = way is Way.BOTH
        heights = [
            scale * np.float32(spread) + (base if keeps else np.float32(0.0))
            for scale, base in ((said_goods, goods_unlike), (said_defects, unlike))
        ]
        found = [worst(smoothed(height, grid.columns)) for height in heights]
        shift = level - float(np.median(found[0]))
        scored[way] = found[0] + shift, found[1] + shift
        made[way] = replace(heads, linear=replace(full, scale=spread, shift=shift, keeps_unlikeness=keeps))
    figures = {way: _auroc(*found) for way, found in scored.items()}
    way = Way.LABELS if figures[Way.LABELS] > figures[Way.BOTH] + NEAR else Way.BOTH
    gain = figures[way] - figures[Way.GOODS]
    reason = (
        f"left out one by one, {len(plain)} defects are told from {len(goods)} goods by {figures[way]:.3f} "
        f"({way}) against {figures[Way.GOODS]:.3f} (goods alone)"
    )
    way = way if gain > 0.0 else Way.GOODS
    return Supervision(made[way], way, *scored[way], figures, folds, reason)


def _auroc(goods: Scores, defects: Scores) -> float:
    return auroc([*goods.tolist(), *defects.tolist()], [False] * len(goods) + [True] * len(defects))


def _goods_taken(features: Array, directions: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Which goods are described: as many as memory allows."""
    each = features.shape[1] * (2 * directions + 2) * 4
    most = max(2 * MOST_FOLDS, MOST_DESCRIBED_BYTES // each)
    if len(features) <= most:
        return np.arange(len(features))
    return np.sort(rng.choice(len(features), most, replace=False))


def _turned_as_new(white: Array, chosen: npt.NDArray[np.int64], grid: Grid, rng: np.random.Generator) -> Array:
    """Offsets of the chosen goods, each by a Gaussian of goods without it, `(chosen, cells, d)`."""
    side = rng.permutation(len(white)) % GOODS_FOLDS
    turned = np.empty((len(chosen), white.shape[1], white.shape[2]), np.float32)
    for fold in range(GOODS_FOLDS):
        held = side[chosen] == fold
        if held.any():
            fitted = fit_gaussian(white[side != fold], grid.columns, grid.block)
            turned[held] = fitted.turned(white[chosen[held]])
    return turned


def _left_out(
    goods: Array,
    defects: Array,
    cells: Sequence[Cells],
    kinds: Sequence[str],
    rng: np.random.Generator,
    tell: Tell,
) -> tuple[Array, Array, LinearHead, int]:
    """What a head that knew neither says of goods and of defects, per cell; the head that knows all; the folds."""
    full = fit_linear(goods, defects, cells, rng)
    folds = min(MOST_FOLDS, len(defects))
    # Defects of one class are dealt out one to a fold, so that no fold loses a class that others could teach.
    side = np.empty(len(defects), np.int64)
    side[np.argsort(np.array(kinds), kind="stable")] = np.arange(len(defects)) % folds
    goods_side = rng.permutation(len(goods)) % folds
    said_goods = np.empty(goods.shape[:2], np.float32)
    said_defects = np.empty(defects.shape[:2], np.float32)
    for fold in range(folds):
        known = [int(at) for at in np.flatnonzero(side != fold)]
        if not any((cells[at] == DEFECT).any() for at in known):
            raise ValueError("no defect is left to learn from")
        head = fit_linear(goods[goods_side != fold], defects[known], [cells[at] for at in known], rng, full)
        weights = np.concatenate([head.straight, head.bent, np.array([head.memory, head.gaussian], np.float32)])
        said_goods[goods_side == fold] = goods[goods_side == fold] @ weights + np.float32(head.bias)
        said_defects[side == fold] = defects[side == fold] @ weights + np.float32(head.bias)
        tell((fold + 1) / folds)
    return said_goods, said_defects, full, folds
