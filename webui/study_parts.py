"""Parts for an agreement study: kept pictures, half of them rejects, half of each near the limit, well mixed."""

import random
from collections.abc import Sequence

from ..records.read import PartRow
from .history import History

PAGES = 4
"""Of a thousand parts each are looked through for kept pictures."""
COUNTS = (20, 30, 50)
REPEATS = (2, 3)


def pick(history: History, count: int, seed: int) -> list[PartRow]:
    """Up to count parts, half of them rejects, shuffled. BadLedger."""
    rng = random.Random(seed)
    bad = _with_picture(history, "NG", count * 4)
    good = _with_picture(history, "OK", count * 4)
    half = count // 2
    chosen = _mixed(bad, max(half, count - len(good)), rng) + _mixed(good, max(count - half, count - len(bad)), rng)
    rng.shuffle(chosen)
    return chosen[:count]


def order(study: int, operator: str, number: int, seqs: Sequence[int]) -> list[int]:
    """The order of one operator's round: the same when asked again, another in every round and for everybody."""
    mixed = list(seqs)
    random.Random(f"{study}/{operator}/{number}").shuffle(mixed)
    return mixed


def _with_picture(history: History, outcome: str, enough: int) -> list[PartRow]:
    found: list[PartRow] = []
    before: int | None = None
    for _ in range(PAGES):
        page = history.rows(limit=1000, before_seq=before, outcome=outcome)
        found += [row for row in page if row.picture_kept and row.picture_sha256]
        if len(page) < 1000 or len(found) >= enough:
            break
        before = page[-1].seq
    return found


def _mixed(rows: Sequence[PartRow], count: int, rng: random.Random) -> list[PartRow]:
    """Half of them those nearest to their limit, the rest by chance: easy parts alone would flatter everybody."""
    near = sorted(rows, key=lambda row: abs(row.score / row.threshold - 1) if row.threshold > 0 else 9.0)
    taken = near[: count // 2]
    others = [row for row in rows if row not in taken]
    return taken + rng.sample(others, min(len(others), count - len(taken)))
