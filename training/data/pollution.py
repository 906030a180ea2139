"""Defective pictures among the goods: found by how unlike all the others they are, with statistics they cannot bend.

A model taught from a polluted set knows the defects it was to find. Nothing here trusts the set as a whole. A cell is
held against the third most alike *picture* (two pictures with one defect do not vouch for each other) and against what
the other three quarters of the set have at its place; a picture counts by its few most unlike cells; who stands out is
put aside and all are held against the rest anew. Scores become robust z by median and MAD, with the usual limit of 3.5
(Iglewicz and Hoaglin 1993: How to detect and handle outliers).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...bus.errors import BadSettings

LIMIT = 3.5
"""Robust z from which on a picture is a suspect."""
FEWEST = 10
"""Goods below this number say nothing of what is usual."""
_DIMENSIONS = 64
_BANK_PICTURES, _BANK_CELLS = 96, 32
_FOLDS = 4
_VOUCHERS = 3
"""So many other pictures must hold something like a cell before it counts as usual."""
_WORST_CELLS = 3
_ROUNDS = 2
_MOST_ASIDE = 0.2
"""More than this share is never put aside: then it is not the suspects that are unusual."""
_TO_SIGMA = 1.4826
_SHRINK = 1e-3
_BLOCK = 4096

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A picture among the goods that is unlike the others."""

    place: int
    """Of the picture in what was given."""
    z: float
    """Robust z of its score: 0 is usual."""
    cell: int | None
    """Place of its most unlike cell on the grid, row by row; None: only scores were given."""
    why: str
    """For people."""

    @property
    def beyond(self) -> bool:
        """True when it stands out by more than the limit; the others are merely the most unlike."""
        return self.z > LIMIT


def suspects_by_features(features: Floats, columns: int, most: int = 10, seed: int = 0) -> tuple[Suspect, ...]:
    """Return the most unlike of the goods, the worst first.

    features: `(n, cells, k)`, of one picture a row; columns: of the grid of cells. most: so many are named, whether
    they stand out or not. BadSettings: fewer than 10 pictures.
    """
    count = len(features)
    _enough(count)
    rng = np.random.default_rng(seed)
    reduced = _whitened(features, rng)
    usual = np.ones(count, bool)
    for _ in range(_ROUNDS):
        cells = _robust_z(_memory(reduced, usual, rng), usual) + _robust_z(_by_place(reduced, usual, rng), usual)
        worst = np.sort(cells, 1)[:, -_WORST_CELLS:].mean(1)
        z = robust_z(worst, usual)
        aside = z > LIMIT
        if aside.mean() > _MOST_ASIDE:
            aside = z > np.quantile(z, 1.0 - _MOST_ASIDE)
        if (aside == ~usual).all():
            break
        usual = ~aside
    typical = float(np.median(worst[usual]))
    found = []
    for place in np.argsort(-z, kind="stable")[:most]:
        cell = int(cells[place].argmax())
        row, column = divmod(cell, columns)
        why = f"its row {row}, column {column} is unlike what {_VOUCHERS} others have: {cells[place, cell]:.0f}, "
        found.append(Suspect(int(place), float(z[place]), cell, f"{why}usual {typical:.0f}; z {z[place]:.1f}"))
    return tuple(found)


def suspects_by_scores(scores: Sequence[float] | npt.NDArray[np.float64], most: int = 10) -> tuple[Suspect, ...]:
    """Return the most unlike of the goods by scores each got while the model did not know it, the worst first.

    BadSettings: fewer than 10 scores, or one that is no number.
    """
    given = np.asarray(scores, np.float64)
    _enough(len(given))
    if not np.isfinite(given).all():
        raise BadSettings(f"score {int((~np.isfinite(given)).argmax())}: expected finite numbers")
    z = robust_z(given, np.ones(len(given), bool))
    usual = float(np.median(given))
    return tuple(
        Suspect(int(place), float(z[place]), None, f"scores {given[place]:.3g}, usual {usual:.3g}; z {z[place]:.1f}")
        for place in np.argsort(-z, kind="stable")[:most]
    )


def robust_z(values: npt.NDArray[np.floating], usual: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return how many spreads values `(n,)` lie above the middle of the usual ones (median and MAD)."""
    middle = np.median(values[usual])
    spread = _TO_SIGMA * np.median(np.abs(values[usual] - middle))
    # More than half are the same: whatever differs stands out, by how much nobody can say.
    return np.asarray((values - middle) / max(float(spread), 1e-9 + 1e-3 * abs(float(middle))), np.float64)


def _enough(count: int) -> None:
    if count < FEWEST:
        raise BadSettings(
            f"{count} pictures of good parts: expected {FEWEST} or more to say which is unlike the others"
        )


def _whitened(features: Floats, rng: np.random.Generator) -> Floats:
    """Decorrelated features of the largest directions, `(n, cells, 64)`."""
    flat = features.reshape(-1, features.shape[2])
    some = flat[rng.choice(len(flat), min(len(flat), 20_000), replace=False)].astype(np.float64)
    middle = np.median(some, 0)
    # Far cells would bend the covariance: it is that of the nearer nine tenths.
    far = (np.square(some - middle) / (some.var(0) + 1e-12)).sum(1)
    kept = some[far <= np.quantile(far, 0.9)] - middle
    values, vectors = np.linalg.eigh(np.cov(kept.T))
    values = np.maximum(values[::-1], 0.0) + _SHRINK * values.mean()
    chosen = min(_DIMENSIONS, len(values))
    to = (vectors[:, ::-1][:, :chosen] / np.sqrt(values[:chosen])).astype(np.float32)
    return np.asarray(((flat - middle.astype(np.float32)) @ to).reshape(*features.shape[:2], chosen), np.float32)


def _memory(reduced: Floats, usual: npt.NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Distance of each cell to the third most alike picture anywhere, `(n, cells)`."""
    count, cells, width = reduced.shape
    places = np.flatnonzero(usual)
    chosen = np.sort(rng.choice(places, min(len(places), _BANK_PICTURES), replace=False))
    held = min(cells, _BANK_CELLS)
    bank = np.stack([reduced[place, rng.choice(cells, held, replace=False)] for place in chosen])
    flat_bank = bank.reshape(-1, width)
    lengths = np.square(flat_bank).sum(1)
    column = {int(place): at for at, place in enumerate(chosen)}
    owner = np.repeat([column.get(place, -1) for place in range(count)], cells)
    flat = reduced.reshape(-1, width)
    found = np.empty(len(flat), np.float32)
    for start in range(0, len(flat), _BLOCK):
        block = flat[start : start + _BLOCK]
        squares = lengths[None] - 2.0 * (block @ flat_bank.T)
        nearest = squares.reshape(len(block), len(chosen), held).min(2)
        own = owner[start : start + _BLOCK]
        mine = np.flatnonzero(own >= 0)
        nearest[mine, own[mine]] = np.inf
        at = min(_VOUCHERS - 1, len(chosen) - 2)
        third = np.partition(nearest, at, 1)[:, at] + np.square(block).sum(1)
        found[start : start + _BLOCK] = np.sqrt(np.maximum(third, 0.0))
    return found.reshape(count, cells)


def _by_place(reduced: Floats, usual: npt.NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Mahalanobis distance of each cell to the other folds' usual cells at its place, `(n, cells)`."""
    count, _, width = reduced.shape
    fold = rng.permutation(count) % _FOLDS
    far = np.zeros(reduced.shape[:2], np.float32)
    for mine in range(_FOLDS):
        known = np.transpose(reduced[usual & (fold != mine)], (1, 0, 2))
        middle = known.mean(1, keepdims=True)
        centred = known - middle
        spread = np.matmul(np.transpose(centred, (0, 2, 1)), centred) / max(centred.shape[1] - 1, 1)
        # Few pictures, many dimensions: drawn towards one number, as Ledoit and Wolf (2004) do.
        draw = width / (width + centred.shape[1])
        level = np.trace(spread, axis1=1, axis2=2)[:, None, None] / width
        inverse = np.linalg.inv((1.0 - draw) * spread + (draw * level + 1e-6) * np.eye(width, dtype=np.float32))
        asked = np.transpose(reduced[fold == mine], (1, 0, 2)) - middle
        far[fold == mine] = np.sqrt(np.maximum((np.matmul(asked, inverse) * asked).sum(2), 0.0)).T
    return far


def _robust_z(cells: Floats, usual: npt.NDArray[np.bool_]) -> Floats:
    """Each cell against its own place in the usual pictures: where parts always vary, varying says little."""
    middle = np.median(cells[usual], 0)
    spread = _TO_SIGMA * np.median(np.abs(cells[usual] - middle), 0)
    return np.asarray((cells - middle) / np.maximum(spread, 0.25 * np.median(spread) + 1e-6), np.float32)
