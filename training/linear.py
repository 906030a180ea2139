"""The linear head: what a handful of labelled defects teaches, one logistic weight a feature of a cell.

Features of a cell are its offsets from the goods at that very place, without correlation and in units of spread
(`Gaussian.turned`), log(1 + offset squared) of each, and both z. Squares let the labels say which directions matter,
whichever way a defect goes: on magnetic tiles with 20 labelled defects .958 image AUROC against .933 from the white
features themselves. Convex: ridge logistic regression by Newton's method (P. McCullagh, J. Nelder, Generalized Linear
Models, 1989, 4.4), defects and goods of equal weight together, each defect picture of equal weight. Fitted again
with the goods' cells that scored highest, three times: a part is judged by its worst cell, so that one must be learnt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

LEAST_Z, MOST_Z = -5.0, 30.0
"""Beyond these z says no more."""
RIDGE = 1e-2
ROUNDS = 3
HARD_SHARE = 0.8
"""Of the goods' weight, once the hard cells are known."""
HARDEST = 5
"""Cells of each good taken up as hard, a round."""
PLAIN_CELLS = 12_000
"""Cells of goods drawn by chance."""
_NEWTON, _CLOSE = 25, 1e-4


@dataclass(frozen=True, slots=True)
class LinearHead:
    """said = (turned @ straight + log(1 + turned^2) @ bent + z's + bias) * scale + shift."""

    straight: Array
    """`(d,)` float32."""
    bent: Array
    """`(d,)` float32."""
    memory: float
    """Weight of the memory's z, clipped."""
    gaussian: float
    bias: float
    scale: float = 1.0
    """Brings what it says to the unit of the unlikeness."""
    shift: float = 0.0
    keeps_unlikeness: bool = False
    """True: the weighted z's are added; False: the head judges alone."""

    def said(self, turned: Array, memory_z: Array, gaussian_z: Array) -> Array:
        """Return what it says of each cell, `(goods, cells)`. turned: `(goods, cells, d)`; z's: `(goods, cells)`."""
        found = turned @ self.straight + np.log1p(turned * turned) @ self.bent
        found += self.memory * np.clip(memory_z, LEAST_Z, MOST_Z)
        found += self.gaussian * np.clip(gaussian_z, LEAST_Z, MOST_Z)
        said: Array = ((found + self.bias) * self.scale + self.shift).astype(np.float32)
        return said


def described(turned: Array, memory_z: Array, gaussian_z: Array) -> Array:
    """Return the features of cells, `(…, 2 d + 2)` float32, in the order of the head's weights."""
    zs = [np.clip(z, LEAST_Z, MOST_Z)[..., None] for z in (memory_z, gaussian_z)]
    return np.concatenate([turned, np.log1p(turned * turned), *zs], axis=-1).astype(np.float32, copy=False)


def fit_linear(
    goods: Array,
    defects: Sequence[Array] | Array,
    targets: Sequence[npt.NDArray[np.int8]],
    rng: np.random.Generator,
    start: LinearHead | None = None,
) -> LinearHead:
    """Return the head fitted to labelled defects.

    goods: described cells of goods, each as one that is new, `(goods, cells, 2 d + 2)`. defects: described cells of
    each defect picture, `(cells, 2 d + 2)`. targets: for each, `(cells,)` 1: defect, 0: none, -1: not known. start: a
    head
    of nearly the same labels, to begin from.
    ValueError: no cell is labelled as defect.
    """
    positive = [cells[target == 1] for cells, target in zip(defects, targets, strict=True) if (target == 1).any()]
    if not positive:
        raise ValueError("no cell is labelled as a defect")
    weight = np.concatenate([np.full(len(cells), 0.5 / len(positive) / len(cells)) for cells in positive])
    flat = goods.reshape(-1, goods.shape[-1])
    drawn = rng.choice(len(flat), min(PLAIN_CELLS, len(flat)), replace=False)
    beside = [cells[target == 0] for cells, target in zip(defects, targets, strict=True)]
    plain = np.concatenate([flat[np.sort(drawn)], *beside])
    hard = np.empty((0, goods.shape[-1]), np.float32)
    weights = np.zeros(goods.shape[-1] + 1) if start is None else _weights(start)
    for _ in range(ROUNDS + 1):
        share = HARD_SHARE if len(hard) else 0.0
        rows = np.concatenate([*positive, plain, hard])
        rest = [
            np.full(len(plain), 0.5 * (1.0 - share) / len(plain)),
            np.full(len(hard), 0.5 * share / max(1, len(hard))),
        ]
        labels = np.concatenate([np.ones(len(weight)), np.zeros(len(plain) + len(hard))])
        weights = _newton(rows, labels, np.concatenate([weight, *rest]), weights)
        said = goods @ weights[:-1].astype(np.float32)
        worst = np.argpartition(said, -HARDEST, axis=1)[:, -HARDEST:]
        hard = np.concatenate([hard, np.take_along_axis(goods, worst[..., None], 1).reshape(-1, goods.shape[-1])])
    directions = (len(weights) - 3) // 2
    return LinearHead(
        straight=weights[:directions].astype(np.float32),
        bent=weights[directions:-3].astype(np.float32),
        memory=float(weights[-3]),
        gaussian=float(weights[-2]),
        bias=float(weights[-1]),
    )


def _weights(head: LinearHead) -> Doubles:
    rest = np.array([head.memory, head.gaussian, head.bias])
    return np.concatenate([head.straight.astype(np.float64), head.bent.astype(np.float64), rest])


def _newton(rows: Array, labels: Doubles, weight: Doubles, start: Doubles) -> Doubles:
    """Weights, the bias last, that minimise the weighted logistic loss plus `RIDGE` / 2 of their squares."""
    wide = np.concatenate([rows, np.ones((len(rows), 1), np.float32)], axis=1)
    found = start.copy()
    ridge = np.full(len(found), RIDGE)
    ridge[-1] = 1e-9
    loss = _loss(wide, labels, weight, found, ridge)
    for _ in range(_NEWTON):
        chance = 1.0 / (1.0 + np.exp(-np.clip(wide @ found.astype(np.float32), -30.0, 30.0).astype(np.float64)))
        slope = wide.T.astype(np.float64) @ (weight * (chance - labels)) + ridge * found
        curve = np.sqrt(weight * chance * (1.0 - chance) + 1e-12).astype(np.float32)
        scaled = wide * curve[:, None]
        step = np.linalg.solve((scaled.T @ scaled).astype(np.float64) + np.diag(ridge), slope)
        reach = 1.0
        while reach > 1e-3:  # a full step can overshoot far from the goal: halve it until the loss falls
            there = _loss(wide, labels, weight, found - reach * step, ridge)
            if there <= loss + 1e-12:
                break
            reach /= 2.0
        else:
            break
        found, loss = found - reach * step, there
        if np.abs(reach * step).max() < _CLOSE:
            break
    return found


def _loss(wide: Array, labels: Doubles, weight: Doubles, at: Doubles, ridge: Doubles) -> float:
    said = (wide @ at.astype(np.float32)).astype(np.float64)
    return float(weight @ (np.logaddexp(0.0, said) - labels * said) + 0.5 * ridge @ (at * at))
