"""Long work: one process of its own at a time, the others wait. What it has come to lies on disk and is told by `Work`.

    order -> FOLDER/ID/order.json -> okng workshop-job -> lines of progress -> FOLDER/ID/result.json

What was under way when the workshop ended is shown as failed after the restart: nothing is begun twice by itself.
"""

import json
import logging
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..bus.clock import MS, now_ns
from ..bus.messages import Work
from .whole import put, put_json

_LOG = logging.getLogger(__name__)
ORDER, RESULT, STATE, SAID = "order.json", "result.json", "state.json", "said.log"
BROKEN_OFF = "broken off: the workshop was ended meanwhile; begin again"
PAPERS = frozenset(("bundle", "export"))
"""Works whose results are files that somebody takes away: support bundles, exported labels."""
_STOP_MS = 2000
_TOLD_MS = 200
"""Progress is told at most so often."""


@dataclass(slots=True)
class _Running:
    work: Work
    process: subprocess.Popen[bytes]
    unread: bytes = b""
    told_ns: int = 0
    asked_to_end_ns: int = 0


class Works:
    """All long work of one workshop. One thread; `turn` often."""

    def __init__(self, folder: Path, command: list[str], most: int, kept: int, tell: Callable[[Work], None]) -> None:
        """folder: where orders and results lie. command: begins the work of a folder, whose path is put at its end.

        most: works that may wait. kept: finished ones that are kept. tell: called with every change.
        """
        self._folder, self._command, self._most, self._kept, self._tell = folder, command, most, kept, tell
        folder.mkdir(parents=True, exist_ok=True)
        self._works: dict[str, Work] = {}
        self._waiting: list[str] = []
        self._running: _Running | None = None
        for one in self._read():
            if one.state in ("waiting", "running"):
                one = replace(one, state="failed", detail=BROKEN_OFF)
                self._keep(one)
            self._works[one.id] = one

    @property
    def busy(self) -> bool:
        """Something runs or waits."""
        return self._running is not None or bool(self._waiting)

    def begin(
        self, what: str, about: str, who: str, order: dict[str, Any], files: Mapping[str, bytes] | None = None
    ) -> str:
        """Take an order; return its id. files: what lies beside it, by name.

        ValueError: too much waits, or the same is under way already.
        """
        for one in self._works.values():
            if (one.what, one.about) == (what, about) and one.state in ("waiting", "running"):
                raise ValueError(f"{what} of {about} is under way already")
        if len(self._waiting) >= self._most:
            raise ValueError(f"{len(self._waiting)} pieces of work wait already: ask again when one is done")
        made = Work(secrets.token_hex(8), what, about, "waiting", 0.0, "", who)
        for name, data in (files or {}).items():
            put(self._folder / made.id / name, data)
        put_json(self._folder / made.id / ORDER, {"what": what, "about": about, "who": who, **order})
        self._say(made)
        self._waiting.append(made.id)
        self._forget()
        return made.id

    def abort(self, id_: str) -> None:
        """End one, or take it out of the queue. ValueError: there is none such under way."""
        if id_ in self._waiting:
            self._waiting.remove(id_)
            self._say(replace(self._works[id_], state="failed", detail="aborted"))
        elif self._running is not None and self._running.work.id == id_:
            self._end(self._running)
        else:
            raise ValueError("this work is not under way")

    def known(self, id_: str) -> Work | None:
        """How one stands; None: there is none such."""
        return self._works.get(id_)

    def all(self) -> list[Work]:
        """All that are kept, the newest first."""
        return list(reversed(self._works.values()))

    def result(self, id_: str) -> dict[str, Any] | None:
        """What one came to; None: it is not done."""
        work = self._works.get(id_)
        return None if work is None or work.state != "done" else self._came_to(id_)

    def folder(self, id_: str) -> Path:
        """Where its files lie."""
        return self._folder / id_

    def turn(self) -> Work | None:
        """Read what runs, begin what waits; return a work that has just ended. Never waits."""
        ended = self._look() if self._running is not None else None
        if self._running is None and self._waiting:
            self._start(self._waiting.pop(0))
        return ended

    def close(self) -> None:
        """End what runs."""
        if self._running is not None:
            _kill(self._running.process)
            self._say(replace(self._running.work, state="failed", detail=BROKEN_OFF))
            self._running = None

    def _start(self, id_: str) -> None:
        place = self._folder / id_
        try:
            with (place / SAID).open("wb") as said:
                process = subprocess.Popen(
                    [*self._command, str(place)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    start_new_session=True,
                )
        except OSError as error:
            self._say(replace(self._works[id_], state="failed", detail=f"cannot be begun: {error}"))
            return
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        work = replace(self._works[id_], state="running")
        self._running = _Running(work, process)
        self._say(work)

    def _look(self) -> Work | None:
        running = self._running
        assert running is not None
        for share, detail in self._progress(running):
            running.work = replace(running.work, share=min(1.0, max(0.0, share)), detail=detail)
            self._works[running.work.id] = running.work
            if now_ns() - running.told_ns > _TOLD_MS * MS:
                running.told_ns = now_ns()
                self._tell(running.work)
        if running.asked_to_end_ns and now_ns() - running.asked_to_end_ns > _STOP_MS * MS:
            _kill(running.process)
        code = running.process.poll()
        if code is None:
            return None
        assert running.process.stdout is not None
        running.process.stdout.close()
        _kill(running.process)  # what it began itself goes with it
        self._running = None
        done = self._outcome(running, code)
        self._say(done)
        return done

    def _outcome(self, running: _Running, code: int) -> Work:
        if running.asked_to_end_ns:
            return replace(running.work, state="failed", detail="aborted")
        found = self._came_to(running.work.id)
        if found is None:
            refusal = f"ended with code {code}: {self._last_words(running.work.id)}"
        else:
            refusal = str(found.get("refused", ""))
        if refusal:
            return replace(running.work, state="failed", detail=refusal[:2000])
        if code:
            return replace(running.work, state="failed", detail=f"ended with code {code}")
        return replace(running.work, state="done", share=1.0, detail="")

    def _came_to(self, id_: str) -> dict[str, Any] | None:
        """What its process has left; None: nothing that reads."""
        try:
            found = json.loads((self._folder / id_ / RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _last_words(self, id_: str) -> str:
        with suppress(OSError):
            lines = (self._folder / id_ / SAID).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return lines[-1][:300] if lines else "it said nothing"
        return "it said nothing"

    @staticmethod
    def _progress(running: _Running) -> Iterator[tuple[float, str]]:
        assert running.process.stdout is not None
        with suppress(BlockingIOError):
            while piece := os.read(running.process.stdout.fileno(), 65536):
                running.unread += piece
        *lines, running.unread = running.unread.split(b"\n")
        running.unread = running.unread[-4096:]
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                yield float(said["share"]), str(said["detail"])[:500]

    @staticmethod
    def _end(running: _Running) -> None:
        if not running.asked_to_end_ns:
            running.asked_to_end_ns = now_ns()
            with suppress(ProcessLookupError):
                os.killpg(running.process.pid, signal.SIGTERM)

    def _say(self, work: Work) -> None:
        self._works[work.id] = work
        self._keep(work)
        self._tell(work)

    def _keep(self, work: Work) -> None:
        put_json(self._folder / work.id / STATE, asdict(work))

    def _forget(self) -> None:
        """Let go of the oldest finished ones."""
        finished = [one.id for one in self._works.values() if one.state in ("done", "failed")]
        for id_ in finished[: max(0, len(finished) - self._kept)]:
            del self._works[id_]
            shutil.rmtree(self._folder / id_, ignore_errors=True)

    def forget_older(self, days: int, now_s: float) -> list[Work]:
        """Let go of files for people (`PAPERS`) that are so many days old; return their works. days 0: of none."""
        finished = [one for one in self._works.values() if one.what in PAPERS and one.state in ("done", "failed")]
        gone = [one for one in finished if days and now_s - self._ended_s(one, now_s) > days * 86_400]
        for one in gone:
            del self._works[one.id]
            shutil.rmtree(self._folder / one.id, ignore_errors=True)
        return gone

    def _ended_s(self, one: Work, unknown_s: float) -> float:
        try:
            return (self._folder / one.id / STATE).stat().st_mtime
        except OSError:
            return unknown_s

    def _read(self) -> list[Work]:
        """What an earlier workshop left, in order of time. What is not whole is removed."""
        found = []
        for place in self._folder.iterdir():
            try:
                state = json.loads((place / STATE).read_text(encoding="utf-8"))
                found.append(((place / ORDER).stat().st_mtime_ns, Work(**state)))
            except (OSError, ValueError, TypeError):
                shutil.rmtree(place, ignore_errors=True)
        return [work for _, work in sorted(found, key=lambda each: each[0])]


def command_of(settings_file: Path) -> list[str]:
    """What begins a piece of work."""
    return [sys.executable, "-m", "okng", "workshop-job", "--settings", str(settings_file)]


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End it and all it began, now."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
