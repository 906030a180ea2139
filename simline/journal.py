"""A log that never makes its writer wait for the disk: lines of JSON, written by a thread of their own."""

import json
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path

PERIOD_S = 0.2


class Journal:
    """One JSONL file. What a killed process had not yet written, at most PERIOD_S of it, is lost."""

    def __init__(self, path: Path) -> None:
        """Start the file afresh."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8")
        self._lines: deque[Mapping[str, object]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"journal {path.stem}", daemon=True)
        self._thread.start()

    def put(self, line: Mapping[str, object]) -> None:
        """Add a line; it must not be changed afterwards."""
        self._lines.append(line)

    def close(self) -> None:
        """Write what is left. A second call does nothing."""
        self._stop.set()
        self._thread.join()
        self._file.close()

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self._write()
        self._write()

    def _write(self) -> None:
        while self._lines:
            self._file.write(json.dumps(self._lines.popleft()) + "\n")
        self._file.flush()
