"""The real shift process beside a made-up line, and the little of io that it needs: modes, holds and jobs."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask.testing import FlaskClient

from okng.bus.channel import Subscriber, shift_address
from okng.bus.messages import Hold, JobAnswer, JobAsk
from okng.bus.shift import LineMode, ShiftState

CODE = """
import sys
from pathlib import Path
from okng.shift.options import ShiftOptions
from okng.shift.process import run
run_dir = Path(sys.argv[1])
options = ShiftOptions.model_validate_json(sys.argv[2])
sys.exit(run(options, ("top",), frozenset((1, 2)), run_dir, run_dir / "store"))
"""


class Io:
    """Takes what shift says to io, and answers as io does."""

    def __init__(self, line: Any) -> None:
        self.line = line
        self.state: ShiftState | None = None
        self.refusal = ""
        """Why the next job is refused; empty: it is taken."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def _live(self) -> None:
        ears = Subscriber([shift_address(self.line.run_dir)], (LineMode, Hold, JobAsk, ShiftState))
        with ears:
            while not self._stop.is_set():
                message = ears.receive(50)
                if isinstance(message, ShiftState):
                    self.state = message
                elif isinstance(message, LineMode):
                    self.line.mode = message
                elif isinstance(message, Hold):
                    begins = f"{message.who} holds the line: "
                    others = tuple(reason for reason in self.line.reasons if not reason.startswith(begins))
                    self.line.reasons = (*others, f"{begins}{message.reason}") if message.held else others
                elif isinstance(message, JobAsk):
                    with self.line._lock:
                        if not self.refusal:
                            self.line.job_number = message.number
                        done = not self.refusal
                        self.line.io.send(JobAnswer(message.number, message.token, done, self.refusal, message.who))

    def until(self, holds: Callable[[ShiftState], object], what: str) -> ShiftState:
        """The first word of shift for which it holds."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if self.state is not None and holds(self.state):
                return self.state
            time.sleep(0.02)
        raise AssertionError(f"{what}: {self.state}")

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def shown(client: FlaskClient, text: str, path: str, times: int = 400) -> str:
    """The page, as soon as the text stands on it."""
    page = ""
    for _ in range(times):
        page = client.get(path).get_data(as_text=True)
        if text in page:
            return page
        time.sleep(0.02)
    raise AssertionError((text, page[-3000:]))


@contextlib.contextmanager
def shift_beside(line: Any, options: str = "{}") -> Iterator[Io]:
    """Run it for a while. options: `[shift]` as JSON."""
    line.speaks_for_shift = False
    if line._shift is not None:
        line._shift.close()
        line._shift = None
    io = Io(line)
    process = subprocess.Popen([sys.executable, "-c", CODE, str(line.run_dir), options])
    try:
        io.until(lambda state: True, "shift does not speak")
        yield io
    finally:
        process.terminate()
        process.wait(timeout=10)
        io.close()
