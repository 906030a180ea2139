"""Where PDFs are made: one at a time, each in a process of its own, so that no click waits for one.

A report's name ends in digits of its contents: what is asked for again is there already, and nothing is overwritten.
"""

import contextlib
import hashlib
import logging
import re
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from .paper import WITHOUT

log = logging.getLogger(__name__)
FOLDER = "papers"
KEPT = 60
"""PDFs kept in the run folder; the oldest goes first."""
LIMIT_S = 120
_NAME = re.compile(r"^[A-Za-z0-9._-]{1,120}$")


class Press:
    """Makes PDFs in the background. May be shared by threads."""

    def __init__(self, run_dir: Path, days: Callable[[], int] = lambda: 0) -> None:
        """days: so long PDFs are kept; 0: by their number alone."""
        self._days = days
        self._folder = run_dir / FOLDER
        self._lock = threading.Lock()
        self._busy = ""
        self._failed: OrderedDict[str, str] = OrderedDict()

    def order(self, title: str, html: str) -> str:
        """Begin with one, unless it is there; return its name. Empty: another one is being made, ask again.

        title: letters, digits, `-`, `_`, `.`; others are replaced.
        """
        digest = hashlib.sha256(html.encode()).hexdigest()[:10]
        name = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', title)[:90].strip('-.')}-{digest}"
        with self._lock:
            if self._file(name).exists() or self._busy == name:
                return name
            if self._busy:
                return ""
            self._busy = name
            self._failed.pop(name, None)
        threading.Thread(target=self._make, args=(name, html), name="press", daemon=True).start()
        return name

    def state(self, name: str) -> str:
        """`done`, `working`, `none` (there is no such), or a word for what went wrong: `missing`, `failed`."""
        if not _NAME.match(name):
            return "none"
        with self._lock:
            if self._busy == name:
                return "working"
            if name in self._failed:
                return self._failed[name]
        return "done" if self._file(name).exists() else "none"

    def file(self, name: str) -> Path | None:
        """The PDF; None: it is not there."""
        return self._file(name) if self.state(name) == "done" else None

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.pdf"

    def _make(self, name: str, html: str) -> None:
        wrong = "failed"
        page = self._folder / f"{name}.html"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            page.write_text(html, encoding="utf-8")
            command = [sys.executable, "-m", "okng.webui.paper", str(page), str(self._file(name))]
            done = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)
            if done.returncode:
                log.error("report %s: %s", name, done.stderr.decode(errors="replace")[-2000:])
            wrong = "" if done.returncode == 0 else "missing" if done.returncode == WITHOUT else "failed"
        except (OSError, subprocess.SubprocessError):
            log.exception("report %s", name)
        finally:
            with contextlib.suppress(OSError):
                page.unlink(missing_ok=True)
                self._clear()
            with self._lock:
                self._busy = ""
                if wrong:
                    self._failed[name] = wrong
                    while len(self._failed) > KEPT:
                        self._failed.popitem(last=False)

    def _clear(self) -> None:
        held = sorted(self._folder.glob("*.pdf"), key=lambda file: file.stat().st_mtime_ns)
        old_s = time.time() - self._days() * 86_400 if self._days() else 0.0
        for place, file in enumerate(held):
            if place < len(held) - KEPT or file.stat().st_mtime < old_s:
                file.unlink(missing_ok=True)
