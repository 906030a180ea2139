"""Whether the wall clock is believed: records watches it and says so. What goes by its age waits until it is."""

from pathlib import Path

from ..bus.channel import Subscriber, records_state_address
from ..bus.clock import SECOND, now_ns
from ..bus.messages import RecordsState

SILENT_NS = 5 * SECOND
"""Records speaks every second. What it said longer ago is void."""


class WallClock:
    """Hears what records says of the clock. One thread."""

    def __init__(self, run_dir: Path) -> None:
        self._heard = Subscriber([records_state_address(run_dir)], (RecordsState,))
        self._doubt = ""
        self._at_ns: int | None = None

    def listen(self) -> None:
        """Take in what was said since. Never waits."""
        for state in self._heard.drain():
            self._doubt, self._at_ns = state.clock, now_ns()

    def believed(self) -> bool:
        """Whether records has just said that it is. False while records is silent."""
        return self._at_ns is not None and now_ns() - self._at_ns < SILENT_NS and not self._doubt

    def close(self) -> None:
        """Let go of the socket."""
        self._heard.close()
