"""A declared bypass: for so many minutes a key at the PLC lets parts by, and the box rejects and counts them. Pure."""

from typing import Any

from ..bus.clock import SECOND
from ..bus.errors import Refused
from .note import Note, Noting

MINUTE_NS = 60 * SECOND


class Bypass(Noting):
    """On or off. It ends at its moment by itself, here and in io."""

    def __init__(self, most_min: int) -> None:
        super().__init__()
        self._most_min = most_min
        self.who = self.reason = self.since = ""
        self.until_ns = 0
        """0: there is none."""

    @property
    def on(self) -> bool:
        """A bypass is declared."""
        return self.until_ns != 0

    def set(self, minutes: float, reason: str, who: str, now_ns: int, utc: str) -> None:
        """Declare one, or make one that is on longer or shorter. Refused: too long, or without a reason."""
        if not 0 < minutes <= self._most_min:
            raise Refused(f"{minutes:g} minutes: expected more than 0 and at most {self._most_min}")
        if not reason.strip():
            raise Refused("a bypass needs a reason")
        self.until_ns, self.who, self.reason = now_ns + int(minutes * MINUTE_NS), who, reason.strip()[:500]
        self.since = self.since or utc
        self._notes.append(Note("set", {"minutes": minutes, "reason": self.reason, "since": self.since}, who))

    def end(self, who: str, utc: str) -> None:
        """End it. Refused: there is none."""
        if not self.on:
            raise Refused("there is no bypass")
        self._notes.append(Note("ended", {"since": self.since, "until": utc, "set by": self.who}, who))
        self.who = self.reason = self.since = ""
        self.until_ns = 0

    def turn(self, now_ns: int, utc: str) -> None:
        """Let time pass."""
        if self.on and now_ns >= self.until_ns:
            self.end("", utc)

    def snapshot(self, now_ns: int) -> dict[str, Any]:
        """Plain data for `restore`."""
        return {
            "left_ns": max(0, self.until_ns - now_ns) if self.on else 0,
            "who": self.who,
            "reason": self.reason,
            "since": self.since,
        }

    def restore(self, kept: dict[str, Any], now_ns: int, away_ns: int) -> None:
        """Go on with what is left of it; away_ns: how old the snapshot is, by the wall clock."""
        left_ns = min(int(kept["left_ns"]), self._most_min * MINUTE_NS) - max(0, away_ns)
        if int(kept["left_ns"]):
            self.who, self.reason, self.since = str(kept["who"]), str(kept["reason"]), str(kept["since"])
            self.until_ns = now_ns + max(1, left_ns)
