"""What time it is for what runs out: not before the build, and in doubt where somebody who knows more doubts it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ..bus.clock_floor import build_utc

_BACK = timedelta(seconds=60)


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
