"""gunicorn's own process says that it turns: it starts the worker anew, so nobody else would notice that it hangs.

The heartbeat `web` is the worker's. Under a parent that stands still pages are served until the worker ends, then none.
"""

import os
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health

PARENT = "web-parent"
"""Name of its heartbeat."""


class TurningArbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """Stamps a heartbeat in each turn of its loop, which gunicorn takes once a second at least."""

    def __init__(self, app: Any, run_dir: Path) -> None:
        """ChannelLost: the run folder does not take it."""
        self._heartbeat, self._own = Heartbeat(run_dir, PARENT), os.getpid()
        super().__init__(app)

    def murder_workers(self) -> None:
        """Look for workers that hang; gunicorn does that in each turn."""
        self._heartbeat.health = Health.READY
        self._heartbeat.turn()
        super().murder_workers()

    def close(self) -> None:
        """Say that it ends. In the parent alone: a worker leaves through the same frames."""
        if os.getpid() == self._own:
            self._heartbeat.close()
