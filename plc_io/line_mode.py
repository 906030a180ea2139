"""What the parts that are triggered now are: production, test parts, or parts of a declared bypass. Pure.

shift says it, io goes by the last word it heard. Silence ends nothing: a test part that was missed must not pass
because somebody died. A bypass ends at its moment by itself. In any mode but production every part is rejected,
whatever its verdict; the verdict stays in its record.
"""

from ..bus.part import Why
from ..bus.shift import LineMode, Mode

_GROUNDS = {Mode.CHALLENGE: Why.CHALLENGE, Mode.BYPASS: Why.BYPASS}
APART = frozenset(_GROUNDS.values())
"""Grounds that say nothing of the process: they count apart and ask for no stop of the line."""


def ground(mode: Mode, why: Why, *, missed: bool = False) -> Why:
    """The ground of a disposition: never OK outside production. missed: it was nobody's, whatever the mode."""
    return why if missed else _GROUNDS.get(mode, why)


class LineModes:
    """The mode of one station; production after each start."""

    def __init__(self, *, awaited: bool = False) -> None:
        """awaited: the line is not to be READY before a mode was heard: it may be test parts that come."""
        self._mode, self._until_ns = Mode.PRODUCTION, 0
        self._awaited = awaited

    def take(self, said: LineMode) -> None:
        """Take one word of shift."""
        self._mode, self._until_ns = Mode(said.mode), said.until_ns
        self._awaited = False

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why READY is held off; empty: it is known what the parts are."""
        return ("shift has not spoken yet of what the parts are: the line waits for it",) if self._awaited else ()

    def at(self, now_ns: int) -> Mode:
        """What a part that is triggered at that moment is."""
        return Mode.PRODUCTION if self._until_ns and now_ns >= self._until_ns else self._mode
