"""Whether the line takes parts, noted when it has changed for good: what availability is told from.

Stream `line`, events `ready`, `not ready`, `silent` (io is not heard), each with `since`, the moment it began to be so.
"""

from ..bus.clock import SECOND
from .note import Note, Noting

LASTS_NS = 2 * SECOND
"""A change is noted once it has lasted so long: a part that is only being moved over is none."""
MOST_REASONS = 5
READY, NOT_READY, SILENT = "ready", "not ready", "silent"


class Readiness(Noting):
    """One line. Pure: moments are given."""

    def __init__(self) -> None:
        super().__init__()
        self._noted = self._now = ""
        self._since_ns, self._since = 0, ""
        self._reasons: tuple[str, ...] = ()

    def turn(
        self, *, ready: bool | None, reasons: tuple[str, ...], now_ns: int, utc: str, seen_until: str = ""
    ) -> None:
        """Take what io says now. ready: None: it is not heard. seen_until: UTC of the last word before a restart."""
        state = SILENT if ready is None else READY if ready else NOT_READY
        if state != self._now:
            self._now, self._since_ns, self._since, self._reasons = state, now_ns, utc, reasons
        if state == self._noted or now_ns - self._since_ns < LASTS_NS:
            return
        body: dict[str, object] = {"since": self._since}
        if state == NOT_READY:
            body["reasons"] = list(self._reasons or reasons)[:MOST_REASONS]
        if not self._noted and seen_until:
            body["unseen since"] = seen_until
        self._noted = state
        self._notes.append(Note(state, body))
