"""When too many rejects ask for a stop of the line. Pure; a process stop, not a safety function."""

from collections import deque
from dataclasses import dataclass

from ..bus.part import Why
from .line_mode import APART


@dataclass(frozen=True, slots=True)
class StopRules:
    """Limits; 0: that rule is off."""

    consecutive: int = 0
    """Rejects in a row, for whatever reason but a fault (that stops the line by itself)."""
    k: int = 0
    """So many rejects ..."""
    n: int = 0
    """... among the last so many parts."""
    late_in_row: int = 0
    """Parts in a row without a verdict in time."""
    unconfirmed_in_row: int = 0
    """Rejects in a row that the confirm eye saw going on."""

    def __post_init__(self) -> None:
        for name in ("consecutive", "k", "n", "late_in_row", "unconfirmed_in_row"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} = {getattr(self, name)}: expected 0 or more")
        if bool(self.k) != bool(self.n) or self.k > self.n:
            raise ValueError(f"k = {self.k}, n = {self.n}: expected both 0, or 1 <= k <= n")


class Stops:
    """Counts, and says when a rule asks for a stop."""

    def __init__(self, rules: StopRules) -> None:
        self._rules = rules
        self._last: deque[bool] = deque(maxlen=rules.n or 1)
        self._rejects = self._late = self._unconfirmed = 0

    def decided(self, why: Why) -> str:
        """Take a disposition; return why the line is to stop, empty: it is not."""
        if why is Why.FAULT or why in APART:
            return ""
        rules, rejected = self._rules, why is not Why.OK
        self._last.append(rejected)
        self._rejects = self._rejects + 1 if rejected else 0
        self._late = self._late + 1 if why is Why.LATE else 0
        if rules.late_in_row and self._late >= rules.late_in_row:
            return f"{self._late} parts in a row got no verdict in time"
        if rules.consecutive and self._rejects >= rules.consecutive:
            return f"{self._rejects} rejects in a row"
        if rules.n and sum(self._last) >= rules.k:
            return f"{sum(self._last)} rejects of the last {len(self._last)} parts"
        return ""

    def confirmed(self, left: bool) -> str:
        """Take what the confirm eye says of a reject; return why the line is to stop, empty: it is not."""
        self._unconfirmed = 0 if left else self._unconfirmed + 1
        limit = self._rules.unconfirmed_in_row
        if limit and self._unconfirmed >= limit:
            return f"{self._unconfirmed} rejects in a row were seen going on: look at the ejector"
        return ""

    def reset(self) -> None:
        """Begin to count anew: a person has looked."""
        self._last.clear()
        self._rejects = self._late = self._unconfirmed = 0
