"""Which lot a part is of, for those who hear both: shift says which is under way, each part when it was triggered."""

from collections import deque

from ..bus.clock import utc_now
from ..bus.shift import ShiftState

KEPT = 8
"""Lots that are remembered: a part is told a few seconds after its trigger at most."""


class Lots:
    """The newest lots. One thread."""

    def __init__(self) -> None:
        self._known: deque[tuple[str, str]] = deque(maxlen=KEPT)

    def take(self, said: ShiftState) -> None:
        """What shift says now. An ended lot says no since: it ended when that was heard."""
        if not self._known or self._known[-1][1] != said.lot:
            self._known.append((said.lot_since if said.lot else utc_now(), said.lot))

    def at(self, taken_at: str) -> str:
        """The lot that was under way then, UTC as in `taken_at`; empty: none, or it is not known."""
        for since, lot in reversed(self._known):
            if since <= taken_at:
                return lot
        return ""
