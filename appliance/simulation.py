"""The simulated line as its own processes, spoken to from outside: it knows nothing of okng."""

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..bus.errors import OkngError
from .supervisor import die_with_parent

ANSWER_S = 60.0


class Presenter:
    """Lays one good part after the other before the camera: `okng.simline.present`."""

    def __init__(self, plan: Path) -> None:
        self._plan = plan

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "okng.simline.present", str(self._plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
        first = self._answer()
        self.goods = int(first["of"])
        """How many good parts there are."""
        self.view = (int(first["width"]), int(first["height"]))
        """The camera's picture, px."""
        self.colour = bool(first["colour"])
        return self

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._process.stderr.read().strip()
            raise OkngError(said.splitlines()[-1] if said else "the simulated line gave no answer")
        found: dict[str, Any] = json.loads(line)
        return found

    def next(self) -> bool:
        """Put the next good part in place; False when there is none left."""
        assert self._process.stdin is not None
        self._process.stdin.write("next\n")
        self._process.stdin.flush()
        return not self._answer().get("done", False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class SimulatedLine:
    """World and PLC: `okng.simline.line`. Its progress lines are read by a thread, newest wins."""

    def __init__(self, plan: Path, log: Path) -> None:
        self._plan, self._log_path = plan, log
        self.parts = 0
        """Parts that are through."""
        self.total: int | None = None
        self.state = ""
        self.why = ""
        """Why it failed, for people."""
        self.code: int | None = None

    def __enter__(self) -> Self:
        self._log = self._log_path.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "okng.simline.line", str(self._plan)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="line-progress", daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    @property
    def running(self) -> bool:
        """Take in the progress; True while the line runs."""
        while True:
            try:
                said = json.loads(self._lines.get_nowait())
            except queue.Empty:
                break
            self.parts = int(said.get("parts", self.parts))
            self.total = int(said["of"]) if said.get("of") else self.total
            self.state, self.why = str(said.get("state", "")), str(said.get("why", ""))
        self.code = self._process.poll()
        return self.code is None

    def hold(self, on: bool) -> None:
        """Close the stop before the eye of a metered line, or open it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGUSR1 if on else signal.SIGUSR2)

    def stop(self) -> None:
        """Ask the line to stop and wait."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(15)
        self._process.kill()
        self.code = self._process.wait()
        self._reader.join(5)
        _ = self.running

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.code is None:
            self.stop()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._log.close()
