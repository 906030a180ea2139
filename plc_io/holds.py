"""Who beside the PLC keeps the line from being READY, pure.

A hold ends when its holder lets go. A holder that falls silent does not release the line by dying: its hold stays, and
the reason says that it is silent, until it is back and lets go, or a person sets FAULT_RESET, or io is started again.
Who is awaited holds from the start, until it has spoken once; FAULT_RESET does not stand in for its word.
"""

from ..bus.clock import SECOND
from ..bus.messages import Hold

SILENT_NS = 5 * SECOND
"""A holder repeats itself every second; silent for this long, it is said to be."""
MOST = 16
"""Holders known at a time. One more is held under `others`, which only FAULT_RESET or a new start ends."""
_OTHERS = "others"


class Holds:
    """All holds of one station."""

    def __init__(self, awaits: tuple[str, ...] = ()) -> None:
        """awaits: who has to speak before the line may be READY at all, and whom no FAULT_RESET stands in for."""
        self._needed = frozenset(awaits)
        self._awaited = set(awaits)
        self._held: dict[str, tuple[str, int]] = {}  # by holder: the reason, and when it was last heard

    def take(self, hold: Hold, now_ns: int) -> None:
        """Take one message of a holder."""
        who = hold.who[:48]
        self._awaited.discard(who)
        if not hold.held:
            self._held.pop(who, None)
        elif who in self._held or len(self._held) < MOST:
            self._held[who] = hold.reason[:200], now_ns
        else:
            self._held[_OTHERS] = f"more than {MOST} hold the line at once", now_ns

    def reset(self, now_ns: int) -> None:
        """FAULT_RESET: a person lets go in place of the silent. Who is alive holds on, who is awaited too."""
        self._held = {
            who: held for who, held in self._held.items() if who in self._needed or not self._silent(held[1], now_ns)
        }

    def reasons(self, now_ns: int) -> tuple[str, ...]:
        """Why READY is held off, by holder; empty: nobody holds."""
        if not self._awaited and not self._held:
            return ()
        unheard = tuple(f"{who} has not spoken yet: the line waits for it" for who in sorted(self._awaited))
        return unheard + tuple(
            f"{who} holds the line: {reason or 'no reason given'}"
            + (self._advice(who) if self._silent(heard, now_ns) else "")
            for who, (reason, heard) in sorted(self._held.items())
        )

    def _advice(self, who: str) -> str:
        return "; it is silent since: start it again" + ("" if who in self._needed else ", or set FAULT_RESET")

    @staticmethod
    def _silent(heard_ns: int, now_ns: int) -> bool:
        return now_ns - heard_ns >= SILENT_NS
