"""A memory of goods: the vectors that cover all others best, and the distance to the nearest of them.

Greedy k-centre (T. Gonzalez, Theoretical Computer Science 38 (1985) 293; for defects: PatchCore, arXiv:2106.08265): the
next centre is the vector farthest from all chosen ones. Here up to `ROUND` are taken per pass over the data, as long as
each is still at least `KEEN` of the farthest one's distance away from all others: a tenth of the passes, same cover.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

ROUND = 64
KEEN = 0.95
CANDIDATES = 120_000
"""Vectors the centres are chosen from; more than these are sampled by the seed."""
_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Memory:
    """Centres among the goods' own vectors."""

    centres: Array
    """`(bank, channels)` float32, whitened."""
    goods: npt.NDArray[np.int64]
    """`(bank,)`: which good each centre was taken from."""

    def distances(self, white: Array, *, leave_out: bool = False) -> Array:
        """Return the distance of each cell to the nearest centre, `(goods, cells)`.

        white: `(goods, cells, channels)`. leave_out: these are the very goods the memory was made from; each is scored
        as if its own centres were not there, as a new good would be.
        """
        half = (self.centres * self.centres).sum(axis=1) / 2.0
        found = np.empty(white.shape[:2], np.float32)
        step = max(1, _CHUNK // white.shape[1])
        for start in range(0, len(white), step):
            block = white[start : start + step]
            flat = block.reshape(-1, block.shape[-1])
            nearness = flat @ self.centres.T - half
            if leave_out:
                owner = np.repeat(np.arange(start, start + len(block)), block.shape[1])
                nearness[owner[:, None] == self.goods[None, :]] = -np.inf
            squared = (flat * flat).sum(axis=1) - 2.0 * nearness.max(axis=1)
            found[start : start + step] = np.sqrt(np.maximum(squared, 0.0)).reshape(block.shape[:2])
        return found


def fit_memory(white: Array, bank: int, rng: np.random.Generator) -> Memory:
    """Return a memory of at most bank centres. white: `(goods, cells, channels)` of two goods or more."""
    cells = white.shape[1]
    flat = white.reshape(-1, white.shape[-1])
    rows = np.arange(len(flat))
    if len(rows) > CANDIDATES:
        rows = np.sort(rng.choice(len(rows), CANDIDATES, replace=False))
        flat = flat[rows]
    chosen = _cover(flat, min(bank, len(flat)), int(rng.integers(len(flat))))
    picked = rows[chosen]
    return Memory(np.ascontiguousarray(flat[chosen]), picked // cells)


def _cover(flat: Array, count: int, first: int) -> list[int]:
    """Indices of up to count rows that cover all rows; fewer when the rest are copies."""
    squares = (flat * flat).sum(axis=1)
    chosen, fresh = [first], [first]
    gaps = np.full(len(flat), np.inf, np.float32)
    while len(chosen) < count:
        new = flat[fresh]
        gaps = np.minimum(gaps, (squares[:, None] - 2.0 * (flat @ new.T) + squares[fresh]).min(axis=1))
        far = np.argpartition(gaps, -min(ROUND, len(gaps)))[-ROUND:]
        if gaps[far].max() <= 1e-6 * squares.max():
            break
        fresh = _keen(flat[far], gaps[far], count - len(chosen), far)
        chosen += fresh
    return chosen


def _keen(rows: Array, gaps: Array, count: int, names: npt.NDArray[np.int64]) -> list[int]:
    """Greedy choice among the farthest rows, until the next one is no longer far."""
    squares = (rows * rows).sum(axis=1)
    taken: list[int] = []
    limit, left = KEEN * KEEN * gaps.max(), gaps.copy()
    while len(taken) < count:
        best = int(left.argmax())
        if left[best] < limit or left[best] < 0.0:
            break
        taken.append(int(names[best]))
        left = np.minimum(left, squares - 2.0 * (rows @ rows[best]) + squares[best])
        left[best] = -1.0
    return taken
