"""How long a model takes for one picture, over the last thousand, and whether that is too long. Pure."""

import math
from collections import deque

WINDOW = 1000
MOST_OVER = 2
"""So many of the last thousand above the budget, and its 99.9 % are above it."""
_RECENT = 200
_LEAST = 20
"""With fewer, the slowest is reckoned with."""
_HOPELESS = 100
"""Without time for so many in a row, the slow ones of before are forgotten: else one of them would end it for good."""


class Pace:
    """One thread."""

    def __init__(self, budget_ns: int, first_ns: int) -> None:
        """budget_ns: what one picture may take. first_ns: what it took so far, where nothing else is known."""
        self.budget_ns = budget_ns
        self._first_ns = first_ns
        self._took: deque[int] = deque(maxlen=WINDOW)
        self._recent: deque[int] = deque(maxlen=_RECENT)
        self._over: deque[bool] = deque(maxlen=WINDOW)
        self._waited = 0

    def took(self, took_ns: int) -> None:
        """It has looked at a picture."""
        self._took.append(took_ns)
        self._recent.append(took_ns)
        self._over.append(took_ns > self.budget_ns)
        self._waited = 0

    def had_no_time(self) -> None:
        """There was none before the verdict had to be out."""
        self._over.append(True)

    def waited(self) -> None:
        """There was none before the next part."""
        self._waited += 1
        if self._waited >= _HOPELESS:
            self._waited, self._first_ns = 0, self.typical_ns
            self._recent.clear()

    @property
    def is_too_slow(self) -> bool:
        """More than one in a thousand was above the budget."""
        return sum(self._over) >= MOST_OVER

    @property
    def typical_ns(self) -> int:
        """The median; before the first picture what it took when it was proved."""
        return _at(self._took, 0.5) if self._took else self._first_ns

    @property
    def slowest_ns(self) -> int:
        """99.9 % of the last thousand; 0: none yet."""
        return _at(self._took, 0.999) if self._took else 0

    @property
    def need_ns(self) -> int:
        """What to reckon with for the next picture: 99 % of the last ones, and a fifth more."""
        known = _at(self._recent, 0.99) if len(self._recent) >= _LEAST else max([self._first_ns, *self._recent])
        return known + known // 5


def _at(took: deque[int], share: float) -> int:
    known = sorted(took)
    return known[min(len(known) - 1, math.ceil(share * len(known)) - 1)]
