"""What time it is for what runs out: not before the build, and in doubt where somebody who knows more doubts it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..bus.channel import Subscriber, records_state_address
from ..bus.clock import SECOND, now_ns
from ..bus.clock_floor import build_utc
from ..bus.messages import RecordsState

_BACK = timedelta(seconds=60)
_STALE_NS = 5 * SECOND


@dataclass(frozen=True, slots=True)
class Moment:
    """A reading of the clock."""

    at: datetime
    """UTC; no earlier than it can be."""
    doubt: str = ""
    """Why the clock is not believed, for people; empty: it is. Then nothing new is begun."""


Clock = Callable[[], Moment]
"""Where `records` doubts the clock (`records/clock_watch.py`), so must this."""


def own_clock() -> Moment:
    """The wall clock, judged by the build alone."""
    return moment_of(datetime.now(UTC), "")


def moment_of(wall: datetime, doubt: str) -> Moment:
    """A reading of the wall clock, and what others hold of it."""
    built = build_utc()
    if wall < built - _BACK:
        doubt = doubt or f"the clock says {wall:%Y-%m-%d %H:%M}Z, and okng was built {built:%Y-%m-%d}"
    return Moment(max(wall, built), doubt)


class LedgerClock:
    """The wall clock, with the doubts of `records`, which knows the newest thing in the ledger. One thread.

    Where records says nothing the build alone tells; it says so every second.
    """

    def __init__(self, run: Path) -> None:
        """run: folder of sockets. ChannelLost."""
        self._heard = Subscriber([records_state_address(run)], (RecordsState,))
        self._doubt, self._at_ns = "", 0

    def __call__(self) -> Moment:
        """What time it is."""
        for said in self._heard.drain():
            self._doubt, self._at_ns = said.clock, now_ns()
        return moment_of(datetime.now(UTC), self._doubt if now_ns() - self._at_ns < _STALE_NS else "")

    def close(self) -> None:
        """Hear no more."""
        self._heard.close()
