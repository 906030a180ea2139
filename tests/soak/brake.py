"""Stops the belt while the ledger is far behind: the line is quicker here than any is, and records goes last."""

import time
from typing import Protocol

FAR, NEAR = 1500, 100
"""Parts that the ledger may be behind before the belt stops, and when it goes on: io keeps some thousand entries."""
LOOK_S = 1.0


class Line(Protocol):
    """The simulated line."""

    parts: int

    def hold(self, on: bool) -> None:
        """Let no part in, or again."""


class Rows(Protocol):
    """The ledger of the segment."""

    def rows(self) -> int:
        """Rows that came since the segment began."""


class Brake:
    """Looks once a second."""

    def __init__(self, line: Line, ledger: Rows) -> None:
        self._line, self._ledger = line, ledger
        self._looked = self._since = self._held_s = 0.0
        self._rows = 0
        self.moved = 0.0
        """When the ledger was last seen to get rows."""
        self.on = False

    @property
    def held_s(self) -> float:
        """How long the belt stood."""
        return self._held_s + (time.monotonic() - self._since if self.on else 0.0)

    def look(self, now: float) -> None:
        """Look whether the ledger keeps up."""
        if now - self._looked < LOOK_S:
            return
        rows = self._ledger.rows()
        if rows != self._rows:
            self._rows, self.moved = rows, now
        self._looked, behind = now, self._line.parts - rows
        if not self.on and behind > FAR:
            self.on, self._since = True, now
            self._line.hold(True)
        elif self.on and behind < NEAR:
            self._held_s, self.on = self._held_s + now - self._since, False
            self._line.hold(False)
